/*
 * set_indexes: the runs of indexes that come and go with a schema.
 *
 *   set_indexes_prepare   sorts what is there, without any lock
 *   set_indexes_apply     in the transaction that sets the schema
 *
 * Threads: not locked.
 */
#ifndef CVX_IMPORTER_EMBEDDED_SET_INDEXES_H
#define CVX_IMPORTER_EMBEDDED_SET_INDEXES_H

#include <stddef.h>
#include <stdint.h>

#include "importer/embedded/runs.h"

struct catalog;
struct counters_row;
struct cvx_err;
struct deployment;
struct prepared_index;
struct schema;

struct set_indexes {
	struct deployment *d;
	const char *component;
	const struct schema *now; /* NULL: none */
	struct prepared_index *prepared;
	size_t count, capacity;
	struct runs_change change; /* runs_change_end() is the caller's */
};

void set_indexes_init(struct set_indexes *s, struct deployment *d,
		      const char *component, const struct schema *now);
void set_indexes_fini(struct set_indexes *s);

/* old is the schema that is active, or NULL. */
int set_indexes_prepare(struct set_indexes *s, const struct schema *old,
			struct cvx_err *err);

/* Sorts again what has changed since, and counts counters->segment up. */
int set_indexes_apply(struct set_indexes *s, const struct schema *old,
		      struct catalog *c, struct counters_row *counters,
		      struct cvx_err *err);

#endif
