#include "importer/server/data_sync.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/deployment.h"
#include "importer/deployment_key.h"
#include "importer/embedded/lines.h"
#include "importer/embedded/listing.h"
#include "importer/embedded/table_place.h"
#include "importer/server/compose.h"
#include "importer/server/data_sync_cursor.h"
#include "importer/server/reply.h"
#include "importer/server/scope.h"

/* One page on its way. */
struct page {
	struct deployment *d;
	const struct data_sync_request *request;
	struct listing listing;
	struct sync_cursor old, now;
	struct cvx_buf truncates, values;
	size_t row_count;
	bool is_behind; /* not all that the listing shows was told */
};

static void page_finip(struct page *p)
{
	listing_fini(&p->listing);
	sync_cursor_fini(&p->old);
	sync_cursor_fini(&p->now);
	cvx_buf_fini(&p->truncates);
	cvx_buf_fini(&p->values);
}

static bool is_full(const struct page *p)
{
	return p->row_count >= DATA_SYNC_ROWS_MAX ||
	       p->values.size >= DATA_SYNC_PAGE_SIZE;
}

/* --- printing ------------------------------------------------------------ */

/* {"component":…,"table":… */
static int print_table(const struct known_table *t, struct cvx_buf *out)
{
	/* Both names are identifiers. */
	return cvx_buf_printf(out, "{\"component\":\"%s\",\"table\":\"%s\"",
			      t->component, t->name);
}

static int print_truncate(struct page *p, const struct known_table *t)
{
	int r = p->truncates.size > 0 ? cvx_buf_puts(&p->truncates, ",") : 0;

	if (r == 0)
		r = print_table(t, &p->truncates);
	return r < 0 ? r : cvx_buf_puts(&p->truncates, "}");
}

/* What all rows of a table have in common, up to their values. */
struct row_head {
	struct cvx_buf text;
	const cJSON *fields; /* that are wanted; NULL: all */
};

static void row_head_finip(struct row_head *h)
{
	cvx_buf_fini(&h->text);
}

static int print_head(const struct page *p, const struct known_table *t,
		      int64_t committed_ns, struct row_head *h)
{
	int r = print_table(t, &h->text);

	h->fields =
		selection_fields(&p->request->selection, t->component, t->name);
	return r < 0 ? r
		     : cvx_buf_printf(&h->text,
				      ",\"ts\":%" PRId64
				      ",\"deleted\":false,\"value\":",
				      committed_ns);
}

/* A stored line is a value of export_json as it stands. */
static int print_row(struct page *p, const struct row_head *h, const char *line,
		     size_t size)
{
	struct cvx_buf *out = &p->values;
	int r = cvx_buf_reserve(out, 1 + h->text.size + size + 1);

	if (r == 0 && out->size > 0)
		r = cvx_buf_append(out, ",", 1);
	if (r == 0)
		r = cvx_buf_append(out, h->text.data, h->text.size);
	if (r == 0)
		r = selection_print(h->fields, line, size, out);
	return r < 0 ? r : cvx_buf_append(out, "}", 1);
}

/* --- tables -------------------------------------------------------------- */

/* Tells the rows from the table's place on, as far as the page has room. */
static int print_rows(struct page *p, struct known_table *t,
		      struct table_reader *tr, struct cvx_err *err)
{
	const struct table_info *info = table_reader_info(tr);
	const struct lines_place place = {.table = tr, .size = info->size};
	CVX_AUTO(row_head_finip)
	struct row_head head = {.text = CVX_BUF_INIT(REPLY_MAX)};
	const char *line;
	struct lines lines;
	uint64_t off;
	size_t size;
	int r;

	lines_init(&lines, &place);
	r = compose_fail_append(print_head(p, t, info->committed_ns, &head),
				err);
	if (r == 0)
		r = lines_seek(&lines, t->place.off, err);
	while (r == 0 && !is_full(p) &&
	       (r = lines_next(&lines, &line, &size, &off, err)) == 1) {
		p->row_count++;
		r = compose_fail_append(print_row(p, &head, line, size), err);
	}
	if (r == 0) {
		t->place = table_reader_place(tr, lines.off);
		t->revision = lines.off == info->size ? info->revision : 0;
		t->committed_ns = t->revision ? info->committed_ns : 0;
	}
	lines_fini(&lines);
	return r;
}

