#include "tests/unit/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "importer/value/id.h"
#include "importer/value/number.h"

uint64_t model_next(struct model_random *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * UINT64_C(0x2545f4914f6cdd1d);
}

uint32_t model_below(struct model_random *r, uint32_t limit)
{
	return (uint32_t)((model_next(r) >> 32) * limit >> 32);
}

const char *model_table_name(void *ctx, uint32_t number)
{
	(void)ctx;
	switch (number) {
	case MODEL_USERS:
		return "users";
	case MODEL_POSTS:
		return "posts";
	case 540:
		return "_storage";
	case 539:
		return "_scheduled_functions";
	default:
		return NULL;
	}
}

static void put(struct cvx_buf *out, const char *text, size_t size)
{
	if (cvx_buf_append(out, text, size) < 0)
		abort();
}

static void puts_(struct cvx_buf *out, const char *text)
{
	put(out, text, strlen(text));
}

static void put_quoted(struct cvx_buf *out, const char *text, size_t size)
{
	puts_(out, "\"");
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];
		char escape[8];

		if (c == '"' || c == '\\')
			puts_(out, "\\");
		if (c >= 0x20) {
			put(out, text + i, 1);
		} else {
			(void)snprintf(escape, sizeof(escape), "\\u%04x", c);
			puts_(out, escape);
		}
	}
	puts_(out, "\"");
}

void model_print(const struct strict *v, struct cvx_buf *out)
{
	const char *comma = "";

	switch (v->kind) {
	case STRICT_NULL:
		puts_(out, "null");
		return;
	case STRICT_FALSE:
		puts_(out, "false");
		return;
	case STRICT_TRUE:
		puts_(out, "true");
		return;
	case STRICT_NUMBER:
		put(out, v->text, v->size);
		return;
	case STRICT_STRING:
		put_quoted(out, v->text, v->size);
		return;
	case STRICT_ARRAY:
	case STRICT_OBJECT:
		break;
	}
	puts_(out, v->kind == STRICT_ARRAY ? "[" : "{");
	for (size_t i = 0; i < v->count; i++, comma = ",") {
		puts_(out, comma);
		if (v->kind == STRICT_OBJECT) {
			put_quoted(out, v->keys[i]->text, v->keys[i]->size);
			puts_(out, ":");
		}
		model_print(v->items[i], out);
	}
	puts_(out, v->kind == STRICT_ARRAY ? "]" : "}");
}

#define PICK(r, table)                                                         \
	((table)[model_below(r,                                                \
			     (uint32_t)(sizeof(table) / sizeof((table)[0])))])

/* Ones of which some begin others, of all sizes of characters, with escapes. */
static const char *const strings[] = {
	"\"\"",		 "\"a\"",	 "\"ab\"",	  "\"b\"",
	"\"\\u0000\"",	 "\"a\\u0000\"", "\"a\\u0000b\"", "\"\\\"\"",
	"\"\\\\\"",	 "\"ü\"",	 "\"€\"",	  "\"😀\"",
	"\"\x7f\"",	 "\"\\u0001\"",	 "\"a\\n\"",	  "\"abcdefgh\"",
	"\"abcdefghi\"",
};

static const char *const integers[] = {
	"0",
	"1",
	"-1",
	"12",
	"255",
	"256",
	"-256",
	"9223372036854775807",
	"-9223372036854775808",
};

static const char *const floats[] = {
	"0.0",
	"-0.0",
	"1.0",
	"-1.0",
	"1.5",
	"1e300",
	"-1e300",
	"5e-324",
	"{\"$float\":\"AAAAAAAA8H8=\"}", /* Infinity */
	"{\"$float\":\"AAAAAAAA8P8=\"}", /* -Infinity */
	"{\"$float\":\"AAAAAAAA+H8=\"}", /* NaN */
	"{\"$float\":\"AAAAAAAA+P8=\"}", /* NaN with a sign */
	"{\"$float\":\"AQAAAAAA8H8=\"}", /* NaN of another payload */
};

static const char *const bytes[] = {
	"{\"$bytes\":\"\"}",	 "{\"$bytes\":\"AA==\"}",
	"{\"$bytes\":\"AAA=\"}", "{\"$bytes\":\"AP8=\"}",
	"{\"$bytes\":\"YQ==\"}", "{\"$bytes\":\"YQBi\"}",
	"{\"$bytes\":\"/w==\"}", "{\"$bytes\":\"YWI=\"}",
};

/* Names of fields in their order; as text some are in another one. */
static const char *const names[] = {
	"", "A", "_c", "a", "a b", "a\\\"b", "aZ", "a\\\\b", "aa", "ab", "b",
};
#define NAME_COUNT (sizeof(names) / sizeof(names[0]))

