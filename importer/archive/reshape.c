#include "importer/archive/reshape.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/archive/override.h"
#include "importer/archive/shape.h"
#include "importer/value/base64.h"
#include "importer/value/explain.h"
#include "importer/value/json.h"
#include "importer/value/number.h"
#include "importer/value/refusal.h"

#define INFINITY_TEXT "{\"$float\":\"AAAAAAAA8H8=\"}"
#define MINUS_INFINITY_TEXT "{\"$float\":\"AAAAAAAA8P8=\"}"

/* One row on its way. */
struct walk {
	struct reshape *r;
	struct json j;
	struct cvx_buf *out;
	struct cvx_err *err;
};

/* The unions that hold for a value: a range of reshape.unions. */
struct range {
	size_t from, count;
};

static int write_value(struct walk *w, enum json_token token,
		       struct range unions, const struct context *c);

void reshape_init(struct reshape *r, const struct shape *shape)
{
	*r = (struct reshape){.shape = shape};
}

void reshape_fini(struct reshape *r)
{
	free(r->unions);
	free(r->scratch);
}

static int refuse_here(struct walk *w, const char *what)
{
	return explain_at(w->err, "InvalidConvexValue", w->j.text, w->j.size,
			  w->j.start, what);
}

static int put(struct walk *w, const char *text, size_t size)
{
	int r = cvx_buf_append(w->out, text, size);

	return r == -ENOMEM ? cvx_fail_memory(w->err)
	       : r < 0	    ? cvx_fail(w->err, r, "the row is too long")
			    : 0;
}

static int put_text(struct walk *w, const char *text)
{
	return put(w, text, strlen(text));
}

/* The token as it stands. */
static int put_token(struct walk *w)
{
	return put(w, w->j.text + w->j.start, w->j.end - w->j.start);
}

/* Decodes the string or key, ended by NUL, into the scratch. */
static int decode(struct walk *w, size_t *ret_size)
{
	size_t need = w->j.end - w->j.start + 1;
	char *more;

	if (need > w->r->scratch_capacity) {
		more = realloc(w->r->scratch, need * 2);
		if (!more)
			return cvx_fail_memory(w->err);
		w->r->scratch = more;
		w->r->scratch_capacity = need * 2;
	}
	*ret_size = json_decode_string(w->j.text + w->j.start, need - 1,
				       w->r->scratch);
	w->r->scratch[*ret_size] = '\0';
	return 0;
}

/* Every number is a float64, which in uniform encoding needs a point. */
static int write_number(struct walk *w)
{
	char text[NUMBER_TEXT_MAX];
	double value =
		number_read(w->j.text + w->j.start, w->j.end - w->j.start);

	/* Too large: the reader refuses it as it stands. */
	if (isinf(value))
		return put_token(w);
	return put(w, text, number_print(value, text));
}

static int write_int64(struct walk *w, size_t size)
{
	const char *text = w->r->scratch, *at = text, *end = text + size;
	bool is_negative = size > 0 && *at == '-';
	uint64_t limit = (uint64_t)INT64_MAX + is_negative, value = 0;
	char digits[32];

	if (size > 0 && (*at == '-' || *at == '+'))
		at++;
	if (at == end)
		return refuse_here(w, "an int64 was expected in the string");
	for (; at < end; at++) {
		unsigned digit = (unsigned char)*at - (unsigned)'0';

		if (digit > 9 || value > (limit - digit) / 10)
			return refuse_here(w, "an int64 was expected in the "
					      "string");
		value = value * 10 + digit;
	}
	(void)snprintf(digits, sizeof(digits), "%s%" PRIu64,
		       is_negative && value > 0 ? "-" : "", value);
	return put_text(w, digits);
}

static int write_infinity(struct walk *w)
{
	if (strcmp(w->r->scratch, "Infinity") == 0)
		return put_text(w, INFINITY_TEXT);
	if (strcmp(w->r->scratch, "-Infinity") == 0)
		return put_text(w, MINUS_INFINITY_TEXT);
	return refuse_here(w, "\"Infinity\" or \"-Infinity\" was expected");
}

static int write_nan(struct walk *w, const struct context *c)
{
	int r;

	if (strcmp(w->r->scratch, "NaN") != 0)
		return refuse_here(w, "\"NaN\" was expected");
	r = put_text(w, "{\"$float\":\"");
	if (r == 0)
		r = put_text(w, context_nan(c));
	return r < 0 ? r : put_text(w, "\"}");
}

