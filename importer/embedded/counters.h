/*
 * counters: the catalog's row of what is counted for all tables.
 *
 * Threads: the caller's connection, so the caller's lock.
 */
#ifndef CVX_IMPORTER_EMBEDDED_COUNTERS_H
#define CVX_IMPORTER_EMBEDDED_COUNTERS_H

#include <stdint.h>

struct catalog;
struct cvx_err;

/* The last id stamp and time that were given to a row. */
struct last_stamp {
	uint64_t ms;
	uint64_t counter;
	double time;
};

/* The greater id stamp and the later time. */
struct last_stamp last_stamp_max(struct last_stamp a, struct last_stamp b);

struct counters_row {
	uint64_t revision; /* the last that was given */
	uint64_t segment;  /* likewise, and to stored files */
	struct last_stamp last;
};

int counters_get(struct catalog *c, struct counters_row *ret,
		 struct cvx_err *err);
int counters_put(struct catalog *c, const struct counters_row *row,
		 struct cvx_err *err);

#endif
