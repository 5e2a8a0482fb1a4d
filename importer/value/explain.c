#include "importer/value/explain.h"

#include <stdio.h>
#include <string.h>

#include "importer/value/json.h"
#include "importer/value/refusal.h"
#include "importer/value/utf8.h"

/* A path is cut here; the column still tells the place. */
#define PATH_MAX_SIZE 160

/* The way to the token that is being read. */
struct trail {
	struct step {
		size_t key, key_end; /* without quotes; of an object */
		size_t index;	     /* of an array, from 0 */
	} steps[JSON_DEPTH_MAX];
};

static void follow(struct trail *t, const struct json *j, enum json_token token)
{
	unsigned depth = j->depth;

	switch (token) {
	case JSON_OBJECT:
	case JSON_ARRAY:
		t->steps[depth - 1] = (struct step){0};
		break;
	case JSON_KEY:
		t->steps[depth - 1].key = j->start + 1;
		t->steps[depth - 1].key_end = j->end - 1;
		break;
	case JSON_CLOSE:
	case JSON_STRING:
	case JSON_NUMBER:
	case JSON_LITERAL:
		if (depth > 0) {
			t->steps[depth - 1].index++;
			t->steps[depth - 1].key = 0; /* it has its value */
		}
		break;
	case JSON_END:
	case JSON_BAD:
		break;
	}
}

/* Reads up to the token that begins at off or behind it, or is bad. */
static void find(struct json *j, struct trail *t, size_t off)
{
	for (;;) {
		enum json_token token = json_next(j);

		if (token == JSON_BAD || token == JSON_END)
			return;
		if (j->start >= off && token != JSON_KEY) {
			/* The way to a bracket does not lead inside. */
			if (token == JSON_OBJECT || token == JSON_ARRAY)
				j->depth--;
			return;
		}
		follow(t, j, token);
		if (j->start >= off)
			return;
	}
}

static void append(char *path, size_t *size, const char *text, size_t n)
{
	if (n > PATH_MAX_SIZE - 1 - *size)
		n = PATH_MAX_SIZE - 1 - *size;
	memcpy(path + *size, text, n);
	*size += n;
	path[*size] = '\0';
}

static void print_path(const struct json *j, const struct trail *t,
		       char path[PATH_MAX_SIZE])
{
	size_t size = 0;

	path[0] = '\0';
	for (unsigned i = 0; i < j->depth; i++) {
		const struct step *step = &t->steps[i];
		char index[24];

		if (j->open[i] == '[') {
			(void)snprintf(index, sizeof(index), "[%zu]",
				       step->index);
			append(path, &size, index, strlen(index));
		} else if (step->key > 0) {
			if (size > 0)
				append(path, &size, ".", 1);
			append(path, &size, j->text + step->key,
			       step->key_end - step->key);
		}
	}
}

int explain_at(struct cvx_err *err, const char *name, const char *text,
	       size_t size, size_t off, const char *what)
{
	char path[PATH_MAX_SIZE];
	struct trail trail;
	struct json j;

	json_init(&j, text, size);
	find(&j, &trail, off);
	print_path(&j, &trail, path);
	if (path[0] == '\0')
		return refuse(err, name, "column %zu: %s", off + 1, what);
	return refuse(err, name, "column %zu, field %s: %s", off + 1, path,
		      what);
}

int explain_field(struct cvx_err *err, const char *name, const char *text,
		  size_t size, const char *key, const char *what)
{
	size_t off = 0, length = strlen(key);
	enum json_token token;
	struct json j;

	json_init(&j, text, size);
	do {
		char decoded[64];

		token = json_next(&j);
		if (token != JSON_KEY || j.depth != 1 ||
		    j.end - j.start > sizeof(decoded))
			continue;
		if (json_decode_string(text + j.start, j.end - j.start,
				       decoded) == length &&
		    memcmp(decoded, key, length) == 0)
			off = j.start;
	} while (token != JSON_END && token != JSON_BAD);
	return refuse(err, name, "column %zu, field %s: %s", off + 1, key,
		      what);
}

int explain_syntax(struct cvx_err *err, const char *text, size_t size,
		   bool partial, size_t off, const char *what)
{
	/* Of a partial text, nothing behind the fault counts. */
	size_t seen = partial && size - off > 4 ? off + 4 : size;
	size_t valid = utf8_valid_size(text, seen);

	if (valid < seen && (!partial || valid <= off))
		return refuse(err, "NotUtf8", "column %zu: invalid UTF-8",
			      valid + 1);
	return explain_at(err, "JsonInvalidRow", text, size, off, what);
}
