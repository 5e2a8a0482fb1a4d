/*
 * pages: the documents of a table by their creation time, page by page
 * (protocol.md 9).
 *
 * A cursor names the last document that was read, so it stays good whatever is
 * committed; it is good for one table and one order only. Tables are read in
 * the order of their index by_creation_time (deployment_schema.h); those read
 * last are kept open, as they were when they were opened.
 *
 * Threads: locked inside.
 */
#ifndef CVX_IMPORTER_SERVER_PAGES_H
#define CVX_IMPORTER_SERVER_PAGES_H

#include <stdbool.h>
#include <stdint.h>

struct cvx_buf;
struct cvx_err;
struct deployment;
struct pages;

/* DAT-4 */
#define PAGE_ROWS_MAX 10000
#define PAGE_SIZE_MAX 5000000

int pages_new(struct deployment *d, struct pages **ret, struct cvx_err *err);
void pages_free(struct pages *p); /* NULL is allowed */

/* Closes what nobody has read for a minute: an open table keeps its disk
 * space. */
void pages_close_idle(struct pages *p);

struct page_request {
	const char *component, *table;
	bool descending;
	uint64_t count;	    /* at least 1 */
	const char *cursor; /* NULL: the first page */
};

/*
 * Appends a page, as canonical text. A table that is not there is empty. A
 * cursor of something else fails with a text that begins "InvalidCursor".
 */
int pages_print(struct pages *p, const struct page_request *request,
		struct cvx_buf *out, struct cvx_err *err);

#endif
