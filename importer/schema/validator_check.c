#include <assert.h>
#include <errno.h>
#include <string.h>

#include "cache/base/err.h"
#include "importer/schema/validator_inside.h"
#include "importer/value/id.h"
#include "importer/value/walk.h"

/*
 * Each check of a node takes the place of a value and returns the place behind
 * it, or NULL if the value does not pass or the text is damaged.
 */
static const char *check(struct validator_run *r, uint32_t n, const char *p);

/*
 * check() only goes on to the function of the node. Those that need many
 * registers stay apart from it, so that the simple types need not save them.
 */
#define APART __attribute__((noinline))

/* Keeps the failure if none is further in the text. Returns NULL. */
static const char *fail(struct validator_run *r, const char *at,
			struct validator_failure failure)
{
	if (r->failure_count > 0 && at < r->at)
		return NULL;
	if (at > r->at)
		r->failure_count = 0;
	r->at = at;
	if (r->failure_count < VALIDATOR_FAILURES_MAX)
		r->failures[r->failure_count++] = failure;
	return NULL;
}

static const char *mismatch(struct validator_run *r, uint32_t n, const char *p)
{
	return fail(r, p,
		    (struct validator_failure){
			    .what = FAULT_TYPE, .node = n, .place = p});
}

static const char *damaged(struct validator_run *r)
{
	r->damaged = true;
	return NULL;
}

static const char *check_any(struct validator_run *r, const char *p)
{
	const char *behind = walk_value(p, r->end);

	return behind ? behind : damaged(r);
}

/* The value at p is the word, which ends in front of a bracket or comma. */
static const char *check_word(struct validator_run *r, uint32_t n,
			      const char *p, const char *word, size_t size)
{
	if ((size_t)(r->end - p) < size || memcmp(p, word, size) != 0)
		return mismatch(r, n, p);
	return p + size;
}

static const char *check_boolean(struct validator_run *r, uint32_t n,
				 const char *p)
{
	if (p < r->end && *p == 't')
		return check_word(r, n, p, "true", 4);
	return check_word(r, n, p, "false", 5);
}

static const char *check_wrapper(struct validator_run *r, uint32_t n,
				 const char *p, enum walk_kind kind)
{
	const char *text, *behind = NULL;
	size_t size;

	if (walk_kind(p, r->end) == kind)
		behind = walk_wrapper(p, r->end, &text, &size);
	return behind ? behind : mismatch(r, n, p);
}

static const char *check_number(struct validator_run *r, uint32_t n,
				const char *p, bool want_int64)
{
	bool int64 = false;
	const char *behind;

	if (p < r->end && *p == '{' && !want_int64)
		return check_wrapper(r, n, p, WALK_FLOAT64);
	behind = walk_number(p, r->end, &int64);
	return behind && int64 == want_int64 ? behind : mismatch(r, n, p);
}

static const char *check_string(struct validator_run *r, uint32_t n,
				const char *p)
{
	const char *behind = walk_string(p, r->end);

	return behind ? behind : mismatch(r, n, p);
}

APART static const char *check_literals(struct validator_run *r, uint32_t n,
					const char *p)
{
	const struct validator_node *node = &r->v->nodes[n];
	const char *behind = walk_value(p, r->end);
	uint32_t low = node->first, high = node->first + node->count;
	size_t size = behind ? (size_t)(behind - p) : 0;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct validator_literal *l = &r->v->literals[middle];
		size_t common = size < l->size ? size : l->size;
		int order = memcmp(p, r->v->pool + l->text, common);

		if (order == 0 && size == l->size)
			return behind;
		if (order < 0 || (order == 0 && size < l->size))
			high = middle;
		else
			low = middle + 1;
	}
	return mismatch(r, n, p);
}

/* text is what stands between the quotes; an id has no escapes. */
static bool is_id(const struct validator_run *r, uint32_t n, const char *text,
		  size_t size)
{
	const char *want = r->v->pool + r->v->nodes[n].first, *name;
	struct internal_id id;
	uint32_t number;

	if (id_decode(text, size, &number, &id) < 0)
		return false;
	name = r->tables->name(r->tables->ctx, number);
	return name && strcmp(name, want) == 0;
}