/* A table whose revision is another one than the client knows. */
static int print_changed(struct page *p, const struct listed_table *listed,
			 struct known_table *t, struct cvx_err *err)
{
	struct table_reader *tr = NULL;
	int r = deployment_open_table(p->d, t->component, t->name, &tr, err);

	if (r == -ENOENT) {
		/* Removed since it was listed, which the next page tells. */
		p->is_behind = true;
		return 0;
	}
	if (r == 0 && !table_reader_has(tr, &t->place)) {
		r = compose_fail_append(print_truncate(p, t), err);
		t->place = (struct table_place){0, 0};
	}
	if (r == 0)
		r = print_rows(p, t, tr, err);
	table_reader_close(tr);
	/* What was committed since the listing is of another moment than the
	 * tables before it. */
	if (t->revision != listed->revision)
		p->is_behind = true;
	return r;
}

/* A folder that was put back to an older state gives the same revision to
 * other rows, at another time. */
static bool is_of_this_past(const struct known_table *known,
			    const struct listed_table *listed)
{
	if (known->revision == listed->revision)
		return known->committed_ns == listed->committed_ns;
	return known->revision < listed->revision;
}

static int print_listed(struct page *p, const struct listed_table *listed,
			const struct known_table *known, struct cvx_err *err)
{
	struct known_table t = {.component = listed->component,
				.name = listed->name};
	int r = 0;

	if (known && is_of_this_past(known, listed))
		t = *known;
	else if (known && known->place.off > 0)
		r = compose_fail_append(print_truncate(p, &t), err);
	if (r < 0)
		return r;
	if (t.revision != listed->revision) {
		if (is_full(p))
			p->is_behind = true;
		else
			r = print_changed(p, listed, &t, err);
	}
	return r < 0 ? r
		     : compose_fail_append(sync_cursor_add(&p->now, &t), err);
}

static int compare(const struct known_table *known,
		   const struct listed_table *listed)
{
	int order = strcmp(known->component, listed->component);

	return order ? order : strcmp(known->name, listed->name);
}

/* What is known and what there is have the same order. */
static int print_tables(struct page *p, struct cvx_err *err)
{
	const struct known_table *known = p->old.tables;
	const struct known_table *known_end = known + p->old.count;
	const struct listed_table *listed = p->listing.tables;
	const struct listed_table *listed_end = listed + p->listing.count;
	int order, r = 0;

	while (r == 0 && (known < known_end || listed < listed_end)) {
		if (known == known_end)
			order = 1;
		else if (listed == listed_end)
			order = -1;
		else
			order = compare(known, listed);
		if (order < 0) {
			/* It is gone; who knows none of its rows need not be
			 * told. */
			if (known->place.off > 0)
				r = compose_fail_append(
					print_truncate(p, known), err);
			known++;
			continue;
		}
		if (selection_has_table(&p->request->selection,
					listed->component, listed->name))
			r = print_listed(p, listed, order ? NULL : known, err);
		known += order == 0;
		listed++;
	}
	return r;
}

/* --- pages --------------------------------------------------------------- */

/* By its key, not by its name: a folder that was emptied and filled anew gives
 * its revisions and segments the numbers that it gave before. */
static int find_deployment(struct deployment *d, uint64_t *ret,
			   struct cvx_err *err)
{
	char *key;
	int r = deployment_admin_key(d, &key, err);

	if (r < 0)
		return r;
	*ret = scope_add_text(SCOPE_INIT, key);
	explicit_bzero(key, strlen(key));
	free(key);
	return 0;
}

