/*
 * restore_tables: converts the tables of an archive. A large one has all
 * processors for itself (pipeline.h); small ones are converted several at a
 * time, each by one thread.
 *
 * Which table is refused, and what is said of it, does not depend on the
 * threads: of those that are to be refused it is the first one in the order.
 * Entries that share bytes are refused before anything is converted.
 *
 * Threads: calls are the owner's to serialise.
 */
#ifndef CVX_IMPORTER_RESTORE_TABLES_H
#define CVX_IMPORTER_RESTORE_TABLES_H

#include <stddef.h>

struct cvx_err;
struct plan;
struct restore_table;
struct restore_work;

/* A table that is to be converted, and how. */
struct restore_order {
	struct restore_table *table;
	const struct plan *plan;
};

/* Converts all of them. If rows are refused, w->places are their places. */
int restore_tables_convert(struct restore_work *w,
			   const struct restore_order *orders, size_t count,
			   struct cvx_err *err);

#endif
