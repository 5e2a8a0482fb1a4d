/*
 * rows_by_key: the lines of one segment in the order of its keys file.
 *
 * Keys are taken in batches; the lines of a batch are read in the order in
 * which they lie in the file, so that neighbours come with one read.
 *
 * Memory:  the batch's size that is given at the start.
 * Threads: not locked.
 */
#ifndef CVX_IMPORTER_EMBEDDED_ROWS_BY_KEY_H
#define CVX_IMPORTER_EMBEDDED_ROWS_BY_KEY_H

#include <stddef.h>

struct cvx_err;
struct internal_id;
struct rows_by_key;
struct rows_segment;

/* The segment's descriptors stay the caller's. */
int rows_by_key_new(const struct rows_segment *segment, size_t batch_size,
		    struct rows_by_key **ret, struct cvx_err *err);
void rows_by_key_free(struct rows_by_key *r); /* NULL is allowed */

/* 1 and the next line without its LF, which lives until the next call; 0 at
 * the end. */
int rows_by_key_next(struct rows_by_key *r, struct internal_id *ret_id,
		     const char **ret_line, size_t *ret_size,
		     struct cvx_err *err);

#endif