APART static const char *check_id(struct validator_run *r, uint32_t n,
				  const char *p)
{
	const char *behind = walk_string(p, r->end);

	if (!behind || !is_id(r, n, p + 1, (size_t)(behind - p) - 2))
		return mismatch(r, n, p);
	return behind;
}

APART static const char *check_array(struct validator_run *r, uint32_t n,
				     const char *p)
{
	if (p == r->end || *p != '[')
		return mismatch(r, n, p);
	while (walk_element(&p, r->end)) {
		p = check(r, n + 1, p);
		if (!p)
			return NULL;
	}
	return p ? p + 1 : damaged(r);
}

/* Keys are strings, ids, or either of these (validator_compile sees to it). */
static bool accepts_key(const struct validator_run *r, uint32_t n,
			const char *text, size_t size)
{
	const struct validator_node *nodes = r->v->nodes;
	uint32_t last = n + nodes[n].span;

	if (nodes[n].op == VALIDATOR_STRING)
		return true;
	if (nodes[n].op == VALIDATOR_ID)
		return is_id(r, n, text, size);
	for (uint32_t m = n + 1; m < last; m += nodes[m].span)
		if (accepts_key(r, m, text, size))
			return true;
	return false;
}

APART static const char *check_record(struct validator_run *r, uint32_t n,
				      const char *p)
{
	uint32_t keys = n + 1, values = keys + r->v->nodes[keys].span;
	struct walk_field f;

	if (walk_kind(p, r->end) != WALK_OBJECT)
		return mismatch(r, n, p);
	while (walk_field(&p, r->end, &f)) {
		if (!accepts_key(r, keys, f.key, f.key_size))
			return fail(r, f.key,
				    (struct validator_failure){
					    .what = FAULT_KEY,
					    .node = keys,
					    .place = f.value,
				    });
		p = check(r, values, p);
		if (!p)
			return NULL;
	}
	return p ? p + 1 : damaged(r);
}

/* Where the check of an object stands. */
struct object_check {
	uint32_t node;
	const char *object;
	const struct validator_field *next, *last; /* of the fields to come */
};

static const char *miss_field(struct validator_run *r,
			      const struct object_check *c, const char *p)
{
	return fail(r, p,
		    (struct validator_failure){
			    .what = FAULT_MISSING,
			    .node = c->node,
			    .field = (uint32_t)(c->next - r->v->fields),
			    .place = c->object,
		    });
}

static int compare_key(const struct validator_run *r,
		       const struct walk_field *f,
		       const struct validator_field *with)
{
	size_t size = with->name_size;
	size_t common = f->key_size < size ? f->key_size : size;
	int order = memcmp(f->key, r->v->pool + with->name, common);

	if (order != 0 || f->key_size == size)
		return order;
	return f->key_size < size ? -1 : 1;
}

/* A key that is not the next of the validator's fields. */
static const char *check_other_field(struct validator_run *r,
				     struct object_check *c, const char *p,
				     const struct walk_field *f)
{
	if (r->v->nodes[c->node].op == VALIDATOR_ROOT_OBJECT &&
	    f->key_size > 0 && f->key[0] == '_')
		return check_any(r, f->value);
	/*
	 * A key with an escape stands elsewhere in the order than its text
	 * tells. But no field of a validator has one: it is too many.
	 */
	if (!memchr(f->key, '\\', f->key_size)) {
		for (; c->next < c->last; c->next++) {
			int order = compare_key(r, f, c->next);

			if (order == 0)
				return check(r, (c->next++)->node, f->value);
			if (order < 0)
				break;
			if (!c->next->optional)
				return miss_field(r, c, p);
		}
	}
	return fail(r, f->key,
		    (struct validator_failure){
			    .what = FAULT_EXTRA,
			    .node = c->node,
			    .place = f->value,
		    });
}

/* memcmp() == 0 for names, which are short: the call would take longer. */
static bool same_name(const char *a, const char *b, size_t size)
{
	uint64_t left, right;
	uint32_t left_half, right_half;

	for (; size >= sizeof(left); size -= sizeof(left)) {
		memcpy(&left, a, sizeof(left));
		memcpy(&right, b, sizeof(right));
		if (left != right)
			return false;
		a += sizeof(left);
		b += sizeof(right);
	}
	if (size >= sizeof(left_half)) {
		memcpy(&left_half, a, sizeof(left_half));
		memcpy(&right_half, b, sizeof(right_half));
		if (left_half != right_half)
			return false;
		a += sizeof(left_half);
		b += sizeof(right_half);
		size -= sizeof(left_half);
	}
	for (; size > 0; size--)
		if (*a++ != *b++)
			return false;
	return true;
}

