/*
 * deployment_schema: the active schema of a component, and its indexes
 * (import.md 8, 9).
 *
 * Every import is held to the schema that is active when it is committed; the
 * documents that are there already were checked when the schema was set.
 *
 * Threads: locked inside; a struct index_reader too.
 */
#ifndef CVX_IMPORTER_DEPLOYMENT_SCHEMA_H
#define CVX_IMPORTER_DEPLOYMENT_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "importer/deployment.h"

/* The most that the text of a schema may have. */
#define DEPLOYMENT_SCHEMA_MAX ((size_t)1 << 20)

/* Appends the active schema as canonical JSON and LF; nothing if there is
 * none. */
int deployment_print_schema(struct deployment *d, const char *component,
			    struct cvx_buf *out, struct cvx_err *err);

/*
 * Makes the schema in text (import.md 8.2) the active one; "" and "null", with
 * white space or not, remove it. It is refused as schema.h says, and with
 * SchemaEnforcementError, which names the first document that breaks it. One
 * that says the same as the active one changes nothing.
 *
 * Documents are read without any lock, and those of tables that were changed
 * meanwhile once more under it. Imports that began before fail with
 * ImportSchemaChanged.
 */
int deployment_set_schema(struct deployment *d, const char *component,
			  const char *text, size_t size, struct cvx_err *err);

#endif
