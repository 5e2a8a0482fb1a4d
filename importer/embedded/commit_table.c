#include "importer/embedded/commit_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/segment.h"
#include "importer/embedded/commit.h"
#include "importer/embedded/component_rows.h"
#include "importer/embedded/duplicates.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/publish.h"
#include "importer/embedded/runs.h"
#include "importer/import.h"
#include "importer/schema/schema.h"
#include "importer/value/refusal.h"

/* A table's last segment, if smaller than this, is joined with rows that
 * cannot be written behind it. */
#define JOIN_MAX ((uint64_t)4 << 20)

/* Publishes the stages as a new segment at the row's position (I2). */
static int add_segment(struct commit_table *w, struct segment_stage *stage,
		       struct segment_stage *keys_stage,
		       struct segment_row *row, struct cvx_err *err)
{
	int r = publish_segment(w->tx->d, &w->tx->counters, stage, keys_stage,
				&row->id, err);

	if (r < 0)
		return r;
	w->made_id = row->id;
	return segment_insert(w->tx->c, w->table.id, row, err);
}

/* The import's rows as a segment of their own behind those that are kept. */
static int add_rows(struct commit_table *w, struct cvx_err *err)
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
	r = publish_stage_text(w->tx->d, rows->text, (size_t)rows->size, &stage,
			       err);
	if (r == 0 && !rows->ascending)
		r = publish_stage_keys(w->tx->d, rows->keys,
				       (size_t)rows->document_count, &keys,
				       err);
	return r < 0 ? r : add_segment(w, stage, keys, &row, err);
}

/* Whether bytes stand behind the tail (I6). What cannot be looked at fails
 * when it is written to. */
static bool has_leftover(const struct commit_table *w,
			 const struct segment_row *tail)
{
	char name[SEGMENT_NAME_SIZE];
	struct stat st;

	segment_rows_name(tail->id, name);
	return fstatat(w->tx->d->segments_fd, name, &st, 0) == 0 &&
	       (uint64_t)st.st_size > tail->size;
}

static int append_in_place(struct commit_table *w, struct segment_row *tail,
			   struct cvx_err *err)
{
	const struct commit_rows *rows = w->part->rows;
	CVX_AUTO(cvx_closep) int fd = -1;
	char name[SEGMENT_NAME_SIZE];
	struct stat st = {.st_size = 0};
	int r = 0;

	segment_rows_name(tail->id, name);
	fd = openat(w->tx->d->segments_fd, name, O_WRONLY | O_CLOEXEC);
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
				w->tx->d->dir, name, strerror(-r));
	tail->size += rows->size;
	tail->row_count += rows->document_count;
	tail->last = rows->last;
	tail->beyond_plain |= rows->beyond_plain;
	return segment_grow(w->tx->c, tail, err);
}

/* The tail's lines and the import's become one segment in place of the tail. */
static int append_joined(struct commit_table *w, const struct segment_row *tail,
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
	r = publish_read(w->tx->d, tail->id, text, (size_t)tail->size, err);
	if (r < 0)
		return r;
	memcpy(text + tail->size, rows->text, rows->size);
	place = (struct lines_place){.text = text, .size = row.size};
	r = duplicates_collect_keys(&place, keys, row.row_count, err);
	if (r < 0)
		return r;
	segment_sort_keys(keys, row.row_count);
	r = publish_stage_text(w->tx->d, text, (size_t)row.size, &stage, err);
	if (r == 0)
		r = publish_stage_keys(w->tx->d, keys, row.row_count,
				       &keys_stage, err);
	if (r == 0)
		r = segment_delete(w->tx->c, tail->id, err);
	if (r == 0)
		r = add_segment(w, stage, keys_stage, &row, err);
	w->kept_count--;
	return r;
}

static int append(struct commit_table *w, struct duplicates *existing,
		  struct cvx_err *err)
{
	const struct commit_rows *rows = w->part->rows;
	struct segment_row *tail = w->segment_count > 0
					   ? &w->segments[w->segment_count - 1]
					   : NULL;
	int r;

