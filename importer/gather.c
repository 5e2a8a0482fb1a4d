/* From converted blocks to one output, in the order of the file. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/file.h"
#include "cache/segment.h"
#include "importer/embedded/duplicates.h"
#include "importer/pipeline_inside.h"

/* The disk is told to write after so many bytes, which makes the fsync at the
 * end short (performance.md, Disk). */
#define WRITEBACK_SIZE ((uint64_t)8 << 20)

static int reserve_keys(struct pipeline *p, size_t count, struct cvx_err *err)
{
	size_t need = p->key_count + count, capacity = p->key_capacity * 2;
	struct segment_key *keys;

	if (need <= p->key_capacity)
		return 0;
	if (capacity < need)
		capacity = need;
	keys = reallocarray(p->keys, capacity, sizeof(*keys));
	if (!keys)
		return cvx_fail_memory(err);
	p->keys = keys;
	p->key_capacity = capacity;
	return 0;
}

/* Keys of the block's rows, which stand at off of the output. */
static int add_keys(struct pipeline *p, const struct rows *rows, uint64_t off,
		    struct cvx_err *err)
{
	size_t count = (size_t)rows->document_count, i;
	struct lines_place place = {.text = rows->text.data,
				    .size = rows->text.size};
	struct segment_key *keys;
	int r = reserve_keys(p, count, err);

	if (r < 0)
		return r;
	keys = p->keys + p->key_count;
	if (rows->any_id_given) {
		for (i = 0; i < count; i++) {
			memcpy(keys[i].bytes, rows->ids[i].id.bytes, ID_SIZE);
			keys[i].off = rows->ids[i].off;
		}
	} else {
		r = duplicates_collect_keys(&place, keys, count, err);
		if (r < 0)
			return r;
	}
	for (i = 0; i < count; i++)
		keys[i].off += off;
	p->key_count += count;
	return 0;
}

/*
 * As long as ids ascend nothing needs to be kept of them. When the order first
 * breaks, the rows before are counted as unkeyed and read again at the end.
 */
static int add_order(struct pipeline *p, const struct rows *rows,
		     struct cvx_err *err)
{
	struct pipeline_output *out = &p->output;
	int r = 0;

	if (rows->document_count == 0)
		return 0;
	if (out->ascending &&
	    (!rows->ids_ascend ||
	     (out->document_count > 0 &&
	      id_compare(&out->last, &rows->first_id) >= 0))) {
		out->ascending = false;
		p->unkeyed_size = out->size;
		p->unkeyed_count = out->document_count;
	}
	if (!out->ascending)
		r = add_keys(p, rows, out->size, err);
	if (out->document_count == 0)
		out->first = rows->first_id;
	out->last = rows->last_id;
	return r;
}

static void add_places(struct pipeline *p, const struct rows *rows)
{
	const struct row_error *error;
	unsigned i;

	for (i = 0; i < rows->error_count; i++) {
		error = &rows->errors[i];
		places_add(&p->places,
			   error->row > 0 ? p->row_count + error->row : 0,
			   &error->err);
	}
	p->places.total += rows->refused_count - rows->error_count;
}

/* Makes room at the end of the output: in memory, or in a stage from now on. */
static int place_output(struct pipeline *p, size_t size, struct cvx_err *err)
{
	int r;

	if (p->stage)
		return 0;
	if (p->memory.size + size <= PIPELINE_MEMORY_MAX) {
		r = cvx_buf_reserve(&p->memory, size);
		return r < 0 ? cvx_fail_memory(err) : 0;
	}
	r = p->hooks.new_stage(p->hooks.ctx, &p->stage, err);
	if (r < 0)
		return r;
	r = file_pwrite(segment_stage_fd(p->stage), p->memory.data,
			p->memory.size, 0);
	cvx_buf_fini(&p->memory);
	return r < 0 ? cvx_fail(err, r, "cannot store the rows: %s",
				strerror(-r))
		     : 0;
}

