#include "tests/unit/strict.h"

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *allocate(size_t count, size_t size)
{
	void *p = calloc(count + 1, size);

	if (!p)
		abort();
	return p;
}

struct parser {
	const unsigned char *p, *end;
	unsigned depth;
};

static bool at(const struct parser *ps, char c)
{
	return ps->p < ps->end && *ps->p == (unsigned char)c;
}

static bool take(struct parser *ps, char c)
{
	if (!at(ps, c))
		return false;
	ps->p++;
	return true;
}

static bool take_word(struct parser *ps, const char *word)
{
	size_t size = strlen(word);

	if ((size_t)(ps->end - ps->p) < size || memcmp(ps->p, word, size) != 0)
		return false;
	ps->p += size;
	return true;
}

static void take_space(struct parser *ps)
{
	while (take(ps, ' ') || take(ps, '\t') || take(ps, '\n') ||
	       take(ps, '\r'))
		;
}

static struct strict *make(enum strict_kind kind)
{
	struct strict *v = allocate(1, sizeof(*v));

	v->kind = kind;
	return v;
}

void strict_free(struct strict *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->count; i++) {
		strict_free(v->items[i]);
		if (v->keys)
			strict_free(v->keys[i]);
	}
	free(v->items);
	free(v->keys);
	free(v->text);
	free(v);
}

/* RFC 3629, by value: decodes one character, -1 if there is none. */
static long take_utf8(struct parser *ps)
{
	static const long least[] = {0, 0x80, 0x800, 0x10000};
	unsigned char first = *ps->p++;
	unsigned more;
	long code;

	if (first < 0x80)
		return first;
	if (first >> 5 == 6)
		more = 1;
	else if (first >> 4 == 14)
		more = 2;
	else if (first >> 3 == 30)
		more = 3;
	else
		return -1;
	code = first & (0x3f >> more);
	for (unsigned i = 0; i < more; i++) {
		if (ps->p == ps->end || *ps->p >> 6 != 2)
			return -1;
		code = code * 64 + (*ps->p++ & 0x3f);
	}
	if (code < least[more] || code > 0x10ffff ||
	    (code >= 0xd800 && code <= 0xdfff))
		return -1;
	return code;
}

static long take_hex(struct parser *ps)
{
	long code = 0;

	for (int i = 0; i < 4; i++) {
		const char *digits = "0123456789abcdef0123456789ABCDEF";
		const char *digit;

		if (ps->p == ps->end || *ps->p == 0)
			return -1;
		digit = strchr(digits, *ps->p++);
		if (!digit)
			return -1;
		code = code * 16 + (digit - digits) % 16;
	}
	return code;
}

static long take_escape(struct parser *ps)
{
	static const char names[] = "\"\\/bfnrt", chars[] = "\"\\/\b\f\n\r\t";
	const char *name;
	long high, low;

	if (ps->p == ps->end || *ps->p == 0)
		return -1;
	if (!take(ps, 'u')) {
		name = strchr(names, *ps->p++);
		return name ? chars[name - names] : -1;
	}
	high = take_hex(ps);
	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high > 0xdbff || !take_word(ps, "\\u"))
		return -1;
	low = take_hex(ps);
	if (low < 0xdc00 || low > 0xdfff)
		return -1;
	return 0x10000 + (high - 0xd800) * 0x400 + (low - 0xdc00);
}

static size_t put_utf8(char *out, long code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 + code / 64);
		out[1] = (char)(0x80 + code % 64);
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 + code / 4096);
		out[1] = (char)(0x80 + code / 64 % 64);
		out[2] = (char)(0x80 + code % 64);
		return 3;
	}
	out[0] = (char)(0xf0 + code / 262144);
	out[1] = (char)(0x80 + code / 4096 % 64);
	out[2] = (char)(0x80 + code / 64 % 64);
	out[3] = (char)(0x80 + code % 64);
	return 4;
}

static struct strict *parse_string(struct parser *ps)
{
	struct strict *v = make(STRICT_STRING);

	v->text = allocate((size_t)(ps->end - ps->p) + 4, 1);
	ps->p++;
	while (!take(ps, '"')) {
		long code = -1;

		if (ps->p < ps->end && *ps->p >= 0x20)
			code = take(ps, '\\') ? take_escape(ps) : take_utf8(ps);
		if (code < 0) {
			strict_free(v);
			return NULL;
		}
		v->size += put_utf8(v->text + v->size, code);
	}
	v->text[v->size] = '\0';
	v->text = realloc(v->text, v->size + 1);
	if (!v->text)
		abort();
	return v;
}

static bool take_digits(struct parser *ps)
{
	const unsigned char *start = ps->p;

	while (ps->p < ps->end && *ps->p >= '0' && *ps->p <= '9')
		ps->p++;
	return ps->p > start;
}

static bool take_number(struct parser *ps)
{
	(void)take(ps, '-');
	if (take(ps, '0') ? take_digits(ps) : !take_digits(ps))
		return false;
	if (take(ps, '.') && !take_digits(ps))
		return false;
	if (take(ps, 'e') || take(ps, 'E')) {
		if (!take(ps, '-'))
			(void)take(ps, '+');
		return take_digits(ps);
	}
	return true;
}

