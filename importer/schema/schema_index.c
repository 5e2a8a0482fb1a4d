#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/err.h"
#include "importer/schema/json_tree.h"
#include "importer/schema/schema_inside.h"

const struct schema_index_list schema_index_lists[SCHEMA_INDEX_LISTS] = {
	{"indexes", SCHEMA_INDEX_DATABASE, false},
	{"stagedDbIndexes", SCHEMA_INDEX_DATABASE, true},
	{"searchIndexes", SCHEMA_INDEX_SEARCH, false},
	{"stagedSearchIndexes", SCHEMA_INDEX_SEARCH, true},
	{"vectorIndexes", SCHEMA_INDEX_VECTOR, false},
	{"stagedVectorIndexes", SCHEMA_INDEX_VECTOR, true},
};

/* What is in the paths is never written to. */
static void free_path(const char *path)
{
	free((void *)(uintptr_t)path);
}

void schema_index_fini(struct schema_index *index)
{
	for (size_t i = 0; i < index->field_count; i++)
		free_path(index->fields[i]);
	for (size_t i = 0; i < index->filter_count; i++)
		free_path(index->filters[i]);
}

static bool is_path(const char *path, size_t size)
{
	const char *end = path + size;

	for (;;) {
		const char *dot = memchr(path, '.', (size_t)(end - path));
		const char *stop = dot ? dot : end;

		if (!name_is_identifier_field(path, (size_t)(stop - path)))
			return false;
		if (!dot)
			return true;
		path = dot + 1;
	}
}

/* *ret becomes a copy. */
static int read_path(const struct json_tree_node *json, const char **ret,
		     struct cvx_err *err)
{
	char *copy;

	if (json->kind != JSON_TREE_STRING)
		return cvx_fail_named(err, -EINVAL, "InvalidIndexField",
				      "a field must be a string");
	if (!is_path(json->string.text, json->string.size))
		return cvx_fail_named(
			err, -EINVAL, "InvalidIndexField",
			"invalid field \"%.*s\"; it must be identifiers "
			"joined by '.'",
			(int)json->string.size, json->string.text);
	copy = strndup(json->string.text, json->string.size);
	if (!copy)
		return cvx_fail_memory(err);
	*ret = copy;
	return 0;
}

static int read_fields(const struct json_tree_node *json,
		       struct schema_index *index, struct cvx_err *err)
{
	const struct json_tree_node *fields = json_tree_field(json, "fields");

	if (!fields || fields->kind != JSON_TREE_ARRAY)
		return cvx_fail(err, -EINVAL, "\"fields\" must be an array");
	if (fields->count == 0)
		return cvx_fail_named(err, -EINVAL, "EmptyIndex",
				      "it must have at least one field");
	if (fields->count > SCHEMA_INDEX_FIELDS_MAX)
		return cvx_fail_named(err, -EINVAL, "IndexTooManyFields",
				      "more than %d fields",
				      SCHEMA_INDEX_FIELDS_MAX);
	for (const struct json_tree_node *n = fields->first; n; n = n->next) {
		const char *path;
		int r = read_path(n, &path, err);

		if (r < 0)
			return r;
		index->fields[index->field_count++] = path;
		if (strcmp(path, "_id") == 0)
			return cvx_fail_named(err, -EINVAL,
					      "IndexFieldsContainId",
					      "_id is no field for an index; "
					      "documents are found by it "
					      "without one");
		for (size_t i = 0; i + 1 < index->field_count; i++)
			if (strcmp(index->fields[i], path) == 0)
				return cvx_fail_named(
					err, -EINVAL,
					"FieldsNotUniqueWithinIndex",
					"field %s twice", path);
	}
	return 0;
}

/* Puts the path in its place, unless it is there. */
static void insert_filter(struct schema_index *index, const char *path)
{
	size_t i = index->filter_count;

	for (size_t k = 0; k < index->filter_count; k++) {
		if (strcmp(index->filters[k], path) == 0) {
			free_path(path);
			return;
		}
	}
	for (; i > 0 && strcmp(index->filters[i - 1], path) > 0; i--)
		index->filters[i] = index->filters[i - 1];
	index->filters[i] = path;
	index->filter_count++;
}

static bool has_filter(const struct schema_index *index,
		       const struct json_tree_node *json)
{
	for (size_t i = 0; i < index->filter_count; i++)
		if (json->kind == JSON_TREE_STRING &&
		    json_tree_string_is(&json->string, index->filters[i]))
			return true;
	return false;
}