/* Of these, the identifiers. */
static const char *const identifiers[] = {"A",	"_c", "a", "aZ",
					  "aa", "ab", "b"};
#define IDENTIFIER_COUNT (sizeof(identifiers) / sizeof(identifiers[0]))

static void put_id(struct model_random *r, uint32_t table, struct cvx_buf *out)
{
	struct internal_id id = {{0}};
	char text[ID_TEXT_MAX];

	id.bytes[3] = (uint8_t)model_below(r, 3);
	puts_(out, "\"");
	put(out, text, id_encode(table, &id, text));
	puts_(out, "\"");
}

static void put_float(struct model_random *r, struct cvx_buf *out)
{
	char text[NUMBER_TEXT_MAX];
	uint64_t bits = model_next(r);
	double value;

	memcpy(&value, &bits, sizeof(value));
	if (model_below(r, 2) > 0 || value != value || value - value != 0)
		puts_(out, PICK(r, floats));
	else
		put(out, text, number_print(value, text));
}

static void put_scalar(struct model_random *r, uint32_t kind,
		       struct cvx_buf *out)
{
	static const uint32_t tables[] = {MODEL_USERS, MODEL_POSTS,
					  MODEL_NO_TABLE};

	switch (kind) {
	case 0:
		puts_(out, "null");
		break;
	case 1:
		puts_(out, PICK(r, integers));
		break;
	case 2:
		put_float(r, out);
		break;
	case 3:
		puts_(out, model_below(r, 2) > 0 ? "true" : "false");
		break;
	case 4:
		puts_(out, PICK(r, strings));
		break;
	case 5:
		puts_(out, PICK(r, bytes));
		break;
	default:
		put_id(r, PICK(r, tables), out);
		break;
	}
}
#define SCALAR_KINDS 7

void model_random_value(struct model_random *r, unsigned depth,
			struct cvx_buf *out)
{
	uint32_t kind = model_below(r, SCALAR_KINDS + (depth > 0 ? 3 : 0));
	const char *comma = "";

	if (kind < SCALAR_KINDS) {
		put_scalar(r, kind, out);
		return;
	}
	if (kind == SCALAR_KINDS) {
		puts_(out, "[");
		for (uint32_t n = model_below(r, 4); n > 0; n--, comma = ",") {
			puts_(out, comma);
			model_random_value(r, depth - 1, out);
		}
		puts_(out, "]");
		return;
	}
	puts_(out, "{");
	for (size_t i = 0; i < NAME_COUNT; i++) {
		if (model_below(r, 4) > 0)
			continue;
		puts_(out, comma);
		puts_(out, "\"");
		puts_(out, names[i]);
		puts_(out, "\":");
		model_random_value(r, depth - 1, out);
		comma = ",";
	}
	puts_(out, "}");
}

static void put_literal(struct model_random *r, struct cvx_buf *out)
{
	static const char *const literals[] = {
		"\"a\"",
		"\"ab\"",
		"\"\"",
		"\"a\\u0000\"",
		"\"\\u00fc\"",
		"1",
		"1.5",
		"0",
		"-0.0",
		"{\"$float\":\"AAAAAAAAAIA=\"}",
		"{\"$integer\":\"AQAAAAAAAAA=\"}",
		"{\"$integer\":\"AAAAAAAAAIA=\"}",
		"true",
		"false",
	};

	puts_(out, "{\"type\":\"literal\",\"value\":");
	puts_(out, PICK(r, literals));
	puts_(out, "}");
}

static void put_object_validator(struct model_random *r, unsigned depth,
				 struct cvx_buf *out)
{
	const char *comma = "";

	puts_(out, "{\"type\":\"object\",\"value\":{");
	for (size_t i = IDENTIFIER_COUNT; i-- > 0;) {
		if (model_below(r, 5) > 1)
			continue;
		puts_(out, comma);
		puts_(out, "\"");
		puts_(out, identifiers[i]);
		puts_(out, "\":{\"fieldType\":");
		model_random_validator(r, depth - 1, out);
		puts_(out, model_below(r, 2) > 0 ? ",\"optional\":true}"
						 : ",\"optional\":false}");
		comma = ",";
	}
	puts_(out, "}}");
}

