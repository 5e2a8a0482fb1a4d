/*
 * line_order: lines of a table in the order of an index, as a file.
 *
 * No line is copied: the file says where each one lies. A view of the lines
 * in that order has a size and can be read at any offset, by the sums that
 * stand behind the entries.
 *
 *   "CVXORDR1" | count | bytes of all lines
 *   | count x (offset of the line << 24 | its bytes with LF)
 *   | for each LINE_ORDER_BLOCK entries: the bytes of all lines before them
 *
 * Numbers have 64 bits and are little-endian. Offsets count from a place that
 * the owner of the file knows. A line has at most about 6 MiB (a document has
 * 1 MiB, and a byte of it takes 6 in a string at most).
 *
 * Threads: a writer belongs to one thread; an order is fixed.
 */
#ifndef CVX_IMPORTER_EMBEDDED_LINE_ORDER_H
#define CVX_IMPORTER_EMBEDDED_LINE_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "cache/base/buf.h"

struct cvx_err;

#define LINE_ORDER_BLOCK 256
#define LINE_SIZE_BITS 24

/* Where a line lies, in 64 bits. */
typedef uint64_t line_entry;

/* -EFBIG if they do not fit. */
int line_entry_make(uint64_t off, size_t size, line_entry *ret,
		    struct cvx_err *err);

static inline uint64_t line_entry_off(line_entry e)
{
	return e >> LINE_SIZE_BITS;
}

static inline size_t line_entry_size(line_entry e)
{
	return (size_t)(e & (((uint64_t)1 << LINE_SIZE_BITS) - 1));
}

struct line_order_writer {
	int fd; /* the caller's; the file is empty at first */
	uint64_t count, text_size;
	uint64_t written; /* bytes of the file */
	struct cvx_buf entries, sums;
};

void line_order_writer_init(struct line_order_writer *w, int fd);
void line_order_writer_fini(struct line_order_writer *w);
int line_order_write(struct line_order_writer *w, line_entry e,
		     struct cvx_err *err);
/* Ends the file. Not synced. */
int line_order_end(struct line_order_writer *w, struct cvx_err *err);

/* A file that is open for reading. */
struct line_order {
	void *map;
	size_t map_size;
	uint64_t count, text_size;
	const uint64_t *entries, *sums;
};

/* The descriptor stays the caller's and may be closed. -EIO if the file is not
 * an order. */
int line_order_open(int fd, struct line_order *ret, struct cvx_err *err);
void line_order_close(struct line_order *o); /* zeros are allowed */

line_entry line_order_at(const struct line_order *o, uint64_t nth);

/* The line that has the byte at off of the view, and how many bytes stand
 * before it; off is below text_size. */
uint64_t line_order_find(const struct line_order *o, uint64_t off,
			 uint64_t *ret_before);

#endif
