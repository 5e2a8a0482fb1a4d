/*
 * stored_pages: stored files as documents of the system table _storage
 * (DAT-4), by their creation time, page by page.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_SERVER_STORED_PAGES_H
#define CVX_IMPORTER_SERVER_STORED_PAGES_H

struct cJSON;
struct cvx_buf;
struct cvx_err;
struct deployment;
struct page_request;
struct stored_file;

/* What is shown of files: those of these times; url: with the place to read
 * them from, below this origin, and with a null where there is no content
 * type (FIL-3). */
struct stored_view {
	const char *url; /* NULL: as documents of _storage */
	double least, most;
};

/* NULL: memory ran out. */
struct cJSON *stored_file_json(const struct stored_file *f,
			       const char *component,
			       const struct stored_view *view);

/* As pages_print(). */
int stored_pages_print(struct deployment *d, const struct page_request *request,
		       const struct stored_view *view, struct cvx_buf *out,
		       struct cvx_err *err);

#endif
