/*
 * compact: many segments of a table become few, its bytes staying the same.
 *
 * Large appends add a segment each. Above COMPACT_ABOVE of them, the last ones
 * are copied into one, so that a reader needs few descriptors. A segment is
 * copied again only when as much has come behind it, so a byte is copied a
 * logarithmic number of times.
 *
 * Crash: the invariants of commit.c.
 */
#ifndef CVX_IMPORTER_EMBEDDED_COMPACT_H
#define CVX_IMPORTER_EMBEDDED_COMPACT_H

struct deployment;

#define COMPACT_ABOVE 64

/* Tries; a failure only leaves things as they are. */
void compact_table(struct deployment *d, const char *component,
		   const char *table);

#endif
