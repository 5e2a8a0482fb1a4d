#include "importer/value/canon.h"

#include <assert.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/value/explain.h"
#include "importer/value/refusal.h"
#include "importer/value/scan.h"
#include "importer/value/tidy.h"
#include "importer/value/value.h"

static bool root_is_object(const struct scanner *s)
{
	return s->row[0] == '{' && !s->root_wrapper;
}

/* A value takes at most 9 bytes where its text takes 2, as in "1,". */
static bool may_be_larger(const struct scanner *s, size_t limit)
{
	return (size_t)(s->row_end - s->row) > limit / 5;
}

/* Limits of the value as a whole. */
static int check_limits(const struct scanner *s, struct cvx_err *err)
{
	struct value_size measured;

	if (s->nesting > CANON_NESTING_MAX)
		return refuse(err, "InvalidConvexValue",
			      "values nested more than 64 deep "
			      "(TooNestedError)");
	if (!may_be_larger(s, CANON_VALUE_MAX))
		return 0;
	if (value_measure(s->row, (size_t)(s->row_end - s->row), &measured) <
		    0 ||
	    measured.size > CANON_VALUE_MAX)
		return refuse(err, "InvalidConvexValue",
			      "a value larger than 32 MiB "
			      "(ValueTooLargeError)");
	return 0;
}

static enum scan_outcome put_in_order(struct scanner *s,
				      enum scan_outcome outcome)
{
	if (outcome == SCAN_DONE && root_is_object(s) && !scan_root_order(s))
		return SCAN_DUPLICATE;
	return outcome;
}

static enum scan_outcome scan(struct scanner *s, const char *text, size_t size,
			      bool partial)
{
	return put_in_order(s, scan_text(s, text, size, partial));
}

/* Reads the syntax alone. *ret_size is where the value ends. */
static int read_syntax(const char *text, size_t size, bool partial,
		       size_t *ret_size, struct cvx_err *err)
{
	enum json_token token;
	struct json j;

	json_init(&j, text, size);
	do
		token = json_next(&j);
	while (token != JSON_END && token != JSON_BAD);
	if (token == JSON_BAD || (!partial && !json_is_at_end(&j)))
		return explain_syntax(err, text, size, partial, j.fault_off,
				      j.fault);
	*ret_size = j.pos;
	return 0;
}

static int look_again(struct scanner *s, const char *text, size_t size,
		      bool partial, enum scan_outcome outcome, size_t *ret_used,
		      struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *copy = NULL;
	int r = read_syntax(text, size, partial, &size, err);

	if (r < 0)
		return r;
	*ret_used = size;
	r = tidy_text(text, size, &copy, err);
	if (r < 0)
		return r;
	if (copy)
		outcome = scan(s, copy, size, false);
	switch (outcome) {
	case SCAN_DONE:
		return 0;
	case SCAN_FAULT:
		return explain_at(err, "InvalidConvexValue", text, size,
				  s->fault_off, s->fault);
	case SCAN_SYNTAX:
	case SCAN_DUPLICATE:
		break;
	}
	assert(false); /* the two readers accept the same texts */
	return refuse(err, "JsonInvalidRow", "the row cannot be read");
}

int canon_read(struct scanner *s, const char *text, size_t size, bool partial,
	       size_t *ret_used, struct cvx_err *err)
{
	enum scan_outcome outcome;
	int r;

	*ret_used = 0;
	if (size > SCAN_TEXT_MAX)
		return refuse(err, "ValueTooLargeError",
			      "a text of more than 512 MiB");
	if (scan_reserve(s, size) < 0)
		return cvx_fail_memory(err);
	outcome = scan(s, text, size, partial);
	*ret_used = s->used;
	if (outcome != SCAN_DONE) {
		*ret_used = 0;
		r = look_again(s, text, size, partial, outcome, ret_used, err);
		if (r < 0)
			return r;
	}
	if (s->nesting > CANON_NESTING_MAX || may_be_larger(s, CANON_VALUE_MAX))
		return check_limits(s, err);
	return 0;
}

/* Longer lines have their end looked for first. */
#define LINE_MAX_SIZE ((size_t)256 << 10)

bool canon_read_line(struct scanner *s, const char *text, size_t size,
		     size_t *ret_size)
{
	size_t end;

	if (size > LINE_MAX_SIZE)
		size = LINE_MAX_SIZE;
	if (scan_reserve(s, size) < 0 ||
	    put_in_order(s, scan_line(s, text, size)) != SCAN_DONE ||
	    s->nesting > CANON_NESTING_MAX)
		return false;
	for (end = s->used; end < size && text[end] != '\n'; end++)
		if (text[end] != ' ' && text[end] != '\t' && text[end] != '\r')
			return false;
	*ret_size = end;
	return end < size;
}

size_t canon_write(const struct scanner *s, char *out)
{
	char *o = out;

	if (!root_is_object(s)) {
		size_t size = (size_t)(s->row_end - s->row);

		memcpy(out, s->row, size);
		return size;
	}
	if (s->root_in_order) {
		memcpy(out, s->row, (size_t)(s->row_end - s->row));
		return (size_t)(s->row_end - s->row);
	}
	*o++ = '{';
	for (size_t i = 0; i < s->member_count; i++) {
		o += scan_copy_member(s, s->order[i], o);
		o[-1] = ',';
	}
	o[-1] = '}';
	return (size_t)(o - out);
}
