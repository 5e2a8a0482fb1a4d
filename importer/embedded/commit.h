/*
 * commit: converted rows become part of a table, in one step.
 *
 *   commit_prepare     makes what is large durable, without any lock
 *   commit_begin       takes the write lock and looks at the table anew
 *   commit_finish      decides, writes what is small, commits
 *
 * Between the last two the caller may convert its rows again (plan.h), which
 * are then prepared again.
 *
 * Threads: the write lock is held from commit_begin to commit_finish or
 * commit_abort, by one thread.
 * Crash: the table is as before or as after; see the invariants in commit.c.
 */
#ifndef CVX_IMPORTER_EMBEDDED_COMMIT_H
#define CVX_IMPORTER_EMBEDDED_COMMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/embedded/plan.h"
#include "importer/value/id.h"

struct cvx_err;
struct deployment;
struct duplicates;
struct import_record;
struct import_result;
struct import_target;
struct segment_key;
struct segment_stage;

/* Converted rows. Borrowed by all functions here. */
struct commit_rows {
	struct segment_stage *stage;	  /* holds the lines; NULL: text does */
	struct segment_stage *keys_stage; /* made by commit_prepare */
	const char *text;
	uint64_t size; /* of the lines */
	uint64_t document_count;
	uint64_t stamp_count; /* ids and times that the stamp has given */
	struct internal_id first, last; /* the least and the greatest */
	bool ascending;
	bool beyond_plain;
	const struct segment_key *keys; /* sorted; document_count of them,
					   unless ascending */
};

/* A stage for lines of an import. */
int commit_new_stage(struct deployment *d, struct segment_stage **ret,
		     struct cvx_err *err);

/* The first plan, from what is committed now. */
int commit_plan(struct deployment *d, const struct import_target *target,
		const struct plan_facts *facts, struct plan *ret,
		struct cvx_err *err);

int commit_prepare(struct deployment *d, struct commit_rows *rows,
		   struct cvx_err *err);

int commit_begin(struct deployment *d, const struct import_target *target,
		 const struct plan_facts *facts, struct plan *ret,
		 struct cvx_err *err);
void commit_abort(struct deployment *d);

/*
 * Ends the transaction in any case. now is what commit_begin gave, stamp the
 * one that the rows were made with. *existing is filled when the failure is
 * DocumentExists, whose text the caller makes.
 */
int commit_finish(struct deployment *d, const struct import_target *target,
		  struct plan *now, const struct document_stamp *stamp,
		  struct commit_rows *rows, const struct import_record *record,
		  struct import_result *ret, struct duplicates *existing,
		  struct cvx_err *err);

#endif
