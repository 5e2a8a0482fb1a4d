#include "importer/remote/fetch_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "importer/value/document.h"

int fetch_flush(struct fetch *f)
{
	uint64_t off = f->size - f->lines.size;
	int r = file_pwrite(f->fd, f->lines.data, f->lines.size, off);

	if (r < 0)
		return cvx_fail(f->err, r, "cannot write to the cache: %s",
				strerror(-r));
	cvx_buf_clear(&f->lines);
	return 0;
}

static int add_place(struct fetch *f, const struct internal_id *id, size_t size)
{
	struct fetched_line *more;
	size_t n = f->place_count;

	if ((n & (n - 1)) == 0 && n != 1) {
		more = reallocarray(f->places, n ? n * 2 : 2, sizeof(*more));
		if (!more)
			return cvx_fail_memory(f->err);
		f->places = more;
	}
	if (n > 0 && id_compare(&f->places[n - 1].id, id) >= 0)
		f->ascends = false;
	f->places[n] = (struct fetched_line){*id, f->size, (uint32_t)size};
	f->place_count++;
	f->size += size;
	return 0;
}

/* The table number is that of the first document. */
static int make_reader(struct fetch *f)
{
	struct document_stamp stamp = {.table_number = 0};

	if (!document_peek_table_number(f->row.data, f->row.size,
					&stamp.table_number))
		return cvx_fail(f->err, -EPROTO,
				"a document of %s without a valid _id",
				f->target->table);
	return document_reader_new(DOCUMENT_UNIFORM, &stamp, &f->reader,
				   f->err);
}

static int add_line(struct fetch *f, const struct internal_id *id, size_t size)
{
	int r = add_place(f, id, size);

	return r == 0 && f->lines.size >= FETCH_LINES_MAX ? fetch_flush(f) : r;
}

/* The row that was gathered becomes a line. */
int fetch_add_row(struct fetch *f)
{
	size_t before = f->lines.size;
	struct document document;
	int r = 0;

	if (!f->reader)
		r = make_reader(f);
	if (r == 0)
		r = document_read(f->reader, f->row.data, f->row.size,
				  f->place_count, &f->lines, &document, f->err);
	if (r == 0 && !document.id_given)
		r = cvx_fail(f->err, -EPROTO, "a document without an _id");
	if (r < 0)
		return cvx_err_prefix(f->err, "document %zu of %s that came",
				      f->place_count + 1, f->target->table);
	return add_line(f, &document.id, f->lines.size - before);
}

/* As much as a usual document has; the reader makes room for all of it. */
#define WINDOW_SIZE ((size_t)1 << 20)

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int fetch_add_member(struct fetch *f, const char *text, size_t size,
		     size_t *ret_used)
{
	size_t before = f->lines.size, used;
	struct document document;
	int r;

	if (!f->reader)
		return 1;
	if (size > WINDOW_SIZE)
		size = WINDOW_SIZE;
	r = document_read_prefix(f->reader, text, size, f->place_count,
				 &f->lines, &document, &used, NULL);
	if (r < 0)
		return 1;
	while (used < size && is_space(text[used]))
		used++;
	if (used == size || text[used] != '}' || !document.id_given) {
		f->lines.size = before;
		return 1;
	}
	*ret_used = used;
	return add_line(f, &document.id, f->lines.size - before);
}

/* A document that has gone has no bytes, and stands before one that comes
 * behind it. */
int fetch_add_deleted(struct fetch *f, const struct internal_id *id)
{
	int r = add_place(f, id, 0);

	f->ascends = false;
	return r;
}

void fetch_clear(struct fetch *f)
{
	f->place_count = 0;
	f->was_cleared = true;
	f->ascends = false; /* the bytes are still there */
	/* What comes may have another table number. */
	document_reader_free(CVX_TAKE(f->reader));
}

static int compare_places(const void *a, const void *b)
{
	const struct fetched_line *x = a, *y = b;
	int order = id_compare(&x->id, &y->id);

	if (order != 0)
		return order;
	if (x->off != y->off)
		return x->off < y->off ? -1 : 1;
	return x->size < y->size ? -1 : x->size > y->size;
}

/* Pages of different moments may bring a document twice: the later counts. */
static int drop_doubles(struct fetch *f)
{
	size_t i, n = 0;

	for (i = 0; i < f->place_count; i++) {
		if (n > 0 &&
		    id_compare(&f->places[i].id, &f->places[n - 1].id) == 0) {
			if (f->is_consistent)
				return cvx_fail(f->err, -EPROTO,
						"%s: a document came twice",
						f->target->table);
			n--;
		}
		f->places[n++] = f->places[i];
	}
	f->place_count = n;
	return 0;
}

int fetch_order(struct fetch *f)
{
	if (f->place_count > 0)
		qsort(f->places, f->place_count, sizeof(*f->places),
		      compare_places);
	return drop_doubles(f);
}

static int write_sorted(struct fetch *f, const char *lines)
{
	size_t i, n = 0;
	int r = 0;

	f->size = 0;
	for (i = 0; r == 0 && i < f->place_count; i++) {
		if (f->places[i].size == 0)
			continue;
		r = cvx_buf_append(&f->lines, lines + f->places[i].off,
				   f->places[i].size);
		if (r < 0)
			return cvx_fail_memory(f->err);
		f->size += f->places[i].size;
		f->places[n++] = f->places[i];
		if (f->lines.size >= FETCH_LINES_MAX)
			r = fetch_flush(f);
	}
	f->place_count = n;
	return r < 0 ? r : fetch_flush(f);
}

int fetch_sort(struct fetch *f)
{
	CVX_AUTO(cvx_closep) int sorted = -1;
	uint64_t size = f->size;
	const char *lines = NULL;
	int r = fetch_order(f);

	if (r == 0 && size > 0) {
		lines = mmap(NULL, size, PROT_READ, MAP_PRIVATE, f->fd, 0);
		if (lines == MAP_FAILED)
			return cvx_fail(f->err, -errno, "mmap: %s",
					strerror(errno));
	}
	sorted = r == 0 ? file_open_unnamed(f->dir_fd) : -1;
	if (r == 0 && sorted < 0)
		r = cvx_fail(f->err, sorted, "cannot make a file in the cache");
	if (r == 0) {
		cvx_closep(&f->fd); /* the map still has it */
		f->fd = CVX_TAKE_FD(sorted);
		r = write_sorted(f, lines);
	}
	if (lines)
		(void)munmap((void *)lines, size);
	return r;
}
