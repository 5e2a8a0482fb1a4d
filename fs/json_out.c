#include "fs/json_out.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/file.h"
#include "importer/value/utf8.h"

/* The places of a refusal, 10,000 tables: some megabytes at most. */
#define TEXT_MAX ((size_t)64 << 20)

void json_out_init(struct json_out *j)
{
	cvx_buf_init(&j->text, TEXT_MAX);
	j->failure = 0;
}

void json_out_fini(struct json_out *j)
{
	cvx_buf_fini(&j->text);
}

static void put(struct json_out *j, const char *bytes, size_t size)
{
	if (j->failure == 0)
		j->failure = cvx_buf_append(&j->text, bytes, size);
}

static void put_escaped(struct json_out *j, const char *text)
{
	size_t size = strlen(text), n;
	char escape[16];

	put(j, "\"", 1);
	while (size > 0) {
		n = 1;
		if (*text == '"' || *text == '\\') {
			put(j, "\\", 1);
			put(j, text, 1);
		} else if ((unsigned char)*text < ' ') {
			(void)snprintf(escape, sizeof(escape), "\\u%04x",
				       (unsigned)*text);
			put(j, escape, 6);
		} else if ((unsigned char)*text < 0x80) {
			put(j, text, 1);
		} else {
			n = utf8_sequence_size(text);
			put(j, n > 0 ? text : "\xef\xbf\xbd", n > 0 ? n : 3);
			n += n == 0;
		}
		text += n;
		size -= n;
	}
	put(j, "\"", 1);
}

/* What stands before a value: a comma, and its name. */
static void begin(struct json_out *j, const char *name)
{
	char last = j->text.size > 0 ? j->text.data[j->text.size - 1] : '{';

	if (last != '{' && last != '[')
		put(j, ",", 1);
	if (!*name)
		return;
	put_escaped(j, name);
	put(j, ":", 1);
}

void json_out_text(struct json_out *j, const char *name, const char *text)
{
	begin(j, name);
	if (text)
		put_escaped(j, text);
	else
		put(j, "null", 4);
}

void json_out_number(struct json_out *j, const char *name, uint64_t number)
{
	char digits[32];

	begin(j, name);
	(void)snprintf(digits, sizeof(digits), "%" PRIu64, number);
	put(j, digits, strlen(digits));
}

void json_out_raw(struct json_out *j, const char *name, const char *json,
		  size_t size)
{
	begin(j, name);
	put(j, json, size);
}

void json_out_open(struct json_out *j, const char *name, const char *bracket)
{
	begin(j, name);
	put(j, bracket, 1);
}

void json_out_close(struct json_out *j, const char *bracket)
{
	put(j, bracket, 1);
}

int json_out_flush(struct json_out *j)
{
	put(j, "\n", 1);
	if (j->failure < 0)
		return j->failure;
	return file_write(STDOUT_FILENO, j->text.data, j->text.size);
}
