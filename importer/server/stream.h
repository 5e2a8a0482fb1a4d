/*
 * stream: all documents of one moment, page by page, over many requests
 * (STR-1, STR-2).
 *
 * A snapshot stays open for a while after each page. One that is gone, also by
 * a restart, is taken anew if nothing was committed since.
 *
 * Limits:  STREAM_ROWS_MAX documents a page; STREAM_KEPT_MAX snapshots.
 * Threads: locked inside: one page at a time.
 */
#ifndef CVX_IMPORTER_SERVER_STREAM_H
#define CVX_IMPORTER_SERVER_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "importer/server/encoding.h"
#include "importer/server/selection.h"

struct cvx_buf;
struct cvx_err;
struct deployment;
struct streams;

#define STREAM_ROWS_MAX 1024
#define STREAM_KEPT_MAX 4

int streams_new(struct deployment *d, struct streams **ret,
		struct cvx_err *err);
void streams_free(struct streams *s); /* NULL is allowed */

/* Ends the snapshots that nobody has read for ten minutes. */
void streams_close_idle(struct streams *s);

struct stream_request {
	int64_t snapshot_ns; /* 0: now */
	const char *cursor;  /* NULL: from the start */
	struct selection selection;
	enum encoding encoding;
};

/*
 * Appends the answer. SnapshotTooNew, SnapshotTooOld,
 * InvalidListSnapshotCursor.
 */
int streams_print(struct streams *s, const struct stream_request *request,
		  struct cvx_buf *out, struct cvx_err *err);

/*
 * Appends the documents of all tables of the selection that were committed
 * first after the cursor (STR-3), as the answer.
 * InvalidWindowToReadDocuments: they are too many; a new snapshot tells them.
 */
int streams_print_deltas(struct streams *s,
			 const struct stream_request *request,
			 int64_t cursor_ns, struct cvx_buf *out,
			 struct cvx_err *err);

#endif
