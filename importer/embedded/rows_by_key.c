#include "importer/embedded/rows_by_key.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/segment.h"
#include "importer/embedded/rows_by_id.h"
#include "importer/embedded/segments.h"

#define BATCH_MAX ((size_t)8192)
#define WINDOW_SIZE ((size_t)256 << 10)

/* Reading on costs less than another system call up to here. */
#define GAP_MAX ((uint64_t)16 << 10)

/* A document holds 1 MiB at most, and its text a few times that. */
#define LINE_MAX_SIZE ((size_t)64 << 20)

/* A line of the batch. */
struct place {
	uint64_t off; /* in the file */
	size_t at;    /* in the batch's lines, once it is read */
	size_t size;
};

struct rows_by_key {
	struct rows_segment segment;
	size_t batch_size;
	uint64_t next_key; /* the first one behind the batch */

	struct segment_key *keys; /* of the batch */
	struct place *places;	  /* likewise, in the same order */
	size_t *order;		  /* of their offsets */
	size_t count, at;
	struct cvx_buf lines;

	/* The bytes of the file from window_off on. */
	char *window;
	uint64_t window_off;
	size_t window_size;
};

CVX_DEFINE_CLEANUP(struct rows_by_key, rows_by_key_free)

int rows_by_key_new(const struct rows_segment *segment, size_t batch_size,
		    struct rows_by_key **ret, struct cvx_err *err)
{
	CVX_AUTO(rows_by_key_freep)
	struct rows_by_key *r = calloc(1, sizeof(*r));

	if (!r)
		return cvx_fail_memory(err);
	r->segment = *segment;
	r->batch_size = batch_size;
	cvx_buf_init(&r->lines, LINE_MAX_SIZE);
	r->keys = reallocarray(NULL, BATCH_MAX, sizeof(*r->keys));
	r->places = reallocarray(NULL, BATCH_MAX, sizeof(*r->places));
	r->order = reallocarray(NULL, BATCH_MAX, sizeof(*r->order));
	r->window = malloc(WINDOW_SIZE);
	if (!r->keys || !r->places || !r->order || !r->window)
		return cvx_fail_memory(err);
	*ret = CVX_TAKE(r);
	return 0;
}

void rows_by_key_free(struct rows_by_key *r)
{
	if (!r)
		return;
	cvx_buf_fini(&r->lines);
	free(r->keys);
	free(r->places);
	free(r->order);
	free(r->window);
	free(r);
}

static int fail_damaged(uint64_t off, struct cvx_err *err)
{
	return cvx_fail(err, -EIO, "stored rows are damaged at byte %" PRIu64,
			off);
}

static int compare_offsets(const void *a, const void *b, void *ctx)
{
	const struct place *places = ctx;
	uint64_t x = places[*(const size_t *)a].off;
	uint64_t y = places[*(const size_t *)b].off;

	return (x > y) - (x < y);
}

static int read_window(struct rows_by_key *r, uint64_t off, size_t size,
		       struct cvx_err *err)
{
	uint64_t left = r->segment.row.size - off;
	int n;

	if (size > left)
		size = (size_t)left;
	r->window_size = 0;
	n = file_pread(r->segment.rows_fd, r->window, size, off,
		       &r->window_size);
	if (n < 0)
		return cvx_fail(err, n, "cannot read stored rows: %s",
				strerror(-n));
	r->window_off = off;
	return r->window_size == size ? 0 : fail_damaged(off, err);
}

/* Appends the line at off, with its LF, to the lines. -EFBIG, without a text,
 * above their limit. */
static int copy_line(struct rows_by_key *r, uint64_t off, size_t window_size,
		     struct cvx_err *err)
{
	uint64_t pos = off;
	const char *start, *end;
	size_t size;
	int n = 0;

	if (off >= r->segment.row.size)
		return fail_damaged(off, err);
	for (;;) {
		if (pos < r->window_off ||
		    pos >= r->window_off + r->window_size)
			n = pos >= r->segment.row.size
				    ? fail_damaged(off, err)
				    : read_window(r, pos, window_size, err);
		if (n < 0)
			return n;
		start = r->window + (pos - r->window_off);
		size = r->window_size - (size_t)(pos - r->window_off);
		end = memchr(start, '\n', size);
		if (end)
			size = (size_t)(end - start) + 1;
		n = cvx_buf_append(&r->lines, start, size);
		if (n == -ENOMEM)
			return cvx_fail_memory(err);
		if (n < 0 || end)
			return n;
		pos += size;
		window_size = WINDOW_SIZE;
	}
}

/* Reads the lines of count keys. -EFBIG if they are too much. */
static int read_lines(struct rows_by_key *r, size_t count, struct cvx_err *err)
{
	const uint64_t average =
		r->segment.row.size / r->segment.row.row_count + 1;
	size_t window = WINDOW_SIZE, i, start;
	struct place *p;
	int n = 0;

	for (i = 0; i < count; i++) {
		r->places[i].off = r->keys[i].off;
		r->order[i] = i;
	}
	qsort_r(r->order, count, sizeof(*r->order), compare_offsets, r->places);
	if (r->segment.row.size / count > GAP_MAX)
		window = average + average / 4 < WINDOW_SIZE
				 ? (size_t)(average + average / 4)
				 : WINDOW_SIZE;
	cvx_buf_clear(&r->lines);
	r->lines.limit = count > 1 ? r->batch_size : LINE_MAX_SIZE;
	if (r->lines.limit < r->lines.capacity)
		cvx_buf_fini(&r->lines);
	for (i = 0; n == 0 && i < count; i++) {
		p = &r->places[r->order[i]];
		start = r->lines.size;
		n = copy_line(r, p->off, window, err);
		p->at = start;
		p->size = r->lines.size - start;
	}
	return n;
}

static int read_batch(struct rows_by_key *r, struct cvx_err *err)
{
	const struct segment_row *row = &r->segment.row;
	const uint64_t left = row->row_count - r->next_key;
	size_t count = r->batch_size / (size_t)(row->size / row->row_count + 1);
	int n;

	/* Half of what fits on average. */
	count = count / 2 + 1;
	if (count > BATCH_MAX)
		count = BATCH_MAX;
	if (count > left)
		count = (size_t)left;
	n = segment_read_keys(r->segment.keys_fd, r->next_key, r->keys, count);
	if (n < 0)
		return cvx_fail(err, n, "cannot read stored keys: %s",
				strerror(-n));
	while ((n = read_lines(r, count, err)) == -EFBIG && count > 1)
		count /= 2;
	if (n < 0)
		return n == -EFBIG ? fail_damaged(r->keys[0].off, err) : n;
	r->next_key += count;
	r->count = count;
	r->at = 0;
	return 0;
}

int rows_by_key_next(struct rows_by_key *r, struct internal_id *ret_id,
		     const char **ret_line, size_t *ret_size,
		     struct cvx_err *err)
{
	int n;

	if (r->at == r->count) {
		if (r->next_key == r->segment.row.row_count)
			return 0;
		n = read_batch(r, err);
		if (n < 0)
			return n;
	}
	*ret_line = r->lines.data + r->places[r->at].at;
	*ret_size = r->places[r->at].size - 1;
	memcpy(ret_id->bytes, r->keys[r->at].bytes, ID_SIZE);
	/* embedded_check() looks closer. */
	if (**ret_line != '{')
		return fail_damaged(r->keys[r->at].off, err);
	r->at++;
	return 1;
}
