#include "importer/archive/shape.h"

#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/value/name.h"
#include "importer/value/refusal.h"

#define OBJECT_FIELDS_MAX 64
#define ALL_READINGS                                                           \
	(SHAPE_STRING | SHAPE_INT64 | SHAPE_INFINITY | SHAPE_NAN | SHAPE_BYTES)

/* In the order in which they are tried: import.md 6.6. */
static const struct word {
	const char *text;
	unsigned readings;
} words[] = {
	{"never", 0},
	{"null", 0},
	{"int64", SHAPE_INT64},
	{"float64", SHAPE_INFINITY | SHAPE_NAN},
	{"-inf", SHAPE_INFINITY},
	{"inf", SHAPE_INFINITY},
	{"-0", 0},
	{"NaN", SHAPE_INFINITY | SHAPE_NAN},
	{"normalfloat64", 0},
	{"boolean", 0},
	{"field_name", SHAPE_STRING},
	{"string", SHAPE_STRING},
	{"bytes", SHAPE_BYTES},
	{"unknown", ALL_READINGS},
};

struct parser {
	const char *text, *at, *end;
	unsigned depth;
	struct shape *s;
	struct cvx_err *err;
};

CVX_DEFINE_CLEANUP(struct shape, shape_free)

static int parse_union(struct parser *p, uint32_t *ret);

void shape_free(struct shape *s)
{
	if (!s)
		return;
	free(s->unions);
	free(s->parts);
	free(s->fields);
	free(s);
}

static int fail(struct parser *p, const char *what)
{
	return refuse(p->err, "InvalidGeneratedSchema",
		      "the shape cannot be read at its byte %zu: %s",
		      (size_t)(p->at - p->text) + 1, what);
}

static int grow(struct parser *p, void *list, size_t count, size_t *capacity,
		size_t size)
{
	void **bytes = list;
	void *more;

	if (count < *capacity)
		return 0;
	more = reallocarray(*bytes, *capacity * 2 + 8, size);
	if (!more)
		return cvx_fail_memory(p->err);
	*bytes = more;
	*capacity = *capacity * 2 + 8;
	return 0;
}

static int new_union(struct parser *p, uint32_t *ret)
{
	struct shape *s = p->s;
	int r;

	if (s->union_count == SHAPE_UNION_MAX)
		return fail(p, "it is too large");
	r = grow(p, &s->unions, s->union_count, &s->union_capacity,
		 sizeof(*s->unions));
	if (r < 0)
		return r;
	memset(&s->unions[s->union_count], 0, sizeof(*s->unions));
	*ret = (uint32_t)s->union_count++;
	return 0;
}

static int add_part(struct parser *p, uint32_t to,
		    const struct shape_part *part)
{
	struct shape *s = p->s;
	int r = grow(p, &s->parts, s->part_count, &s->part_capacity,
		     sizeof(*s->parts));

	if (r < 0)
		return r;
	s->parts[s->part_count] = *part;
	s->parts[s->part_count].next = s->unions[to].parts;
	s->unions[to].parts = (uint32_t)s->part_count++;
	return 0;
}

static int add_field(struct parser *p, struct shape_part *part,
		     const struct shape_field *field)
{
	struct shape *s = p->s;
	int r = grow(p, &s->fields, s->field_count, &s->field_capacity,
		     sizeof(*s->fields));

	if (r < 0)
		return r;
	s->fields[s->field_count] = *field;
	s->fields[s->field_count].next = part->fields;
	part->fields = (uint32_t)s->field_count++;
	return 0;
}

static bool take(struct parser *p, const char *text)
{
	size_t size = strlen(text);

	if ((size_t)(p->end - p->at) < size || memcmp(p->at, text, size) != 0)
		return false;
	p->at += size;
	return true;
}

/* The text up to the next '"', which is read too. */
static int take_quoted(struct parser *p, const char **ret, size_t *ret_size)
{
	const char *quote = memchr(p->at, '"', (size_t)(p->end - p->at));

	if (!quote)
		return fail(p, "a '\"' is missing");
	*ret = p->at;
	*ret_size = (size_t)(quote - p->at);
	p->at = quote + 1;
	return 0;
}

/* id<N> */
static int parse_id(struct parser *p)
{
	uint64_t number = 0;
	const char *digits = p->at;

	while (p->at < p->end && *p->at >= '0' && *p->at <= '9') {
		number = number * 10 + (uint64_t)(*p->at - '0');
		if (number > UINT32_MAX)
			return fail(p, "the table number is too large");
		p->at++;
	}
	if (p->at == digits || number == 0)
		return fail(p, "a table number above 0 is missing");
	return take(p, ">") ? 0 : fail(p, "a '>' is missing");
}

