/*
 * order_merge: orders of neighbouring stretches of a table become one.
 *
 * The shorter of two is put into the longer one line by line; each place is
 * found by doubling steps, so that a short one costs a few comparisons a line
 * and a copy of the longer one's entries.
 *
 * Threads: not locked.
 */
#ifndef CVX_IMPORTER_EMBEDDED_ORDER_MERGE_H
#define CVX_IMPORTER_EMBEDDED_ORDER_MERGE_H

#include <stddef.h>
#include <stdint.h>

#include "importer/embedded/line_order.h"

struct cvx_err;
struct deployment;
struct index_order;
struct table_reader;

/* The order of a stretch that begins at start. */
struct stretch_order {
	struct line_order order;
	uint64_t start;
};

/*
 * Merges count orders, at least two, into the empty file fd, with offsets from
 * base. Closes all of them, on failure as well.
 */
int order_merge(struct deployment *d, struct table_reader *reader,
		const struct index_order *index, struct stretch_order *orders,
		size_t count, uint64_t base, int fd, struct cvx_err *err);

#endif