static int find_scope(struct page *p, uint64_t *ret, struct cvx_err *err)
{
	const struct selection *s = &p->request->selection;
	char *tree;
	uint64_t h;
	int r = find_deployment(p->d, &h, err);

	if (r < 0)
		return r;
	tree = s->tree ? cJSON_PrintUnformatted(s->tree) : NULL;
	if (s->tree && !tree)
		return cvx_fail_memory(err);
	h = scope_add_text(h, s->component);
	h = scope_add_text(h, s->table);
	*ret = scope_add_text(h, tree);
	cJSON_free(tree);
	return 0;
}

static int read_cursor(struct page *p, struct cvx_err *err)
{
	int r = find_scope(p, &p->now.scope, err);

	if (r < 0)
		return r;
	p->now.made_ns = p->request->now_ns;
	(void)getrandom(&p->now.sync_id, sizeof(p->now.sync_id), 0); /* or 0 */
	if (!p->request->cursor)
		return 0;
	r = sync_cursor_read(&p->old, p->request->cursor);
	if (r == -ENOMEM)
		return cvx_fail_memory(err);
	if (r < 0)
		return cvx_fail_named(err, -EINVAL, "InvalidDataSyncCursor",
				      "the cursor is not one of a data sync; "
				      "begin without one");
	if (p->old.scope != p->now.scope)
		return cvx_fail_named(err, -EINVAL, "InvalidDataSyncCursor",
				      "the cursor is one of another deployment "
				      "or selection; begin without one");
	if (p->request->now_ns - p->old.made_ns > DATA_SYNC_CURSOR_NS)
		return cvx_fail_named(err, -EINVAL, "DataSyncCursorExpired",
				      "the cursor is older than three days; "
				      "begin without one");
	p->now.sync_id = p->old.sync_id;
	return 0;
}

/* Not before any commit that the page shows, even if the clock went back. */
static int64_t snapshot_ns(const struct page *p)
{
	int64_t ns = p->request->now_ns;
	size_t i;

	for (i = 0; i < p->listing.count; i++)
		if (p->listing.tables[i].committed_ns > ns)
			ns = p->listing.tables[i].committed_ns;
	return ns;
}

static int print_status(const struct page *p, struct cvx_buf *out)
{
	if (p->is_behind)
		return cvx_buf_puts(out,
				    "{\"status\":{\"type\":\"snapshotting\"}");
	return cvx_buf_printf(
		out,
		"{\"status\":{\"type\":\"upToDate\",\"snapshotTs\":%" PRId64
		"}",
		snapshot_ns(p));
}

static int print_page(const struct page *p, struct cvx_buf *out)
{
	int r = print_status(p, out);

	if (r == 0)
		r = cvx_buf_puts(out, ",\"truncates\":[");
	if (r == 0)
		r = cvx_buf_append(out, p->truncates.data, p->truncates.size);
	if (r == 0)
		r = cvx_buf_puts(out, "],\"values\":[");
	if (r == 0)
		r = cvx_buf_append(out, p->values.data, p->values.size);
	if (r == 0)
		r = cvx_buf_printf(out,
				   "],\"syncId\":\"%016" PRIx64
				   "\",\"pagination\":{\"hasMore\":true,"
				   "\"nextCursor\":\"",
				   p->now.sync_id);
	if (r == 0)
		r = sync_cursor_print(&p->now, out);
	return r < 0 ? r : cvx_buf_puts(out, "\"}}");
}

int data_sync_print(struct deployment *d,
		    const struct data_sync_request *request,
		    struct cvx_buf *out, struct cvx_err *err)
{
	CVX_AUTO(page_finip)
	struct page p = {
		.d = d,
		.request = request,
		.listing = LISTING_INIT,
		.old = SYNC_CURSOR_INIT,
		.now = SYNC_CURSOR_INIT,
		.truncates = CVX_BUF_INIT(REPLY_MAX),
		.values = CVX_BUF_INIT(REPLY_MAX),
	};
	int r = read_cursor(&p, err);

	if (r == 0)
		r = listing_read(&p.listing, d, err);
	if (r == 0)
		r = print_tables(&p, err);
	return r < 0 ? r : compose_fail_append(print_page(&p, out), err);
}
