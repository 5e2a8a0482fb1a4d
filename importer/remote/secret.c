#include "importer/remote/secret.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"

char *secret_copy(const char *text, size_t size)
{
	char *copy = malloc(size + 1);

	if (!copy)
		return NULL;
	memcpy(copy, text, size);
	copy[size] = '\0';
	return copy;
}

char *secret_copy_text(const char *text)
{
	return secret_copy(text, strlen(text));
}

char *secret_join(const char *before, const char *text, const char *behind)
{
	size_t first = strlen(before), size = strlen(text);
	size_t last = strlen(behind);
	char *joined = malloc(first + size + last + 1);

	if (!joined)
		return NULL;
	memcpy(joined, before, first);
	memcpy(joined + first, text, size);
	memcpy(joined + first + size, behind, last + 1);
	return joined;
}

void secret_free(char *text)
{
	if (!text)
		return;
	explicit_bzero(text, strlen(text));
	free(text);
}

void secret_buf_fini(struct cvx_buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->capacity);
	cvx_buf_fini(b);
}

static void wipe_json(cJSON *json)
{
	for (; json; json = json->next) {
		if (json->valuestring)
			explicit_bzero(json->valuestring,
				       strlen(json->valuestring));
		wipe_json(json->child);
	}
}

void secret_delete_json(struct cJSON *json)
{
	wipe_json(json);
	cJSON_Delete(json);
}