static int parse_array(struct parser *p, uint32_t to)
{
	struct shape_part part = {.kind = SHAPE_ARRAY};
	int r = parse_union(p, &part.value);

	if (r == 0 && !take(p, ">"))
		r = fail(p, "a '>' is missing");
	return r < 0 ? r : add_part(p, to, &part);
}

static int parse_record(struct parser *p, uint32_t to)
{
	struct shape_part part = {.kind = SHAPE_RECORD};
	uint32_t keys;
	int r = parse_union(p, &keys);

	if (r == 0 && !take(p, ", "))
		r = fail(p, "\", \" is missing");
	if (r == 0)
		r = parse_union(p, &part.value);
	if (r == 0 && !take(p, ">"))
		r = fail(p, "a '>' is missing");
	return r < 0 ? r : add_part(p, to, &part);
}

static int parse_field(struct parser *p, struct shape_part *part)
{
	struct shape_field field = {.name = NULL};
	int r;

	if (!take(p, "\""))
		return fail(p, "the name of a field is missing");
	r = take_quoted(p, &field.name, &field.name_size);
	if (r < 0)
		return r;
	if (!name_is_identifier_field(field.name, field.name_size))
		return fail(p, "the name of the field is no identifier");
	(void)take(p, "?");
	if (!take(p, ": "))
		return fail(p, "\": \" is missing");
	r = parse_union(p, &field.value);
	return r < 0 ? r : add_field(p, part, &field);
}

static int parse_object(struct parser *p, uint32_t to)
{
	struct shape_part part = {.kind = SHAPE_OBJECT};
	unsigned count = 0;
	int r;

	if (!take(p, "}")) {
		do {
			if (count++ == OBJECT_FIELDS_MAX)
				return fail(p, "an object has more than 64 "
					       "fields");
			r = parse_field(p, &part);
			if (r < 0)
				return r;
		} while (take(p, ", "));
		if (!take(p, "}"))
			return fail(p, "a '}' is missing");
	}
	return add_part(p, to, &part);
}

static int parse_nested(struct parser *p, uint32_t to,
			int (*parse)(struct parser *p, uint32_t to))
{
	int r;

	if (p->depth == SHAPE_NESTING_MAX)
		return fail(p, "it is nested too deep");
	p->depth++;
	r = parse(p, to);
	p->depth--;
	return r;
}

/* One member, which becomes part of the union. */
static int parse_member(struct parser *p, uint32_t to)
{
	const char *literal;
	size_t size, i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!take(p, words[i].text))
			continue;
		p->s->unions[to].readings |= words[i].readings;
		p->s->unions[to].is_unknown |=
			words[i].readings == ALL_READINGS;
		return 0;
	}
	if (take(p, "id<")) {
		p->s->unions[to].readings |= SHAPE_STRING;
		return parse_id(p);
	}
	if (take(p, "array<"))
		return parse_nested(p, to, parse_array);
	if (take(p, "record<"))
		return parse_nested(p, to, parse_record);
	if (take(p, "{"))
		return parse_nested(p, to, parse_object);
	if (take(p, "\"")) {
		p->s->unions[to].readings |= SHAPE_STRING;
		return take_quoted(p, &literal, &size);
	}
	return fail(p, "this is no shape");
}

static int parse_union(struct parser *p, uint32_t *ret)
{
	uint32_t to = 0;
	int r = new_union(p, &to);

	while (r == 0) {
		r = parse_member(p, to);
		if (r == 0 && !take(p, " | "))
			break;
	}
	if (r == 0)
		*ret = to;
	return r;
}

int shape_parse(const char *text, size_t size, struct shape **ret,
		struct cvx_err *err)
{
	CVX_AUTO(shape_freep) struct shape *s = calloc(1, sizeof(*s));
	struct parser p = {.text = text,
			   .at = text,
			   .end = text + size,
			   .s = s,
			   .err = err};
	const struct shape_part no_part = {.kind = SHAPE_ARRAY};
	const struct shape_field no_field = {.name = NULL};
	struct shape_part nowhere = {.kind = SHAPE_OBJECT};
	uint32_t unknown = 0;
	int r;

	if (!s)
		return cvx_fail_memory(err);
	r = new_union(&p, &unknown);
	if (r == 0) {
		s->unions[0].readings = ALL_READINGS;
		s->unions[0].is_unknown = true;
		r = add_part(&p, unknown, &no_part);
	}
	if (r == 0)
		r = add_field(&p, &nowhere, &no_field);
	if (r == 0) {
		s->unions[0].parts = 0;
		r = parse_union(&p, &s->root);
	}
	if (r == 0 && p.at < p.end)
		r = fail(&p, "the end was expected");
	if (r < 0)
		return r;
	*ret = CVX_TAKE(s);
	return 0;
}
