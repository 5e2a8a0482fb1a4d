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
#include <stddef.h>
#include <stdint.h>

#include "importer/embedded/outlook.h"
#include "importer/embedded/tables.h"
#include "importer/value/document.h"

struct catalog;
struct cvx_err;
struct deployment;
struct import_target;

/* What is known of a table's rows before they are converted. */
struct plan_facts {
	bool has_number; /* the first row's _id carries a table number */
	uint32_t number;
	bool is_export_line; /* M-7 (a) */
	bool is_listed;	     /* a backup's _tables gives it the number */
	uint32_t listed_number;
};

struct plan {
	enum document_encoding encoding;
	struct document_stamp stamp;
	struct row_rules rules; /* of the set's outlook */

	/* What the plan was made from. */
	bool table_found;
	struct table_row table;

	/* Another, empty table that has the number and gets a fresh one;
	 * of id 0 if there is none. */
	struct table_row moved;
	uint32_t moved_number;
};

/* One table of an import, which has one, or many from a backup. */
struct plan_item {
	const struct import_target *target;
	struct plan_facts facts;
	bool is_storage;      /* stored files; the table's name is "_storage" */
	uint64_t order;	      /* of the rows in the file */
	bool makes_component; /* if it is missing; else that is a failure */
	struct plan plan;
};

/* All tables of one import. The items are the caller's. */
struct plan_set {
	struct plan_item *items; /* by component and table, of one mode */
	size_t count;
	bool drops_rest; /* replace-all */

	/* Filled by plan_make(). */
	struct outlook outlook;
	/* replace-all: tables of schemas that are none of the items, and are
	 * to be empty (import.md 7.1). */
	struct plan_item *kept;
	size_t kept_count;
	const struct plan_item *failed; /* the item to blame, if it is one */
};

/* Frees what plan_make() has made, and leaves the set as it was before. */
void plan_set_fini(struct plan_set *set);

/*
 * Makes the plans of all items. Fails with the refusals of import.md 7 and
 * with -ESTALE (W-8); plan_set_fini() may be called all the same.
 */
int plan_make(struct deployment *d, struct catalog *c, struct plan_set *set,
	      struct cvx_err *err);

/* Whether rows converted by old cannot be committed where now holds. */
bool plan_is_stale(const struct plan *old, const struct plan *now,
		   const struct import_target *target);

/* A stamp of this moment, above everything that was given before, even if the
 * clock went back. Its table_number is untouched. */
void plan_choose_stamp(const struct last_stamp *last,
		       struct document_stamp *stamp);

/* The last id and time that count rows of the stamp may have used. */
struct last_stamp plan_last_stamp(const struct document_stamp *stamp,
				  uint64_t count);

#endif
