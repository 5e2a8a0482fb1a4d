/*
 * runs_compact: many runs of an index become few.
 *
 * Above RUN_COUNT_MAX of them, the last ones are merged into one. A run is
 * merged again only when half as much has come behind it, so an entry is copied
 * a logarithmic number of times.
 *
 * Crash: the invariants of commit.c.
 */
#ifndef CVX_IMPORTER_EMBEDDED_RUNS_COMPACT_H
#define CVX_IMPORTER_EMBEDDED_RUNS_COMPACT_H

struct deployment;

/* Tries, for all indexes of the table; a failure only leaves things as they
 * are. */
void runs_compact(struct deployment *d, const char *component,
		  const char *table);

#endif
