/*
 * data_sync: what tables of a selection have become since a client asked last,
 * page by page (STR-9).
 *
 * The cursor tells how far the client knows each table (data_sync_cursor.h).
 * A table of the same revision is not looked at. One that was only appended to
 * gives the rows behind those that the client knows; one that was replaced,
 * emptied or removed is told as a truncate, and its rows from the first on.
 * So is, now and then, one that only became longer, when what it lies in was
 * put together anew (table_place.h).
 *
 * A client has what the deployment holds at one moment, snapshotTs, whenever
 * the status is upToDate. On the way there it is "snapshotting", and each page
 * is of its own moment: rows of one transaction may come in several pages. The
 * rows of a table come in the order of their import.
 *
 * Limits:  DATA_SYNC_ROWS_MAX rows a page; it ends after DATA_SYNC_PAGE_SIZE
 * bytes. Threads: any.
 */
#ifndef CVX_IMPORTER_SERVER_DATA_SYNC_H
#define CVX_IMPORTER_SERVER_DATA_SYNC_H

#include <stddef.h>
#include <stdint.h>

#include "importer/server/selection.h"

struct cvx_buf;
struct cvx_err;
struct deployment;

#define DATA_SYNC_ROWS_MAX 16384
#define DATA_SYNC_PAGE_SIZE ((size_t)8 << 20)

/* How long a cursor can be used. */
#define DATA_SYNC_CURSOR_NS (INT64_C(3 * 24 * 3600) * 1000000000)

struct data_sync_request {
	const char *cursor; /* NULL: from nothing */
	struct selection selection;
	int64_t now_ns; /* Unix time */
};

/*
 * Appends the answer. InvalidDataSyncCursor: it is none, or one of another
 * deployment or selection; DataSyncCursorExpired.
 */
int data_sync_print(struct deployment *d,
		    const struct data_sync_request *request,
		    struct cvx_buf *out, struct cvx_err *err);

#endif