static int write_bytes(struct walk *w, size_t size)
{
	size_t byte_count;
	int r;

	if (!base64_check(w->r->scratch, size, &byte_count))
		return refuse_here(w, "base64 was expected in the string");
	r = put_text(w, "{\"$bytes\":");
	if (r == 0)
		r = put_token(w);
	return r < 0 ? r : put_text(w, "}");
}

/* The one reading that the unions allow, else a string. */
static enum shape_reading infer(const struct walk *w, struct range unions)
{
	unsigned readings = 0;
	size_t i;

	for (i = 0; i < unions.count; i++)
		readings |= w->r->shape->unions[w->r->unions[unions.from + i]]
				    .readings;
	if (readings == 0 || (readings & (readings - 1)) != 0)
		return SHAPE_STRING;
	return (enum shape_reading)readings;
}

static int write_string(struct walk *w, struct range unions,
			const struct context *c)
{
	enum shape_reading reading = SHAPE_STRING;
	size_t size = 0;
	int r = decode(w, &size);

	if (r < 0)
		return r;
	switch (context_kind(c)) {
	case CONTEXT_INFER:
		reading = infer(w, unions);
		break;
	case CONTEXT_INT64:
		reading = SHAPE_INT64;
		break;
	case CONTEXT_INFINITY:
		reading = SHAPE_INFINITY;
		break;
	case CONTEXT_NAN:
		reading = SHAPE_NAN;
		break;
	case CONTEXT_BYTES:
		reading = SHAPE_BYTES;
		break;
	case CONTEXT_ARRAY:
	case CONTEXT_OBJECT:
		return refuse_here(w, "the override does not fit a string");
	}
	switch (reading) {
	case SHAPE_INT64:
		return write_int64(w, size);
	case SHAPE_INFINITY:
		return write_infinity(w);
	case SHAPE_NAN: /* never inferred alone */
		return write_nan(w, c);
	case SHAPE_BYTES:
		return write_bytes(w, size);
	case SHAPE_STRING:
		break;
	}
	return put_token(w);
}

static int push(struct walk *w, uint32_t index)
{
	struct reshape *r = w->r;
	uint32_t *more;

	if (r->union_count == r->union_capacity) {
		r->union_capacity = r->union_capacity * 2 + 64;
		more = reallocarray(r->unions, r->union_capacity,
				    sizeof(*more));
		if (!more)
			return cvx_fail_memory(w->err);
		r->unions = more;
	}
	r->unions[r->union_count++] = index;
	return 0;
}

/* The union of the key in the scratch, in an object or record; 0: none. */
static uint32_t find_field(const struct walk *w, const struct shape_part *part,
			   size_t key_size)
{
	const struct shape_field *field;
	uint32_t i;

	if (part->kind == SHAPE_RECORD)
		return part->value;
	for (i = part->fields; i != 0; i = field->next) {
		field = &w->r->shape->fields[i];
		if (field->name_size == key_size &&
		    memcmp(field->name, w->r->scratch, key_size) == 0)
			return field->value;
	}
	return 0;
}

/*
 * Pushes the unions that hold for the elements of an array (key_size SIZE_MAX)
 * or for the field whose key is in the scratch. Unions are a tree, so none
 * comes twice but "unknown".
 */
static int push_inner(struct walk *w, struct range unions, size_t key_size,
		      struct range *ret)
{
	bool is_array = key_size == SIZE_MAX, is_unknown = false;
	const struct shape *shape = w->r->shape;
	const struct shape_part *part;
	uint32_t i, inner;
	size_t n;
	int r = 0;

	ret->from = w->r->union_count;
	for (n = 0; n < unions.count; n++) {
		const struct shape_union *u =
			&shape->unions[w->r->unions[unions.from + n]];

		is_unknown |= u->is_unknown;
		for (i = u->parts; r == 0 && i != 0; i = part->next) {
			part = &shape->parts[i];
			if (is_array != (part->kind == SHAPE_ARRAY))
				continue;
			inner = is_array ? part->value
					 : find_field(w, part, key_size);
			if (inner != 0)
				r = push(w, inner);
		}
		if (r < 0)
			return r;
	}
	if (is_unknown)
		r = push(w, 0);
	ret->count = w->r->union_count - ret->from;
	return r;
}