/* Under the lock, in the block's turn. */
static int take_rows(struct pipeline *p, const struct rows *rows,
		     uint64_t *ret_off, struct cvx_err *err)
{
	struct pipeline_output *out = &p->output;
	size_t size = rows->text.size;
	int r = 0;

	add_places(p, rows);
	*ret_off = out->size;
	/* Once a row is refused, nobody will want the output. */
	if (p->places.total == 0) {
		r = add_order(p, rows, err);
		if (r == 0)
			r = place_output(p, size, err);
		if (r == 0 && !p->stage)
			r = cvx_buf_append(&p->memory, rows->text.data, size);
		if (r < 0)
			return r;
		out->size += size;
		out->document_count += rows->document_count;
		out->beyond_plain |= rows->beyond_plain;
	}
	p->row_count += rows->row_count;
	*p->hooks.row_count = p->row_count;
	if (rows->stopped)
		p->is_exhausted = true;
	return 0;
}

/* The part of the stage that the disk may begin with, once it is large. */
static bool take_writeback(struct pipeline *p, uint64_t *ret_off,
			   uint64_t *ret_size)
{
	*ret_off = p->writeback_off;
	*ret_size = p->output.size - p->writeback_off;
	if (!p->stage || *ret_size < WRITEBACK_SIZE)
		return false;
	p->writeback_off = p->output.size;
	return true;
}

int gather_block(struct pipeline *p, struct worker *w,
		 const struct block *block, struct cvx_err *err)
{
	uint64_t off = 0, writeback_off, writeback_size;
	bool is_due, is_staged;
	int r = 0, fd = -1;

	(void)pthread_mutex_lock(&p->lock);
	while (p->turn != block->seq && !p->is_exhausted)
		(void)pthread_cond_wait(&p->changed, &p->lock);
	if (p->is_exhausted) {
		(void)pthread_mutex_unlock(&p->lock);
		return 0;
	}
	r = take_rows(p, &w->rows, &off, err);
	is_staged = r == 0 && p->stage && p->places.total == 0;
	if (is_staged)
		fd = segment_stage_fd(p->stage);
	is_due = r == 0 && take_writeback(p, &writeback_off, &writeback_size);
	if (r == 0 && !w->rows.continues) {
		p->turn++;
		(void)pthread_cond_broadcast(&p->changed);
	}
	(void)pthread_mutex_unlock(&p->lock);
	if (is_staged) {
		r = file_pwrite(fd, w->rows.text.data, w->rows.text.size, off);
		if (r < 0)
			return cvx_fail(err, r, "cannot store the rows: %s",
					strerror(-r));
	}
	if (is_due && is_staged)
		file_sync_early(fd, writeback_off, writeback_size);
	return r;
}

void gather_reset(struct pipeline *p)
{
	segment_stage_free(p->stage);
	p->stage = NULL;
	cvx_buf_clear(&p->memory);
	memset(&p->output, 0, sizeof(p->output));
	p->output.ascending = true;
	memset(&p->places, 0, sizeof(p->places));
	memset(&p->failure, 0, sizeof(p->failure));
	p->turn = p->row_count = p->writeback_off = 0;
	p->key_count = p->unkeyed_size = p->unkeyed_count = 0;
	p->is_exhausted = false;
}

/* The rows up to unkeyed_size get their keys from their lines. */
static int key_the_rest(struct pipeline *p, struct cvx_err *err)
{
	struct lines_place place = {.text = p->stage ? NULL : p->memory.data,
				    .size = p->unkeyed_size};
	int r = reserve_keys(p, (size_t)p->unkeyed_count, err);

	if (r < 0 || p->unkeyed_count == 0)
		return r;
	if (p->stage)
		place.fd = segment_stage_fd(p->stage);
	r = duplicates_collect_keys(&place, p->keys + p->key_count,
				    (size_t)p->unkeyed_count, err);
	if (r < 0)
		return r;
	p->key_count += (size_t)p->unkeyed_count;
	p->unkeyed_count = p->unkeyed_size = 0;
	return 0;
}

int pipeline_output(struct pipeline *p, struct pipeline_output *ret,
		    struct cvx_err *err)
{
	struct pipeline_output *out = &p->output;
	int r = out->ascending ? 0 : key_the_rest(p, err);

	if (r < 0)
		return r;
	assert(out->ascending || p->key_count == out->document_count);
	out->text = p->stage ? NULL : p->memory.data;
	out->stage = p->stage;
	out->stamp_count = p->nth;
	out->keys = out->ascending ? NULL : p->keys;
	*ret = *out;
	return 0;
}

void pipeline_give_output(struct pipeline *p)
{
	p->stage = NULL;
	p->keys = NULL;
	p->memory.data = NULL;
	p->memory.size = p->memory.capacity = 0;
}
