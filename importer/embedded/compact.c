#include "importer/embedded/compact.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/base/log.h"
#include "cache/catalog.h"
#include "importer/embedded/commit.h"
#include "importer/embedded/counters.h"
#include "importer/embedded/duplicates.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/publish.h"
#include "importer/embedded/segments.h"
#include "importer/embedded/tables.h"

#define COPY_SIZE ((size_t)1 << 20)

/* The segments to be copied, and what they become. */
struct copy {
	struct deployment *d;
	int64_t table_id;
	struct segment_row *segments;
	size_t count;
	struct segment_row made;
	struct segment_stage *stage, *keys_stage;
	struct segment_key *keys;
};

static void copy_finip(struct copy *copy)
{
	free(copy->segments);
	free(copy->keys);
	segment_stage_free(copy->keys_stage);
	segment_stage_free(copy->stage);
}

/* Leaves those at the end that are, together, not half as large as the one
 * before. */
static void choose(struct copy *copy)
{
	uint64_t behind = 0;
	size_t first = copy->count, i;

	for (i = copy->count; i > 0; i--) {
		if (copy->segments[i - 1].size / 2 <= behind ||
		    copy->count - i < COMPACT_ABOVE / 2)
			first = i - 1;
		behind += copy->segments[i - 1].size;
	}
	memmove(copy->segments, copy->segments + first,
		(copy->count - first) * sizeof(*copy->segments));
	copy->count -= first;
}

static int find_segments(struct copy *copy, const char *component,
			 const char *table, struct cvx_err *err)
{
	struct catalog *c = embedded_lock_reads(copy->d);
	struct table_row row;
	int r = table_find(c, component, table, &row, err);

	if (r == 1) {
		copy->table_id = row.id;
		r = segments_list(c, row.id, &copy->segments, &copy->count,
				  err);
	}
	embedded_unlock_reads(copy->d);
	return r;
}

static int copy_rows(struct copy *copy, const struct segment_row *segment,
		     struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *bytes = malloc(COPY_SIZE);
	struct segment_file *file;
	uint64_t off;
	size_t n = 0, want;
	int r;

	if (!bytes)
		return cvx_fail_memory(err);
	r = segment_file_ref(copy->d, segment->id, &file, err);
	if (r < 0)
		return r;
	for (off = 0; r == 0 && off < segment->size; off += want) {
		want = segment->size - off < COPY_SIZE
			       ? (size_t)(segment->size - off)
			       : COPY_SIZE;
		r = file_pread(file->fd, bytes, want, off, &n);
		if (r == 0 && n < want)
			r = -EIO;
		if (r == 0)
			r = file_pwrite(segment_stage_fd(copy->stage), bytes,
					want, copy->made.size + off);
	}
	segment_file_unref(copy->d, file);
	return r < 0 ? cvx_fail(err, r, "cannot copy rows: %s", strerror(-r))
		     : 0;
}

/* Describes all segments together. */
static void describe(struct copy *copy)
{
	struct segment_row *made = &copy->made;
	const struct segment_row *next;
	size_t i;

	*made = copy->segments[0];
	for (i = 1; i < copy->count; i++) {
		next = &copy->segments[i];
		made->ascending &= next->ascending &&
				   id_compare(&made->last, &next->first) < 0;
		made->beyond_plain |= next->beyond_plain;
		made->row_count += next->row_count;
		if (id_compare(&next->first, &made->first) < 0)
			made->first = next->first;
		if (id_compare(&next->last, &made->last) > 0)
			made->last = next->last;
	}
}

static int make_copy(struct copy *copy, struct cvx_err *err)
{
	size_t i;
	int r = commit_new_stage(copy->d, &copy->stage, err);

	if (r < 0)
		return r;
	describe(copy);
	copy->made.size = 0;
	for (i = 0; r == 0 && i < copy->count; i++) {
		r = copy_rows(copy, &copy->segments[i], err);
		copy->made.size += copy->segments[i].size;
	}
	if (r == 0 && !copy->made.ascending) {
		struct lines_place place = {.fd = segment_stage_fd(copy->stage),
					    .size = copy->made.size};

		copy->keys = reallocarray(NULL, copy->made.row_count,
					  sizeof(*copy->keys));
		if (!copy->keys)
			return cvx_fail_memory(err);
		r = duplicates_collect_keys(&place, copy->keys,
					    copy->made.row_count, err);
		if (r < 0)
			return r;
		segment_sort_keys(copy->keys, copy->made.row_count);
		r = publish_stage_keys(copy->d, copy->keys,
				       copy->made.row_count, &copy->keys_stage,
				       err);
	}
	if (r == 0) {
		r = file_sync(segment_stage_fd(copy->stage));
		if (r < 0)
			(void)cvx_fail(err, r, "cannot store rows: %s",
				       strerror(-r));
	}
	return r;
}

/* Whether the table still has what was copied: the same segments at its end,
 * none of which was appended to. 1 or 0. */
static int is_unchanged(struct copy *copy, struct catalog *c,
			struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct segment_row *now = NULL;
	size_t count = 0, i, j;
	int r = segments_list(c, copy->table_id, &now, &count, err);

	if (r < 0)
		return r;
	for (i = 0; i < count && now[i].id != copy->segments[0].id; i++)
		;
	for (j = 0; j < copy->count; j++, i++)
		if (i >= count || now[i].id != copy->segments[j].id ||
		    now[i].size != copy->segments[j].size)
			return 0;
	return 1;
}

/* Puts the copy in place of the segments; ends the transaction. */
static int exchange(struct copy *copy, struct cvx_err *err)
{
	struct catalog *c = copy->d->writes;
	struct counters_row counters;
	bool in_doubt = false;
	uint64_t made_id = 0;
	size_t i;
	int r = is_unchanged(copy, c, err);

	if (r <= 0) {
		embedded_rollback(copy->d);
		return r;
	}
	r = counters_get(c, &counters, err);
	if (r == 0)
		r = publish_segment(copy->d, &counters, copy->stage,
				    copy->keys_stage, &made_id, err);
	if (r == 0)
		r = publish_sync(copy->d, err);
	for (i = 0; r == 0 && i < copy->count; i++)
		r = segment_delete(c, copy->segments[i].id, err);
	copy->made.id = made_id;
	if (r == 0)
		r = segment_insert(c, copy->table_id, &copy->made, err);
	if (r == 0)
		r = counters_put(c, &counters, err);
	if (r == 0)
		r = embedded_commit(copy->d, &in_doubt, err);
	else
		embedded_rollback(copy->d);
	if (r == 0)
		for (i = 0; i < copy->count; i++) /* I4 */
			publish_remove(copy->d, copy->segments[i].id);
	else if (made_id != 0 && !in_doubt) /* I5 */
		publish_remove(copy->d, made_id);
	return r;
}

void compact_table(struct deployment *d, const char *component,
		   const char *table)
{
	CVX_AUTO(copy_finip) struct copy copy = {.d = d};
	struct cvx_err err = CVX_ERR_INIT;
	int r = find_segments(&copy, component, table, &err);

	if (r == 0 && copy.count > COMPACT_ABOVE) {
		choose(&copy);
		r = make_copy(&copy, &err);
		if (r == 0)
			r = embedded_begin(d, &err);
		if (r == 0)
			r = exchange(&copy, &err);
	}
	/* The table stays as it is, which is right as well. */
	if (r < 0)
		log_info("table %s: cannot join its %zu segments: %s", table,
			 copy.count, err.msg);
}
