#include "importer/value/tidy.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/value/json.h"

/* A field of an open object, or one of the array that holds them. */
struct field {
	const char *key; /* decoded */
	size_t key_size;
	size_t start; /* of the key's quote in the text */
	size_t next;  /* of the key behind; 0: the last field */
};

struct fields {
	struct field *list;
	size_t count, capacity;
};

static void free_fields(struct fields *f)
{
	free(f->list);
}

static int push(struct fields *f, struct field field)
{
	if (f->count == f->capacity) {
		size_t capacity = f->capacity ? f->capacity * 2 : 64;
		struct field *list =
			reallocarray(f->list, capacity, sizeof(*list));

		if (!list)
			return -1;
		f->list = list;
		f->capacity = capacity;
	}
	f->list[f->count++] = field;
	return 0;
}

/* By key, and of one key the last one first. */
static int compare(const void *a_, const void *b_)
{
	const struct field *a = a_, *b = b_;
	size_t size = a->key_size < b->key_size ? a->key_size : b->key_size;
	int order = memcmp(a->key, b->key, size);

	if (order != 0)
		return order;
	if (a->key_size != b->key_size)
		return a->key_size < b->key_size ? -1 : 1;
	return a->start > b->start ? -1 : 1;
}

static bool same_key(const struct field *a, const struct field *b)
{
	return a->key_size == b->key_size &&
	       memcmp(a->key, b->key, a->key_size) == 0;
}

/* Blanks what the fields of one object overwrite. */
static bool blank(struct field *fields, size_t count, char *copy)
{
	bool changed = false;

	if (count > 1)
		qsort(fields, count, sizeof(*fields), compare);
	for (size_t i = 1; i < count; i++)
		if (same_key(&fields[i - 1], &fields[i])) {
			/* It has a successor, so a comma ends it. */
			memset(copy + fields[i].start, ' ',
			       fields[i].next - fields[i].start);
			changed = true;
		}
	return changed;
}

/*
 * Keys are decoded into one piece of memory, which no key outgrows. The fields
 * of all open objects lie in one list, the innermost object's last.
 */
static int tidy(const char *text, size_t size, char *copy, char *keys,
		struct fields *fields, bool *changed)
{
	size_t first[JSON_DEPTH_MAX + 1];
	enum json_token token;
	struct json j;

	json_init(&j, text, size);
	while ((token = json_next(&j)) != JSON_END) {
		size_t *begin = &first[j.depth];

		switch (token) {
		case JSON_OBJECT:
		case JSON_ARRAY:
			*begin = fields->count;
			break;
		case JSON_KEY: {
			struct field field = {.key = keys, .start = j.start};

			field.key_size = json_decode_string(
				text + j.start, j.end - j.start, keys);
			keys += field.key_size;
			if (fields->count > *begin)
				fields->list[fields->count - 1].next = j.start;
			if (push(fields, field) < 0)
				return -1;
			break;
		}
		case JSON_CLOSE:
			begin = &first[j.depth + 1];
			*changed |= blank(fields->list + *begin,
					  fields->count - *begin, copy);
			fields->count = *begin;
			break;
		case JSON_STRING:
		case JSON_NUMBER:
		case JSON_LITERAL:
			break;
		case JSON_END:
		case JSON_BAD:
			return 0; /* not reached: the text is JSON */
		}
	}
	return 0;
}

int tidy_text(const char *text, size_t size, char **ret, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *copy = malloc(size + 1);
	CVX_AUTO(cvx_freep) char *keys = malloc(size + 1);
	CVX_AUTO(free_fields) struct fields fields = {0};
	bool changed = false;

	if (!copy || !keys)
		return cvx_fail_memory(err);
	memcpy(copy, text, size);
	if (tidy(text, size, copy, keys, &fields, &changed) < 0)
		return cvx_fail_memory(err);
	*ret = changed ? CVX_TAKE(copy) : NULL;
	return 0;
}
