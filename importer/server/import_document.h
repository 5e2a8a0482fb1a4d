/*
 * import_document: what queries show of imports (protocol.md 7.4), in the
 * canonical text of values (value.h).
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_SERVER_IMPORT_DOCUMENT_H
#define CVX_IMPORTER_SERVER_IMPORT_DOCUMENT_H

struct cvx_buf;
struct cvx_err;
struct deployment;

/* The import of this id, or null. */
int import_document_print(struct deployment *d, const char *id,
			  struct cvx_buf *out, struct cvx_err *err);

/* The array of the newest ones. */
int import_document_print_list(struct deployment *d, struct cvx_buf *out,
			       struct cvx_err *err);

#endif
