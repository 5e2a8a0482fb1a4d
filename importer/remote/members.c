#include "importer/remote/members.h"

#include <stdlib.h>
#include <string.h>

void members_init(struct members *m, const struct range *value)
{
	enum json_token token;

	json_init(&m->json, value->text, value->size);
	token = json_next(&m->json);
	m->is_object = token == JSON_OBJECT;
	m->is_bad = !m->is_object && token != JSON_ARRAY;
}

bool members_next(struct members *m, struct range *ret_key,
		  struct range *ret_value)
{
	struct json *j = &m->json;
	struct range key = {NULL, 0};
	enum json_token token;
	size_t start;

	if (m->is_bad)
		return false;
	token = json_next(j);
	if (token == JSON_CLOSE) {
		m->is_bad = !json_is_at_end(j);
		return false;
	}
	if (m->is_object && token == JSON_KEY) {
		key = (struct range){j->text + j->start, j->end - j->start};
		token = json_next(j);
	}
	start = j->start;
	m->is_bad = token == JSON_BAD || token == JSON_END ||
		    token == JSON_CLOSE || !json_skip_value(j, token);
	if (m->is_bad)
		return false;
	if (ret_key)
		*ret_key = key;
	*ret_value = (struct range){j->text + start, j->end - start};
	return true;
}

size_t members_find(const struct range *key, const char *const *names,
		    size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (key->size == strlen(names[i]) + 2 &&
		    memcmp(key->text + 1, names[i], key->size - 2) == 0)
			break;
	return i;
}

bool members_pick(const struct range *object, const char *const *names,
		  struct range *ret, size_t count)
{
	struct range key, value;
	struct members m;
	size_t i;

	for (i = 0; i < count; i++)
		ret[i] = (struct range){"", 0};
	members_init(&m, object);
	while (m.is_object && members_next(&m, &key, &value)) {
		i = members_find(&key, names, count);
		if (i < count)
			ret[i] = value;
	}
	return m.is_object && !m.is_bad;
}

bool range_is(const struct range *r, const char *text)
{
	return r->size == strlen(text) && memcmp(r->text, text, r->size) == 0;
}

char *range_string(const struct range *r)
{
	char *text;
	size_t size;

	if (r->size < 2 || r->text[0] != '"')
		return NULL;
	text = malloc(r->size);
	if (!text)
		return NULL;
	size = json_decode_string(r->text, r->size, text);
	text[size] = '\0';
	if (strlen(text) == size)
		return text;
	free(text);
	return NULL;
}
