/*
 * load: what a pipeline has converted is made ready to be committed, and rows
 * with the id of another one are refused (import.md 5.8, 7.5).
 *
 * Threads: not locked.
 */
#ifndef CVX_IMPORTER_LOAD_H
#define CVX_IMPORTER_LOAD_H

#include <stdint.h>

struct commit_rows;
struct cvx_err;
struct deployment;
struct duplicates;
struct pipeline;
struct places;
struct plan;

/*
 * Converts all of the source's bytes [0, size) and prepares the rows, which
 * stay the pipeline's. plan is filled by the pipeline's plan hook by then.
 * Rows of equal ids go to places.
 */
int load_finish(struct deployment *d, struct pipeline *p, uint64_t size,
		const struct plan *plan, const char *table,
		struct places *places, struct commit_rows *rows,
		struct cvx_err *err);

/* Refuses what was found, place by place. */
int load_refuse_duplicates(const struct duplicates *found,
			   uint32_t table_number, const char *table,
			   struct places *places, struct cvx_err *err);

#endif
