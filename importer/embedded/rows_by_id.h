/*
 * rows_by_id: the documents of a table in the order of their ids.
 *
 * Segments stand in the order in which they were imported, and so do the lines
 * in each. Those whose lines ascend, and that lie apart from the others, are
 * read as they are, in large pieces; the others are merged, with the help of
 * their keys.
 *
 * Memory:  up to 32 MiB when segments are merged, and what a line of unusual
 *          length needs.
 * Threads: not locked.
 */
#ifndef CVX_IMPORTER_EMBEDDED_ROWS_BY_ID_H
#define CVX_IMPORTER_EMBEDDED_ROWS_BY_ID_H

#include <stddef.h>

#include "importer/embedded/segments.h"

struct cvx_err;
struct rows_by_id;

struct rows_segment {
	struct segment_row row;
	int rows_fd;
	int keys_fd; /* -1 if the rows ascend */
};

/* Takes over the descriptors, on failure as well; copies the rest. */
int rows_by_id_new(const struct rows_segment *segments, size_t count,
		   struct rows_by_id **ret, struct cvx_err *err);
void rows_by_id_free(struct rows_by_id *r); /* NULL is allowed */

/* Reads on. Fewer bytes than size only at the end. */
int rows_by_id_read(struct rows_by_id *r, void *buf, size_t size, size_t *ret_n,
		    struct cvx_err *err);

#endif
