#include "importer/value/value.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "importer/value/base64.h"
#include "importer/value/canon.h"
#include "importer/value/json.h"
#include "importer/value/number.h"
#include "importer/value/scan.h"

struct value_reader {
	struct scanner *scanner;
};

int value_reader_new(enum value_encoding encoding, struct value_reader **ret,
		     struct cvx_err *err)
{
	struct value_reader *r = calloc(1, sizeof(*r));

	if (r)
		r->scanner = scan_new(encoding == VALUE_UNIFORM,
				      encoding != VALUE_PLAIN);
	if (!r || !r->scanner) {
		free(r);
		return cvx_fail_memory(err);
	}
	*ret = r;
	return 0;
}

void value_reader_free(struct value_reader *r)
{
	if (!r)
		return;
	scan_free(r->scanner);
	free(r);
}

int value_read(struct value_reader *r, const char *text, size_t size,
	       struct cvx_buf *out, struct cvx_err *err)
{
	struct scanner *s = r->scanner;
	size_t used;
	int code = canon_read(s, text, size, false, &used, err);

	if (code < 0)
		return code;
	code = cvx_buf_reserve(out,
			       (size_t)(s->row_end - s->row) + SCAN_COPY_STEP);
	if (code < 0)
		return cvx_fail(err, code, "no room for the value");
	out->size += canon_write(s, out->data + out->size);
	return 0;
}

/*
 * The values of a canonical text, one after the other: a wrapper is one token.
 */
enum part {
	PART_JSON, /* see token */
	PART_INT64,
	PART_FLOAT64,
	PART_SPECIAL, /* "$float"; text is its base64 */
	PART_BYTES,   /* text is its base64 */
	PART_END,
};

struct walk {
	struct json json;
	enum json_token token;
	const char *text; /* of the token or the value */
	size_t size;
};

static bool token_is(const struct walk *w, const char *text)
{
	return w->size == strlen(text) && memcmp(w->text, text, w->size) == 0;
}

static int next_token(struct walk *w)
{
	w->token = json_next(&w->json);
	w->text = w->json.text + w->json.start;
	w->size = w->json.end - w->json.start;
	return w->token == JSON_BAD ? -EINVAL : 0;
}

/* Reads on behind the wrapper's key. */
static int next_wrapped(struct walk *w, enum part kind)
{
	const char *text;
	size_t size;

	if (next_token(w) < 0 || w->token != JSON_STRING)
		return -EINVAL;
	text = w->text + 1;
	size = w->size - 2;
	if (next_token(w) < 0 || w->token != JSON_CLOSE)
		return -EINVAL;
	w->text = text;
	w->size = size;
	return (int)kind;
}

/* An object opens: a wrapper, or one whose first key is read later. */
static int open_object(struct walk *w)
{
	struct json before = w->json;

	if (next_token(w) < 0)
		return -EINVAL;
	if (w->token == JSON_KEY && token_is(w, "\"$float\""))
		return next_wrapped(w, PART_SPECIAL);
	if (w->token == JSON_KEY && token_is(w, "\"$bytes\""))
		return next_wrapped(w, PART_BYTES);
	w->json = before;
	w->token = JSON_OBJECT;
	w->text = before.text + before.start;
	w->size = 1;
	return PART_JSON;
}

/* Returns the enum part, or -EINVAL. */
static int next_part(struct walk *w)
{
	if (next_token(w) < 0)
		return -EINVAL;
	switch (w->token) {
	case JSON_END:
		return json_is_at_end(&w->json) ? PART_END : -EINVAL;
	case JSON_OBJECT:
		return open_object(w);
	case JSON_NUMBER:
		for (size_t i = 0; i < w->size; i++)
			if (w->text[i] == '.' || w->text[i] == 'e')
				return PART_FLOAT64;
		return PART_INT64;
	case JSON_ARRAY:
	case JSON_CLOSE:
	case JSON_KEY:
	case JSON_STRING:
	case JSON_LITERAL:
	case JSON_BAD:
		break;
	}
	return PART_JSON;
}

/* The bytes of a string token, decoded, without writing them down. */
static size_t decoded_size(const char *text, size_t size)
{
	size_t n = 0;

	for (size_t i = 1; i < size - 1; i++, n++)
		if (text[i] == '\\')
			i += text[i + 1] == 'u' ? 5 : 1;
	return n; /* canonical escapes are of one byte each */
}

static uint64_t size_of_token(const struct walk *w)
{
	switch (w->token) {
	case JSON_OBJECT:
	case JSON_ARRAY:
		return 2;
	case JSON_KEY:
		return decoded_size(w->text, w->size) + 1;
	case JSON_STRING:
		return decoded_size(w->text, w->size) + 2;
	case JSON_LITERAL:
		return 1;
	case JSON_CLOSE:
	case JSON_NUMBER:
	case JSON_END:
	case JSON_BAD:
		break;
	}
	return 0;
}

