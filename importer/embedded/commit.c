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

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/catalog.h"
#include "cache/segment.h"
#include "importer/archive/contents.h"
#include "importer/embedded/compact.h"
#include "importer/embedded/component_rows.h"
#include "importer/embedded/counters.h"
#include "importer/embedded/dropped.h"
#include "importer/embedded/duplicates.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/files_change.h"
#include "importer/embedded/publish.h"
#include "importer/embedded/records.h"
#include "importer/embedded/runs.h"
#include "importer/embedded/runs_compact.h"
#include "importer/embedded/segments.h"
#include "importer/embedded/tables.h"
#include "importer/import.h"
#include "importer/schema/schema.h"
#include "importer/value/refusal.h"

/* A table's last segment, if smaller than this, is joined with rows that
 * cannot be written behind it. */
#define JOIN_MAX ((uint64_t)4 << 20)

#define COMPARE_SIZE ((size_t)1 << 20)

/* One part on its way. */
struct work {
	struct commit *commit;
	struct commit_part *part;
	struct table_row table;	      /* as it will be */
	struct segment_row *segments; /* as they are */
	size_t segment_count;
	size_t kept_count;  /* how many of them stay, from the first */
	uint64_t made_id;   /* the segment that was published, or 0 */
	bool has_many_runs; /* so that some should be merged */
};

