/*
 * schemas: the active schemas, as rows of the catalog and compiled.
 *
 * A schema is compiled once and shared by all who ask for it while it is
 * active; who has it keeps it as long as he wants.
 *
 * Threads: rows on the caller's connection, so under the caller's lock;
 *          compiled schemas are locked inside and fixed.
 */
#ifndef CVX_IMPORTER_EMBEDDED_SCHEMAS_H
#define CVX_IMPORTER_EMBEDDED_SCHEMAS_H

#include <stddef.h>
#include <stdint.h>

#include "cache/base/cleanup.h"

struct catalog;
struct cvx_err;
struct deployment;
struct schema;

struct active_schema {
	const struct schema *schema;
	const char *text; /* canonical, not terminated */
	size_t size;
	uint64_t revision; /* no two schemas ever have the same */
};

/* *ret is NULL if the component has none, or is not there. */
int schemas_get(struct deployment *d, struct catalog *c, const char *component,
		struct active_schema **ret, struct cvx_err *err);
void schemas_unref(struct deployment *d, struct active_schema *s);

/* Changes with every change of any schema, and is never the same again. */
int schemas_version(struct catalog *c, uint64_t *ret, struct cvx_err *err);

/* The paths of the components that have one, by their bytes; free with
 * deployment_free_components(). */
int schemas_list(struct catalog *c, char ***ret, size_t *ret_count,
		 struct cvx_err *err);

/* Stores the text, "" for none, under a revision that was never used. */
int schemas_put(struct catalog *c, int64_t component, uint64_t revision,
		const char *text, size_t size, struct cvx_err *err);

/* When the deployment is closed. */
void schemas_forget_all(struct deployment *d);

#endif
