#include "importer/server/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/rows_by_id.h"
#include "importer/embedded/snapshot.h"
#include "importer/server/compose.h"
#include "importer/server/reply.h"

#define READ_SIZE ((size_t)256 << 10)
#define LINE_MAX_SIZE ((size_t)16 << 20)
#define PAGE_BYTES ((size_t)8 << 20)
#define DELTAS_BYTES ((size_t)48 << 20)
#define IDLE_NS (INT64_C(600) * 1000000000)

/* One snapshot, and where in it the last page ended. */
struct stream {
	struct stream *next;
	int64_t ns; /* what the client calls it by */
	int64_t used_ns;
	struct snapshot *snapshot;
	size_t table;		 /* the one that is read, of the list */
	uint64_t row;		 /* the next of it */
	struct rows_by_id *rows; /* NULL: it is not open */
	struct cvx_buf text;	 /* read, and not looked at from start on */
	size_t start;
	bool at_end; /* of the table */
};

struct streams {
	struct deployment *d;
	pthread_mutex_t lock; /* guards what follows */
	struct stream *first; /* the one used last */
};

int streams_new(struct deployment *d, struct streams **ret, struct cvx_err *err)
{
	struct streams *s = calloc(1, sizeof(*s));

	if (!s)
		return cvx_fail_memory(err);
	s->d = d;
	(void)pthread_mutex_init(&s->lock, NULL);
	*ret = s;
	return 0;
}

static void close_table(struct stream *st)
{
	rows_by_id_free(st->rows);
	st->rows = NULL;
	cvx_buf_clear(&st->text);
	st->start = 0;
	st->row = 0;
	st->at_end = false;
}

static void stream_free(struct stream *st)
{
	close_table(st);
	cvx_buf_fini(&st->text);
	snapshot_free(st->snapshot);
	free(st);
}

