/*
 * commit: converted rows become part of their tables, in one step.
 *
 *   commit_prepare     makes what is large durable, without any lock
 *   commit_begin       takes the write lock and looks at the tables anew
 *   commit_finish      decides, writes what is small, commits
 *
 * An import of one file commits one part, a backup one for each of its tables.
 * Between the last two the caller may convert rows again (plan.h), which are
 * then prepared again.
 *
 * Threads: the write lock is held from commit_begin to commit_finish or
 * commit_abort, by one thread.
 * Crash: all tables are as before or as after; see the invariants in commit.c.
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
struct files_change;
struct import_record;
struct import_target;
struct made_runs;
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
	struct made_runs *runs; /* made by commit_prepare for a stage, if the
				   table has indexes */
};

/* Frees what commit_prepare has made. */
void commit_rows_fini(struct commit_rows *rows);

/* A stage for lines of an import. */
int commit_new_stage(struct deployment *d, struct segment_stage **ret,
		     struct cvx_err *err);

/* The first plans, from what is committed now (plan_make). */
int commit_plan(struct deployment *d, struct plan_set *set,
		struct cvx_err *err);

/* Whether a schema was changed since the set was planned. */
int commit_check_schemas(struct deployment *d, const struct plan_set *set,
			 bool *ret_changed, struct cvx_err *err);

int commit_prepare(struct deployment *d, struct commit_rows *rows,
		   const struct row_rules *rules, struct cvx_err *err);

/*
 * now is planned anew. made_with is the set that the rows were made with: if
 * schemas have changed since, it is ImportSchemaChanged (import.md 7.6.3).
 */
int commit_begin(struct deployment *d, const struct plan_set *made_with,
		 struct plan_set *now, struct cvx_err *err);
void commit_abort(struct deployment *d);

/* What becomes of one table. */
struct commit_part {
	const struct import_target *target;
	const struct plan *plan;     /* made by commit_begin */
	struct document_stamp stamp; /* that the rows were made with */
	/* Of a table that is only listed: none. */
	const struct commit_rows *rows;
	uint64_t revision; /* of the table after it; filled */
};

/* All of one transaction. */
struct commit_request {
	struct commit_part *parts; /* by component and table */
	size_t part_count;
	char *const *components; /* are made if they are missing */
	size_t component_count;
	struct files_change *files; /* of storages */
	size_t files_count;
	const struct plan_set *set;	    /* made by commit_begin */
	const struct import_record *record; /* or NULL */
	/* A table whose rows would be replaced by the same is left alone. */
	bool keeps_equal;
};

/*
 * Ends the transaction in any case. Tables that the set keeps are emptied, or
 * made, and with replace-all all others but the parts are removed. When the
 * failure is DocumentExists of a part, whose text the caller makes, *existing
 * is filled and *ret_failed is the part. Of stored files, the change tells
 * which one failed.
 */
int commit_finish(struct deployment *d, const struct commit_request *request,
		  struct duplicates *existing,
		  const struct commit_part **ret_failed, struct cvx_err *err);

#endif