static struct strict *parse_number(struct parser *ps)
{
	const char *start = (const char *)ps->p;
	struct strict *v;

	if (!take_number(ps))
		return NULL;
	v = make(STRICT_NUMBER);
	v->size = (size_t)((const char *)ps->p - start);
	v->text = allocate(v->size + 1, 1);
	memcpy(v->text, start, v->size);
	if (isinf(strtod(v->text, NULL))) {
		strict_free(v);
		return NULL;
	}
	return v;
}

static struct strict *parse_value(struct parser *ps);

/* Duplicate keys: the last value, at the place of the first one. */
static void put(struct strict *object, struct strict *key, struct strict *item)
{
	for (size_t i = 0; object->keys && i < object->count; i++)
		if (object->keys[i]->size == key->size &&
		    memcmp(object->keys[i]->text, key->text, key->size) == 0) {
			strict_free(object->items[i]);
			strict_free(key);
			object->items[i] = item;
			return;
		}
	if ((object->count & (object->count - 1)) == 0) {
		size_t room = object->count ? 2 * object->count : 1;

		object->items = realloc(object->items, room * sizeof(item));
		object->keys = realloc(object->keys, room * sizeof(key));
		if (!object->items || !object->keys)
			abort();
	}
	object->keys[object->count] = key;
	object->items[object->count++] = item;
}

static bool parse_member(struct parser *ps, struct strict *object)
{
	struct strict *key, *item;

	take_space(ps);
	if (!at(ps, '"'))
		return false;
	key = parse_string(ps);
	if (!key)
		return false;
	take_space(ps);
	item = take(ps, ':') ? parse_value(ps) : NULL;
	if (!item) {
		strict_free(key);
		return false;
	}
	put(object, key, item);
	return true;
}

static bool parse_element(struct parser *ps, struct strict *array)
{
	struct strict *item = parse_value(ps);

	if (!item)
		return false;
	if ((array->count & (array->count - 1)) == 0) {
		size_t room = array->count ? 2 * array->count : 1;

		array->items = realloc(array->items, room * sizeof(item));
		if (!array->items)
			abort();
	}
	array->items[array->count++] = item;
	return true;
}

static struct strict *parse_container(struct parser *ps, bool object)
{
	struct strict *v = make(object ? STRICT_OBJECT : STRICT_ARRAY);
	char close = object ? '}' : ']';
	bool good = ++ps->depth <= 127;

	ps->p++;
	take_space(ps);
	if (good && !take(ps, close)) {
		do {
			good = object ? parse_member(ps, v)
				      : parse_element(ps, v);
			take_space(ps);
		} while (good && take(ps, ','));
		good = good && take(ps, close);
	}
	ps->depth--;
	if (good)
		return v;
	strict_free(v);
	return NULL;
}

static struct strict *parse_value(struct parser *ps)
{
	take_space(ps);
	if (at(ps, '{') || at(ps, '['))
		return parse_container(ps, at(ps, '{'));
	if (at(ps, '"'))
		return parse_string(ps);
	if (take_word(ps, "null"))
		return make(STRICT_NULL);
	if (take_word(ps, "true"))
		return make(STRICT_TRUE);
	if (take_word(ps, "false"))
		return make(STRICT_FALSE);
	return parse_number(ps);
}

struct strict *strict_parse(const char *text, size_t size, size_t *ret_used)
{
	struct parser ps = {.p = (const unsigned char *)text};
	struct strict *v;

	ps.end = ps.p + size;
	v = parse_value(&ps);
	if (!v)
		return NULL;
	if (ret_used) {
		*ret_used = (size_t)((const char *)ps.p - text);
		return v;
	}
	take_space(&ps);
	if (ps.p == ps.end)
		return v;
	strict_free(v);
	return NULL;
}

const struct strict *strict_get(const struct strict *object, const char *key)
{
	for (size_t i = 0; i < object->count; i++)
		if (strcmp(object->keys[i]->text, key) == 0)
			return object->items[i];
	return NULL;
}

static void give_up(const char *what, const char *name)
{
	fprintf(stderr, "%s: %s\n", what, name);
	abort();
}

const char *strict_text(const struct strict *object, const char *key)
{
	const struct strict *v = strict_get(object, key);

	if (!v || v->kind != STRICT_STRING)
		give_up("no such string", key);
	return v->text;
}

double strict_number(const struct strict *object, const char *key, double other)
{
	const struct strict *v = strict_get(object, key);

	return v && v->kind == STRICT_NUMBER ? strtod(v->text, NULL) : other;
}

bool strict_is_true(const struct strict *object, const char *key)
{
	const struct strict *v = strict_get(object, key);

	return v && v->kind == STRICT_TRUE;
}

struct strict *strict_read_vectors(const char *name)
{
	static char text[1 << 20];
	struct strict *v = NULL;
	char path[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "tests/data/vectors/%s", name);
	file = fopen(path, "rb");
	if (file) {
		v = strict_parse(text, fread(text, 1, sizeof(text), file),
				 NULL);
		(void)fclose(file);
	}
	if (!v)
		give_up("cannot read vectors", path);
	return v;
}
