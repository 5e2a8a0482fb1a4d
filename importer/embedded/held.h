/*
 * held: which tables of a copy hold their documents (origin.h).
 *
 * A table is held at one revision of the copy: whatever else is committed to
 * it makes it a table that is known by name only. Documents of a table that is
 * not held are not to be read: readers fail with -EAGAIN.
 *
 * Threads: locked inside, but for held_check(), which is on the caller's
 *          connection.
 */
#ifndef CVX_IMPORTER_EMBEDDED_HELD_H
#define CVX_IMPORTER_EMBEDDED_HELD_H

#include <stddef.h>
#include <stdint.h>

#include "importer/value/name.h"

struct catalog;
struct cvx_err;
struct deployment;

struct held {
	uint64_t revision; /* of the copy's table */
	int way;	   /* the keeper's own, with the cursor */
	char *cursor;	   /* where the deployment was then; "": unknown */
	int64_t used_ns;
};

void held_fini(struct held *h);

/* 1: it is held, and *ret the caller's to held_fini(); 0: it is not; -ENOENT:
 * there is no such table. */
int held_find(struct deployment *d, const char *component, const char *table,
	      struct held *ret, struct cvx_err *err);

/* Holds it, if it still is at that revision; else nothing happens. */
int held_put(struct deployment *d, const char *component, const char *table,
	     const struct held *h, struct cvx_err *err);

/* Only notes when it was used. */
int held_use(struct deployment *d, const char *component, const char *table,
	     int64_t used_ns, struct cvx_err *err);

/* Its documents go. Who reads them reads on. */
int held_drop(struct deployment *d, const char *component, const char *table,
	      struct cvx_err *err);

struct held_table {
	char *component;
	char name[NAME_MAX_SIZE + 1];
	uint64_t size;
	int64_t used_ns;
};

/* All held tables, the least recently used first. */
int held_list(struct deployment *d, struct held_table **ret, size_t *ret_count,
	      struct cvx_err *err);
void held_list_free(struct held_table *list, size_t count);

/* 0 if the table is held at the revision, or the deployment is no copy; else
 * -EAGAIN. */
int held_check(const struct deployment *d, struct catalog *c,
	       const char *component, const char *table, uint64_t revision,
	       struct cvx_err *err);

#endif