static int read_filters(const struct json_tree_node *json,
			struct schema_index *index, struct cvx_err *err)
{
	const struct json_tree_node *filters =
		json_tree_field(json, "filterFields");

	if (!filters || filters->kind != JSON_TREE_ARRAY)
		return cvx_fail(err, -EINVAL,
				"\"filterFields\" must be an array");
	for (const struct json_tree_node *n = filters->first; n; n = n->next) {
		const char *path;
		int r;

		if (has_filter(index, n))
			continue;
		if (index->filter_count == SCHEMA_FILTER_FIELDS_MAX)
			return cvx_fail_named(err, -EINVAL,
					      "IndexTooManyFilterFields",
					      "more than %d filter fields",
					      SCHEMA_FILTER_FIELDS_MAX);
		r = read_path(n, &path, err);
		if (r < 0)
			return r;
		insert_filter(index, path);
	}
	return 0;
}

/* The field that the index is of, and those it is filtered by. */
static int read_subject(const struct json_tree_node *json, const char *name,
			struct schema_index *index, struct cvx_err *err)
{
	const struct json_tree_node *field = json_tree_field(json, name);
	int r;

	if (!field)
		return cvx_fail(err, -EINVAL, "no \"%s\"", name);
	r = read_path(field, &index->fields[0], err);
	if (r < 0)
		return r;
	index->field_count = 1;
	return read_filters(json, index, err);
}

/* "dimensions", or "dimension" of the first releases. */
static int read_dimensions(const struct json_tree_node *json,
			   struct schema_index *index, struct cvx_err *err)
{
	const struct json_tree_node *n = json_tree_field(json, "dimensions");
	uint32_t value = 0;

	if (!n || n->kind == JSON_TREE_NULL)
		n = json_tree_field(json, "dimension");
	if (!n || n->kind != JSON_TREE_NUMBER)
		return cvx_fail(err, -EINVAL, "no \"dimensions\"");
	for (size_t i = 0; i < n->raw.size; i++) {
		char c = n->raw.text[i];

		if (c < '0' || c > '9')
			return cvx_fail(err, -EINVAL,
					"\"dimensions\" must be an integer");
		if (value <= SCHEMA_DIMENSIONS_MAX)
			value = value * 10 + (uint32_t)(c - '0');
	}
	if (value < SCHEMA_DIMENSIONS_MIN || value > SCHEMA_DIMENSIONS_MAX)
		return cvx_fail_named(
			err, -EINVAL, "InvalidVectorDimensionError",
			"dimensions must be from %d to %d",
			SCHEMA_DIMENSIONS_MIN, SCHEMA_DIMENSIONS_MAX);
	index->dimensions = value;
	return 0;
}

static int read_name(const struct json_tree_node *json,
		     struct schema_index *index, struct cvx_err *err)
{
	const struct json_tree_node *name =
		json_tree_field(json, "indexDescriptor");

	if (!name || name->kind != JSON_TREE_STRING)
		return cvx_fail(err, -EINVAL,
				"an index without \"indexDescriptor\"");
	switch (name_check_index(name->string.text, name->string.size)) {
	case INDEX_NAME_INVALID:
		return cvx_fail_named(
			err, -EINVAL, "InvalidIndexName",
			"invalid name \"%.*s\" of an index; it must be an "
			"identifier",
			(int)name->string.size, name->string.text);
	case INDEX_NAME_RESERVED:
		return cvx_fail_named(err, -EINVAL, "IndexNameReserved",
				      "no index can have the name %.*s",
				      (int)name->string.size,
				      name->string.text);
	case INDEX_NAME_VALID:
		break;
	}
	memcpy(index->name, name->string.text, name->string.size);
	index->name[name->string.size] = '\0';
	return 0;
}

static int read_index(const struct json_tree_node *json,
		      struct schema_index *index, struct cvx_err *err)
{
	int r = read_name(json, index, err);

	if (r < 0)
		return r;
	switch (index->kind) {
	case SCHEMA_INDEX_DATABASE:
		r = read_fields(json, index, err);
		break;
	case SCHEMA_INDEX_SEARCH:
		r = read_subject(json, "searchField", index, err);
		break;
	case SCHEMA_INDEX_VECTOR:
		r = read_subject(json, "vectorField", index, err);
		if (r == 0)
			r = read_dimensions(json, index, err);
		break;
	}
	if (r < 0 && r != -ENOMEM && err)
		return cvx_err_prefix(err, "index %s", index->name);
	return r;
}

