/*
 * plan: what an import will write into: table number, encoding, ids and times
 * (import.md 2, 3, 7.3, 7.4; filesystem.md M-7).
 *
 * A plan is made before rows are converted, and again under the write lock
 * when they are committed. If the second says otherwise (plan_is_stale), the
 * rows must be converted again.
 *
 * Threads: the caller's connection, so the caller's lock.
 */
#ifndef CVX_IMPORTER_EMBEDDED_PLAN_H
#define CVX_IMPORTER_EMBEDDED_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "importer/embedded/tables.h"
#include "importer/value/document.h"

struct catalog;
struct cvx_err;
struct import_target;

/* What the first row of a file tells. */
struct plan_facts {
	bool has_number; /* its _id carries a table number */
	uint32_t number;
	bool is_export_line; /* M-7 (a) */
};

struct plan {
	enum document_encoding encoding;
	struct document_stamp stamp;

	/* What the plan was made from. */
	bool table_found;
	struct table_row table;
	struct component_row component;
	struct counters_row counters;
};

/* Fails with the refusals of import.md 7 and with -ESTALE (W-8). */
int plan_make(struct catalog *c, const struct import_target *target,
	      const struct plan_facts *facts, struct plan *ret,
	      struct cvx_err *err);

/* Whether rows converted by old cannot be committed where now holds. */
bool plan_is_stale(const struct plan *old, const struct plan *now,
		   const struct import_target *target);

/* The last id and time that count rows of the stamp may have used. */
struct last_stamp plan_last_stamp(const struct document_stamp *stamp,
				  uint64_t count);

#endif