	r = duplicates_find_existing(w->tx->d, w->segments, w->segment_count,
				     rows, existing, err);
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

static int drop_segments(struct commit_table *w, struct cvx_err *err)
{
	size_t i;
	int r = 0;

	w->kept_count = 0;
	for (i = 0; r == 0 && i < w->segment_count; i++)
		r = segment_delete(w->tx->c, w->segments[i].id, err);
	return r;
}

/* Names a run of the rows that stand from start on. */
static int add_run(struct commit_table *w, const struct made_run *made,
		   uint64_t start, uint64_t size, struct cvx_err *err)
{
	struct commit_tx *tx = w->tx;
	struct run_row run = {
		.start = start,
		.size = size,
		.row_count = made->row_count,
	};

	memcpy(run.index, made->index->name, sizeof(run.index));
	return runs_publish(&tx->runs, tx->d, tx->c, &tx->counters, w->table.id,
			    &run, made->stage, err);
}

/* Those that commit_prepare has made. */
static int add_runs(struct commit_table *w, uint64_t start, struct cvx_err *err)
{
	const struct commit_rows *rows = w->part->rows;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && rows->runs && i < rows->runs->count; i++)
		r = add_run(w, &rows->runs->list[i], start, rows->size, err);
	return r;
}

/* Sorts the bytes of the table, as it was, that have no run yet. */
static int add_tail(struct commit_table *w, const struct schema_index *index,
		    uint64_t from, uint64_t end, struct cvx_err *err)
{
	const struct import_target *target = w->part->target;
	struct lines_place place = {.size = end};
	struct made_run made;
	int r = deployment_open_table(w->tx->d, target->component,
				      target->table, &place.table, err);

	if (r < 0)
		return r;
	r = run_make(w->tx->d, index, &place, from, &made, err);
	table_reader_close(place.table);
	if (r < 0)
		return r;
	r = add_run(w, &made, from, end - from, err);
	segment_stage_free(made.stage);
	return r;
}

/* Behind an append, what has no run may not become too much. */
static int extend_runs(struct commit_table *w, uint64_t old_size,
		       struct cvx_err *err)
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
	r = runs_list(w->tx->c, w->table.id, &runs, &count, err);
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

static int write_segments(struct commit_table *w, struct duplicates *existing,
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
		r = runs_drop(&w->tx->runs, w->tx->c, w->table.id, NULL, err);
	if (r < 0 || info->document_count == 0)
		return r;
	r = add_runs(w, 0, err);
	return r < 0 ? r : add_rows(w, err);
}

/* The table as the import finds or makes it, with its new revision. */
static int begin_table(struct commit_table *w, struct cvx_err *err)
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
	if (target->is_copy && target->committed_ns > 0)
		info->committed_ns = target->committed_ns;
	info->revision = ++w->tx->counters.revision;
	if (plan->table_found)
		return segments_list(w->tx->c, w->table.id, &w->segments,
				     &w->segment_count, err);
	(void)snprintf(info->name, sizeof(info->name), "%s", target->table);
	info->number = plan->stamp.table_number;
	r = component_find(w->tx->c, target->component, &component, err);
	return r < 0 ? r : table_insert(w->tx->c, &component, &w->table, err);
}

/* The table that had the number of this one. */
static int move_table(struct commit_table *w, struct component_row *component,
		      struct cvx_err *err)
{
	struct table_row moved = w->part->plan->moved;
	uint32_t old_number = moved.info.number;

	if (moved.id == 0)
		return 0;
	moved.info.number = w->part->plan->moved_number;
	moved.info.revision = ++w->tx->counters.revision;
	return table_update(w->tx->c, component, &moved, old_number, err);
}

int commit_table_change(struct commit_table *w, struct duplicates *existing,
			struct cvx_err *err)
{
	const struct commit_part *part = w->part;
	struct counters_row *counters = &w->tx->counters;
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
		r = component_find(w->tx->c, part->target->component,
				   &component, err);
	if (r < 0)
		return r;
	old_number = w->table.info.number;
	w->table.info.number = part->stamp.table_number;
	if (part->rows->document_count > 0) {
		w->table.last = last_stamp_max(w->table.last, last);
		counters->last = last_stamp_max(counters->last, last);
	}
	r = table_update(w->tx->c, &component, &w->table, old_number, err);
	return r < 0 ? r : move_table(w, &component, err);
}
