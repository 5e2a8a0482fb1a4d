/* list_snapshot (protocol.md 10.1). */
#include "importer/remote/fetch_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/remote/http.h"

#define SNAPSHOT_PATH "/api/list_snapshot"

int fetch_print_selection(const struct fetch *f, struct cvx_buf *out)
{
	int r = cvx_buf_puts(out, "format=export_json&tableName=");

	if (r == 0)
		r = http_escape(out, f->target->table);
	if (r == 0 && f->target->component[0]) {
		r = cvx_buf_puts(out, "&component=");
		if (r == 0)
			r = http_escape(out, f->target->component);
	}
	return r;
}

bool fetch_is_missing(const struct http_answer *answer)
{
	return answer->outcome == HTTP_NOT_FOUND || answer->status == 405 ||
	       strcmp(answer->code, "StreamingExportNotEnabled") == 0;
}

static int print_snapshot_path(const struct fetch *f, const char *snapshot,
			       const char *cursor, struct cvx_buf *path)
{
	int r = cvx_buf_puts(path, SNAPSHOT_PATH "?");

	if (r == 0)
		r = fetch_print_selection(f, path);
	if (r == 0 && snapshot)
		r = cvx_buf_printf(path, "&snapshot=%s", snapshot);
	if (r == 0 && cursor) {
		r = cvx_buf_puts(path, "&cursor=");
		if (r == 0)
			r = http_escape(path, cursor);
	}
	if (r == 0)
		r = cvx_buf_append(path, "", 1);
	return r < 0 ? cvx_fail(f->err, r, "a cursor is too long") : 0;
}

/* The timestamp as it stands there: it has more digits than a double. */
static int take_snapshot(struct fetch *f, const struct range *value,
			 char **snapshot)
{
	if (*snapshot)
		return 0;
	if (value->size == 0 || value->size > 20 ||
	    strspn(value->text, "0123456789") < value->size)
		return cvx_fail(f->err, -EPROTO, "no snapshot");
	*snapshot = strndup(value->text, value->size);
	return *snapshot ? 0 : cvx_fail_memory(f->err);
}

static int read_snapshot_page(struct fetch *f, char **snapshot, char **cursor)
{
	enum { VALUES, SNAPSHOT, CURSOR, MORE, COUNT };
	static const char *const names[COUNT] = {"values", "snapshot", "cursor",
						 "hasMore"};
	static const struct fetch_form form = {
		.names = names,
		.count = COUNT,
		.list = VALUES,
		.before = VALUES,
		.read = fetch_add_list,
	};
	struct range page, found[COUNT];
	int r = fetch_map_page(f, &page);

	if (r < 0)
		return r;
	r = fetch_read_form(f, &page, &form, found);
	if (r == 0 && found[MORE].size == 0)
		r = cvx_fail(f->err, -EPROTO, "no hasMore");
	if (r == 0)
		r = take_snapshot(f, &found[SNAPSHOT], snapshot);
	if (r == 0)
		r = fetch_take_cursor(f, !range_is(&found[MORE], "true"),
				      &found[CURSOR], cursor);
	(void)munmap((void *)page.text, page.size);
	return r;
}

/* *ret_is_missing: the deployment does not offer it. */
int fetch_snapshot(struct fetch *f, bool *ret_is_missing)
{
	CVX_AUTO(cvx_freep) char *snapshot = NULL;
	CVX_AUTO(cvx_freep) char *cursor = NULL;
	int r;

	*ret_is_missing = false;
	f->is_consistent = f->has_meta = true;
	do {
		CVX_AUTO(cvx_buf_fini)
		struct cvx_buf path = CVX_BUF_INIT(1 << 20);
		struct http_call call = {.method = "GET"};
		struct http_answer answer;

		r = print_snapshot_path(f, snapshot, cursor, &path);
		if (r < 0)
			return r;
		call.path = path.data;
		r = fetch_load_page(f, &call, &answer);
		*ret_is_missing =
			r < 0 && !snapshot && fetch_is_missing(&answer);
		http_answer_fini(&answer);
		if (r == 0 && read_snapshot_page(f, &snapshot, &cursor) < 0)
			r = fetch_blame_page(f, call.method, SNAPSHOT_PATH);
	} while (r == 0 && cursor);
	if (r == 0) {
		f->way = FETCH_DELTAS;
		f->cursor = CVX_TAKE(snapshot);
	}
	return r;
}
