#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/schema/json_tree.h"
#include "importer/schema/validator_inside.h"
#include "importer/value/name.h"
#include "importer/value/value.h"
#include "importer/value/walk.h"

#define KIND(kind) ((uint8_t)(1u << (kind)))
#define EVERY_KIND ((uint8_t)UINT8_MAX)

/* What is compiled is at most a few times as large as its text. */
#define PART_MAX ((size_t)1 << 30)

/* The way from the outermost validator to the one being compiled. */
struct place {
	const struct place *up;
	const char *name; /* of a field, or of the other steps: "[]" */
	size_t name_size;
};

struct compiler {
	struct cvx_buf nodes, fields, literals, pool;
	struct cvx_buf references, optionals;
	struct value_reader *reader;
	struct cvx_buf scratch;
	struct cvx_err *err;
};

/* Writes the path into text and returns its size; what is too long is cut at
 * its end. */
static size_t print_place(const struct place *place, char *text, size_t size)
{
	size_t used = 0, room;
	int n;

	if (place->up)
		used = print_place(place->up, text, size);
	room = size - used;
	n = snprintf(text + used, room, "%s%.*s",
		     used > 0 && place->name_size > 0 && place->name[0] != '['
			     ? "."
			     : "",
		     (int)place->name_size, place->name);
	return n < 0 || (size_t)n >= room ? size - 1 : used + (size_t)n;
}