int value_measure(const char *canonical, size_t size, struct value_size *ret)
{
	struct value_size sum = {0};
	struct walk w;
	size_t bytes;
	int part;

	json_init(&w.json, canonical, size);
	while ((part = next_part(&w)) != PART_END) {
		switch (part) {
		case PART_JSON:
			sum.size += size_of_token(&w);
			if (w.json.depth > sum.nesting)
				sum.nesting = w.json.depth;
			break;
		case PART_INT64:
		case PART_FLOAT64:
		case PART_SPECIAL:
			sum.size += 9;
			break;
		case PART_BYTES:
			if (!base64_check(w.text, w.size, &bytes))
				return -EINVAL;
			sum.size += 2 + bytes;
			break;
		default:
			return -EINVAL;
		}
	}
	*ret = sum;
	return 0;
}

static int append_quoted(struct cvx_buf *out, const char *before,
			 const char *text, size_t size, const char *behind)
{
	int r = cvx_buf_puts(out, before);

	if (r == 0)
		r = cvx_buf_append(out, text, size);
	if (r == 0)
		r = cvx_buf_puts(out, behind);
	return r;
}

static void little_endian(uint64_t bits, unsigned char bytes[8])
{
	for (size_t i = 0; i < 8; i++, bits >>= 8)
		bytes[i] = (unsigned char)bits;
}

static int64_t int64_of(const char *text, size_t size)
{
	bool negative = text[0] == '-';
	uint64_t n = 0;

	for (size_t i = negative; i < size; i++)
		n = n * 10 + (uint64_t)(text[i] - '0');
	return (int64_t)(negative ? -n : n);
}

static int print_internal_part(const struct walk *w, int part,
			       struct cvx_buf *out)
{
	const char *before = "{\"$float\":\"";
	char text[BASE64_SIZE(8)];
	unsigned char bytes[8];
	double value;

	switch (part) {
	case PART_INT64:
		before = "{\"$integer\":\"";
		little_endian((uint64_t)int64_of(w->text, w->size), bytes);
		break;
	case PART_FLOAT64:
		value = number_read(w->text, w->size);
		if (value != 0 || !signbit(value))
			return cvx_buf_append(out, w->text, w->size);
		little_endian(UINT64_C(1) << 63, bytes);
		break;
	case PART_SPECIAL:
		return append_quoted(out, before, w->text, w->size, "\"}");
	case PART_BYTES:
		return append_quoted(out, "{\"$bytes\":\"", w->text, w->size,
				     "\"}");
	default:
		return cvx_buf_append(out, w->text, w->size);
	}
	base64_encode(bytes, sizeof(bytes), text);
	return append_quoted(out, before, text, sizeof(text), "\"}");
}

static int print_special_clean(const struct walk *w, struct cvx_buf *out)
{
	unsigned char bytes[8];
	size_t size;

	if (!base64_check(w->text, w->size, &size) || size != sizeof(bytes))
		return -EINVAL;
	base64_decode(w->text, w->size, bytes);
	/* Infinities have no bit in the mantissa. */
	for (size_t i = 0; i < 6; i++)
		if (bytes[i] != 0)
			return cvx_buf_puts(out, "\"NaN\"");
	if ((bytes[6] & 0x0f) != 0)
		return cvx_buf_puts(out, "\"NaN\"");
	return cvx_buf_puts(out,
			    bytes[7] & 0x80 ? "\"-Infinity\"" : "\"Infinity\"");
}

static int print_clean_part(const struct walk *w, int part, struct cvx_buf *out)
{
	switch (part) {
	case PART_INT64:
	case PART_BYTES:
		return append_quoted(out, "\"", w->text, w->size, "\"");
	case PART_SPECIAL:
		return print_special_clean(w, out);
	default:
		return cvx_buf_append(out, w->text, w->size);
	}
}

/* Whether a comma stands in front of the token that follows. */
static bool ends_value(enum json_token token)
{
	return token == JSON_CLOSE || token == JSON_STRING ||
	       token == JSON_NUMBER || token == JSON_LITERAL;
}

static int print(const char *canonical, size_t size, struct cvx_buf *out,
		 int (*print_part)(const struct walk *w, int part,
				   struct cvx_buf *out))
{
	bool comma = false;
	struct walk w;
	int part, r;

	json_init(&w.json, canonical, size);
	while ((part = next_part(&w)) != PART_END) {
		bool json = part == PART_JSON;

		if (part < 0)
			return part;
		if (comma && !(json && w.token == JSON_CLOSE)) {
			r = cvx_buf_puts(out, ",");
			if (r < 0)
				return r;
		}
		r = print_part(&w, part, out);
		if (r == 0 && json && w.token == JSON_KEY)
			r = cvx_buf_puts(out, ":");
		if (r < 0)
			return r;
		comma = !json || ends_value(w.token);
	}
	return 0;
}

int value_print_internal(const char *canonical, size_t size,
			 struct cvx_buf *out)
{
	return print(canonical, size, out, print_internal_part);
}

int value_print_clean(const char *canonical, size_t size, struct cvx_buf *out)
{
	return print(canonical, size, out, print_clean_part);
}
