/*
 * listed: of which components a copy (origin.h) was ever told what they have.
 *
 * Of one that it was not told about the copy has nothing, which is not the same
 * as a component that has nothing. It is told once, for good: a component that
 * goes and comes back is another one.
 *
 * Threads: locked inside.
 */
#ifndef CVX_IMPORTER_EMBEDDED_LISTED_H
#define CVX_IMPORTER_EMBEDDED_LISTED_H

struct cvx_err;
struct deployment;

enum listed {
	LISTED_NAMES, /* its tables; those of the root: its components, too */
	LISTED_FILES, /* its stored files */
};

/* 1: the copy was told; 0: it was not; -ENOENT: there is no such component. */
int listed_find(struct deployment *d, const char *component, enum listed what,
		struct cvx_err *err);

/* Nothing is written if it was told before. -ENOENT as above. */
int listed_put(struct deployment *d, const char *component, enum listed what,
	       struct cvx_err *err);

#endif
