/*
 * schema: the tables, indexes and validators of a component, read from the
 * schema JSON (import.md 8.2) and printed again.
 *
 * All that is wrong with a schema is -EINVAL (too large a text: -EFBIG) with
 * the table, the index or the path of the field in the message, and with the
 * name that Convex has for the fault, if it has one: InvalidTableName,
 * TableNameReserved, TooManyIndexes, InvalidIndexName, IndexNameReserved,
 * IndexNamesNotUnique, EmptyIndex, InvalidIndexField, IndexTooManyFields,
 * IndexTooManyFilterFields, IndexFieldsContainId, FieldsNotUniqueWithinIndex,
 * IndexNotUnique, SearchIndexFieldNotUnique, VectorIndexFieldNotUnique,
 * InvalidVectorDimensionError, and those of validator.h.
 *
 * A schema owns everything that its accessors return.
 *
 * Limits:  those of import.md 8.2; text of 1 MiB, brackets nested 127 deep.
 * Threads: fixed after schema_parse.
 */
#ifndef CVX_IMPORTER_SCHEMA_SCHEMA_H
#define CVX_IMPORTER_SCHEMA_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/value/name.h"

struct cvx_buf;
struct cvx_err;
struct schema;
struct schema_table;
struct validator;

#define SCHEMA_INDEXES_MAX 64	    /* of all kinds, of one table */
#define SCHEMA_INDEX_FIELDS_MAX 16  /* of one index */
#define SCHEMA_FILTER_FIELDS_MAX 16 /* of one search or vector index */
#define SCHEMA_DIMENSIONS_MIN 2
#define SCHEMA_DIMENSIONS_MAX 4096

int schema_parse(const char *text, size_t size, struct schema **ret,
		 struct cvx_err *err);
void schema_free(struct schema *s);

/*
 * Appends the canonical JSON, by which two schemas that say the same are equal
 * byte for byte: tables, indexes and filter fields sorted by name, no list left
 * out, no white space.
 */
int schema_print(const struct schema *s, struct cvx_buf *out,
		 struct cvx_err *err);

/* "schemaValidation": whether documents are checked at all. */
bool schema_validates(const struct schema *s);

/* By name. */
size_t schema_table_count(const struct schema *s);
const struct schema_table *schema_table_at(const struct schema *s, size_t i);

/* NULL: the schema does not have it. */
const struct schema_table *schema_find_table(const struct schema *s,
					     const char *name);

const char *schema_table_name(const struct schema_table *t);

/* NULL: the table has none. It may be one of any. */
const struct validator *schema_table_validator(const struct schema_table *t);

/* What the documents of the table are to be checked against (import.md 8.1);
 * NULL: nothing. */
const struct validator *schema_enforced(const struct schema *s,
					const char *table);

/* Whether the empty cell of a CSV row is no field (import.md 6.2); also if
 * documents are not checked. t may be NULL. */
bool schema_field_is_optional(const struct schema_table *t, const char *field,
			      size_t size);

/* The first table whose validator has ids of the table, by name; NULL: none. */
const struct schema_table *schema_find_reference(const struct schema *s,
						 const char *to_table);

/* import.md 7.6.2: SchemaEnforcementError if the schema forbids it. */
int schema_check_deletion(const struct schema *s, const char *table,
			  struct cvx_err *err);

enum schema_index_kind {
	SCHEMA_INDEX_DATABASE,
	SCHEMA_INDEX_SEARCH,
	SCHEMA_INDEX_VECTOR,
};

struct schema_index {
	enum schema_index_kind kind;
	bool staged;
	char name[NAME_MAX_SIZE + 1];
	/* Paths, "address.city". Of a database index all of them, as given:
	 * the last may be "_creationTime". Else one. */
	const char *fields[SCHEMA_INDEX_FIELDS_MAX];
	size_t field_count;
	const char *filters[SCHEMA_FILTER_FIELDS_MAX]; /* sorted, each once */
	size_t filter_count;
	uint32_t dimensions; /* of vectors; else 0 */
};

/* By kind, first those not staged, then by name. */
size_t schema_table_index_count(const struct schema_table *t);
const struct schema_index *schema_table_index(const struct schema_table *t,
					      size_t i);

#endif