void model_random_validator(struct model_random *r, unsigned depth,
			    struct cvx_buf *out)
{
	static const char *const simple[] = {
		"{\"type\":\"null\"}",
		"{\"type\":\"number\"}",
		"{\"type\":\"bigint\"}",
		"{\"type\":\"commitTs\"}",
		"{\"type\":\"boolean\"}",
		"{\"type\":\"string\"}",
		"{\"type\":\"bytes\"}",
		"{\"type\":\"any\"}",
		"{\"type\":\"map\"}",
		"{\"type\":\"id\",\"tableName\":\"users\"}",
		"{\"type\":\"id\",\"tableName\":\"posts\"}",
		"{\"type\":\"id\",\"tableName\":\"gone\"}",
	};
	static const char *const keys[] = {
		"{\"type\":\"string\"}",
		"{\"type\":\"id\",\"tableName\":\"users\"}",
		"{\"type\":\"union\",\"value\":[]}",
		("{\"type\":\"union\",\"value\":[{\"type\":\"id\","
		 "\"tableName\":\"posts\"},{\"type\":\"string\"}]}"),
	};
	const char *comma = "";

	switch (model_below(r, depth > 0 ? 8 : 3)) {
	case 0:
	case 1:
		puts_(out, PICK(r, simple));
		break;
	case 2:
		put_literal(r, out);
		break;
	case 3:
		puts_(out, "{\"type\":\"array\",\"value\":");
		model_random_validator(r, depth - 1, out);
		puts_(out, "}");
		break;
	case 4:
		puts_(out, "{\"type\":\"record\",\"keys\":");
		puts_(out, PICK(r, keys));
		puts_(out, ",\"values\":{\"fieldType\":");
		model_random_validator(r, depth - 1, out);
		puts_(out, ",\"optional\":false}}");
		break;
	case 5:
	case 6:
		put_object_validator(r, depth, out);
		break;
	default:
		puts_(out, "{\"type\":\"union\",\"value\":[");
		for (uint32_t n = model_below(r, 5); n > 0; n--, comma = ",") {
			puts_(out, comma);
			model_random_validator(r, depth - 1, out);
		}
		puts_(out, "]}");
		break;
	}
}

static bool is_type(const struct strict *validator, const char *type)
{
	return strcmp(strict_text(validator, "type"), type) == 0;
}

/* A literal in canonical text. */
static void put_literal_value(const struct strict *validator,
			      struct cvx_buf *out)
{
	struct strict_result result;

	strict_decode(strict_get(validator, "value"), STRICT_INTERNAL, &result);
	if (!result.valid)
		abort();
	put(out, result.text, result.text_size);
	free(result.text);
}

static const struct strict *field_of(const struct strict *validator,
				     const char *name)
{
	return strict_get(strict_get(validator, "value"), name);
}

static void match_object(struct model_random *r, const struct strict *validator,
			 struct cvx_buf *out)
{
	const char *comma = "";

	puts_(out, "{");
	for (size_t i = 0; i < NAME_COUNT; i++) {
		const struct strict *f = field_of(validator, names[i]);
		bool mistake = model_below(r, 30) == 0;

		if (f && (strict_is_true(f, "optional") || mistake) &&
		    model_below(r, 2) > 0)
			continue;
		if (!f && !mistake)
			continue;
		puts_(out, comma);
		puts_(out, "\"");
		puts_(out, names[i]);
		puts_(out, "\":");
		if (f)
			model_random_match(r, strict_get(f, "fieldType"), out);
		else
			model_random_value(r, 1, out);
		comma = ",";
	}
	puts_(out, "}");
}

static void match_record(struct model_random *r, const struct strict *validator,
			 struct cvx_buf *out)
{
	const struct strict *type =
		strict_get(strict_get(validator, "values"), "fieldType");
	bool ids = is_type(strict_get(validator, "keys"), "id");

	puts_(out, "{");
	if (ids)
		put_id(r, MODEL_USERS, out);
	else
		puts_(out, model_below(r, 2) > 0 ? "\"a\\\"b\"" : "\"\"");
	puts_(out, ":");
	model_random_match(r, type, out);
	puts_(out, "}");
}

void model_random_match(struct model_random *r, const struct strict *validator,
			struct cvx_buf *out)
{
	const struct strict *value = strict_get(validator, "value");
	const char *comma = "";

