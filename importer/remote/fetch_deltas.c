/* document_deltas (protocol.md 10.1). */
#include "importer/remote/fetch_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/remote/http.h"

#define DELTAS_PATH "/api/document_deltas"

/* The timestamp as it stands there: it has more digits than a double. */
static int take_timestamp(struct fetch *f, const struct range *value)
{
	if (value->size == 0 || value->size > 20 ||
	    strspn(value->text, "0123456789") < value->size)
		return cvx_fail(f->err, -EPROTO, "no cursor");
	free(f->cursor);
	f->cursor = strndup(value->text, value->size);
	return f->cursor ? 0 : cvx_fail_memory(f->err);
}

static int read_page(struct fetch *f, bool *ret_has_more)
{
	enum { VALUES, CURSOR, MORE, COUNT };
	static const char *const names[COUNT] = {"values", "cursor", "hasMore"};
	static const struct fetch_form form = {
		.names = names,
		.count = COUNT,
		.list = VALUES,
		.before = VALUES,
		.read = fetch_add_list,
	};
	CVX_AUTO(cvx_freep) char *before = strdup(f->cursor);
	struct range page, found[COUNT];
	int r = fetch_map_page(f, &page);

	if (r < 0)
		return r;
	r = before ? fetch_read_form(f, &page, &form, found)
		   : cvx_fail_memory(f->err);
	if (r == 0 && found[MORE].size == 0)
		r = cvx_fail(f->err, -EPROTO, "no hasMore");
	if (r == 0)
		r = take_timestamp(f, &found[CURSOR]);
	*ret_has_more = r == 0 && range_is(&found[MORE], "true");
	if (*ret_has_more && strcmp(before, f->cursor) == 0)
		r = cvx_fail(f->err, -EPROTO,
			     "there is more, but no way to it");
	(void)munmap((void *)page.text, page.size);
	return r;
}

int fetch_deltas(struct fetch *f)
{
	bool has_more = false;
	int r;

	f->has_meta = true;
	f->is_consistent = false; /* a document may change several times */
	do {
		CVX_AUTO(cvx_buf_fini) struct cvx_buf path = CVX_BUF_INIT(8192);
		struct http_call call = {.method = "GET"};
		struct http_answer answer;

		r = cvx_buf_printf(&path, DELTAS_PATH "?cursor=%s&", f->cursor);
		if (r == 0)
			r = fetch_print_selection(f, &path);
		if (r == 0)
			r = cvx_buf_append(&path, "", 1);
		if (r < 0)
			return cvx_fail(f->err, r, "a cursor is too long");
		call.path = path.data;
		r = fetch_load_page(f, &call, &answer);
		/* The window is over, or deltas are not offered any more. */
		if (r < 0 &&
		    (answer.status == 400 || fetch_is_missing(&answer)))
			r = -ESTALE;
		http_answer_fini(&answer);
		if (r == 0 && read_page(f, &has_more) < 0)
			r = fetch_blame_page(f, call.method, DELTAS_PATH);
	} while (r == 0 && has_more);
	return r;
}
