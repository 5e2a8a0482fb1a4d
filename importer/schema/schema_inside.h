/*
 * schema_inside: how a schema is kept, for schema*.c only.
 */
#ifndef CVX_IMPORTER_SCHEMA_SCHEMA_INSIDE_H
#define CVX_IMPORTER_SCHEMA_SCHEMA_INSIDE_H

#include "importer/schema/schema.h"

struct json_tree_node;

struct schema_table {
	char name[NAME_MAX_SIZE + 1];
	struct schema_index *indexes;
	size_t index_count;
	struct validator *validator; /* NULL: none */
};

struct schema {
	bool validates;
	struct schema_table *tables;
	size_t table_count;
};

/*
 * The lists of indexes as they stand in a table of the JSON, in this order.
 */
struct schema_index_list {
	const char *name;
	enum schema_index_kind kind;
	bool staged;
};

#define SCHEMA_INDEX_LISTS 6
extern const struct schema_index_list schema_index_lists[SCHEMA_INDEX_LISTS];

/*
 * Reads the indexes of the table's JSON into t, whose name is set. Messages
 * name the index, not the table.
 */
int schema_read_indexes(const struct json_tree_node *json,
			struct schema_table *t, struct cvx_err *err);

/* Frees what schema_read_indexes has made. */
void schema_index_fini(struct schema_index *index);

#endif