	if (model_below(r, 40) == 0 || is_type(validator, "any") ||
	    is_type(validator, "map")) {
		model_random_value(r, 2, out);
	} else if (is_type(validator, "null")) {
		put_scalar(r, 0, out);
	} else if (is_type(validator, "bigint") ||
		   is_type(validator, "commitTs")) {
		put_scalar(r, 1, out);
	} else if (is_type(validator, "number")) {
		put_scalar(r, 2, out);
	} else if (is_type(validator, "boolean")) {
		put_scalar(r, 3, out);
	} else if (is_type(validator, "string")) {
		put_scalar(r, 4, out);
	} else if (is_type(validator, "bytes")) {
		put_scalar(r, 5, out);
	} else if (is_type(validator, "literal")) {
		put_literal_value(validator, out);
	} else if (is_type(validator, "id")) {
		put_id(r,
		       strcmp(strict_text(validator, "tableName"), "users") == 0
			       ? MODEL_USERS
			       : MODEL_POSTS,
		       out);
	} else if (is_type(validator, "array")) {
		puts_(out, "[");
		for (uint32_t n = model_below(r, 4); n > 0; n--, comma = ",") {
			puts_(out, comma);
			model_random_match(r, value, out);
		}
		puts_(out, "]");
	} else if (is_type(validator, "record")) {
		match_record(r, validator, out);
	} else if (is_type(validator, "object")) {
		match_object(r, validator, out);
	} else if (value->count > 0) {
		uint32_t i = model_below(r, (uint32_t)value->count);

		model_random_match(r, value->items[i], out);
	} else {
		puts_(out, "null");
	}
}

/* In the order of import.md 4.1. */
enum kind {
	ABSENT,
	NULL_VALUE,
	INT64,
	FLOAT64,
	BOOLEAN,
	STRING,
	BYTES,
	ARRAY,
	OBJECT,
};

static enum kind kind_of(const struct strict *v)
{
	if (!v)
		return ABSENT;
	switch (v->kind) {
	case STRICT_NULL:
		return NULL_VALUE;
	case STRICT_FALSE:
	case STRICT_TRUE:
		return BOOLEAN;
	case STRICT_NUMBER:
		return strpbrk(v->text, ".e") ? FLOAT64 : INT64;
	case STRICT_STRING:
		return STRING;
	case STRICT_ARRAY:
		return ARRAY;
	case STRICT_OBJECT:
		break;
	}
	if (strict_get(v, "$bytes"))
		return BYTES;
	return strict_get(v, "$float") ? FLOAT64 : OBJECT;
}

/* Decodes base64, which is written as it should be. */
static size_t decode(const struct strict *text, unsigned char *out)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned bits = 0, count = 0;
	size_t n = 0;

	for (size_t i = 0; i < text->size && text->text[i] != '='; i++) {
		bits = bits << 6 |
		       (unsigned)(strchr(alphabet, text->text[i]) - alphabet);
		count += 6;
		if (count >= 8) {
			count -= 8;
			out[n++] = (unsigned char)(bits >> count);
		}
	}
	return n;
}

static uint64_t float_bits(const struct strict *v)
{
	unsigned char raw[64];
	uint64_t bits = 0;
	double value;

	if (v->kind == STRICT_NUMBER) {
		value = strtod(v->text, NULL);
		memcpy(&bits, &value, sizeof(bits));
		return bits;
	}
	if (decode(strict_get(v, "$float"), raw) != 8)
		abort();
	for (size_t i = 8; i-- > 0;)
		bits = bits << 8 | raw[i];
	return bits;
}

/* IEEE 754 total order: those with a sign first, the larger ones before. */
static int compare_floats(uint64_t a, uint64_t b)
{
	const uint64_t sign = UINT64_C(1) << 63;

	if ((a & sign) != (b & sign))
		return a & sign ? -1 : 1;
	if (a == b)
		return 0;
	return (a < b) == ((a & sign) == 0) ? -1 : 1;
}

static int compare_bytes(const void *a, size_t a_size, const void *b,
			 size_t b_size)
{
	int order = memcmp(a, b, a_size < b_size ? a_size : b_size);

	return order != 0 ? order : (a_size > b_size) - (a_size < b_size);
}

static int compare_items(const struct strict *a, const struct strict *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++) {
		int order = 0;

		if (a->keys)
			order = compare_bytes(
				a->keys[i]->text, a->keys[i]->size,
				b->keys[i]->text, b->keys[i]->size);
		if (order == 0)
			order = model_compare(a->items[i], b->items[i]);
		if (order != 0)
			return order;
	}
	return (a->count > b->count) - (a->count < b->count);
}

