/*
 * selection: which components, tables and fields a reader of all documents
 * wants (STR-4).
 *
 * Threads: fixed after it is made.
 */
#ifndef CVX_IMPORTER_SERVER_SELECTION_H
#define CVX_IMPORTER_SERVER_SELECTION_H

#include <stdbool.h>
#include <stddef.h>

struct cJSON;
struct cvx_buf;
struct cvx_err;

struct selection {
	const char *table, *component; /* NULL: all */
	const struct cJSON *tree;      /* NULL: there is none */
};

/* The tree must have the form that STR-4 tells, BadJsonBody. NULL: none. */
int selection_check(const struct cJSON *tree, struct cvx_err *err);

bool selection_has_table(const struct selection *s, const char *component,
			 const char *table);

/* What the selection says of the fields of a table's documents. NULL: all of
 * them are wanted. It lives as long as the tree. */
const struct cJSON *selection_fields(const struct selection *s,
				     const char *component, const char *table);

/* Appends the fields of the document that are wanted, as canonical text
 * between braces; fields is what selection_fields() returned. */
int selection_print(const struct cJSON *fields, const char *document,
		    size_t size, struct cvx_buf *out);

#endif
