/*
 * How a commit stays whole whatever happens. Other comments and the tests in
 * tests/fault cite these by number.
 *
 *  I1  Bytes of a segment below its committed size never change, those of a
 *      stored file or of a run not at all, and the number of one that was ever
 *      committed is never used again. Readers keep a descriptor and a size, and
 *      need nothing else (T-3).
 *
 *  I2  What a commit will name is durable before COMMIT is said: the bytes of
 *      rows, keys, runs of indexes and stored files (fdatasync), then all
 *      their names (fsync of segments/, indexes/ and files/).
 *
 *  I3  All that one import changes, in however many tables and components, its
 *      record included, is one transaction of the catalog, which is durable
 *      when COMMIT returns.
 *
 *  I4  The file of a segment or a run, or a stored one, is unlinked only after
 *      a COMMIT, made durable, of a state that does not name it. A reader in
 *      another process that has read the older state meets ENOENT and asks
 *      again (reader.c, storage.c).
 *
 *  I5  A COMMIT that fails may have left its pages in the log, from where a
 *      recovery after a crash of all processes would take them. They are
 *      committed over at once (catalog_settle), and as long as that fails too
 *      (in_doubt) nothing that they name is changed or removed.
 *      Another process cannot know of the doubt, but it sees the files: it
 *      takes no number that a file has (publish.c), and writes nothing over
 *      bytes behind a segment (I6). Its own COMMIT then takes the place of
 *      the one in doubt in the log.
 *
 *  I6  Bytes behind a segment's committed size are what a commit in doubt may
 *      name, or else nobody's. An append in place needs a segment without.
 *
 *  I7  Files appear in segments/, indexes/ and files/ only under the write
 *      lock. So under that lock a file that no state names is an orphan
 *      (recovery.c).
 */
#include "importer/embedded/commit.h"

#include <stdlib.h>

#include "cache/base/err.h"
#include "importer/archive/contents.h"
#include "importer/embedded/commit_table.h"
#include "importer/embedded/compact.h"
#include "importer/embedded/component_rows.h"
#include "importer/embedded/counters.h"
#include "importer/embedded/dropped.h"
#include "importer/embedded/duplicates.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/files_change.h"
#include "importer/embedded/publish.h"
#include "importer/embedded/records.h"
#include "importer/embedded/rows_equal.h"
#include "importer/embedded/runs.h"
#include "importer/embedded/runs_compact.h"
#include "importer/embedded/tables.h"
#include "importer/import.h"
#include "importer/value/refusal.h"

/* One commit. */
struct commit {
	struct commit_tx tx;
	struct commit_table *works;
	size_t count;
	struct commit_part *kept; /* of the set's tables that are kept */
	struct dropped dropped;
	bool keeps_equal;
};

int commit_plan(struct deployment *d, struct plan_set *set, struct cvx_err *err)
{
	int r = plan_make(d, embedded_lock_reads(d), set, err);

	embedded_unlock_reads(d);
	return r;
}

int commit_check_schemas(struct deployment *d, const struct plan_set *set,
			 bool *ret_changed, struct cvx_err *err)
{
	uint64_t version = 0;
	int r = schemas_version(embedded_lock_reads(d), &version, err);

	embedded_unlock_reads(d);
	*ret_changed = version != set->outlook.schemas_version;
	return r;
}

int commit_begin(struct deployment *d, const struct plan_set *made_with,
		 struct plan_set *now, struct cvx_err *err)
{
	int r = embedded_begin(d, err);

	if (r < 0)
		return r;
	r = plan_make(d, d->writes, now, err);
	if (r == 0 &&
	    now->outlook.schemas_version != made_with->outlook.schemas_version)
		r = refuse(err, "ImportSchemaChanged",
			   "a schema was changed while the import ran; import "
			   "again");
	if (r < 0)
		embedded_rollback(d);
	return r;
}

void commit_abort(struct deployment *d)
{
	embedded_rollback(d);
}

/* import.md 7.1: nothing appended to a table that is there. */
static bool is_unchanged(const struct commit_part *part)
{
	return part->target->mode == IMPORT_APPEND &&
	       part->rows->document_count == 0 && part->plan->table_found;
}