void streams_free(struct streams *s)
{
	struct stream *st;

	if (!s)
		return;
	while ((st = s->first)) {
		s->first = st->next;
		stream_free(st);
	}
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

/* Under the lock: the list is in the order of use, so the end of it goes. */
static void cut(struct streams *s, size_t keep, int64_t before_ns)
{
	struct stream **link = &s->first, *st;
	size_t n;

	for (n = 0; *link && n < keep && (*link)->used_ns >= before_ns; n++)
		link = &(*link)->next;
	while ((st = *link)) {
		*link = st->next;
		stream_free(st);
	}
}

void streams_close_idle(struct streams *s)
{
	/* Who asks must not wait for a page. */
	if (pthread_mutex_trylock(&s->lock) != 0)
		return;
	cut(s, STREAM_KEPT_MAX, embedded_now_ns() - IDLE_NS);
	(void)pthread_mutex_unlock(&s->lock);
}

/* --- snapshots ----------------------------------------------------------- */

static int take_snapshot(struct streams *s, int64_t ns, struct stream **ret,
			 struct cvx_err *err)
{
	struct stream *st = calloc(1, sizeof(*st));
	int r;

	if (!st)
		return cvx_fail_memory(err);
	cvx_buf_init(&st->text, LINE_MAX_SIZE);
	r = snapshot_new(s->d, "", false, &st->snapshot, err);
	if (r == 0 && ns != 0 && snapshot_committed_ns(st->snapshot) > ns)
		r = cvx_fail_named(err, -EINVAL, "SnapshotTooOld",
				   "the snapshot is not kept any more, and "
				   "something was committed since");
	if (r < 0) {
		stream_free(st);
		return r;
	}
	st->ns = ns ? ns : snapshot_ns(st->snapshot);
	*ret = st;
	return 0;
}

/* Puts it first. */
static int find_stream(struct streams *s, int64_t ns, struct stream **ret,
		       struct cvx_err *err)
{
	struct stream **link = &s->first, *st;
	int r;

	if (ns > embedded_now_ns())
		return cvx_fail_named(err, -EINVAL, "SnapshotTooNew",
				      "the snapshot lies in the future");
	while (*link && (ns == 0 || (*link)->ns != ns))
		link = &(*link)->next;
	st = *link;
	if (st) {
		*link = st->next;
	} else {
		cut(s, STREAM_KEPT_MAX - 1, 0);
		r = take_snapshot(s, ns, &st, err);
		if (r < 0)
			return r;
	}
	st->used_ns = embedded_now_ns();
	st->next = s->first;
	s->first = st;
	*ret = st;
	return 0;
}

/* --- rows ---------------------------------------------------------------- */

static int open_table(struct stream *st, struct cvx_err *err)
{
	size_t count;
	const struct snapshot_table *tables =
		snapshot_tables(st->snapshot, &count);

	if (st->rows)
		return 0;
	return snapshot_open_table(st->snapshot, &tables[st->table], &st->rows,
				   err);
}

/* Reads on behind what was not looked at. */
static int fill(struct stream *st, struct cvx_err *err)
{
	size_t left = st->text.size - st->start, n;
	int r;

	if (left > 0 && st->start > 0)
		memmove(st->text.data, st->text.data + st->start, left);
	st->text.size = left;
	st->start = 0;
	r = cvx_buf_reserve(&st->text, READ_SIZE);
	if (r < 0)
		return compose_fail_append(r, err);
	r = rows_by_id_read(st->rows, st->text.data + left, READ_SIZE, &n, err);
	if (r < 0)
		return r;
	st->text.size += n;
	st->at_end = n < READ_SIZE;
	return 0;
}

/* 1: a line, which lives until the next call; 0: the table ends. */
static int next_line(struct stream *st, const char **ret, size_t *ret_size,
		     struct cvx_err *err)
{
	const char *text = NULL, *lf = NULL;
	int r = open_table(st, err);

	while (r == 0) {
		text = st->text.data + st->start;
		if (st->text.size > st->start)
			lf = memchr(text, '\n', st->text.size - st->start);
		if (lf)
			break;
		if (st->at_end)
			return 0;
		r = fill(st, err);
	}
	if (r < 0)
		return r;
	*ret = text;
	*ret_size = (size_t)(lf - text);
	st->start += *ret_size + 1;
	st->row++;
	return 1;
}

/* "TABLE.ROW" */
static int go_to(struct stream *st, const char *cursor, struct cvx_err *err)
{
	size_t table = 0, count, size;
	uint64_t row = 0;
	const char *line;
	int used = 0, r = 1;

	(void)snapshot_tables(st->snapshot, &count);
	if (cursor &&
	    (sscanf(cursor, "%zu.%" SCNu64 "%n", &table, &row, &used) != 2 ||
	     cursor[used] || table > count))
		return cvx_fail_named(err, -EINVAL, "InvalidListSnapshotCursor",
				      "the cursor is not one of a snapshot");
	if (st->table == table && st->row == row)
		return 0;
	close_table(st);
	st->table = table;
	while (table < count && r == 1 && st->row < row)
		r = next_line(st, &line, &size, err);
	return r < 0 ? r : 0;
}

/* --- printing ------------------------------------------------------------ */

static const char *component_of(const struct stream *st,
				const struct snapshot_table *table)
{
	size_t count;

	return snapshot_components(st->snapshot, &count)[table->component].path;
}

static bool is_wanted(const struct stream *st,
		      const struct snapshot_table *table,
		      const struct stream_request *request)
{
	return selection_has_table(&request->selection, component_of(st, table),
				   table->info.name);
}

/* The value of a document, with its fields that are wanted. A stored line is
 * one of export_json as it stands. */
static int print_value(const cJSON *fields, enum encoding encoding,
		       const char *line, size_t size, struct cvx_buf *out)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf wanted = CVX_BUF_INIT(LINE_MAX_SIZE);
	int r;

	if (!fields)
		return encoding_print(encoding, line, size, out);
	r = selection_print(fields, line, size, &wanted);
	return r < 0 ? r
		     : encoding_print(encoding, wanted.data, wanted.size, out);
}

/* D of STR-1: what is told of the document, then its fields. */
static int print_document(const struct stream *st,
			  const struct snapshot_table *table,
			  const struct stream_request *request, bool is_delta,
			  const char *line, size_t size, struct cvx_buf *out)
{
	const char *component = component_of(st, table);
	const char *name = table->info.name;
	size_t brace;
	/* Both names are identifiers. */
	int r = cvx_buf_printf(out,
			       "{\"_component\":\"%s\",\"_table\":\"%s\""
			       ",\"_ts\":%" PRId64 "%s",
			       component, name, table->info.committed_ns,
			       is_delta ? ",\"_deleted\":false" : "");

	brace = out->size;
	if (r == 0)
		r = print_value(
			selection_fields(&request->selection, component, name),
			request->encoding, line, size, out);
	if (r == 0 && out->data[brace] == '{')
		out->data[brace] = ','; /* it has at least its _id */
	return r;
}

/* The next table of those that are wanted, or the end. */
static void skip_unwanted(struct stream *st,
			  const struct snapshot_table *tables, size_t count,
			  const struct stream_request *request)
{
	while (st->table < count &&
	       !is_wanted(st, &tables[st->table], request)) {
		close_table(st);
		st->table++;
	}
}