static int fail_at(const struct compiler *c, const struct place *place,
		   const char *name, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int fail_at(const struct compiler *c, const struct place *place,
		   const char *name, const char *fmt, ...)
{
	char path[160] = "", what[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (print_place(place, path, sizeof(path)) == 0)
		return cvx_fail_named(c->err, -EINVAL, name, "%s", what);
	return cvx_fail_named(c->err, -EINVAL, name, "field %s: %s", path,
			      what);
}

/* Appends the element and tells its index. */
static int append(struct compiler *c, struct cvx_buf *to, const void *element,
		  size_t size, uint32_t *ret_index)
{
	if (ret_index)
		*ret_index = (uint32_t)(to->size / size);
	if (cvx_buf_append(to, element, size) < 0)
		return cvx_fail_memory(c->err);
	return 0;
}

static struct validator_node *node_at(struct compiler *c, uint32_t n)
{
	return (struct validator_node *)(void *)c->nodes.data + n;
}

static struct validator_field *field_at(struct compiler *c, uint32_t n)
{
	return (struct validator_field *)(void *)c->fields.data + n;
}

static uint32_t node_count(const struct compiler *c)
{
	return (uint32_t)(c->nodes.size / sizeof(struct validator_node));
}

static int add_node(struct compiler *c, enum validator_op op, uint8_t kinds,
		    uint32_t *ret)
{
	const struct validator_node node = {
		.op = (uint8_t)op, .kinds = kinds, .span = 1};

	return append(c, &c->nodes, &node, sizeof(node), ret);
}

/* The children of n are complete. */
static void end_node(struct compiler *c, uint32_t n)
{
	node_at(c, n)->span = node_count(c) - n;
}

/* Adds the text, and NUL behind it, to the pool. */
static int add_text(struct compiler *c, const char *text, size_t size,
		    uint32_t *ret)
{
	*ret = (uint32_t)c->pool.size;
	if (cvx_buf_append(&c->pool, text, size) < 0 ||
	    cvx_buf_append(&c->pool, "", 1) < 0)
		return cvx_fail_memory(c->err);
	return 0;
}

static int compile(struct compiler *c, const struct json_tree_node *json,
		   const struct place *place);

static bool type_is(const struct json_tree_node *json, const char *type)
{
	const struct json_tree_node *t = json_tree_field(json, "type");

	return t && t->kind == JSON_TREE_STRING &&
	       json_tree_string_is(&t->string, type);
}

/* "fieldType" and "optional" of a field or of a record's values. */
static int read_field(const struct compiler *c,
		      const struct json_tree_node *json,
		      const struct place *place,
		      const struct json_tree_node **ret_type,
		      bool *ret_optional)
{
	const struct json_tree_node *type = json_tree_field(json, "fieldType");
	const struct json_tree_node *optional =
		json_tree_field(json, "optional");

	if (!type)
		return fail_at(c, place, NULL, "no \"fieldType\"");
	if (!optional || (optional->kind != JSON_TREE_TRUE &&
			  optional->kind != JSON_TREE_FALSE))
		return fail_at(c, place, NULL,
			       "\"optional\" must be true or false");
	*ret_type = type;
	*ret_optional = optional->kind == JSON_TREE_TRUE;
	return 0;
}

/* import.md 4.4, internal; the text is left in c->scratch. */
static int read_literal(struct compiler *c, const struct json_tree_node *json,
			const struct place *place)
{
	const struct json_tree_node *value = json_tree_field(json, "value");
	struct cvx_err err = CVX_ERR_INIT;
	const char *text, *end;

	if (!value)
		return fail_at(c, place, NULL, "a literal without \"value\"");
	cvx_buf_clear(&c->scratch);
	if (value_read(c->reader, value->raw.text, value->raw.size, &c->scratch,
		       &err) < 0) {
		if (err.code == -ENOMEM)
			return cvx_fail_memory(c->err);
		return fail_at(c, place, NULL, "literal: %s", err.msg);
	}
	text = c->scratch.data;
	end = text + c->scratch.size;
	switch (walk_kind(text, end)) {
	case WALK_FLOAT64:
		if (*text != '{')
			return 0;
		return fail_at(c, place, "UnsupportedFloatLiteral",
			       "a literal cannot be NaN or infinite");
	case WALK_STRING:
	case WALK_BOOLEAN:
	case WALK_INT64:
		return 0;
	case WALK_NULL:
	case WALK_BYTES:
	case WALK_ARRAY:
	case WALK_OBJECT:
	case WALK_DAMAGED:
		break;
	}
	return fail_at(c, place, NULL,
		       "a literal must be a string, a number, a bigint or a "
		       "boolean");
}

static int add_literal(struct compiler *c, const struct json_tree_node *json,
		       const struct place *place, uint8_t *kinds)
{
	struct validator_literal literal;
	const char *text;
	int r = read_literal(c, json, place);

	if (r < 0)
		return r;
	text = c->scratch.data;
	literal.size = (uint32_t)c->scratch.size;
	*kinds |= KIND(walk_kind(text, text + literal.size));
	r = add_text(c, text, literal.size, &literal.text);
	if (r < 0)
		return r;
	return append(c, &c->literals, &literal, sizeof(literal), NULL);
}

static int compare_literals(const void *a, const void *b, void *pool)
{
	const struct validator_literal *left = a, *right = b;
	struct json_tree_string l = {(char *)pool + left->text, left->size};
	struct json_tree_string r = {(char *)pool + right->text, right->size};

	return json_tree_string_compare(&l, &r);
}

/* Sorts the literals added since first and adds their node. */
static int add_literals(struct compiler *c, uint32_t first, uint8_t kinds)
{
	struct validator_literal *all = (void *)c->literals.data;
	uint32_t count = (uint32_t)(c->literals.size / sizeof(*all)) - first;
	uint32_t n = 0;
	int r;

	if (count == 0)
		return 0;
	qsort_r(all + first, count, sizeof(*all), compare_literals,
		c->pool.data);
	r = add_node(c, VALIDATOR_LITERALS, kinds, &n);
	if (r < 0)
		return r;
	node_at(c, n)->first = first;
	node_at(c, n)->count = count;
	return 0;
}

static uint32_t literal_count(const struct compiler *c)
{
	return (uint32_t)(c->literals.size / sizeof(struct validator_literal));
}

static int compile_literal(struct compiler *c,
			   const struct json_tree_node *json,
			   const struct place *place)
{
	uint32_t first = literal_count(c);
	uint8_t kinds = 0;
	int r = add_literal(c, json, place, &kinds);

	return r < 0 ? r : add_literals(c, first, kinds);
}

static int compile_id(struct compiler *c, const struct json_tree_node *json,
		      const struct place *place)
{
	const struct json_tree_node *table = json_tree_field(json, "tableName");
	uint32_t n = 0, name = 0;
	int r;

	if (!table || table->kind != JSON_TREE_STRING)
		return fail_at(c, place, NULL, "an id without \"tableName\"");
	if (!name_is_identifier(table->string.text, table->string.size))
		return fail_at(c, place, "InvalidTableName",
			       "no table can have the name \"%.*s\"",
			       (int)table->string.size, table->string.text);
	r = add_text(c, table->string.text, table->string.size, &name);
	if (r == 0)
		r = add_node(c, VALIDATOR_ID, KIND(WALK_STRING), &n);
	if (r < 0)
		return r;
	node_at(c, n)->first = name;
	return append(c, &c->references, &name, sizeof(name), NULL);
}

static int compile_array(struct compiler *c, const struct json_tree_node *json,
			 const struct place *place)
{
	const struct json_tree_node *value = json_tree_field(json, "value");
	const struct place inside = {place, "[]", 2};
	uint32_t n = 0;
	int r;

	if (!value)
		return fail_at(c, place, NULL, "an array without \"value\"");
	r = add_node(c, VALIDATOR_ARRAY, KIND(WALK_ARRAY), &n);
	if (r == 0)
		r = compile(c, value, &inside);
	if (r == 0)
		end_node(c, n);
	return r;
}

/* Whether what a record has for keys accepts strings only and no literal; the
 * empty union does. */
static bool accepts_keys(const struct json_tree_node *json)
{
	const struct json_tree_node *value = json_tree_field(json, "value");

	if (type_is(json, "string") || type_is(json, "id"))
		return true;
	if (!type_is(json, "union"))
		return false;
	for (const struct json_tree_node *n = value->first; n; n = n->next)
		if (!accepts_keys(n))
			return false;
	return true;
}

static int compile_record(struct compiler *c, const struct json_tree_node *json,
			  const struct place *place)
{
	const struct json_tree_node *keys = json_tree_field(json, "keys"),
				    *type = NULL;
	const struct json_tree_node *values = json_tree_field(json, "values");
	const struct place in_keys = {place, "keys()", 6};
	const struct place in_values = {place, "values()", 8};
	bool optional = false;
	uint32_t n = 0;
	int r;

	if (!keys || !values)
		return fail_at(c, place, NULL,
			       "a record without \"keys\" or \"values\"");
	r = add_node(c, VALIDATOR_RECORD, KIND(WALK_OBJECT), &n);
	if (r == 0)
		r = compile(c, keys, &in_keys);
	if (r < 0)
		return r;
	if (!accepts_keys(keys))
		return fail_at(c, place, "InvalidRecordType",
			       "the keys of a record must be strings or ids, "
			       "and no literals");
	r = read_field(c, values, &in_values, &type, &optional);
	if (r < 0)
		return r;
	if (optional)
		return fail_at(c, place, "InvalidRecordType",
			       "the values of a record cannot be optional");
	r = compile(c, type, &in_values);
	if (r == 0)
		end_node(c, n);
	return r;
}

/* Makes room for count fields, which are filled while other objects inside add
 * theirs behind. */
static int add_fields(struct compiler *c, uint32_t count, uint32_t *ret_first)
{
	size_t size = count * sizeof(struct validator_field);

	*ret_first =
		(uint32_t)(c->fields.size / sizeof(struct validator_field));
	if (cvx_buf_reserve(&c->fields, size) < 0)
		return cvx_fail_memory(c->err);
	c->fields.size += size;
	return 0;
}

static bool is_system_field(const struct json_tree_node *field)
{
	return field->key.size > 0 && field->key.text[0] == '_';
}

static int compile_field(struct compiler *c, const struct json_tree_node *json,
			 const struct place *place, bool root, uint32_t slot)
{
	struct validator_field field = {.node = node_count(c)};
	const struct json_tree_node *type = NULL;
	int r;

	r = read_field(c, json, place, &type, &field.optional);
	if (r == 0)
		r = compile(c, type, place);
	if (r == 0)
		r = add_text(c, json->key.text, json->key.size, &field.name);
	if (r == 0 && root && field.optional)
		r = append(c, &c->optionals, &field.name, sizeof(field.name),
			   NULL);
	if (r < 0)
		return r;
	field.name_size = (uint16_t)json->key.size;
	*field_at(c, slot) = field;
	return 0;
}

/* Fields of a document that begin with '_' are left out, but must be valid. */
static int compile_system_field(struct compiler *c,
				const struct json_tree_node *json,
				const struct place *place)
{
	const struct compiler before = *c;
	const struct json_tree_node *type = NULL;
	bool optional = false;
	int r;

	r = read_field(c, json, place, &type, &optional);
	if (r == 0)
		r = compile(c, type, place);
	c->nodes.size = before.nodes.size;
	c->fields.size = before.fields.size;
	c->literals.size = before.literals.size;
	c->references.size = before.references.size;
	return r;
}

static int compile_object(struct compiler *c, const struct json_tree_node *json,
			  const struct place *place, bool root)
{
	CVX_AUTO(cvx_freep) const struct json_tree_node **fields = NULL;
	const struct json_tree_node *value = json_tree_field(json, "value");
	uint32_t n = 0, first = 0, count = 0;
	int r;

	if (!value || value->kind != JSON_TREE_OBJECT)
		return fail_at(c, place, NULL,
			       "\"value\" of an object must be an object");
	r = add_node(c, root ? VALIDATOR_ROOT_OBJECT : VALIDATOR_OBJECT,
		     KIND(WALK_OBJECT), &n);
	if (r == 0)
		r = add_fields(c, value->count, &first);
	if (r == 0)
		r = json_tree_sorted(value, &fields, c->err);
	for (uint32_t i = 0; r == 0 && i < value->count; i++) {
		const struct json_tree_node *f = fields[i];
		const struct place inside = {place, f->key.text, f->key.size};

		if (!name_is_identifier_field(f->key.text, f->key.size))
			return fail_at(c, place, NULL,
				       "a field cannot have the name \"%.*s\" "
				       "in a validator; it must be an "
				       "identifier",
				       (int)f->key.size, f->key.text);
		if (root && is_system_field(f))
			r = compile_system_field(c, f, &inside);
		else
			r = compile_field(c, f, &inside, root, first + count++);
	}
	if (r < 0)
		return r;
	node_at(c, n)->first = first;
	node_at(c, n)->count = count;
	end_node(c, n);
	return 0;
}

/* What is done with the members of a union, those of unions in it included. */
typedef int member_step(struct compiler *c, const struct json_tree_node *json,
			const struct place *place, uint8_t *kinds);

static int each_member(struct compiler *c, const struct json_tree_node *json,
		       const struct place *place, uint8_t *kinds,
		       member_step *step)
{
	const struct json_tree_node *value = json_tree_field(json, "value");
	int r = 0;

	if (!value || value->kind != JSON_TREE_ARRAY)
		return fail_at(c, place, NULL,
			       "\"value\" of a union must be an array");
	for (const struct json_tree_node *n = value->first; r == 0 && n;
	     n = n->next)
		r = type_is(n, "union") ? each_member(c, n, place, kinds, step)
					: step(c, n, place, kinds);
	return r;
}

static int add_if_literal(struct compiler *c, const struct json_tree_node *json,
			  const struct place *place, uint8_t *kinds)
{
	return type_is(json, "literal") ? add_literal(c, json, place, kinds)
					: 0;
}

static int compile_member(struct compiler *c, const struct json_tree_node *json,
			  const struct place *place, uint8_t *kinds)
{
	uint32_t n = node_count(c);
	int r;

	if (type_is(json, "literal"))
		return 0;
	r = compile(c, json, place);
	if (r == 0)
		*kinds |= node_at(c, n)->kinds;
	return r;
}

static int compile_union(struct compiler *c, const struct json_tree_node *json,
			 const struct place *place)
{
	uint32_t first = literal_count(c), n = 0;
	uint8_t kinds = 0;
	int r;

	r = add_node(c, VALIDATOR_UNION, 0, &n);
	if (r == 0)
		r = each_member(c, json, place, &kinds, add_if_literal);
	if (r == 0)
		r = add_literals(c, first, kinds);
	if (r == 0)
		r = each_member(c, json, place, &kinds, compile_member);
	if (r < 0)
		return r;
	node_at(c, n)->kinds = kinds;
	end_node(c, n);
	return 0;
}

static const struct {
	const char *type;
	enum validator_op op;
	uint8_t kinds;
} simple_types[] = {
	{"null", VALIDATOR_NULL, KIND(WALK_NULL)},
	{"number", VALIDATOR_FLOAT64, KIND(WALK_FLOAT64)},
	{"bigint", VALIDATOR_INT64, KIND(WALK_INT64)},
	{"commitTs", VALIDATOR_INT64, KIND(WALK_INT64)},
	{"boolean", VALIDATOR_BOOLEAN, KIND(WALK_BOOLEAN)},
	{"string", VALIDATOR_STRING, KIND(WALK_STRING)},
	{"bytes", VALIDATOR_BYTES, KIND(WALK_BYTES)},
	{"any", VALIDATOR_ANY, EVERY_KIND},
	{"map", VALIDATOR_ANY, EVERY_KIND},
	{"set", VALIDATOR_ANY, EVERY_KIND},
};

static int compile(struct compiler *c, const struct json_tree_node *json,
		   const struct place *place)
{
	const struct json_tree_node *type = json_tree_field(json, "type");
	const size_t count = sizeof(simple_types) / sizeof(simple_types[0]);

	if (!type || type->kind != JSON_TREE_STRING)
		return fail_at(c, place, NULL,
			       "a validator must be an object with a \"type\"");
	for (size_t i = 0; i < count; i++)
		if (json_tree_string_is(&type->string, simple_types[i].type))
			return add_node(c, simple_types[i].op,
					simple_types[i].kinds, NULL);
	if (json_tree_string_is(&type->string, "literal"))
		return compile_literal(c, json, place);
	if (json_tree_string_is(&type->string, "id"))
		return compile_id(c, json, place);
	if (json_tree_string_is(&type->string, "array"))
		return compile_array(c, json, place);
	if (json_tree_string_is(&type->string, "record"))
		return compile_record(c, json, place);
	if (json_tree_string_is(&type->string, "object"))
		return compile_object(c, json, place, false);
	if (json_tree_string_is(&type->string, "union"))
		return compile_union(c, json, place);
	return fail_at(c, place, NULL, "unknown type \"%.*s\" of a validator",
		       (int)type->string.size, type->string.text);
}

static int fail_root(struct compiler *c, const struct json_tree_node *json,
		     const struct place *place)
{
	const struct json_tree_node *type = json_tree_field(json, "type");
	int r = compile(c, json, place); /* its own faults come first */

	if (r < 0)
		return r;
	return fail_at(c, place, "InvalidTopLevelTypeInSchemaError",
		       "documents must be an object, a union of objects, or "
		       "any, not %.*s",
		       (int)type->string.size, type->string.text);
}

static int compile_root_union(struct compiler *c,
			      const struct json_tree_node *json,
			      const struct place *place)
{
	const struct json_tree_node *value = json_tree_field(json, "value");
	uint32_t n = 0;
	int r;

	if (!value || value->kind != JSON_TREE_ARRAY)
		return fail_at(c, place, NULL,
			       "\"value\" of a union must be an array");
	r = add_node(c, VALIDATOR_UNION, KIND(WALK_OBJECT), &n);
	for (const struct json_tree_node *m = value->first; r == 0 && m;
	     m = m->next)
		r = type_is(m, "object") ? compile_object(c, m, place, true)
					 : fail_root(c, m, place);
	if (r == 0)
		end_node(c, n);
	return r;
}

static int compile_root(struct compiler *c, const struct json_tree_node *json,
			const struct place *place)
{
	if (type_is(json, "object"))
		return compile_object(c, json, place, true);
	if (type_is(json, "union"))
		return compile_root_union(c, json, place);
	if (type_is(json, "any") || type_is(json, "map") ||
	    type_is(json, "set"))
		return compile(c, json, place);
	return fail_root(c, json, place);
}

static int compare_names(const void *a, const void *b, void *pool)
{
	return strcmp((char *)pool + *(const uint32_t *)a,
		      (char *)pool + *(const uint32_t *)b);
}

/* Sorts the names and drops repeated ones; returns how many are left. */
static size_t sort_names(struct cvx_buf *names, const char *pool)
{
	size_t count = names->size / sizeof(uint32_t), kept = 0;
	uint32_t *all = (void *)names->data;

	if (count == 0)
		return 0;
	qsort_r(all, count, sizeof(*all), compare_names, (void *)pool);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 ||
		    strcmp(pool + all[kept - 1], pool + all[i]) != 0)
			all[kept++] = all[i];
	return kept;
}

static int finish(struct compiler *c, const struct json_tree_node *json,
		  enum validator_scope scope, struct validator **ret)
{
	CVX_AUTO(cvx_freep) struct validator *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return cvx_fail_memory(c->err);
	cvx_buf_clear(&c->scratch);
	r = validator_print(json, scope, c->reader, &c->scratch, c->err);
	if (r < 0)
		return r;
	v->text = c->scratch.data;
	v->text_size = c->scratch.size;
	v->reference_count = sort_names(&c->references, c->pool.data);
	v->references = (void *)c->references.data;
	v->optional_count = sort_names(&c->optionals, c->pool.data);
	v->optionals = (void *)c->optionals.data;
	v->nodes = (void *)c->nodes.data;
	v->fields = (void *)c->fields.data;
	v->literals = (void *)c->literals.data;
	v->pool = c->pool.data;
	/* The validator owns the bytes of all buffers now. */
	c->scratch.data = c->references.data = c->optionals.data = NULL;
	c->nodes.data = c->fields.data = c->literals.data = NULL;
	c->pool.data = NULL;
	*ret = CVX_TAKE(v);
	return 0;
}

int validator_compile(const struct json_tree_node *json,
		      enum validator_scope scope, struct value_reader *literals,
		      struct validator **ret, struct cvx_err *err)
{
	struct compiler c = {
		.nodes = CVX_BUF_INIT(PART_MAX),
		.fields = CVX_BUF_INIT(PART_MAX),
		.literals = CVX_BUF_INIT(PART_MAX),
		.pool = CVX_BUF_INIT(PART_MAX),
		.references = CVX_BUF_INIT(PART_MAX),
		.optionals = CVX_BUF_INIT(PART_MAX),
		.scratch = CVX_BUF_INIT(PART_MAX),
		.reader = literals,
		.err = err,
	};
	const struct place outermost = {NULL, "", 0};
	int r;

	assert(json && literals && ret);
	r = scope == VALIDATOR_DOCUMENT ? compile_root(&c, json, &outermost)
					: compile(&c, json, &outermost);
	if (r == 0)
		r = finish(&c, json, scope, ret);
	free(c.nodes.data);
	free(c.fields.data);
	free(c.literals.data);
	free(c.pool.data);
	free(c.references.data);
	free(c.optionals.data);
	free(c.scratch.data);
	return r;
}
