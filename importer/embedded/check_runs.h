/*
 * check_runs: what must be true of the runs of a table's indexes.
 *
 * Threads: under the write lock.
 */
#ifndef CVX_IMPORTER_EMBEDDED_CHECK_RUNS_H
#define CVX_IMPORTER_EMBEDDED_CHECK_RUNS_H

struct cvx_err;
struct deployment;

int check_runs(struct deployment *d, const char *component, const char *table,
	       struct cvx_err *err);

#endif
