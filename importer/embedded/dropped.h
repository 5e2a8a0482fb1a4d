/*
 * dropped: tables that are removed with their documents, or emptied: by a
 * replace-all (import.md 7.1, 7.6.2), or because somebody asked for it.
 *
 * Threads: the caller's connection, so the caller's lock.
 */
#ifndef CVX_IMPORTER_EMBEDDED_DROPPED_H
#define CVX_IMPORTER_EMBEDDED_DROPPED_H

#include <stddef.h>
#include <stdint.h>

struct catalog;
struct counters_row;
struct cvx_err;
struct deployment;
struct dropped_table;
struct import_target;
struct runs_change;

struct dropped {
	struct dropped_table *tables;
	size_t count, capacity;
};

#define DROPPED_INIT                                                           \
	{                                                                      \
		NULL, 0, 0                                                     \
	}

void dropped_fini(struct dropped *d);

/* Deletes every table that is none of the sorted targets, and its runs. */
int dropped_delete(struct dropped *d, struct catalog *c,
		   struct runs_change *runs,
		   const struct import_target *const *stay, size_t count,
		   struct cvx_err *err);

/* Deletes the table, and its runs. -ENOENT: there is none. */
int dropped_delete_one(struct dropped *d, struct catalog *c,
		       struct runs_change *runs, const char *component,
		       const char *table, struct cvx_err *err);

/* Empties the table, which stays, with its number; its new revision is the
 * counters' to be put. -ENOENT, without a text: there is none. */
int dropped_empty_one(struct dropped *d, struct catalog *c,
		      struct runs_change *runs, struct counters_row *counters,
		      const char *component, const char *table,
		      struct cvx_err *err);

/* After the commit: unlinks their segments (I4 in commit.c). */
void dropped_remove(const struct dropped *dropped, struct deployment *d);

/*
 * Ends the deployment's transaction that only drops: commits it, or if r is a
 * failure undoes all of it. Frees what both hold. r, or why it could not be
 * committed.
 */
int dropped_end(struct dropped *dropped, struct runs_change *runs,
		struct deployment *d, int r, struct cvx_err *err);

#endif
