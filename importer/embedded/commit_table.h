/*
 * commit_table: what a commit does to one table: its row in the catalog, its
 * segments and the runs of its indexes.
 *
 * Threads: under the write lock, on the connection for writing.
 * Crash:   nothing is named before the caller's COMMIT; see the invariants in
 *          commit.c.
 */
#ifndef CVX_IMPORTER_EMBEDDED_COMMIT_TABLE_H
#define CVX_IMPORTER_EMBEDDED_COMMIT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/embedded/counters.h"
#include "importer/embedded/runs.h"
#include "importer/embedded/segments.h"
#include "importer/embedded/tables.h"

struct catalog;
struct commit_part;
struct cvx_err;
struct deployment;
struct duplicates;

/* What all tables of one commit share. */
struct commit_tx {
	struct deployment *d;
	struct catalog *c; /* the connection for writing */
	struct counters_row counters;
	struct runs_change runs;
};

/* One table on its way. */
struct commit_table {
	struct commit_tx *tx;
	struct commit_part *part;
	struct table_row table;	      /* as it will be */
	struct segment_row *segments; /* as they are; the caller's to free() */
	size_t segment_count;
	size_t kept_count;  /* how many of them stay, from the first */
	uint64_t made_id;   /* the segment that was published, or 0 */
	bool has_many_runs; /* so that some should be merged */
};

/* Writes the part's rows. The directory of a segment that was made, and the
 * runs, are still to be made durable (I2). Fills *existing when the failure is
 * DocumentExists. */
int commit_table_change(struct commit_table *w, struct duplicates *existing,
			struct cvx_err *err);

#endif
