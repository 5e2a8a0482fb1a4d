#include "importer/embedded/order_merge.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/deployment.h"
#include "importer/embedded/runs.h"

/* One of the orders, and the key of a line that was looked at. */
struct side {
	const struct stretch_order *from;
	struct cvx_buf key;
};

struct merge {
	struct table_reader *reader;
	const struct index_order *index;
	uint64_t base;
	char *line; /* of the line that is looked at */
	size_t line_capacity;
	struct line_order_writer writer;
};

static uint64_t table_off(const struct side *s, uint64_t nth)
{
	return s->from->start +
	       line_entry_off(line_order_at(&s->from->order, nth));
}

/* Reads the key of the nth line. */
static int read_key(struct merge *m, struct side *s, uint64_t nth,
		    struct cvx_err *err)
{
	size_t size = line_entry_size(line_order_at(&s->from->order, nth)), n;
	int r;

	if (size > m->line_capacity) {
		free(m->line);
		m->line = malloc(size);
		m->line_capacity = m->line ? size : 0;
		if (!m->line)
			return cvx_fail_memory(err);
	}
	r = table_reader_read(m->reader, table_off(s, nth), m->line, size, &n,
			      err);
	if (r == 0 && (n != size || size == 0 || m->line[n - 1] != '\n'))
		r = cvx_fail(err, -EIO, "the file of an index is damaged");
	if (r < 0)
		return r;
	cvx_buf_clear(&s->key);
	return index_order_key(m->index, m->line, size - 1, &s->key, err);
}

static int compare_keys(const struct cvx_buf *a, const struct cvx_buf *b)
{
	size_t size = a->size < b->size ? a->size : b->size;
	int order = memcmp(a->data, b->data, size);

	return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

/* Whether the nth line of s comes before the key. 1 or 0. */
static int is_before(struct merge *m, struct side *s, uint64_t nth,
		     const struct cvx_buf *key, struct cvx_err *err)
{
	int r = read_key(m, s, nth, err);

	return r < 0 ? r : compare_keys(&s->key, key) < 0;
}

/* How many lines of s, of which from are known to, come before the key. */
static int find_place(struct merge *m, struct side *s, uint64_t from,
		      const struct cvx_buf *key, uint64_t *ret,
		      struct cvx_err *err)
{
	uint64_t low = from, high = s->from->order.count, step = 1, at;
	int r;

	/* All before low come before it, and none from high on. */
	while (low < high) {
		at = step < high - low ? low + step - 1
				       : low + (high - low) / 2;
		r = is_before(m, s, at, key, err);
		if (r < 0)
			return r;
		if (r == 1) {
			low = at + 1;
			step *= 2;
		} else {
			high = at;
			step = UINT64_MAX;
		}
	}
	*ret = low;
	return 0;
}

static int copy(struct merge *m, const struct side *s, uint64_t from,
		uint64_t to, struct cvx_err *err)
{
	line_entry entry;
	int r = 0;

	for (; r == 0 && from < to; from++) {
		r = line_entry_make(
			table_off(s, from) - m->base,
			line_entry_size(line_order_at(&s->from->order, from)),
			&entry, err);
		if (r == 0)
			r = line_order_write(&m->writer, entry, err);
	}
	return r;
}

static int merge_sides(struct merge *m, struct side *small, struct side *large,
		       struct cvx_err *err)
{
	uint64_t nth, done = 0, place = 0;
	int r = 0;

	for (nth = 0; r == 0 && nth < small->from->order.count; nth++) {
		r = read_key(m, small, nth, err);
		if (r == 0)
			r = find_place(m, large, done, &small->key, &place,
				       err);
		if (r == 0)
			r = copy(m, large, done, place, err);
		if (r == 0)
			r = copy(m, small, nth, nth + 1, err);
		done = place;
	}
	if (r == 0)
		r = copy(m, large, done, large->from->order.count, err);
	return r < 0 ? r : line_order_end(&m->writer, err);
}

static int merge_two(struct table_reader *reader,
		     const struct index_order *index,
		     const struct stretch_order *small,
		     const struct stretch_order *large, uint64_t base, int fd,
		     struct cvx_err *err)
{
	struct merge m = {.reader = reader, .index = index, .base = base};
	struct side s = {.from = small}, l = {.from = large};
	int r;

	cvx_buf_init(&s.key, INDEX_KEY_ROOM);
	cvx_buf_init(&l.key, INDEX_KEY_ROOM);
	line_order_writer_init(&m.writer, fd);
	r = merge_sides(&m, &s, &l, err);
	line_order_writer_fini(&m.writer);
	cvx_buf_fini(&s.key);
	cvx_buf_fini(&l.key);
	free(m.line);
	return r;
}

static int compare_counts(const void *a, const void *b)
{
	uint64_t x = ((const struct stretch_order *)a)->order.count;
	uint64_t y = ((const struct stretch_order *)b)->order.count;

	return (x > y) - (x < y);
}

int order_merge(struct deployment *d, struct table_reader *reader,
		const struct index_order *index, struct stretch_order *orders,
		size_t count, uint64_t base, int fd, struct cvx_err *err)
{
	struct stretch_order made;
	size_t i, first;
	int r = 0;

	assert(count >= 2);
	/* The two shortest ones become one, which takes the second's place. */
	for (first = 0; r == 0 && first + 1 < count; first++) {
		CVX_AUTO(cvx_closep) int temp_fd = -1;
		bool is_last = first + 2 == count;

		qsort(orders + first, count - first, sizeof(*orders),
		      compare_counts);
		if (!is_last)
			r = runs_temp_file(d, &temp_fd, err);
		if (r == 0)
			r = merge_two(reader, index, &orders[first],
				      &orders[first + 1], is_last ? base : 0,
				      is_last ? fd : temp_fd, err);
		if (r < 0 || is_last)
			break;
		made.start = 0;
		r = line_order_open(temp_fd, &made.order, err);
		if (r < 0)
			break;
		line_order_close(&orders[first].order);
		line_order_close(&orders[first + 1].order);
		orders[first + 1] = made;
	}
	for (i = 0; i < count; i++)
		line_order_close(&orders[i].order);
	return r;
}
