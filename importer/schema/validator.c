#include "importer/schema/validator.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "importer/schema/json_tree.h"
#include "importer/schema/validator_inside.h"
#include "importer/value/value.h"

int validator_new(const char *text, size_t size, enum validator_scope scope,
		  struct validator **ret, struct cvx_err *err)
{
	struct value_reader *literals = NULL;
	struct json_tree *tree = NULL;
	int r;

	r = json_tree_parse(text, size, &tree, err);
	if (r == 0)
		r = value_reader_new(VALUE_INTERNAL, &literals, err);
	if (r == 0)
		r = validator_compile(json_tree_root(tree), scope, literals,
				      ret, err);
	value_reader_free(literals);
	json_tree_free(tree);
	return r;
}

void validator_free(struct validator *v)
{
	if (!v)
		return;
	free(v->nodes);
	free(v->fields);
	free(v->literals);
	free(v->pool);
	free(v->references);
	free(v->optionals);
	free(v->text);
	free(v);
}

bool validator_is_any(const struct validator *v)
{
	return v->nodes[0].op == VALIDATOR_ANY;
}

const char *validator_text(const struct validator *v, size_t *ret_size)
{
	*ret_size = v->text_size;
	return v->text;
}

static bool has_name(const struct validator *v, const uint32_t *names,
		     size_t count, const char *name, size_t size)
{
	size_t low = 0, high = count;
	const struct json_tree_string want = {name, size};

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *text = v->pool + names[middle];
		const struct json_tree_string here = {text, strlen(text)};
		int order = json_tree_string_compare(&want, &here);

		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

size_t validator_reference_count(const struct validator *v)
{
	return v->reference_count;
}

const char *validator_reference(const struct validator *v, size_t i)
{
	assert(i < v->reference_count);
	return v->pool + v->references[i];
}

bool validator_references(const struct validator *v, const char *table)
{
	return has_name(v, v->references, v->reference_count, table,
			strlen(table));
}

bool validator_has_optional(const struct validator *v, const char *field,
			    size_t size)
{
	return has_name(v, v->optionals, v->optional_count, field, size);
}
