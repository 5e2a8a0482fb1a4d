/*
 * cursor: where a page ended, for the client to give back (DAT-1).
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_SERVER_CURSOR_H
#define CVX_IMPORTER_SERVER_CURSOR_H

struct cvx_err;
struct time_key;
struct page_request;

#define CURSOR_SIZE 80

/* key: of the last document of the page. */
void cursor_print(const struct page_request *request,
		  const struct time_key *key, char text[CURSOR_SIZE]);

/* Of the request's cursor. A failure's text begins "InvalidCursor". */
int cursor_read(const struct page_request *request, struct time_key *key,
		struct cvx_err *err);

#endif
