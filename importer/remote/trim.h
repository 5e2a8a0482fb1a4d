/*
 * trim: a copy lets go of what was not read for longest, tables and stored
 * files alike, until it is no larger than it may be.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_REMOTE_TRIM_H
#define CVX_IMPORTER_REMOTE_TRIM_H

#include <stdint.h>

struct cvx_err;
struct deployment;

/* size_max: 0 for any. The table stays, as does what was read just now; NULL:
 * there is no table. */
int trim_copy(struct deployment *copy, uint64_t size_max, const char *component,
	      const char *table, struct cvx_err *err);

#endif