static int print_rows(struct stream *st, const struct stream_request *request,
		      struct cvx_buf *out, bool *ret_has_more,
		      struct cvx_err *err)
{
	size_t count, size, start = out->size, n = 0;
	const struct snapshot_table *tables =
		snapshot_tables(st->snapshot, &count);
	const char *line;
	int r = 0;

	for (;;) {
		skip_unwanted(st, tables, count, request);
		if (st->table == count || n == STREAM_ROWS_MAX ||
		    out->size - start >= PAGE_BYTES)
			break;
		r = next_line(st, &line, &size, err);
		if (r < 0)
			return r;
		if (r == 0) {
			close_table(st);
			st->table++;
			continue;
		}
		r = n++ > 0 ? cvx_buf_puts(out, ",") : 0;
		if (r == 0)
			r = print_document(st, &tables[st->table], request,
					   false, line, size, out);
		if (r < 0)
			return compose_fail_append(r, err);
	}
	*ret_has_more = st->table < count;
	return 0;
}

static int print_page(struct stream *st, const struct stream_request *request,
		      struct cvx_buf *out, struct cvx_err *err)
{
	bool has_more = false;
	int r = compose_fail_append(cvx_buf_puts(out, "{\"values\":["), err);

	if (r == 0)
		r = print_rows(st, request, out, &has_more, err);
	if (r == 0)
		r = compose_fail_append(
			cvx_buf_printf(out,
				       "],\"snapshot\":%" PRId64
				       ",\"cursor\":\"%zu.%" PRIu64
				       "\",\"hasMore\":%s}",
				       st->ns, st->table, st->row,
				       has_more ? "true" : "false"),
			err);
	return r;
}

int streams_print(struct streams *s, const struct stream_request *request,
		  struct cvx_buf *out, struct cvx_err *err)
{
	struct stream *st = NULL;
	int r;

	(void)pthread_mutex_lock(&s->lock);
	r = find_stream(s, request->snapshot_ns, &st, err);
	if (r == 0)
		r = go_to(st, request->cursor, err);
	if (r == 0)
		r = print_page(st, request, out, err);
	(void)pthread_mutex_unlock(&s->lock);
	return r;
}

/* --- deltas -------------------------------------------------------------- */

/* The first commit after the cursor; 0: there is none. */
static int64_t next_commit(const struct stream *st,
			   const struct stream_request *request, int64_t after)
{
	size_t count, i;
	const struct snapshot_table *tables =
		snapshot_tables(st->snapshot, &count);
	int64_t first = 0;

	for (i = 0; i < count; i++) {
		int64_t ns = tables[i].info.committed_ns;

		if (ns > after && (first == 0 || ns < first) &&
		    is_wanted(st, &tables[i], request))
			first = ns;
	}
	return first;
}

static int print_commit(struct stream *st, const struct stream_request *request,
			int64_t ns, struct cvx_buf *out, struct cvx_err *err)
{
	size_t count, size, i, start = out->size;
	const struct snapshot_table *tables =
		snapshot_tables(st->snapshot, &count);
	const char *line;
	int r = 0;

	for (i = 0; i < count; i++) {
		if (tables[i].info.committed_ns != ns ||
		    !is_wanted(st, &tables[i], request))
			continue;
		close_table(st);
		st->table = i;
		while ((r = next_line(st, &line, &size, err)) == 1) {
			if (out->size - start > DELTAS_BYTES)
				return cvx_fail_named(
					err, -EINVAL,
					"InvalidWindowToReadDocuments",
					"too much was committed at once; begin "
					"with a new list_snapshot");
			r = out->size > start ? cvx_buf_puts(out, ",") : 0;
			if (r == 0)
				r = print_document(st, &tables[i], request,
						   true, line, size, out);
			if (r < 0)
				return compose_fail_append(r, err);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

int streams_print_deltas(struct streams *s,
			 const struct stream_request *request,
			 int64_t cursor_ns, struct cvx_buf *out,
			 struct cvx_err *err)
{
	struct stream *st = NULL;
	int64_t ns;
	int r = take_snapshot(s, 0, &st, err);

	if (r < 0)
		return r;
	ns = next_commit(st, request, cursor_ns);
	r = compose_fail_append(cvx_buf_puts(out, "{\"values\":["), err);
	if (r == 0 && ns != 0)
		r = print_commit(st, request, ns, out, err);
	if (r == 0)
		r = compose_fail_append(
			cvx_buf_printf(
				out, "],\"cursor\":%" PRId64 ",\"hasMore\":%s}",
				ns ? ns : cursor_ns,
				ns && next_commit(st, request, ns) ? "true"
								   : "false"),
			err);
	stream_free(st);
	return r;
}