/* Tables that exchange numbers must not meet half-way. */
static int set_aside(struct commit *commit, struct cvx_err *err)
{
	const struct commit_part *part;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < commit->count; i++) {
		part = commit->works[i].part;
		if (part->plan->table_found &&
		    part->plan->table.info.number != part->stamp.table_number)
			r = table_set_aside(commit->tx.c, part->plan->table.id,
					    err);
		if (r == 0 && part->plan->moved.id != 0)
			r = table_set_aside(commit->tx.c, part->plan->moved.id,
					    err);
	}
	return r;
}

static int write_tables(struct commit *commit, struct duplicates *existing,
			const struct commit_part **ret_failed,
			struct cvx_err *err)
{
	bool has_made = false;
	size_t i;
	int r = set_aside(commit, err);

	for (i = 0; r == 0 && i < commit->count; i++) {
		struct commit_table *w = &commit->works[i];

		w->table = w->part->plan->table;
		if (is_unchanged(w->part))
			continue;
		*ret_failed = w->part;
		if (commit->keeps_equal)
			r = rows_equal(commit->tx.d, w->part, err);
		if (r == 1) {
			r = 0;
			continue;
		}
		if (r == 0)
			r = commit_table_change(w, existing, err);
		has_made |= w->made_id != 0;
	}
	if (r == 0)
		*ret_failed = NULL;
	if (r == 0 && has_made)
		r = publish_sync(commit->tx.d, err); /* I2 */
	return r < 0 ? r
		     : runs_change_sync(&commit->tx.runs, commit->tx.d, err);
}

/* replace-all: what is no part goes. */
static int drop_rest(struct commit *commit, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep)
	const struct import_target **stay =
		reallocarray(NULL, commit->count + 1, sizeof(*stay));
	size_t i;

	if (!stay)
		return cvx_fail_memory(err);
	for (i = 0; i < commit->count; i++)
		stay[i] = commit->works[i].part->target;
	return dropped_delete(&commit->dropped, commit->tx.c, &commit->tx.runs,
			      stay, commit->count, err);
}

static int write_files(struct commit *commit,
		       const struct commit_request *request,
		       struct cvx_err *err)
{
	bool has_made = false;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < request->files_count; i++) {
		r = files_change_write(commit->tx.d, &commit->tx.counters,
				       &request->files[i], err);
		has_made |= request->files[i].made_count > 0;
	}
	return r < 0 || !has_made
		       ? r
		       : publish_sync_files(commit->tx.d, err); /* I2 */
}

static int run(struct commit *commit, const struct commit_request *request,
	       struct duplicates *existing,
	       const struct commit_part **ret_failed, struct cvx_err *err)
{
	size_t i;
	int r = counters_get(commit->tx.c, &commit->tx.counters, err);

	for (i = 0; r == 0 && i < request->component_count; i++)
		r = component_make(commit->tx.c, request->components[i], err);
	if (r == 0 && request->set->drops_rest)
		r = drop_rest(commit, err);
	if (r == 0)
		r = write_tables(commit, existing, ret_failed, err);
	if (r == 0)
		r = write_files(commit, request, err);
	if (r == 0)
		r = counters_put(commit->tx.c, &commit->tx.counters, err);
	if (r == 0 && request->record)
		r = record_insert(commit->tx.c, request->record, err);
	return r;
}

/* I4: what no state names any more. */
static void remove_old(struct commit *commit,
		       const struct commit_request *request)
{
	const struct commit_table *w;
	size_t i, j;

	for (i = 0; i < commit->count; i++) {
		w = &commit->works[i];
		for (j = w->kept_count; j < w->segment_count; j++)
			publish_remove(commit->tx.d, w->segments[j].id);
	}
	for (i = 0; i < request->files_count; i++)
		files_change_committed(commit->tx.d, &request->files[i]);
	dropped_remove(&commit->dropped, commit->tx.d);
}

