/*
 * reshape: a row of an old export is written out in uniform encoding, as its
 * shape and its override tell (import.md 6.6).
 *
 * Threads: a struct reshape belongs to one thread at a time.
 */
#ifndef CVX_IMPORTER_ARCHIVE_RESHAPE_H
#define CVX_IMPORTER_ARCHIVE_RESHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/value/id.h"

struct context;
struct cvx_buf;
struct cvx_err;
struct shape;

struct reshape {
	const struct shape *shape;
	uint32_t *unions; /* those that hold for the values that are open */
	size_t union_count, union_capacity;
	char *scratch; /* a string, decoded */
	size_t scratch_capacity;
};

void reshape_init(struct reshape *r, const struct shape *shape);
void reshape_fini(struct reshape *r);

/* row is JSON without fields that are overwritten; context may be NULL. */
int reshape_row(struct reshape *r, const char *row, size_t size,
		const struct context *context, struct cvx_buf *out,
		struct cvx_err *err);

/* The row's _id, ended by NUL, if it is a string; which must be an id. */
int reshape_find_id(const char *row, size_t size, char id[ID_TEXT_MAX + 1],
		    bool *ret_found, struct cvx_err *err);

#endif
