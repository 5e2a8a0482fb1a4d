/*
 * stored_pages: stored files as documents of the system table _storage
 * (DAT-4), by their creation time, page by page.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_SERVER_STORED_PAGES_H
#define CVX_IMPORTER_SERVER_STORED_PAGES_H

struct cvx_buf;
struct cvx_err;
struct deployment;
struct page_request;

/* As pages_print(). */
int stored_pages_print(struct deployment *d, const struct page_request *request,
		       struct cvx_buf *out, struct cvx_err *err);

#endif