static int write_array(struct walk *w, struct range unions,
		       const struct context *c)
{
	enum context_kind kind = context_kind(c);
	const struct context *element = NULL;
	enum json_token token;
	struct range inner;
	size_t n = 0;
	int r;

	if (kind != CONTEXT_INFER && kind != CONTEXT_ARRAY)
		return refuse_here(w, "the override does not fit an array");
	if (kind == CONTEXT_ARRAY)
		element = context_first(c);
	r = push_inner(w, unions, SIZE_MAX, &inner);
	if (r == 0)
		r = put_text(w, "[");
	for (; r == 0; n++, element = context_next(element)) {
		token = json_next(&w->j);
		if (token == JSON_CLOSE)
			break;
		if (kind == CONTEXT_ARRAY && !element)
			return refuse_here(w, "the override's array is "
					      "shorter");
		if (n > 0)
			r = put_text(w, ",");
		if (r == 0)
			r = write_value(w, token, inner, element);
	}
	if (r == 0 && element)
		return refuse_here(w, "the override's array is longer");
	w->r->union_count = inner.from;
	return r < 0 ? r : put_text(w, "]");
}

static int write_field(struct walk *w, struct range unions,
		       const struct context *c)
{
	const struct context *field = NULL;
	struct range inner;
	size_t key_size = 0;
	int r = decode(w, &key_size);

	if (r < 0)
		return r;
	if (w->r->scratch[0] == '$')
		return refuse_here(w, "a field name must not begin with '$'");
	if (context_kind(c) == CONTEXT_OBJECT &&
	    strlen(w->r->scratch) == key_size)
		field = context_field(c, w->r->scratch);
	r = push_inner(w, unions, key_size, &inner);
	if (r == 0) /* the token ends with the quote; the colon is read too */
		r = put_token(w);
	if (r == 0)
		r = put_text(w, ":");
	if (r == 0)
		r = write_value(w, json_next(&w->j), inner, field);
	w->r->union_count = inner.from;
	return r;
}

static int write_object(struct walk *w, struct range unions,
			const struct context *c)
{
	enum context_kind kind = context_kind(c);
	size_t n = 0;
	int r;

	if (kind != CONTEXT_INFER && kind != CONTEXT_OBJECT)
		return refuse_here(w, "the override does not fit an object");
	r = put_text(w, "{");
	for (; r == 0; n++) {
		if (json_next(&w->j) == JSON_CLOSE)
			break;
		if (n > 0)
			r = put_text(w, ",");
		if (r == 0)
			r = write_field(w, unions, c);
	}
	return r < 0 ? r : put_text(w, "}");
}

/* The parser has bounded the depth (JSON_DEPTH_MAX). */
static int write_value(struct walk *w, enum json_token token,
		       struct range unions, const struct context *c)
{
	switch (token) {
	case JSON_OBJECT:
		return write_object(w, unions, c);
	case JSON_ARRAY:
		return write_array(w, unions, c);
	case JSON_STRING:
		return write_string(w, unions, c);
	case JSON_NUMBER:
		return write_number(w);
	case JSON_LITERAL:
		return put_token(w);
	case JSON_CLOSE:
	case JSON_KEY:
	case JSON_END:
	case JSON_BAD:
		break;
	}
	return refuse_here(w, "a value was expected"); /* no JSON after all */
}

int reshape_row(struct reshape *r, const char *row, size_t size,
		const struct context *context, struct cvx_buf *out,
		struct cvx_err *err)
{
	struct walk w = {.r = r, .out = out, .err = err};
	struct range root = {0, 1};
	size_t before = out->size;
	int code;

	json_init(&w.j, row, size);
	r->union_count = 0;
	code = push(&w, r->shape->root);
	if (code == 0)
		code = write_value(&w, json_next(&w.j), root, context);
	if (code < 0)
		out->size = before;
	return code;
}

int reshape_find_id(const char *row, size_t size, char id[ID_TEXT_MAX + 1],
		    bool *ret_found, struct cvx_err *err)
{
	enum json_token token;
	bool is_wanted = false;
	struct json j;
	struct internal_id internal;
	uint32_t table;
	char key[32];
	size_t n;

	*ret_found = false;
	json_init(&j, row, size);
	while ((token = json_next(&j)) != JSON_END && token != JSON_BAD) {
		n = j.end - j.start;
		if (is_wanted && token == JSON_STRING) {
			/* Escapes make a string longer, so it can be short. */
			CVX_AUTO(cvx_freep) char *text = malloc(n);

			if (!text)
				return cvx_fail_memory(err);
			n = json_decode_string(row + j.start, n, text);
			if (id_decode(text, n, &table, &internal) < 0)
				return explain_at(err, "InvalidConvexValue",
						  row, size, j.start,
						  "the _id is no document id");
			memcpy(id, text, n);
			id[n] = '\0';
			*ret_found = true;
		}
		is_wanted = token == JSON_KEY && j.depth == 1 &&
			    n <= sizeof(key) &&
			    json_decode_string(row + j.start, n, key) == 3 &&
			    memcmp(key, "_id", 3) == 0;
	}
	return 0;
}
