#include "importer/embedded/line_order.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "cache/base/err.h"
#include "cache/base/file.h"

#define MAGIC "CVXORDR1"
#define HEADER_SIZE 24

/* Entries are written in pieces of this size. */
#define PIECE_SIZE ((size_t)64 << 10)

/* 8 bytes for 256 lines; a table of a tebibyte of short lines has less. */
#define SUMS_MAX ((size_t)1 << 30)

int line_entry_make(uint64_t off, size_t size, line_entry *ret,
		    struct cvx_err *err)
{
	if (off >> (64 - LINE_SIZE_BITS) != 0 || size >> LINE_SIZE_BITS != 0)
		return cvx_fail(err, -EFBIG,
				"the table is too large for an index");
	*ret = off << LINE_SIZE_BITS | size;
	return 0;
}

void line_order_writer_init(struct line_order_writer *w, int fd)
{
	*w = (struct line_order_writer){.fd = fd, .written = HEADER_SIZE};
	cvx_buf_init(&w->entries, PIECE_SIZE);
	cvx_buf_init(&w->sums, SUMS_MAX);
}

void line_order_writer_fini(struct line_order_writer *w)
{
	cvx_buf_fini(&w->entries);
	cvx_buf_fini(&w->sums);
}

static int put(struct line_order_writer *w, const void *bytes, size_t size,
	       uint64_t off, struct cvx_err *err)
{
	int r = file_pwrite(w->fd, bytes, size, off);

	return r < 0 ? cvx_fail(err, r, "cannot store an index: %s",
				strerror(-r))
		     : 0;
}

static int flush(struct line_order_writer *w, struct cvx_err *err)
{
	int r = put(w, w->entries.data, w->entries.size, w->written, err);

	w->written += w->entries.size;
	cvx_buf_clear(&w->entries);
	return r;
}

int line_order_write(struct line_order_writer *w, line_entry e,
		     struct cvx_err *err)
{
	uint64_t entry = htole64(e), sum = htole64(w->text_size);
	int r = 0;

	if (w->count % LINE_ORDER_BLOCK == 0)
		r = cvx_buf_append(&w->sums, &sum, sizeof(sum));
	if (r == 0)
		r = cvx_buf_append(&w->entries, &entry, sizeof(entry));
	if (r < 0)
		return cvx_fail_memory(err);
	w->count++;
	w->text_size += line_entry_size(e);
	return w->entries.size == PIECE_SIZE ? flush(w, err) : 0;
}

int line_order_end(struct line_order_writer *w, struct cvx_err *err)
{
	uint64_t header[HEADER_SIZE / 8] = {0, htole64(w->count),
					    htole64(w->text_size)};
	int r = flush(w, err);

	memcpy(header, MAGIC, 8);
	if (r == 0)
		r = put(w, w->sums.data, w->sums.size, w->written, err);
	return r < 0 ? r : put(w, header, sizeof(header), 0, err);
}

static int fail_damaged(struct line_order *o, struct cvx_err *err)
{
	line_order_close(o);
	return cvx_fail(err, -EIO, "the file of an index is damaged");
}

int line_order_open(int fd, struct line_order *ret, struct cvx_err *err)
{
	struct line_order o = {.map = NULL};
	const uint64_t *numbers;
	uint64_t room, blocks;
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_size < HEADER_SIZE)
		return fail_damaged(&o, err);
	o.map_size = (size_t)st.st_size;
	o.map = mmap(NULL, o.map_size, PROT_READ, MAP_SHARED, fd, 0);
	if (o.map == MAP_FAILED)
		return cvx_fail(err, -errno, "cannot read an index: %s",
				strerror(errno));
	numbers = o.map;
	o.count = le64toh(numbers[1]);
	o.text_size = le64toh(numbers[2]);
	o.entries = numbers + HEADER_SIZE / 8;
	room = (o.map_size - HEADER_SIZE) / 8;
	blocks = o.count / LINE_ORDER_BLOCK + (o.count % LINE_ORDER_BLOCK != 0);
	if (memcmp(o.map, MAGIC, 8) != 0 || o.count > room ||
	    room != o.count + blocks || o.map_size % 8 != 0)
		return fail_damaged(&o, err);
	o.sums = o.entries + o.count;
	*ret = o;
	return 0;
}

void line_order_close(struct line_order *o)
{
	if (o->map)
		(void)munmap(o->map, o->map_size);
	o->map = NULL;
	o->count = 0;
}

line_entry line_order_at(const struct line_order *o, uint64_t nth)
{
	assert(nth < o->count);
	return le64toh(o->entries[nth]);
}

uint64_t line_order_find(const struct line_order *o, uint64_t off,
			 uint64_t *ret_before)
{
	uint64_t low = 0, high = o->count / LINE_ORDER_BLOCK +
				 (o->count % LINE_ORDER_BLOCK != 0);
	uint64_t middle, nth, before;
	size_t size;

	/* The last block that begins at off or before. */
	while (high - low > 1) {
		middle = low + (high - low) / 2;
		if (le64toh(o->sums[middle]) <= off)
			low = middle;
		else
			high = middle;
	}
	before = le64toh(o->sums[low]);
	/* A damaged file must not lead beyond its end. */
	for (nth = low * LINE_ORDER_BLOCK; nth + 1 < o->count; nth++) {
		size = line_entry_size(line_order_at(o, nth));
		if (before + size > off)
			break;
		before += size;
	}
	*ret_before = before;
	return nth;
}
