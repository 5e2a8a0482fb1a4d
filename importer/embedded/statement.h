/*
 * statement: one statement of the catalog as a transaction of its own.
 *
 * Threads: locked inside; between statement_begin() and statement_run() the
 * write lock is held.
 */
#ifndef CVX_IMPORTER_EMBEDDED_STATEMENT_H
#define CVX_IMPORTER_EMBEDDED_STATEMENT_H

#include <stdbool.h>
#include <stdint.h>

struct catalog_query;
struct cvx_err;
struct deployment;

/* Takes the write lock and binds number to the first parameter; the others
 * follow, then statement_run(). After a failure nothing is to be done. */
int statement_begin(struct deployment *d, unsigned statement, int64_t number,
		    struct catalog_query **ret, struct cvx_err *err);

/* Runs and commits it, and ends it in any case. *ret_happened is whether it
 * has changed a row. */
int statement_run(struct deployment *d, struct catalog_query *q,
		  bool *ret_happened, struct cvx_err *err);

/* Takes one row of an answer into ret: 1, or a failure. */
typedef int statement_take(struct catalog_query *q, void *ret,
			   struct cvx_err *err);

/* Reads the first row: 1, or 0 if there is none. The parameter, if the
 * statement has one, is text, or number if that is NULL and number is not 0. */
int statement_find(struct deployment *d, unsigned statement, const char *text,
		   int64_t number, statement_take *take, void *ret,
		   struct cvx_err *err);

/* The column's text, which is the caller's to free(); "" for none. */
int statement_text(struct catalog_query *q, int column, char **ret);

#endif
