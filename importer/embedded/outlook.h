/*
 * outlook: the components that an import writes into as they will be after it,
 * and what its rows are held to therefore (import.md 8.1).
 *
 * Threads: made on the caller's connection; fixed then, but for
 *          outlook_fini().
 */
#ifndef CVX_IMPORTER_EMBEDDED_OUTLOOK_H
#define CVX_IMPORTER_EMBEDDED_OUTLOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/embedded/numbers.h"
#include "importer/embedded/schemas.h"
#include "importer/format/format.h"

struct catalog;
struct cvx_err;
struct deployment;
struct outlook_component;
struct schema;
struct schema_table;
struct validator;

struct outlook {
	struct deployment *d;
	/* The documents are those of another deployment, which has checked
	 * them. */
	bool is_trusted;
	uint64_t schemas_version; /* schemas_version() */
	/* Those that have a schema, by path. */
	struct outlook_component **components;
	size_t count;
};

struct outlook_component {
	bool is_trusted;
	char *path;
	struct active_schema *schema;
	struct numbers numbers; /* of its tables after the import */
};

/* What the rows of a table are held to; lives as long as the outlook. */
struct row_rules {
	const struct outlook_component *component; /* NULL: it has no schema */
	const struct schema_table
		*table; /* NULL: the schema does not have it */
	const struct validator *validator; /* NULL: rows are not checked */
};

int outlook_init(struct outlook *o, struct deployment *d, struct catalog *c,
		 struct cvx_err *err);
void outlook_fini(struct outlook *o);

/* Adds the component, behind those before; *ret is NULL if it has no schema. */
int outlook_add(struct outlook *o, struct catalog *c, const char *path,
		struct outlook_component **ret, struct cvx_err *err);

struct row_rules outlook_rules(const struct outlook_component *component,
			       const char *table);

/* Whether rows that old has let pass are let pass by now, which is of the same
 * schemas. */
bool row_rules_agree(const struct row_rules *old, const struct row_rules *now);

/* A table that is to have another number. */
struct renumbered_table {
	const char *component, *name;
	uint32_t old_number, new_number;
	/* Whether that table, too, is written anew. */
	const void *ctx;
	bool (*is_exempt)(const void *ctx, const char *table);
};

/* ImportForeignKey if documents have ids of the table (import.md 7.6.4). */
int foreign_ids_check(struct catalog *c, const struct schema *schema,
		      const struct renumbered_table *table,
		      struct cvx_err *err);

/* For the conversion of rows; rules must live as long. */
struct format_rules row_rules_format(const struct row_rules *rules);

#endif
