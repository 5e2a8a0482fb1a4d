/*
 * runs: sorted pieces of the indexes that schemas name (import.md 9).
 *
 * The bytes of a table, in the order in which they were imported, are cut into
 * stretches of whole lines. A run is the order of the lines of one stretch in
 * one index (line_order.h, with offsets from the start of the stretch), in a
 * file of indexes/. The runs of an index follow each other from the table's
 * first byte on. At most RUN_TAIL_MAX bytes behind the last run have none:
 * they are sorted whenever the index is opened, so that a small append costs
 * an index nothing.
 *
 * Threads: rows on the caller's connection, so under the caller's lock; the
 *          rest anywhere.
 */
#ifndef CVX_IMPORTER_EMBEDDED_RUNS_H
#define CVX_IMPORTER_EMBEDDED_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/embedded/lines.h"
#include "importer/schema/index_key.h"
#include "importer/value/name.h"

struct catalog;
struct counters_row;
struct cvx_err;
struct deployment;
struct schema_index;
struct schema_table;
struct segment_stage;

#define RUN_TAIL_MAX ((uint64_t)2 << 20)

/* Of one index; above it some are merged (runs_compact.h). */
#define RUN_COUNT_MAX 8

struct run_row {
	uint64_t id; /* names indexes/ID */
	char index[NAME_MAX_SIZE + 1];
	uint64_t start, size; /* of the stretch */
	uint64_t row_count;
};

/* All runs of a table by index and start; *ret is the caller's to free(). */
int runs_list(struct catalog *c, int64_t table_id, struct run_row **ret,
	      size_t *ret_count, struct cvx_err *err);

/* Where the runs of an index end, which is where its tail begins. */
uint64_t runs_end(const struct run_row *runs, size_t count, const char *index);

/* Whether the schema's index is one that is kept: a database index that is
 * not staged. */
bool index_is_kept(const struct schema_index *index);

/* How an index orders lines. Borrows the paths of the schema's index. */
struct index_order {
	bool by_id; /* by nothing else */
	struct index_fields fields;
};

void index_order_init(struct index_order *o, const struct schema_index *index);
int index_order_key(const struct index_order *o, const char *line, size_t size,
		    struct cvx_buf *out, struct cvx_err *err);

/* Sorts the lines of the place from the offset on, where one begins, and
 * writes the order into the empty file. */
int index_order_sort(struct deployment *d, const struct index_order *o,
		     const struct lines_place *place, uint64_t from, int fd,
		     struct cvx_err *err);

/* A file without a name, for what only this process needs. */
int runs_temp_file(struct deployment *d, int *ret_fd, struct cvx_err *err);

/* Runs of the kept indexes of a table, staged and synced. */
struct made_run {
	const struct schema_index *index; /* of the schema */
	struct segment_stage *stage;
	uint64_t row_count;
};

struct made_runs {
	struct made_run list[64]; /* SCHEMA_INDEXES_MAX */
	size_t count;
};

/* Of the lines of the place from the offset on; one in memory or in a file that
 * any thread may read. Two indexes are sorted at once. */
int runs_make(struct deployment *d, const struct schema_table *t,
	      const struct lines_place *place, uint64_t from,
	      struct made_runs *ret, struct cvx_err *err);
int run_make(struct deployment *d, const struct schema_index *index,
	     const struct lines_place *place, uint64_t from,
	     struct made_run *ret, struct cvx_err *err);
void made_runs_fini(struct made_runs *made);

/*
 * What one transaction does to runs. Behind the commit, or its failure,
 * runs_change_end() removes the files that nothing names then (I4, I5 in
 * commit.c).
 */
struct run_ids {
	uint64_t *list;
	size_t count, capacity;
};

struct runs_change {
	struct run_ids made, old;
};

#define RUNS_CHANGE_INIT                                                       \
	{                                                                      \
		{NULL, 0, 0},                                                  \
		{                                                              \
			NULL, 0, 0                                             \
		}                                                              \
	}

/* Removes all runs of the table, or those of the index. */
int runs_drop(struct runs_change *change, struct catalog *c, int64_t table_id,
	      const char *index, struct cvx_err *err);
int runs_drop_one(struct runs_change *change, struct catalog *c,
		  const struct run_row *run, struct cvx_err *err);

/* Gives the run a number, and a name from the synced stage. */
int runs_publish(struct runs_change *change, struct deployment *d,
		 struct catalog *c, struct counters_row *counters,
		 int64_t table_id, struct run_row *run,
		 struct segment_stage *stage, struct cvx_err *err);

/* Before the commit: makes the names durable (I2). */
int runs_change_sync(const struct runs_change *change, struct deployment *d,
		     struct cvx_err *err);

void runs_change_end(struct runs_change *change, struct deployment *d,
		     bool committed, bool in_doubt);
void runs_change_fini(struct runs_change *change);

#endif
