#include "importer/server/compose.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "importer/value/base64.h"
#include "importer/value/number.h"

bool compose_add_int64(struct cJSON *object, const char *key, int64_t n)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRId64, n);
	return cJSON_AddRawToObject(object, key, text);
}

bool compose_add_float64(struct cJSON *object, const char *key, double n)
{
	char text[NUMBER_TEXT_MAX + 1];

	text[number_print(n, text)] = '\0';
	return cJSON_AddRawToObject(object, key, text);
}

bool compose_add_raw(struct cJSON *object, const char *key, const char *text)
{
	return cJSON_AddRawToObject(object, key, text);
}

bool compose_add_text_or_null(struct cJSON *object, const char *key,
			      const char *text)
{
	if (text && *text)
		return cJSON_AddStringToObject(object, key, text);
	return cJSON_AddNullToObject(object, key);
}

int compose_fail_append(int r, struct cvx_err *err)
{
	if (r == -ENOMEM)
		return cvx_fail_memory(err);
	return r < 0 ? cvx_fail(err, r, "the answer is too long") : 0;
}

int compose_print(struct cJSON *value, struct cvx_buf *out, struct cvx_err *err)
{
	char *text = value ? cJSON_PrintUnformatted(value) : NULL;
	int r = text ? cvx_buf_puts(out, text) : -ENOMEM;

	cJSON_free(text);
	cJSON_Delete(value);
	return compose_fail_append(r, err);
}

int compose_print_string(const char *text, struct cvx_buf *out)
{
	return compose_print(cJSON_CreateString(text), out, NULL);
}

void compose_print_stamp(uint64_t ns, char text[STAMP_TEXT_SIZE])
{
	unsigned char bytes[8];
	unsigned i;

	for (i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(ns >> (8 * i));
	base64_encode(bytes, sizeof(bytes), text);
	text[STAMP_TEXT_SIZE - 1] = '\0';
}

bool compose_read_stamp(const char *text, uint64_t *ret)
{
	unsigned char bytes[8];
	size_t size;
	unsigned i;

	if (!base64_check(text, strlen(text), &size) || size != sizeof(bytes))
		return false;
	base64_decode(text, strlen(text), bytes);
	*ret = 0;
	for (i = 0; i < 8; i++)
		*ret |= (uint64_t)bytes[i] << (8 * i);
	return true;
}
