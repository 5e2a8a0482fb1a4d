/*
 * segments: the catalog's rows about the segments of tables.
 *
 * Threads: the caller's connection, so the caller's lock.
 */
#ifndef CVX_IMPORTER_EMBEDDED_SEGMENTS_H
#define CVX_IMPORTER_EMBEDDED_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/value/id.h"

struct catalog;
struct cvx_err;

struct segment_row {
	uint64_t id;
	int64_t position;
	uint64_t size; /* committed bytes */
	uint64_t row_count;
	struct internal_id first, last; /* the least and the greatest */
	bool ascending; /* in the order of the rows; no keys file then */
	bool beyond_plain;
};

/* *ret is the caller's to free(). */
int segments_list(struct catalog *c, int64_t table_id, struct segment_row **ret,
		  size_t *ret_count, struct cvx_err *err);
int segment_insert(struct catalog *c, int64_t table_id,
		   const struct segment_row *row, struct cvx_err *err);
int segment_grow(struct catalog *c, const struct segment_row *row,
		 struct cvx_err *err);
int segment_delete(struct catalog *c, uint64_t id, struct cvx_err *err);

#endif
