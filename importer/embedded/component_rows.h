/*
 * component_rows: the catalog's rows about components.
 *
 * Threads: the caller's connection, so the caller's lock.
 */
#ifndef CVX_IMPORTER_EMBEDDED_COMPONENT_ROWS_H
#define CVX_IMPORTER_EMBEDDED_COMPONENT_ROWS_H

#include <stdint.h>

struct catalog;
struct cvx_err;

struct component_row {
	int64_t id;
	int64_t table_count;
	uint32_t free_number;
};

/* 1: found; 0: there is none; or a failure. */
int component_look(struct catalog *c, const char *path,
		   struct component_row *ret, struct cvx_err *err);

/* The component and those above it, if they are not there. */
int component_make(struct catalog *c, const char *path, struct cvx_err *err);

/* -ENOENT with a text if there is none. */
int component_find(struct catalog *c, const char *path,
		   struct component_row *ret, struct cvx_err *err);

/* -ENOTEMPTY while it has tables, stored files or components; -EBUSY: it is the
 * root. */
int component_delete(struct catalog *c, const char *path, struct cvx_err *err);

int component_update(struct catalog *c, const struct component_row *row,
		     struct cvx_err *err);

/* Nothing has the number any more. Writes the row. */
int component_release_number(struct catalog *c, struct component_row *component,
			     uint32_t number, struct cvx_err *err);

#endif