/* One commit. */
struct commit {
	struct deployment *d;
	struct catalog *c; /* the writing connection */
	struct counters_row counters;
	struct work *works;
	size_t count;
	struct commit_part *kept; /* of the set's tables that are kept */
	struct dropped dropped;
	struct runs_change runs;
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

void commit_rows_fini(struct commit_rows *rows)
{
	segment_stage_free(CVX_TAKE(rows->keys_stage));
	if (rows->runs)
		made_runs_fini(rows->runs);
	free(CVX_TAKE(rows->runs));
}

/* Runs of the table's indexes, of which small rows need none. */
static int prepare_runs(struct deployment *d, struct commit_rows *rows,
			const struct row_rules *rules, struct cvx_err *err)
{
	const struct lines_place place = {.fd = segment_stage_fd(rows->stage),
					  .size = rows->size};

	if (!rules->table || schema_table_index_count(rules->table) == 0)
		return 0;
	rows->runs = calloc(1, sizeof(*rows->runs));
	if (!rows->runs)
		return cvx_fail_memory(err);
	return runs_make(d, rules->table, &place, 0, rows->runs, err);
}

int commit_prepare(struct deployment *d, struct commit_rows *rows,
		   const struct row_rules *rules, struct cvx_err *err)
{
	int r;

	assert(!rows->keys_stage);
	if (!rows->stage)
		return 0;
	r = file_sync(segment_stage_fd(rows->stage));
	if (r < 0)
		return cvx_fail(err, r, "cannot store the rows: %s",
				strerror(-r));
	r = prepare_runs(d, rows, rules, err);
	if (r < 0 || rows->ascending)
		return r;
	return publish_stage_keys(d, rows->keys, (size_t)rows->document_count,
				  &rows->keys_stage, err);
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

/* Publishes the stages as a new segment at the row's position (I2). */
static int add_segment(struct work *w, struct segment_stage *stage,
		       struct segment_stage *keys_stage,
		       struct segment_row *row, struct cvx_err *err)
{
	int r = publish_segment(w->commit->d, &w->commit->counters, stage,
				keys_stage, &row->id, err);

	if (r < 0)
		return r;
	w->made_id = row->id;
	return segment_insert(w->commit->c, w->table.id, row, err);
}

/* The import's rows as a segment of their own behind those that are kept. */
static int add_rows(struct work *w, struct cvx_err *err)
{
	CVX_AUTO(segment_stage_freep) struct segment_stage *stage = NULL;
	CVX_AUTO(segment_stage_freep) struct segment_stage *keys = NULL;
	const struct commit_rows *rows = w->part->rows;
	struct segment_row row = {
		.position =
			w->kept_count > 0
				? w->segments[w->kept_count - 1].position + 1
				: 0,
		.size = rows->size,
		.row_count = rows->document_count,
		.first = rows->first,
		.last = rows->last,
		.ascending = rows->ascending,
		.beyond_plain = rows->beyond_plain,
	};
	int r;

	if (rows->stage)
		return add_segment(w, rows->stage, rows->keys_stage, &row, err);
	r = publish_stage_text(w->commit->d, rows->text, (size_t)rows->size,
			       &stage, err);
	if (r == 0 && !rows->ascending)
		r = publish_stage_keys(w->commit->d, rows->keys,
				       (size_t)rows->document_count, &keys,
				       err);
	return r < 0 ? r : add_segment(w, stage, keys, &row, err);
}

/* Whether bytes stand behind the tail (I6). What cannot be looked at fails
 * when it is written to. */
static bool has_leftover(const struct work *w, const struct segment_row *tail)
{
	char name[SEGMENT_NAME_SIZE];
	struct stat st;

	segment_rows_name(tail->id, name);
	return fstatat(w->commit->d->segments_fd, name, &st, 0) == 0 &&
	       (uint64_t)st.st_size > tail->size;
}

static int append_in_place(struct work *w, struct segment_row *tail,
			   struct cvx_err *err)
{
	const struct commit_rows *rows = w->part->rows;
	CVX_AUTO(cvx_closep) int fd = -1;
	char name[SEGMENT_NAME_SIZE];
	struct stat st = {.st_size = 0};
	int r = 0;

	segment_rows_name(tail->id, name);
	fd = openat(w->commit->d->segments_fd, name, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		r = -errno;
	if (r == 0 && (uint64_t)st.st_size < tail->size)
		r = -EIO; /* shorter than what was committed */
	if (r == 0)
		r = file_pwrite(fd, rows->text, (size_t)rows->size, tail->size);
	if (r == 0)
		r = file_sync(fd);
	/* Nothing has named the bytes yet. What cannot be cut off stays. */
	if (r < 0 && fd >= 0 && (uint64_t)st.st_size == tail->size)
		(void)!ftruncate(fd, (off_t)tail->size);
	if (r < 0)
		return cvx_fail(err, r, "cannot append to %s/segments/%s: %s",
				w->commit->d->dir, name, strerror(-r));
	tail->size += rows->size;
	tail->row_count += rows->document_count;
	tail->last = rows->last;
	tail->beyond_plain |= rows->beyond_plain;
	return segment_grow(w->commit->c, tail, err);
}

/* The tail's lines and the import's become one segment in place of the tail. */
static int append_joined(struct work *w, const struct segment_row *tail,
			 struct cvx_err *err)
{
	CVX_AUTO(segment_stage_freep) struct segment_stage *stage = NULL;
	CVX_AUTO(segment_stage_freep) struct segment_stage *keys_stage = NULL;
	CVX_AUTO(cvx_freep) struct segment_key *keys = NULL;
	CVX_AUTO(cvx_freep) char *text = NULL;
	const struct commit_rows *rows = w->part->rows;
	struct segment_row row = *tail;
	struct lines_place place;
	int r;

	row.size += rows->size;
	row.row_count += rows->document_count;
	row.beyond_plain |= rows->beyond_plain;
	row.ascending = false;
	if (id_compare(&rows->first, &row.first) < 0)
		row.first = rows->first;
	if (id_compare(&rows->last, &row.last) > 0)
		row.last = rows->last;

	text = malloc(row.size);
	keys = reallocarray(NULL, row.row_count, sizeof(*keys));
	if (!text || !keys)
		return cvx_fail_memory(err);
	r = publish_read(w->commit->d, tail->id, text, (size_t)tail->size, err);
	if (r < 0)
		return r;
	memcpy(text + tail->size, rows->text, rows->size);
	place = (struct lines_place){.text = text, .size = row.size};
	r = duplicates_collect_keys(&place, keys, row.row_count, err);
	if (r < 0)
		return r;
	segment_sort_keys(keys, row.row_count);
	r = publish_stage_text(w->commit->d, text, (size_t)row.size, &stage,
			       err);
	if (r == 0)
		r = publish_stage_keys(w->commit->d, keys, row.row_count,
				       &keys_stage, err);
	if (r == 0)
		r = segment_delete(w->commit->c, tail->id, err);
	if (r == 0)
		r = add_segment(w, stage, keys_stage, &row, err);
	w->kept_count--;
	return r;
}

static int append(struct work *w, struct duplicates *existing,
		  struct cvx_err *err)
{
	const struct commit_rows *rows = w->part->rows;
	struct segment_row *tail = w->segment_count > 0
					   ? &w->segments[w->segment_count - 1]
					   : NULL;
	int r;

	r = duplicates_find_existing(w->commit->d, w->segments,
				     w->segment_count, rows, existing, err);
	if (r < 0)
		return r;
	if (existing->count > 0)
		return refuse(err, "DocumentExists",
			      "table %s has rows of the same _id already",
			      w->part->target->table);
	if (rows->stage || !tail)
		return add_rows(w, err);
	if (tail->ascending && rows->ascending &&
	    id_compare(&tail->last, &rows->first) < 0)
		return has_leftover(w, tail) ? add_rows(w, err)
					     : append_in_place(w, tail, err);
	if (tail->size < JOIN_MAX)
		return append_joined(w, tail, err);
	return add_rows(w, err);
}

static int drop_segments(struct work *w, struct cvx_err *err)
{
	size_t i;
	int r = 0;

	w->kept_count = 0;
	for (i = 0; r == 0 && i < w->segment_count; i++)
		r = segment_delete(w->commit->c, w->segments[i].id, err);
	return r;
}

/* Names a run of the rows that stand from start on. */
static int add_run(struct work *w, const struct made_run *made, uint64_t start,
		   uint64_t size, struct cvx_err *err)
{
	struct commit *commit = w->commit;
	struct run_row run = {
		.start = start,
		.size = size,
		.row_count = made->row_count,
	};

	memcpy(run.index, made->index->name, sizeof(run.index));
	return runs_publish(&commit->runs, commit->d, commit->c,
			    &commit->counters, w->table.id, &run, made->stage,
			    err);
}

/* Those that commit_prepare has made. */
static int add_runs(struct work *w, uint64_t start, struct cvx_err *err)
{
	const struct commit_rows *rows = w->part->rows;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && rows->runs && i < rows->runs->count; i++)
		r = add_run(w, &rows->runs->list[i], start, rows->size, err);
	return r;
}

/* Sorts the bytes of the table, as it was, that have no run yet. */
static int add_tail(struct work *w, const struct schema_index *index,
		    uint64_t from, uint64_t end, struct cvx_err *err)
{
	const struct import_target *target = w->part->target;
	struct lines_place place = {.size = end};
	struct made_run made;
	int r = deployment_open_table(w->commit->d, target->component,
				      target->table, &place.table, err);

	if (r < 0)
		return r;
	r = run_make(w->commit->d, index, &place, from, &made, err);
	table_reader_close(place.table);
	if (r < 0)
		return r;
	r = add_run(w, &made, from, end - from, err);
	segment_stage_free(made.stage);
	return r;
}

/* Behind an append, what has no run may not become too much. */
static int extend_runs(struct work *w, uint64_t old_size, struct cvx_err *err)
{
	const struct schema_table *table = w->part->plan->rules.table;
	const struct commit_rows *rows = w->part->rows;
	CVX_AUTO(cvx_freep) struct run_row *runs = NULL;
	const struct schema_index *index;
	size_t count = 0, i;
	uint64_t end;
	int r;

	if (!table || schema_table_index_count(table) == 0)
		return 0;
	r = runs_list(w->commit->c, w->table.id, &runs, &count, err);
	for (i = 0; r == 0 && i < schema_table_index_count(table); i++) {
		index = schema_table_index(table, i);
		end = runs_end(runs, count, index->name);
		if (index_is_kept(index) && old_size > end &&
		    (rows->stage || old_size - end + rows->size > RUN_TAIL_MAX))
			r = add_tail(w, index, end, old_size, err);
	}
	/* One or two of each index come now. */
	w->has_many_runs = count > RUN_COUNT_MAX;
	return r < 0 ? r : add_runs(w, old_size, err);
}

static int write_segments(struct work *w, struct duplicates *existing,
			  struct cvx_err *err)
{
	struct table_info *info = &w->table.info;
	uint64_t old_size;
	int r;

	if (w->part->target->mode == IMPORT_APPEND) {
		old_size = info->size;
		info->document_count += w->part->rows->document_count;
		info->size += w->part->rows->size;
		w->table.beyond_plain |= w->part->rows->beyond_plain;
		r = append(w, existing, err);
		return r < 0 ? r : extend_runs(w, old_size, err);
	}
	info->document_count = w->part->rows->document_count;
	info->size = w->part->rows->size;
	w->table.beyond_plain = w->part->rows->beyond_plain;
	r = drop_segments(w, err);
	if (r == 0)
		r = runs_drop(&w->commit->runs, w->commit->c, w->table.id, NULL,
			      err);
	if (r < 0 || info->document_count == 0)
		return r;
	r = add_runs(w, 0, err);
	return r < 0 ? r : add_rows(w, err);
}

/* The table as the import finds or makes it, with its new revision. */
static int begin_table(struct work *w, struct cvx_err *err)
{
	const struct import_target *target = w->part->target;
	const struct plan *plan = w->part->plan;
	struct table_info *info = &w->table.info;
	struct component_row component;
	int64_t now_ns = embedded_now_ns();
	int r;

	w->table = plan->table;
	/* A clock that went back must not give an older time to newer bytes. */
	info->committed_ns =
		now_ns > info->committed_ns ? now_ns : info->committed_ns + 1;
	info->revision = ++w->commit->counters.revision;
	if (plan->table_found)
		return segments_list(w->commit->c, w->table.id, &w->segments,
				     &w->segment_count, err);
	(void)snprintf(info->name, sizeof(info->name), "%s", target->table);
	info->number = plan->stamp.table_number;
	r = component_find(w->commit->c, target->component, &component, err);
	return r < 0 ? r
		     : table_insert(w->commit->c, &component, &w->table, err);
}

/* The table that had the number of this one. */
static int move_table(struct work *w, struct component_row *component,
		      struct cvx_err *err)
{
	struct table_row moved = w->part->plan->moved;
	uint32_t old_number = moved.info.number;

	if (moved.id == 0)
		return 0;
	moved.info.number = w->part->plan->moved_number;
	moved.info.revision = ++w->commit->counters.revision;
	return table_update(w->commit->c, component, &moved, old_number, err);
}

/* import.md 7.1: nothing appended to a table that is there. */
static bool is_unchanged(const struct commit_part *part)
{
	return part->target->mode == IMPORT_APPEND &&
	       part->rows->document_count == 0 && part->plan->table_found;
}

/* The bytes of the rows from off on; the text's own, or read into buf. */
static int read_rows(const struct commit_rows *rows, uint64_t off, char *buf,
		     size_t size, const char **ret, struct cvx_err *err)
{
	size_t n;
	int r;

	if (!rows->stage) {
		*ret = rows->text + off;
		return 0;
	}
	r = file_pread(segment_stage_fd(rows->stage), buf, size, off, &n);
	if (r == 0 && n < size)
		r = -EIO;
	*ret = buf;
	return r < 0 ? cvx_fail(err, r, "cannot read the rows: %s",
				strerror(-r))
		     : 0;
}

/* 1 if they are the bytes that the reader shows, which has as many. */
static int compare_rows(const struct commit_rows *rows, struct table_reader *tr,
			struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *here = malloc(COMPARE_SIZE);
	CVX_AUTO(cvx_freep) char *buf = malloc(COMPARE_SIZE);
	const char *there = buf;
	uint64_t off;
	size_t n;
	int r;

	if (!here || !buf)
		return cvx_fail_memory(err);
	for (off = 0; off < rows->size; off += n) {
		r = table_reader_read(tr, off, here, COMPARE_SIZE, &n, err);
		if (r == 0 && n == 0)
			return 0;
		if (r == 0)
			r = read_rows(rows, off, buf, n, &there, err);
		if (r < 0)
			return r;
		if (memcmp(here, there, n) != 0)
			return 0;
	}
	return 1;
}

/* Whether the table holds the rows that are to replace its own: 1 or 0. */
static int is_equal(struct deployment *d, const struct commit_part *part,
		    struct cvx_err *err)
{
	const struct table_info *info = &part->plan->table.info;
	struct table_reader *tr;
	int r;

	if (!part->plan->table_found || part->plan->moved.id != 0 ||
	    info->number != part->stamp.table_number ||
	    info->size != part->rows->size ||
	    info->document_count != part->rows->document_count)
		return 0;
	r = deployment_open_table(d, part->target->component,
				  part->target->table, &tr, err);
	if (r < 0)
		return r;
	r = compare_rows(part->rows, tr, err);
	table_reader_close(tr);
	return r;
}

static int change_table(struct work *w, struct duplicates *existing,
			struct cvx_err *err)
{
	const struct commit_part *part = w->part;
	struct counters_row *counters = &w->commit->counters;
	struct last_stamp last =
		plan_last_stamp(&part->stamp, part->rows->stamp_count);
	struct component_row component;
	uint32_t old_number;
	int r = begin_table(w, err);

	w->kept_count = w->segment_count;
	if (r == 0 && (part->target->mode != IMPORT_APPEND ||
		       part->rows->document_count > 0))
		r = write_segments(w, existing, err);
	if (r == 0)
		r = component_find(w->commit->c, part->target->component,
				   &component, err);
	if (r < 0)
		return r;
	old_number = w->table.info.number;
	w->table.info.number = part->stamp.table_number;
	if (part->rows->document_count > 0) {
		w->table.last = last_stamp_max(w->table.last, last);
		counters->last = last_stamp_max(counters->last, last);
	}
	r = table_update(w->commit->c, &component, &w->table, old_number, err);
	return r < 0 ? r : move_table(w, &component, err);
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
			r = table_set_aside(commit->c, part->plan->table.id,
					    err);
		if (r == 0 && part->plan->moved.id != 0)
			r = table_set_aside(commit->c, part->plan->moved.id,
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
		struct work *w = &commit->works[i];

		w->table = w->part->plan->table;
		if (is_unchanged(w->part))
			continue;
		*ret_failed = w->part;
		if (commit->keeps_equal)
			r = is_equal(commit->d, w->part, err);
		if (r == 1) {
			r = 0;
			continue;
		}
		if (r == 0)
			r = change_table(w, existing, err);
		has_made |= w->made_id != 0;
	}
	if (r == 0)
		*ret_failed = NULL;
	if (r == 0 && has_made)
		r = publish_sync(commit->d, err); /* I2 */
	return r < 0 ? r : runs_change_sync(&commit->runs, commit->d, err);
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
	return dropped_delete(&commit->dropped, commit->c, &commit->runs, stay,
			      commit->count, err);
}

static int write_files(struct commit *commit,
		       const struct commit_request *request,
		       struct cvx_err *err)
{
	bool has_made = false;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < request->files_count; i++) {
		r = files_change_write(commit->d, &commit->counters,
				       &request->files[i], err);
		has_made |= request->files[i].made_count > 0;
	}
	return r < 0 || !has_made ? r
				  : publish_sync_files(commit->d, err); /* I2 */
}

static int run(struct commit *commit, const struct commit_request *request,
	       struct duplicates *existing,
	       const struct commit_part **ret_failed, struct cvx_err *err)
{
	size_t i;
	int r = counters_get(commit->c, &commit->counters, err);

	for (i = 0; r == 0 && i < request->component_count; i++)
		r = component_make(commit->c, request->components[i], err);
	if (r == 0 && request->set->drops_rest)
		r = drop_rest(commit, err);
	if (r == 0)
		r = write_tables(commit, existing, ret_failed, err);
	if (r == 0)
		r = write_files(commit, request, err);
	if (r == 0)
		r = counters_put(commit->c, &commit->counters, err);
	if (r == 0 && request->record)
		r = record_insert(commit->c, request->record, err);
	return r;
}

/* I4: what no state names any more. */
static void remove_old(struct commit *commit,
		       const struct commit_request *request)
{
	const struct work *w;
	size_t i, j;

	for (i = 0; i < commit->count; i++) {
		w = &commit->works[i];
		for (j = w->kept_count; j < w->segment_count; j++)
			publish_remove(commit->d, w->segments[j].id);
	}
	for (i = 0; i < request->files_count; i++)
		files_change_committed(commit->d, &request->files[i]);
	dropped_remove(&commit->dropped, commit->d);
}

static void remove_made(struct commit *commit,
			const struct commit_request *request)
{
	size_t i;

	for (i = 0; i < commit->count; i++)
		if (commit->works[i].made_id != 0)
			publish_remove(commit->d, commit->works[i].made_id);
	for (i = 0; i < request->files_count; i++)
		files_change_undo(commit->d, &request->files[i]);
}

static void compact(struct commit *commit)
{
	const struct work *w;
	size_t i;

	for (i = 0; i < commit->count; i++) {
		w = &commit->works[i];
		if (w->kept_count + (w->made_id != 0) > COMPACT_ABOVE)
			compact_table(commit->d, w->part->target->component,
				      w->part->target->table);
		if (w->has_many_runs)
			runs_compact(commit->d, w->part->target->component,
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
		r = embedded_commit(commit->d, &in_doubt, err); /* I3 */
	else
		embedded_rollback(commit->d);
	if (r < 0 && !in_doubt) /* I5 */
		remove_made(commit, request);
	runs_change_end(&commit->runs, commit->d, r == 0, in_doubt);
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
	const struct import_target *x = ((const struct work *)a)->part->target;
	const struct import_target *y = ((const struct work *)b)->part->target;

	return contents_compare(x->component, x->table, y->component, y->table);
}

/* All parts, and the tables that are kept as parts without rows. */
static int make_works(struct commit *commit,
		      const struct commit_request *request, struct cvx_err *err)
{
	static struct commit_rows none = {.ascending = true};
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
		commit->works[i].commit = commit;
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
		.d = d,
		.c = d->writes,
		.dropped = DROPPED_INIT,
		.runs = RUNS_CHANGE_INIT,
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
	runs_change_fini(&commit.runs);
	return r;
}
