#include "fs/json_in.h"

#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "importer/value/json.h"

/* The first token of the value has been read; reads to its end. */
static bool skip_value(struct json *j, enum json_token first)
{
	unsigned depth = j->depth;
	enum json_token t = first;

	if (first != JSON_OBJECT && first != JSON_ARRAY)
		return first != JSON_BAD;
	while (t != JSON_BAD && j->depth >= depth)
		t = json_next(j);
	return t != JSON_BAD;
}

bool json_in_is_object(struct json_in text)
{
	enum json_token t;
	struct json j;

	json_init(&j, text.text, text.size);
	if (text.size == 0)
		return false;
	t = json_next(&j);
	return t == JSON_OBJECT && skip_value(&j, t) && json_is_at_end(&j);
}

struct json_in json_in_field(struct json_in object, const char *name)
{
	const struct json_in none = {NULL, 0};
	size_t size = strlen(name), start;
	enum json_token t;
	struct json j;
	bool is_it;

	json_init(&j, object.text, object.size);
	if (object.size == 0 || json_next(&j) != JSON_OBJECT)
		return none;
	while (json_next(&j) == JSON_KEY) {
		is_it = j.end - j.start == size + 2 &&
			memcmp(j.text + j.start + 1, name, size) == 0;
		t = json_next(&j);
		start = j.start;
		if (!skip_value(&j, t))
			return none;
		if (is_it)
			return (struct json_in){j.text + start, j.end - start};
	}
	return none;
}

void json_in_text(struct json_in value, char *out, size_t size)
{
	CVX_AUTO(cvx_freep) char *decoded = NULL;
	const char *from = value.text;
	size_t n = value.size, i;

	out[0] = '\0';
	if (n == 0 || (n == 4 && memcmp(from, "null", 4) == 0))
		return;
	if (from[0] == '"') {
		decoded = malloc(n);
		if (!decoded)
			return;
		n = json_decode_string(from, n, decoded);
		from = decoded;
	}
	if (n >= size)
		n = size - 1;
	for (i = 0; i < n; i++)
		out[i] = (unsigned char)from[i] < ' ' || from[i] == 0x7f
				 ? ' '
				 : from[i];
	out[n] = '\0';
}

uint64_t json_in_number(struct json_in value)
{
	char text[32];

	json_in_text(value, text, sizeof(text));
	return strtoull(text, NULL, 10);
}

bool json_in_line(struct json_in *text, struct json_in *ret)
{
	const char *lf =
		text->size ? memchr(text->text, '\n', text->size) : NULL;
	size_t size = lf ? (size_t)(lf - text->text) : text->size;

	*ret = (struct json_in){text->text, size};
	if (text->size == 0)
		return false;
	size += lf != NULL;
	text->text += size;
	text->size -= size;
	return true;
}