/* The array of the list; *ret is NULL if it is absent or null. */
static int find_list(const struct json_tree_node *json,
		     const struct schema_index_list *list,
		     const struct json_tree_node **ret, struct cvx_err *err)
{
	const struct json_tree_node *n = json_tree_field(json, list->name);

	if (n && n->kind == JSON_TREE_NULL)
		n = NULL;
	if (n && n->kind != JSON_TREE_ARRAY)
		return cvx_fail(err, -EINVAL, "\"%s\" must be an array",
				list->name);
	if (!n && list == &schema_index_lists[0])
		return cvx_fail(err, -EINVAL, "no \"indexes\"");
	*ret = n;
	return 0;
}

static bool same_fields(const struct schema_index *a,
			const struct schema_index *b)
{
	if (a->field_count != b->field_count || a->dimensions != b->dimensions)
		return false;
	for (size_t i = 0; i < a->field_count; i++)
		if (strcmp(a->fields[i], b->fields[i]) != 0)
			return false;
	return true;
}

static int check_pair(const struct schema_index *a,
		      const struct schema_index *b, struct cvx_err *err)
{
	static const char *const names[] = {
		[SCHEMA_INDEX_DATABASE] = "IndexNotUnique",
		[SCHEMA_INDEX_SEARCH] = "SearchIndexFieldNotUnique",
		[SCHEMA_INDEX_VECTOR] = "VectorIndexFieldNotUnique",
	};

	if (strcmp(a->name, b->name) == 0)
		return cvx_fail_named(err, -EINVAL, "IndexNamesNotUnique",
				      "index %s twice", a->name);
	if (a->kind == b->kind && same_fields(a, b))
		return cvx_fail_named(err, -EINVAL, names[a->kind],
				      "index %s and index %s are of the same "
				      "fields",
				      a->name, b->name);
	return 0;
}

/* By list, then by name. */
static int compare_indexes(const void *a, const void *b)
{
	const struct schema_index *left = a, *right = b;

	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	if (left->staged != right->staged)
		return right->staged ? -1 : 1;
	return strcmp(left->name, right->name);
}

static int read_list(const struct json_tree_node *indexes,
		     const struct schema_index_list *list,
		     struct schema_table *t, struct cvx_err *err)
{
	int r = 0;

	for (const struct json_tree_node *n = indexes->first; r == 0 && n;
	     n = n->next) {
		struct schema_index *index = &t->indexes[t->index_count++];

		index->kind = list->kind;
		index->staged = list->staged;
		r = read_index(n, index, err);
	}
	return r;
}

/* Finds the lists and makes room for what is in them. */
static int find_lists(const struct json_tree_node *json,
		      const struct json_tree_node *lists[SCHEMA_INDEX_LISTS],
		      struct schema_table *t, struct cvx_err *err)
{
	size_t count = 0;

	for (size_t i = 0; i < SCHEMA_INDEX_LISTS; i++) {
		int r = find_list(json, &schema_index_lists[i], &lists[i], err);

		if (r < 0)
			return r;
		count += lists[i] ? lists[i]->count : 0;
	}
	if (count > SCHEMA_INDEXES_MAX)
		return cvx_fail_named(err, -EINVAL, "TooManyIndexes",
				      "more than %d indexes",
				      SCHEMA_INDEXES_MAX);
	t->indexes = calloc(count + 1, sizeof(*t->indexes));
	return t->indexes ? 0 : cvx_fail_memory(err);
}

int schema_read_indexes(const struct json_tree_node *json,
			struct schema_table *t, struct cvx_err *err)
{
	const struct json_tree_node *lists[SCHEMA_INDEX_LISTS];
	int r = find_lists(json, lists, t, err);

	for (size_t i = 0; r == 0 && i < SCHEMA_INDEX_LISTS; i++)
		if (lists[i])
			r = read_list(lists[i], &schema_index_lists[i], t, err);
	for (size_t i = 0; r == 0 && i < t->index_count; i++)
		for (size_t k = 0; r == 0 && k < i; k++)
			r = check_pair(&t->indexes[k], &t->indexes[i], err);
	if (r == 0)
		qsort(t->indexes, t->index_count, sizeof(*t->indexes),
		      compare_indexes);
	return r;
}
