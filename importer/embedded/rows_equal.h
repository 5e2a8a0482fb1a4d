/*
 * rows_equal: whether rows that are to replace a table's are the same.
 *
 * Threads: any; reads what is committed.
 */
#ifndef CVX_IMPORTER_EMBEDDED_ROWS_EQUAL_H
#define CVX_IMPORTER_EMBEDDED_ROWS_EQUAL_H

struct commit_part;
struct cvx_err;
struct deployment;

/* Whether the table holds the rows that are to replace its own: 1 or 0. */
int rows_equal(struct deployment *d, const struct commit_part *part,
	       struct cvx_err *err);

#endif
