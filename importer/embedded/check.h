/*
 * check: parts of embedded_check().
 *
 * Threads: under the write lock, with a transaction open.
 */
#ifndef CVX_IMPORTER_EMBEDDED_CHECK_H
#define CVX_IMPORTER_EMBEDDED_CHECK_H

struct cvx_err;
struct deployment;

/* The stored files of a component. */
int check_storage(struct deployment *d, const char *component,
		  struct cvx_err *err);

#endif