int model_compare(const struct strict *a, const struct strict *b)
{
	enum kind kind = kind_of(a), other = kind_of(b);
	unsigned char left[64], right[64];
	size_t left_size, right_size;
	long long x, y;

	if (kind != other)
		return kind < other ? -1 : 1;
	switch (kind) {
	case ABSENT:
	case NULL_VALUE:
		return 0;
	case INT64:
		x = strtoll(a->text, NULL, 10);
		y = strtoll(b->text, NULL, 10);
		return (x > y) - (x < y);
	case FLOAT64:
		return compare_floats(float_bits(a), float_bits(b));
	case BOOLEAN:
		return (a->kind == STRICT_TRUE) - (b->kind == STRICT_TRUE);
	case STRING:
		return compare_bytes(a->text, a->size, b->text, b->size);
	case BYTES:
		left_size = decode(strict_get(a, "$bytes"), left);
		right_size = decode(strict_get(b, "$bytes"), right);
		return compare_bytes(left, left_size, right, right_size);
	case ARRAY:
	case OBJECT:
		break;
	}
	return compare_items(a, b);
}

const struct strict *model_at(const struct strict *document, const char *path)
{
	char name[65];
	size_t size = strcspn(path, ".");

	(void)snprintf(name, sizeof(name), "%.*s", (int)size, path);
	if (kind_of(document) != OBJECT)
		return NULL;
	document = strict_get(document, name);
	if (!document || path[size] == '\0')
		return document;
	return model_at(document, path + size + 1);
}

static bool accepts_id(const struct strict *validator, const char *text,
		       size_t size)
{
	struct internal_id id;
	uint32_t number;
	const char *name;

	if (id_decode(text, size, &number, &id) < 0)
		return false;
	name = model_table_name(NULL, number);
	return name && strcmp(name, strict_text(validator, "tableName")) == 0;
}

static bool accepts_key(const struct strict *validator,
			const struct strict *key)
{
	const struct strict *members = strict_get(validator, "value");

	if (is_type(validator, "string"))
		return true;
	if (is_type(validator, "id"))
		return accepts_id(validator, key->text, key->size);
	for (size_t i = 0; i < members->count; i++)
		if (accepts_key(members->items[i], key))
			return true;
	return false;
}

static bool accepts_object(const struct strict *validator,
			   const struct strict *value, bool root)
{
	const struct strict *fields = strict_get(validator, "value");

	for (size_t i = 0; i < fields->count; i++) {
		const struct strict *f = fields->items[i];
		const char *name = fields->keys[i]->text;
		const struct strict *v = strict_get(value, name);

		if (root && name[0] == '_')
			continue;
		if (!v && !strict_is_true(f, "optional"))
			return false;
		if (v && !model_accepts(strict_get(f, "fieldType"), v, false))
			return false;
	}
	for (size_t i = 0; i < value->count; i++) {
		const char *name = value->keys[i]->text;

		if (!(root && name[0] == '_') && !strict_get(fields, name))
			return false;
	}
	return true;
}

static bool accepts_literal(const struct strict *validator,
			    const struct strict *value)
{
	struct cvx_buf text = CVX_BUF_INIT(SIZE_MAX);
	struct strict *literal;
	bool same;

	put_literal_value(validator, &text);
	literal = strict_parse(text.data, text.size, NULL);
	same = model_compare(literal, value) == 0;
	strict_free(literal);
	cvx_buf_fini(&text);
	return same;
}

bool model_accepts(const struct strict *validator, const struct strict *value,
		   bool root)
{
	const struct strict *inside = strict_get(validator, "value");
	enum kind kind = kind_of(value);

	if (is_type(validator, "any") || is_type(validator, "map") ||
	    is_type(validator, "set"))
		return true;
	if (is_type(validator, "null"))
		return kind == NULL_VALUE;
	if (is_type(validator, "number"))
		return kind == FLOAT64;
	if (is_type(validator, "bigint") || is_type(validator, "commitTs"))
		return kind == INT64;
	if (is_type(validator, "boolean"))
		return kind == BOOLEAN;
	if (is_type(validator, "string"))
		return kind == STRING;
	if (is_type(validator, "bytes"))
		return kind == BYTES;
	if (is_type(validator, "literal"))
		return accepts_literal(validator, value);
	if (is_type(validator, "id"))
		return kind == STRING &&
		       accepts_id(validator, value->text, value->size);
	if (is_type(validator, "object"))
		return kind == OBJECT && accepts_object(validator, value, root);
	if (is_type(validator, "union")) {
		for (size_t i = 0; i < inside->count; i++)
			if (model_accepts(inside->items[i], value, root))
				return true;
		return false;
	}
	if (kind != (is_type(validator, "array") ? ARRAY : OBJECT))
		return false;
	for (size_t i = 0; i < value->count; i++) {
		if (kind == OBJECT &&
		    !accepts_key(strict_get(validator, "keys"), value->keys[i]))
			return false;
		if (kind == OBJECT)
			inside = strict_get(strict_get(validator, "values"),
					    "fieldType");
		if (!model_accepts(inside, value->items[i], false))
			return false;
	}
	return true;
}
