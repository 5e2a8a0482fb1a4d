#include "importer/embedded/rows_by_id.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "importer/embedded/lines.h"
#include "importer/embedded/rows_by_key.h"
#include "importer/value/document.h"

/* What merged segments share for their batches, and the least for one. */
#define BATCHES_SIZE ((size_t)16 << 20)
#define BATCH_MIN ((size_t)256 << 10)

/* A segment whose rows are merged with others'. */
struct cursor {
	struct lines lines;
	struct rows_by_key *by_key; /* NULL: the lines ascend */

	/* The row it stands at, with its LF; line is NULL at the end. */
	struct internal_id id;
	const char *line;
	size_t size;
};

struct rows_by_id {
	struct rows_segment *segments; /* by their least id */
	size_t count;
	size_t next; /* the first that was not begun */

	/* One that is read as it is: its next byte; else the cursors. */
	const struct rows_segment *whole;
	uint64_t off;

	struct cursor *cursors;
	size_t cursor_count;
	struct cursor *least; /* whose row goes out now, or NULL */
	size_t line_done;     /* what has gone out of it */
};

CVX_DEFINE_CLEANUP(struct rows_by_id, rows_by_id_free)

static int compare_segments(const void *a, const void *b)
{
	const struct rows_segment *x = a, *y = b;

	return id_compare(&x->row.first, &y->row.first);
}

int rows_by_id_new(const struct rows_segment *segments, size_t count,
		   struct rows_by_id **ret, struct cvx_err *err)
{
	CVX_AUTO(rows_by_id_freep) struct rows_by_id *r = calloc(1, sizeof(*r));
	size_t i;

	if (r)
		r->segments = calloc(count + 1, sizeof(*segments));
	if (!r || !r->segments) {
		for (i = 0; i < count; i++) {
			cvx_closep(&segments[i].rows_fd);
			cvx_closep(&segments[i].keys_fd);
		}
		return cvx_fail_memory(err);
	}
	if (count > 0)
		memcpy(r->segments, segments, count * sizeof(*segments));
	r->count = count;
	qsort(r->segments, count, sizeof(*segments), compare_segments);
	*ret = CVX_TAKE(r);
	return 0;
}

static void free_cursors(struct rows_by_id *r)
{
	size_t i;

	for (i = 0; i < r->cursor_count; i++) {
		lines_fini(&r->cursors[i].lines);
		rows_by_key_free(r->cursors[i].by_key);
	}
	free(r->cursors);
	r->cursors = NULL;
	r->cursor_count = 0;
}

void rows_by_id_free(struct rows_by_id *r)
{
	size_t i;

	if (!r)
		return;
	free_cursors(r);
	for (i = 0; r->segments && i < r->count; i++) {
		cvx_closep(&r->segments[i].rows_fd);
		cvx_closep(&r->segments[i].keys_fd);
	}
	free(r->segments);
	free(r);
}

/* Reads the cursor's next row. */
static int advance(struct cursor *c, struct cvx_err *err)
{
	uint64_t off;
	int n;

	c->line = NULL;
	if (c->by_key) {
		n = rows_by_key_next(c->by_key, &c->id, &c->line, &c->size,
				     err);
	} else {
		n = lines_next(&c->lines, &c->line, &c->size, &off, err);
		if (n == 1 && document_line_id(c->line, c->size, &c->id) < 0)
			return cvx_fail(err, -EIO,
					"a stored row is damaged: it has no "
					"_id");
	}
	c->size++; /* its LF is there */
	return n < 0 ? n : 0;
}

static int begin_cursor(struct cursor *c, const struct rows_segment *segment,
			size_t batch_size, struct cvx_err *err)
{
	const struct lines_place place = {.fd = segment->rows_fd,
					  .size = segment->row.size};
	int n = 0;

	lines_init(&c->lines, &place);
	if (!segment->row.ascending)
		n = rows_by_key_new(segment, batch_size, &c->by_key, err);
	return n < 0 ? n : advance(c, err);
}

static void find_least(struct rows_by_id *r)
{
	struct cursor *least = NULL, *c;
	size_t i;

	for (i = 0; i < r->cursor_count; i++) {
		c = &r->cursors[i];
		if (c->line && (!least || id_compare(&c->id, &least->id) < 0))
			least = c;
	}
	r->least = least;
	r->line_done = 0;
}

/* How many segments from the next one on have ids in between each other's. */
static size_t count_overlap(const struct rows_by_id *r)
{
	const struct rows_segment *s = &r->segments[r->next];
	struct internal_id last = s->row.last;
	size_t n = 1, left = r->count - r->next;

	for (; n < left && id_compare(&s[n].row.first, &last) <= 0; n++)
		if (id_compare(&s[n].row.last, &last) > 0)
			last = s[n].row.last;
	return n;
}

/* Takes up the next segment, or those that are merged. */
static int begin(struct rows_by_id *r, struct cvx_err *err)
{
	size_t count = count_overlap(r), batch_size = BATCHES_SIZE / count, i;
	const struct rows_segment *first = &r->segments[r->next];
	int n = 0;

	r->next += count;
	if (count == 1 && first->row.ascending) {
		r->whole = first;
		r->off = 0;
		return 0;
	}
	r->cursors = calloc(count, sizeof(*r->cursors));
	if (!r->cursors)
		return cvx_fail_memory(err);
	if (batch_size < BATCH_MIN)
		batch_size = BATCH_MIN;
	for (i = 0; n == 0 && i < count; i++) {
		r->cursor_count++;
		n = begin_cursor(&r->cursors[i], &first[i], batch_size, err);
	}
	find_least(r);
	return n;
}

static int read_whole(struct rows_by_id *r, char *buf, size_t size,
		      size_t *ret_n, struct cvx_err *err)
{
	const struct rows_segment *s = r->whole;
	int n;

	if (size > s->row.size - r->off)
		size = (size_t)(s->row.size - r->off);
	n = file_pread(s->rows_fd, buf, size, r->off, ret_n);
	if (n == 0 && *ret_n < size)
		n = -EIO; /* shorter than what was committed */
	if (n < 0)
		return cvx_fail(err, n, "cannot read stored rows: %s",
				strerror(-n));
	r->off += size;
	if (r->off == s->row.size)
		r->whole = NULL;
	return 0;
}

static int read_merged(struct rows_by_id *r, char *buf, size_t size,
		       size_t *ret_n, struct cvx_err *err)
{
	struct cursor *c;
	size_t done = 0, n;
	int code = 0;

	while (code == 0 && done < size && (c = r->least)) {
		n = c->size - r->line_done;
		if (n > size - done)
			n = size - done;
		memcpy(buf + done, c->line + r->line_done, n);
		done += n;
		r->line_done += n;
		if (r->line_done == c->size) {
			code = advance(c, err);
			find_least(r);
		}
	}
	if (!r->least)
		free_cursors(r);
	*ret_n = done;
	return code;
}

int rows_by_id_read(struct rows_by_id *r, void *buf, size_t size, size_t *ret_n,
		    struct cvx_err *err)
{
	char *to = buf;
	size_t done = 0, n;
	int code = 0;

	while (code == 0 && done < size) {
		n = 0;
		if (r->whole)
			code = read_whole(r, to + done, size - done, &n, err);
		else if (r->cursors)
			code = read_merged(r, to + done, size - done, &n, err);
		else if (r->next < r->count)
			code = begin(r, err);
		else
			break;
		done += n;
	}
	*ret_n = done;
	return code;
}