static void remove_made(struct commit *commit,
			const struct commit_request *request)
{
	size_t i;

	for (i = 0; i < commit->count; i++)
		if (commit->works[i].made_id != 0)
			publish_remove(commit->tx.d, commit->works[i].made_id);
	for (i = 0; i < request->files_count; i++)
		files_change_undo(commit->tx.d, &request->files[i]);
}

static void compact(struct commit *commit)
{
	const struct commit_table *w;
	size_t i;

	for (i = 0; i < commit->count; i++) {
		w = &commit->works[i];
		if (w->kept_count + (w->made_id != 0) > COMPACT_ABOVE)
			compact_table(commit->tx.d, w->part->target->component,
				      w->part->target->table);
		if (w->has_many_runs)
			runs_compact(commit->tx.d, w->part->target->component,
				     w->part->target->table);
	}
}

static int finish(struct commit *commit, const struct commit_request *request,
		  struct duplicates *existing,
		  const struct commit_part **ret_failed, struct cvx_err *err)
{
	bool in_doubt = false;
	size_t i;
	int r = run(commit, request, existing, ret_failed, err);

	if (r == 0)
		r = embedded_commit(commit->tx.d, &in_doubt, err); /* I3 */
	else
		embedded_rollback(commit->tx.d);
	if (r < 0 && !in_doubt) /* I5 */
		remove_made(commit, request);
	runs_change_end(&commit->tx.runs, commit->tx.d, r == 0, in_doubt);
	if (r < 0)
		return r;
	remove_old(commit, request);
	compact(commit);
	for (i = 0; i < commit->count; i++)
		commit->works[i].part->revision =
			commit->works[i].table.info.revision;
	return 0;
}

static int compare_works(const void *a, const void *b)
{
	const struct import_target *x =
		((const struct commit_table *)a)->part->target;
	const struct import_target *y =
		((const struct commit_table *)b)->part->target;

	return contents_compare(x->component, x->table, y->component, y->table);
}

/* All parts, and the tables that are kept as parts without rows. */
static int make_works(struct commit *commit,
		      const struct commit_request *request, struct cvx_err *err)
{
	static const struct commit_rows none = {.ascending = true};
	const struct plan_set *set = request->set;
	const struct plan_item *item;
	size_t i;

	commit->count = request->part_count + set->kept_count;
	commit->works = calloc(commit->count + 1, sizeof(*commit->works));
	commit->kept = calloc(set->kept_count + 1, sizeof(*commit->kept));
	if (!commit->works || !commit->kept)
		return cvx_fail_memory(err);
	for (i = 0; i < request->part_count; i++)
		commit->works[i].part = &request->parts[i];
	for (i = 0; i < set->kept_count; i++) {
		item = &set->kept[i];
		commit->kept[i] = (struct commit_part){
			.target = item->target,
			.plan = &item->plan,
			.stamp = item->plan.stamp,
			.rows = &none,
		};
		commit->works[request->part_count + i].part = &commit->kept[i];
	}
	for (i = 0; i < commit->count; i++)
		commit->works[i].tx = &commit->tx;
	if (set->kept_count > 0)
		qsort(commit->works, commit->count, sizeof(*commit->works),
		      compare_works);
	return 0;
}

int commit_finish(struct deployment *d, const struct commit_request *request,
		  struct duplicates *existing,
		  const struct commit_part **ret_failed, struct cvx_err *err)
{
	struct commit commit = {
		.tx = {.d = d, .c = d->writes, .runs = RUNS_CHANGE_INIT},
		.dropped = DROPPED_INIT,
		.keeps_equal = request->keeps_equal,
	};
	size_t i;
	int r;

	existing->count = 0;
	*ret_failed = NULL;
	r = make_works(&commit, request, err);
	if (r < 0)
		embedded_rollback(d);
	else
		r = finish(&commit, request, existing, ret_failed, err);
	for (i = 0; commit.works && i < commit.count; i++)
		free(commit.works[i].segments);
	free(commit.works);
	free(commit.kept);
	dropped_fini(&commit.dropped);
	runs_change_fini(&commit.tx.runs);
	return r;
}
