#include "importer/schema/schema.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/schema/json_tree.h"
#include "importer/schema/schema_inside.h"
#include "importer/schema/validator.h"
#include "importer/schema/validator_inside.h"
#include "importer/value/refusal.h"
#include "importer/value/value.h"

void schema_free(struct schema *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->table_count; i++) {
		struct schema_table *t = &s->tables[i];

		for (size_t k = 0; k < t->index_count; k++)
			schema_index_fini(&t->indexes[k]);
		free(t->indexes);
		validator_free(t->validator);
	}
	free(s->tables);
	free(s);
}

CVX_DEFINE_CLEANUP(struct schema, schema_free)

static int read_name(const struct json_tree_node *json, struct schema_table *t,
		     struct cvx_err *err)
{
	const struct json_tree_node *name = json_tree_field(json, "tableName");
	const struct json_tree_string *s;

	if (!name || name->kind != JSON_TREE_STRING)
		return cvx_fail(err, -EINVAL, "a table without \"tableName\"");
	s = &name->string;
	if (!name_is_identifier(s->text, s->size))
		return cvx_fail_named(err, -EINVAL, "InvalidTableName",
				      "invalid name \"%.*s\" of a table; it "
				      "must be an identifier",
				      (int)s->size, s->text);
	if (!name_is_user_table(s->text, s->size))
		return cvx_fail_named(err, -EINVAL, "TableNameReserved",
				      "the name %.*s is that of a system "
				      "table",
				      (int)s->size, s->text);
	memcpy(t->name, s->text, s->size);
	t->name[s->size] = '\0';
	return 0;
}

static int read_table(const struct json_tree_node *json,
		      struct value_reader *literals, struct schema_table *t,
		      struct cvx_err *err)
{
	const struct json_tree_node *type =
		json_tree_field(json, "documentType");
	int r = read_name(json, t, err);

	if (r < 0)
		return r;
	r = schema_read_indexes(json, t, err);
	if (r == 0 && type && type->kind != JSON_TREE_NULL)
		r = validator_compile(type, VALIDATOR_DOCUMENT, literals,
				      &t->validator, err);
	if (r < 0 && r != -ENOMEM && err)
		return cvx_err_prefix(err, "table %s", t->name);
	return r;
}

static int compare_tables(const void *a, const void *b)
{
	const struct schema_table *left = a, *right = b;

	return strcmp(left->name, right->name);
}

static int read_tables(const struct json_tree_node *json,
		       struct value_reader *literals, struct schema *s,
		       struct cvx_err *err)
{
	const struct json_tree_node *tables = json_tree_field(json, "tables");
	int r = 0;

	if (!tables || tables->kind != JSON_TREE_ARRAY)
		return cvx_fail(err, -EINVAL, "\"tables\" must be an array");
	s->tables = calloc(tables->count + 1, sizeof(*s->tables));
	if (!s->tables)
		return cvx_fail_memory(err);
	for (const struct json_tree_node *n = tables->first; r == 0 && n;
	     n = n->next)
		r = read_table(n, literals, &s->tables[s->table_count++], err);
	if (r < 0)
		return r;
	qsort(s->tables, s->table_count, sizeof(*s->tables), compare_tables);
	for (size_t i = 1; i < s->table_count; i++)
		if (compare_tables(&s->tables[i - 1], &s->tables[i]) == 0)
			return cvx_fail(err, -EINVAL, "table %s twice",
					s->tables[i].name);
	return 0;
}

static int read_validates(const struct json_tree_node *json, struct schema *s,
			  struct cvx_err *err)
{
	const struct json_tree_node *n =
		json_tree_field(json, "schemaValidation");

	/* Absent in schemas older than the checks. */
	if (n && n->kind != JSON_TREE_NULL && n->kind != JSON_TREE_FALSE &&
	    n->kind != JSON_TREE_TRUE)
		return cvx_fail(err, -EINVAL,
				"\"schemaValidation\" must be true or false");
	s->validates = n && n->kind == JSON_TREE_TRUE;
	return 0;
}

static int read_schema(const struct json_tree_node *json, struct schema **ret,
		       struct cvx_err *err)
{
	CVX_AUTO(schema_freep) struct schema *s = calloc(1, sizeof(*s));
	struct value_reader *literals = NULL;
	int r;

	if (!s)
		return cvx_fail_memory(err);
	r = read_validates(json, s, err);
	if (r == 0)
		r = value_reader_new(VALUE_INTERNAL, &literals, err);
	if (r == 0)
		r = read_tables(json, literals, s, err);
	value_reader_free(literals);
	if (r == 0)
		*ret = CVX_TAKE(s);
	return r;
}

int schema_parse(const char *text, size_t size, struct schema **ret,
		 struct cvx_err *err)
{
	struct json_tree *tree;
	int r;

	assert((text || size == 0) && ret);
	r = json_tree_parse(text, size, &tree, err);
	if (r == 0) {
		r = read_schema(json_tree_root(tree), ret, err);
		json_tree_free(tree);
	}
	if (r < 0 && r != -ENOMEM && err)
		return cvx_err_prefix(err, "schema");
	return r;
}

bool schema_validates(const struct schema *s)
{
	return s->validates;
}

size_t schema_table_count(const struct schema *s)
{
	return s->table_count;
}

const struct schema_table *schema_table_at(const struct schema *s, size_t i)
{
	assert(i < s->table_count);
	return &s->tables[i];
}

static int compare_name(const void *name, const void *table)
{
	return strcmp(name, ((const struct schema_table *)table)->name);
}

const struct schema_table *schema_find_table(const struct schema *s,
					     const char *name)
{
	return bsearch(name, s->tables, s->table_count, sizeof(*s->tables),
		       compare_name);
}

const char *schema_table_name(const struct schema_table *t)
{
	return t->name;
}

const struct validator *schema_table_validator(const struct schema_table *t)
{
	return t->validator;
}

const struct validator *schema_enforced(const struct schema *s,
					const char *table)
{
	const struct schema_table *t = schema_find_table(s, table);

	if (!s->validates || !t || !t->validator ||
	    validator_is_any(t->validator))
		return NULL;
	return t->validator;
}

bool schema_field_is_optional(const struct schema_table *t, const char *field,
			      size_t size)
{
	return t && t->validator &&
	       validator_has_optional(t->validator, field, size);
}

const struct schema_table *schema_find_reference(const struct schema *s,
						 const char *to_table)
{
	for (size_t i = 0; i < s->table_count; i++) {
		const struct schema_table *t = &s->tables[i];

		if (t->validator &&
		    validator_references(t->validator, to_table))
			return t;
	}
	return NULL;
}

int schema_check_deletion(const struct schema *s, const char *table,
			  struct cvx_err *err)
{
	const struct schema_table *t = schema_find_table(s, table);

	if (t && t->validator)
		return refuse(err, "SchemaEnforcementError",
			      "table %s cannot be deleted: the schema has a "
			      "validator for it",
			      table);
	t = schema_find_reference(s, table);
	if (t)
		return refuse(err, "SchemaEnforcementError",
			      "table %s cannot be deleted: the schema has ids "
			      "of it in table %s",
			      table, t->name);
	return 0;
}

size_t schema_table_index_count(const struct schema_table *t)
{
	return t->index_count;
}

const struct schema_index *schema_table_index(const struct schema_table *t,
					      size_t i)
{
	assert(i < t->index_count);
	return &t->indexes[i];
}
