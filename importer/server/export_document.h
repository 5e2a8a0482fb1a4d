/*
 * export_document: what queries show of exports (protocol.md 8.3), in the
 * canonical text of values (value.h).
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_SERVER_EXPORT_DOCUMENT_H
#define CVX_IMPORTER_SERVER_EXPORT_DOCUMENT_H

struct cvx_buf;
struct cvx_err;
struct deployment;

/* The newest export, or null. */
int export_document_print_latest(struct deployment *d, struct cvx_buf *out,
				 struct cvx_err *err);

#endif
