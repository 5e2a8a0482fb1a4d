/* The second half of strict: from JSON to values and their text. */
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/strict.h"

struct decoder {
	enum strict_encoding encoding;
	struct strict_result *result;
	size_t room;
};

static void put(struct decoder *d, const char *text, size_t size)
{
	struct strict_result *r = d->result;

	if (r->text_size + size + 1 > d->room) {
		d->room = (r->text_size + size + 1) * 2;
		r->text = realloc(r->text, d->room);
		if (!r->text)
			abort();
	}
	memcpy(r->text + r->text_size, text, size);
	r->text_size += size;
	r->text[r->text_size] = '\0';
}

static void put_text(struct decoder *d, const char *text)
{
	put(d, text, strlen(text));
}

static void put_string(struct decoder *d, const char *text, size_t size)
{
	put_text(d, "\"");
	for (size_t i = 0; i < size; i++) {
		static const char *const names[32] = {
			['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n",
			['\f'] = "\\f", ['\r'] = "\\r",
		};
		unsigned char c = (unsigned char)text[i];
		char escape[8];

		if (c == '"' || c == '\\') {
			put_text(d, "\\");
			put(d, text + i, 1);
		} else if (c >= 32) {
			put(d, text + i, 1);
		} else if (names[c]) {
			put_text(d, names[c]);
		} else {
			(void)snprintf(escape, sizeof(escape), "\\u%04x", c);
			put_text(d, escape);
		}
	}
	put_text(d, "\"");
}

/* Shortest digits by trial: of each length the nearest and its neighbours. */
static void shortest(double value, char digits[32], int *ret_exponent)
{
	for (int n = 1; n <= 17; n++) {
		unsigned long long whole;
		char text[64], *e;
		int exponent;

		(void)snprintf(text, sizeof(text), "%.*e", n - 1, value);
		e = strchr(text, 'e');
		exponent = (int)strtol(e + 1, NULL, 10) - (n - 1);
		*e = '\0';
		if (n > 1)
			memmove(text + 1, text + 2, strlen(text + 2) + 1);
		whole = strtoull(text, NULL, 10);
		for (int i = 0; i < 3; i++) {
			static const int steps[] = {0, 1, -1};
			unsigned long long near =
				whole + (unsigned long long)steps[i];

			(void)snprintf(text, sizeof(text), "%llue%d", near,
				       exponent);
			if (strtod(text, NULL) != value)
				continue;
			for (; near % 10 == 0; near /= 10)
				exponent++;
			(void)snprintf(digits, 32, "%llu", near);
			*ret_exponent = exponent;
			return;
		}
	}
	abort();
}

/* import.md 4.6 */
static void put_double(struct decoder *d, double value)
{
	char digits[32], tail[16];
	int k, n, p;

	if (signbit(value))
		put_text(d, "-");
	if (value == 0) {
		put_text(d, "0.0");
		return;
	}
	shortest(fabs(value), digits, &k);
	n = (int)strlen(digits);
	p = n + k;
	if (k >= 0 && p <= 16) {
		put_text(d, digits);
		for (int i = 0; i < k; i++)
			put_text(d, "0");
		put_text(d, ".0");
	} else if (p > 0 && p <= 16) {
		put(d, digits, (size_t)p);
		put_text(d, ".");
		put_text(d, digits + p);
	} else if (p > -5 && p <= 0) {
		put_text(d, "0.");
		for (int i = 0; i < -p; i++)
			put_text(d, "0");
		put_text(d, digits);
	} else {
		put(d, digits, 1);
		if (n > 1) {
			put_text(d, ".");
			put_text(d, digits + 1);
		}
		(void)snprintf(tail, sizeof(tail), "e%d", p - 1);
		put_text(d, tail);
	}
}

/* import.md 4.3: class integer. */
static bool is_int64(const char *text)
{
	const char *digits = text + (*text == '-');
	size_t n = strlen(digits);

	if (strpbrk(text, ".eE") || strcmp(text, "-0") == 0)
		return false;
	if (n != 19)
		return n < 19;
	return strcmp(digits, *text == '-' ? "9223372036854775808"
					   : "9223372036854775807") <= 0;
}

static bool decode_number(struct decoder *d, const char *text)
{
	d->result->size += 9;
	if (d->encoding == STRICT_UNIFORM && is_int64(text)) {
		put_text(d, text);
		d->result->beyond_plain = true;
	} else {
		put_double(d, strtod(text, NULL));
	}
	return true;
}

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw"
			     "xyz0123456789+/";

/* Decodes by bits; false: not base64 as import.md 4.4 has it. */
static bool from_base64(const struct strict *v, unsigned char *out,
			size_t *ret_size)
{
	size_t chars = 0, bits = 0, padding;

	for (; chars < v->size; chars++) {
		const char *c =
			v->text[chars] ? strchr(base64, v->text[chars]) : NULL;
		if (!c)
			break;
		for (int i = 5; i >= 0; i--, bits++)
			if ((c - base64) >> i & 1)
				out[bits / 8] |=
					(unsigned char)(0x80 >> bits % 8);
	}
	padding = v->size - chars;
	if (padding > 0 && (v->size % 4 != 0 || padding > 2))
		return false;
	for (size_t i = chars; i < v->size; i++)
		if (v->text[i] != '=')
			return false;
	if (chars % 4 == 1 || (bits % 8 != 0 && out[bits / 8] != 0))
		return false;
	*ret_size = bits / 8;
	return true;
}

static void put_base64(struct decoder *d, const unsigned char *bytes,
		       size_t size)
{
	for (size_t i = 0; i < size; i += 3) {
		unsigned long n = 0;
		char four[4];

		for (size_t j = i; j < i + 3; j++)
			n = n * 256 + (j < size ? bytes[j] : 0);
		for (int j = 3; j >= 0; j--, n /= 64)
			four[j] = base64[n % 64];
		if (i + 1 >= size)
			four[2] = '=';
		if (i + 2 >= size)
			four[3] = '=';
		put(d, four, 4);
	}
}

static bool decode_bits(struct decoder *d, const char *kind, uint64_t bits,
			const unsigned char *bytes)
{
	double value;
	char text[32];

	d->result->size += 9;
	if (strcmp(kind, "$integer") == 0) {
		(void)snprintf(text, sizeof(text), "%" PRId64, (int64_t)bits);
		put_text(d, text);
		d->result->beyond_plain = true;
		return true;
	}
	memcpy(&value, &bits, sizeof(value));
	if (isfinite(value) && value != 0)
		return false;
	if (isfinite(value)) {
		put_double(d, value);
		return true;
	}
	put_text(d, "{\"$float\":\"");
	put_base64(d, bytes, 8);
	put_text(d, "\"}");
	d->result->beyond_plain = true;
	return true;
}

static bool decode_wrapper(struct decoder *d, const struct strict *v)
{
	const struct strict *item = v->items[0];
	const char *kind = v->keys[0]->text;
	unsigned char *bytes;
	uint64_t bits = 0;
	size_t size;
	bool good;

	if (item->kind != STRICT_STRING)
		return false;
	bytes = calloc(item->size + 9, 1);
	if (!bytes)
		abort();
	good = from_base64(item, bytes, &size);
	if (good && strcmp(kind, "$bytes") == 0) {
		put_text(d, "{\"$bytes\":\"");
		put_base64(d, bytes, size);
		put_text(d, "\"}");
		d->result->size += 2 + size;
		d->result->beyond_plain = true;
	} else if (good) {
		for (int i = 7; i >= 0; i--)
			bits = bits * 256 + bytes[i];
		good = size == 8 && decode_bits(d, kind, bits, bytes);
	}
	free(bytes);
	return good;
}

static bool is_wrapper(const struct decoder *d, const struct strict *v)
{
	if (d->encoding == STRICT_PLAIN || v->kind != STRICT_OBJECT ||
	    v->count != 1 || strlen(v->keys[0]->text) != v->keys[0]->size)
		return false;
	return strcmp(v->keys[0]->text, "$integer") == 0 ||
	       strcmp(v->keys[0]->text, "$float") == 0 ||
	       strcmp(v->keys[0]->text, "$bytes") == 0;
}

static bool is_field_name(const struct strict *key)
{
	if (key->size > 1024 || key->text[0] == '$')
		return false;
	for (size_t i = 0; i < key->size; i++)
		if (key->text[i] < 0x20 || key->text[i] > 0x7e)
			return false;
	return true;
}

static int compare(const struct strict *a, const struct strict *b)
{
	return strcmp(a->text, b->text); /* no field name holds NUL */
}

static bool decode(struct decoder *d, const struct strict *v, unsigned depth);

static bool decode_object(struct decoder *d, const struct strict *v,
			  unsigned depth)
{
	size_t *order = calloc(v->count + 1, sizeof(*order));
	bool good = v->count <= 1024;

	if (!order)
		abort();
	for (size_t i = 0; good && i < v->count; i++) {
		size_t at = i;

		good = is_field_name(v->keys[i]);
		for (;
		     at > 0 && compare(v->keys[order[at - 1]], v->keys[i]) > 0;
		     at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
	put_text(d, "{");
	d->result->size += 2;
	for (size_t i = 0; good && i < v->count; i++) {
		const struct strict *key = v->keys[order[i]];

		if (i > 0)
			put_text(d, ",");
		put_string(d, key->text, key->size);
		put_text(d, ":");
		d->result->size += key->size + 1;
		good = decode(d, v->items[order[i]], depth + 1);
	}
	put_text(d, "}");
	free(order);
	return good;
}

static bool decode_array(struct decoder *d, const struct strict *v,
			 unsigned depth)
{
	put_text(d, "[");
	d->result->size += 2;
	for (size_t i = 0; i < v->count; i++) {
		if (i > 0)
			put_text(d, ",");
		if (!decode(d, v->items[i], depth + 1))
			return false;
	}
	put_text(d, "]");
	return v->count <= 8192;
}

static bool decode(struct decoder *d, const struct strict *v, unsigned depth)
{
	static const char *const words[] = {"null", "false", "true"};

	switch (v->kind) {
	case STRICT_NULL:
	case STRICT_FALSE:
	case STRICT_TRUE:
		put_text(d, words[v->kind]);
		d->result->size += 1;
		return true;
	case STRICT_NUMBER:
		return decode_number(d, v->text);
	case STRICT_STRING:
		put_string(d, v->text, v->size);
		d->result->size += v->size + 2;
		return true;
	case STRICT_ARRAY:
	case STRICT_OBJECT:
		break;
	}
	if (is_wrapper(d, v))
		return decode_wrapper(d, v);
	if (depth + 1 > d->result->nesting)
		d->result->nesting = depth + 1;
	return v->kind == STRICT_ARRAY ? decode_array(d, v, depth)
				       : decode_object(d, v, depth);
}

void strict_decode(const struct strict *v, enum strict_encoding encoding,
		   struct strict_result *ret)
{
	struct decoder d = {.encoding = encoding, .result = ret};

	*ret = (struct strict_result){0};
	ret->wrapper = is_wrapper(&d, v);
	ret->valid =
		decode(&d, v, 0) && ret->nesting <= 64 && ret->size <= 33554432;
}
