#include "importer/remote/fetch.h"

#include <errno.h>
#include <stdlib.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "importer/remote/fetch_inside.h"
#include "importer/value/document.h"

static int open_files(struct fetch *f)
{
	f->fd = file_open_unnamed(f->dir_fd);
	f->page_fd = f->fd < 0 ? -1 : file_open_unnamed(f->dir_fd);
	if (f->fd < 0 || f->page_fd < 0)
		return cvx_fail(f->err, f->fd < 0 ? f->fd : f->page_fd,
				"cannot make a file in the cache");
	return 0;
}

static struct fetch begin(struct http *http, const struct fetch_target *target,
			  int dir_fd, const struct halt *halt,
			  struct cvx_err *err)
{
	return (struct fetch){
		.http = http,
		.target = target,
		.halt = halt,
		.err = err,
		.dir_fd = dir_fd,
		.page_fd = -1,
		.fd = -1,
		.row = CVX_BUF_INIT(FETCH_ROW_MAX),
		.lines = CVX_BUF_INIT(FETCH_LINES_MAX + FETCH_ROW_MAX),
		.ascends = true,
	};
}

static void end(struct fetch *f)
{
	cvx_closep(&f->fd);
	cvx_closep(&f->page_fd);
	cvx_buf_fini(&f->row);
	cvx_buf_fini(&f->lines);
	document_reader_free(f->reader);
	free(f->places);
	free(f->ts);
	free(f->cursor);
}

/* By the first way that is offered. What is missing once is not asked for
 * again. */
static int fetch_first(struct fetch *f)
{
	struct fetch_offer none = {false, false};
	struct fetch_offer *offer = f->target->offer ? f->target->offer : &none;
	bool is_missing = true;
	int r = -ENOENT;

	if (!offer->lacks_sync) {
		r = fetch_sync(f, &is_missing);
		if (is_missing)
			offer->lacks_sync = true;
	}
	if (is_missing && !offer->lacks_snapshot) {
		r = fetch_snapshot(f, &is_missing);
		if (is_missing)
			offer->lacks_snapshot = true;
	}
	return is_missing ? fetch_by_query(f) : r;
}

int fetch_table(struct http *http, const struct fetch_target *target,
		int dir_fd, const struct halt *halt, int *ret_fd,
		struct fetched *ret, struct cvx_err *err)
{
	struct cvx_err own = CVX_ERR_INIT;
	struct fetch f = begin(http, target, dir_fd, halt, &own);
	int r = open_files(&f);

	if (r == 0)
		r = fetch_first(&f);
	if (r == 0)
		r = fetch_flush(&f);
	if (r == 0 && !f.ascends)
		r = fetch_sort(&f);
	if (r == 0) {
		*ret_fd = CVX_TAKE_FD(f.fd);
		*ret = (struct fetched){
			.document_count = f.place_count,
			.size = f.size,
			.is_consistent = f.is_consistent || f.way == FETCH_SYNC,
			.committed_ns = f.committed_ns,
			.way = f.way,
			.cursor = CVX_TAKE(f.cursor),
		};
	} else if (err) {
		*err = own;
	}
	end(&f);
	return r;
}

void fetched_changes_fini(struct fetched_changes *c)
{
	cvx_closep(&c->fd);
	free(c->lines);
	free(c->cursor);
}

static int fetch_since(struct fetch *f, enum fetch_way way, const char *cursor)
{
	bool is_missing;
	int r = -ESTALE;

	f->cursor = strdup(cursor);
	if (!f->cursor)
		return cvx_fail_memory(f->err);
	switch (way) {
	case FETCH_NO_WAY:
		break;
	case FETCH_SYNC:
		r = fetch_sync(f, &is_missing);
		break;
	case FETCH_DELTAS:
		r = fetch_deltas(f);
		break;
	}
	if (r == 0)
		r = fetch_flush(f);
	return r < 0 ? r : fetch_order(f);
}

int fetch_changes(struct http *http, const struct fetch_target *target,
		  enum fetch_way way, const char *cursor, int dir_fd,
		  const struct halt *halt, struct fetched_changes *ret,
		  struct cvx_err *err)
{
	struct cvx_err own = CVX_ERR_INIT;
	struct fetch f = begin(http, target, dir_fd, halt, &own);
	int r = open_files(&f);

	if (r == 0)
		r = fetch_since(&f, way, cursor);
	if (r == 0)
		*ret = (struct fetched_changes){
			.is_all_new = f.was_cleared,
			.lines = CVX_TAKE(f.places),
			.count = f.place_count,
			.fd = CVX_TAKE_FD(f.fd),
			.committed_ns = f.committed_ns,
			.cursor = CVX_TAKE(f.cursor),
		};
	else if (err)
		*err = own;
	end(&f);
	return r;
}