/* Whether the text at p, a bracket or comma, goes on with the field's key. */
static bool comes_next(const struct validator_run *r, const char *p,
		       const struct validator_field *f)
{
	size_t size = f->name_size;

	return (size_t)(r->end - p) > size + 4 && p[1] == '"' &&
	       p[size + 2] == '"' && p[size + 3] == ':' &&
	       same_name(p + 2, r->v->pool + f->name, size);
}

APART static const char *check_object(struct validator_run *r, uint32_t n,
				      const char *p)
{
	const struct validator_node *node = &r->v->nodes[n];
	struct object_check c = {
		.node = n,
		.object = p,
		.next = r->v->fields + node->first,
		.last = r->v->fields + node->first + node->count,
	};
	struct walk_field f;

	if (walk_kind(p, r->end) != WALK_OBJECT)
		return mismatch(r, n, p);
	for (;;) {
		if (c.next < c.last && comes_next(r, p, c.next)) {
			p = check(r, c.next->node, p + c.next->name_size + 4);
			c.next++;
		} else if (walk_field(&p, r->end, &f)) {
			p = check_other_field(r, &c, p, &f);
		} else {
			break;
		}
		if (!p)
			return NULL;
	}
	if (!p)
		return damaged(r);
	for (; c.next < c.last; c.next++)
		if (!c.next->optional)
			return miss_field(r, &c, p);
	return p + 1;
}

APART static const char *check_union(struct validator_run *r, uint32_t n,
				     const char *p)
{
	const struct validator_node *nodes = r->v->nodes;
	enum walk_kind kind = walk_kind(p, r->end);
	uint32_t last = n + nodes[n].span;
	size_t before = r->at == p ? r->failure_count : 0;

	for (uint32_t m = n + 1; m < last; m += nodes[m].span) {
		const char *behind = NULL;

		if (kind != WALK_DAMAGED && (nodes[m].kinds >> kind & 1) != 0)
			behind = check(r, m, p);
		if (behind)
			return behind;
	}
	if (r->failure_count > 0 && r->at > p)
		return NULL;
	/* No member got anywhere: all of them say so together. */
	if (r->at == p)
		r->failure_count = before;
	return mismatch(r, n, p);
}

static const char *check(struct validator_run *r, uint32_t n, const char *p)
{
	switch ((enum validator_op)r->v->nodes[n].op) {
	case VALIDATOR_ANY:
		return check_any(r, p);
	case VALIDATOR_NULL:
		return check_word(r, n, p, "null", 4);
	case VALIDATOR_FLOAT64:
		return check_number(r, n, p, false);
	case VALIDATOR_INT64:
		return check_number(r, n, p, true);
	case VALIDATOR_BOOLEAN:
		return check_boolean(r, n, p);
	case VALIDATOR_STRING:
		return check_string(r, n, p);
	case VALIDATOR_BYTES:
		return check_wrapper(r, n, p, WALK_BYTES);
	case VALIDATOR_LITERALS:
		return check_literals(r, n, p);
	case VALIDATOR_ID:
		return check_id(r, n, p);
	case VALIDATOR_ARRAY:
		return check_array(r, n, p);
	case VALIDATOR_RECORD:
		return check_record(r, n, p);
	case VALIDATOR_OBJECT:
	case VALIDATOR_ROOT_OBJECT:
		return check_object(r, n, p);
	case VALIDATOR_UNION:
		return check_union(r, n, p);
	}
	return NULL;
}

int validator_check(const struct validator *v,
		    const struct validator_tables *tables, const char *text,
		    size_t size, struct cvx_err *err)
{
	struct validator_run r = {
		.v = v,
		.tables = tables,
		.text = text,
		.end = text + size,
		.at = text,
	};
	const char *behind;

	assert(v && tables && tables->name && text);
	behind = check(&r, 0, text);
	if (behind == r.end)
		return 0;
	if (!behind && !r.damaged)
		return validator_explain(&r, err);
	return cvx_fail(err, -EINVAL, "the text of the value is damaged");
}
