#include "importer/remote/fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "importer/remote/http.h"
#include "importer/remote/members.h"
#include "importer/remote/query.h"
#include "importer/value/document.h"

#define PAGE_ITEMS 1000
#define PAGE_SIZE_MAX ((uint64_t)2 << 30)
#define ROW_SIZE_MAX ((size_t)32 << 20)
#define LINES_MAX ((size_t)4 << 20) /* are written together */
#define SNAPSHOT_PLACE "GET /api/list_snapshot"
#define ROOT_QUERY "_system/cli/tableData"
#define COMPONENT_QUERY "_system/frontend/paginatedTableDocuments"

/* Where a line stands. */
struct place {
	struct internal_id id;
	uint64_t off;
	uint32_t size;
};

/* A fetch under way. */
struct fetch {
	struct http *http;
	const struct fetch_target *target;
	const struct halt *halt;
	struct cvx_err *err;
	int dir_fd;
	int page_fd; /* the page that is read */
	uint64_t page_size;
	int fd; /* the lines in the order in which they came */
	struct cvx_buf row;
	struct cvx_buf lines; /* that are not written yet */
	struct document_reader *reader;
	struct place *places;
	size_t place_count;
	uint64_t size;
	bool ascends;
	bool is_consistent;
	bool is_encoded; /* rows come in convex_encoded_json */
	char *ts;	 /* at which queries are run; NULL: now */
};

/* --- lines -----------------------------------------------------------------
 */

static int flush(struct fetch *f)
{
	uint64_t off = f->size - f->lines.size;
	int r = file_pwrite(f->fd, f->lines.data, f->lines.size, off);

	if (r < 0)
		return cvx_fail(f->err, r, "cannot write to the cache: %s",
				strerror(-r));
	cvx_buf_clear(&f->lines);
	return 0;
}

static int add_place(struct fetch *f, const struct internal_id *id, size_t size)
{
	struct place *more;
	size_t n = f->place_count;

	if ((n & (n - 1)) == 0 && n != 1) {
		more = reallocarray(f->places, n ? n * 2 : 2, sizeof(*more));
		if (!more)
			return cvx_fail_memory(f->err);
		f->places = more;
	}
	if (n > 0 && id_compare(&f->places[n - 1].id, id) >= 0)
		f->ascends = false;
	f->places[n] = (struct place){*id, f->size, (uint32_t)size};
	f->place_count++;
	f->size += size;
	return 0;
}

/* The table number is that of the first document. */
static int make_reader(struct fetch *f)
{
	struct document_stamp stamp = {.table_number = 0};

	if (!document_peek_table_number(f->row.data, f->row.size,
					&stamp.table_number))
		return cvx_fail(f->err, -EPROTO,
				"a document of %s without a valid _id",
				f->target->table);
	return document_reader_new(DOCUMENT_UNIFORM, &stamp, &f->reader,
				   f->err);
}

/* The row that was gathered becomes a line. */
static int add_row(struct fetch *f)
{
	size_t before = f->lines.size;
	struct document document;
	int r = 0;

	if (!f->reader)
		r = make_reader(f);
	if (r == 0)
		r = document_read(f->reader, f->row.data, f->row.size,
				  f->place_count, &f->lines, &document, f->err);
	if (r == 0 && !document.id_given)
		r = cvx_fail(f->err, -EPROTO, "a document without an _id");
	if (r < 0)
		return cvx_err_prefix(f->err, "document %zu of %s that came",
				      f->place_count + 1, f->target->table);
	r = add_place(f, &document.id, f->lines.size - before);
	if (r == 0 && f->lines.size >= LINES_MAX)
		r = flush(f);
	return r;
}

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = id_compare(&x->id, &y->id);

	if (order != 0)
		return order;
	return x->off < y->off ? -1 : x->off > y->off;
}

/* Pages of different moments may bring a document twice: the later counts. */
static int drop_doubles(struct fetch *f)
{
	size_t i, n = 0;

	f->size = 0;
	for (i = 0; i < f->place_count; i++) {
		if (i > 0 &&
		    id_compare(&f->places[i].id, &f->places[n - 1].id) == 0) {
			if (f->is_consistent)
				return cvx_fail(f->err, -EPROTO,
						"%s: a document came twice",
						f->target->table);
			f->size -= f->places[--n].size;
		}
		f->size += f->places[i].size;
		f->places[n++] = f->places[i];
	}
	f->place_count = n;
	return 0;
}

/* Lines in another order: writes them anew, sorted. */
static int sort_lines(struct fetch *f)
{
	CVX_AUTO(cvx_closep) int sorted = -1;
	uint64_t size = f->size;
	const char *lines;
	size_t i;
	int r;

	qsort(f->places, f->place_count, sizeof(*f->places), compare_places);
	lines = mmap(NULL, size, PROT_READ, MAP_PRIVATE, f->fd, 0);
	if (lines == MAP_FAILED)
		return cvx_fail(f->err, -errno, "mmap: %s", strerror(errno));
	r = drop_doubles(f);
	sorted = r == 0 ? file_open_unnamed(f->dir_fd) : -1;
	if (r == 0 && sorted < 0)
		r = cvx_fail(f->err, sorted, "cannot make a file in the cache");
	if (r == 0) {
		cvx_closep(&f->fd); /* the map still has it */
		f->fd = CVX_TAKE_FD(sorted);
	}
	f->size = 0;
	for (i = 0; r == 0 && i < f->place_count; i++) {
		r = cvx_buf_append(&f->lines, lines + f->places[i].off,
				   f->places[i].size);
		f->size += f->places[i].size;
		if (r < 0)
			r = cvx_fail_memory(f->err);
		else if (f->lines.size >= LINES_MAX)
			r = flush(f);
	}
	(void)munmap((void *)lines, size);
	return r < 0 ? r : flush(f);
}

/* --- rows of a page ---------------------------------------------------------
 */

static bool is_whole(const char *number, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		if (number[i] == '.' || number[i] == 'e' || number[i] == 'E')
			return false;
	return true;
}

/* convex_encoded_json writes a float64 as 5, which elsewhere is an int64. */
static int append_encoded(struct cvx_buf *out, const struct range *value)
{
	enum json_token token;
	struct json json;
	size_t end = 0;
	int r = 0;

	json_init(&json, value->text, value->size);
	do {
		token = json_next(&json);
		if (token == JSON_BAD || token == JSON_END)
			break;
		r = cvx_buf_append(out, value->text + end, json.end - end);
		if (r == 0 && token == JSON_NUMBER &&
		    is_whole(value->text + json.start, json.end - json.start))
			r = cvx_buf_puts(out, ".0");
		end = json.end;
	} while (r == 0);
	return r == 0 && end < value->size
		       ? cvx_buf_append(out, value->text + end,
					value->size - end)
		       : r;
}

/* A member that list_snapshot added, with its quotes. */
enum meta { META_NONE, META_TIME, META_COMPONENT, META_TABLE };

static enum meta meta_of(const struct range *key)
{
	if (range_is(key, "\"_ts\""))
		return META_TIME;
	if (range_is(key, "\"_component\""))
		return META_COMPONENT;
	return range_is(key, "\"_table\"") ? META_TABLE : META_NONE;
}

/* Whether it names what is wanted. */
static bool is_wanted(const struct fetch *f, enum meta meta,
		      const struct range *value)
{
	CVX_AUTO(cvx_freep) char *text = NULL;

	if (meta == META_TIME)
		return true;
	text = range_string(value);
	return text &&
	       strcmp(text, meta == META_TABLE ? f->target->table
					       : f->target->component) == 0;
}

static int append_member(struct fetch *f, const struct range *key,
			 const struct range *value)
{
	int r = f->row.size > 1 ? cvx_buf_puts(&f->row, ",") : 0;

	if (r == 0)
		r = cvx_buf_append(&f->row, key->text, key->size);
	if (r == 0)
		r = cvx_buf_puts(&f->row, ":");
	if (r < 0)
		return r;
	return f->is_encoded
		       ? append_encoded(&f->row, value)
		       : cvx_buf_append(&f->row, value->text, value->size);
}

/* The document without what the transport added. 1: it is another table's. */
static int gather_row(struct fetch *f, const struct range *document)
{
	struct range key, value;
	struct members m;
	enum meta meta;
	int r;

	cvx_buf_clear(&f->row);
	r = cvx_buf_puts(&f->row, "{");
	members_init(&m, document);
	while (r == 0 && m.is_object && members_next(&m, &key, &value)) {
		meta = f->is_encoded ? META_NONE : meta_of(&key);
		if (meta == META_NONE)
			r = append_member(f, &key, &value);
		else if (!is_wanted(f, meta, &value))
			return 1;
	}
	if (r == 0)
		r = cvx_buf_puts(&f->row, "}");
	if (r < 0)
		return cvx_fail(f->err, r, "a document is too large");
	if (m.is_bad || !m.is_object)
		return cvx_fail(f->err, -EPROTO, "a document is not an object");
	return 0;
}

static int add_documents(struct fetch *f, const struct range *list,
			 const char *place)
{
	struct range document;
	struct members m;
	int r = 0;

	members_init(&m, list);
	while (r == 0 && members_next(&m, NULL, &document)) {
		r = gather_row(f, &document);
		if (r == 0)
			r = add_row(f);
		else if (r > 0)
			r = 0;
	}
	if (r == 0 && (m.is_bad || m.is_object))
		r = cvx_fail(f->err, -EPROTO, "not a list of documents");
	return r < 0 ? cvx_err_prefix(f->err, "%s", place) : 0;
}

/* --- pages ------------------------------------------------------------------
 */

static int write_page(void *ctx, const void *bytes, size_t size,
		      struct cvx_err *err)
{
	struct fetch *f = ctx;
	int r;

	if (f->page_size + size > PAGE_SIZE_MAX)
		return cvx_fail(err, -EMSGSIZE, "a page is too large");
	r = file_pwrite(f->page_fd, bytes, size, f->page_size);
	if (r < 0)
		return cvx_fail(err, r, "cannot write to the cache: %s",
				strerror(-r));
	f->page_size += size;
	return 0;
}

static void begin_page(void *ctx)
{
	struct fetch *f = ctx;

	f->page_size = 0;
}

/* One request; its answer becomes the page. */
static int load_page(struct fetch *f, struct http_call *call,
		     struct http_answer *answer)
{
	int r;

	call->write = write_page;
	call->begin = begin_page;
	call->ctx = f;
	call->content_type = "application/json";
	call->halt = f->halt;
	r = http_perform_repeated(f->http, call, true, answer, f->err);
	if (r == 0 && answer->status == 560) /* an error, kept apart */
		r = write_page(f, answer->body.data, answer->body.size, f->err);
	return r;
}

/* The page in memory; munmap() it. */
static int map_page(struct fetch *f, struct range *ret)
{
	void *map;

	if (f->page_size == 0)
		return cvx_fail(f->err, -EPROTO, "an empty answer");
	map = mmap(NULL, f->page_size, PROT_READ, MAP_PRIVATE, f->page_fd, 0);
	if (map == MAP_FAILED)
		return cvx_fail(f->err, -errno, "mmap: %s", strerror(errno));
	*ret = (struct range){map, f->page_size};
	return 0;
}

/* *cursor becomes that of the next page; NULL behind the last one. Never the
 * same again, or it would not end. */
static int take_cursor(struct fetch *f, bool is_last, const struct range *value,
		       char **cursor, const char *place)
{
	CVX_AUTO(cvx_freep) char *before = *cursor;

	*cursor = NULL;
	if (is_last)
		return 0;
	*cursor = range_string(value);
	if (!*cursor || (before && strcmp(before, *cursor) == 0))
		return cvx_fail(f->err, -EPROTO,
				"%s: there is more, but no way to it", place);
	return 0;
}

/* --- list_snapshot (10.1) ---------------------------------------------------
 */

static int print_snapshot_path(const struct fetch *f, const char *snapshot,
			       const char *cursor, struct cvx_buf *path)
{
	int r = cvx_buf_puts(path, "/api/list_snapshot?format=export_json"
				   "&tableName=");

	if (r == 0)
		r = http_escape(path, f->target->table);
	if (r == 0 && f->target->component[0]) {
		r = cvx_buf_puts(path, "&component=");
		if (r == 0)
			r = http_escape(path, f->target->component);
	}
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
		return cvx_fail(f->err, -EPROTO,
				SNAPSHOT_PLACE ": no snapshot in the answer");
	*snapshot = strndup(value->text, value->size);
	return *snapshot ? 0 : cvx_fail_memory(f->err);
}

static int read_snapshot_page(struct fetch *f, char **snapshot, char **cursor)
{
	enum { VALUES, SNAPSHOT, CURSOR, MORE, COUNT };
	static const char *const names[COUNT] = {"values", "snapshot", "cursor",
						 "hasMore"};
	struct range page, found[COUNT];
	int r = map_page(f, &page);

	if (r < 0)
		return cvx_err_prefix(f->err, SNAPSHOT_PLACE);
	if (!members_pick(&page, names, found, COUNT) ||
	    found[VALUES].size == 0 || found[MORE].size == 0)
		r = cvx_fail(f->err, -EPROTO,
			     SNAPSHOT_PLACE ": no values in the answer");
	if (r == 0)
		r = take_snapshot(f, &found[SNAPSHOT], snapshot);
	if (r == 0)
		r = add_documents(f, &found[VALUES], SNAPSHOT_PLACE);
	if (r == 0)
		r = take_cursor(f, !range_is(&found[MORE], "true"),
				&found[CURSOR], cursor, SNAPSHOT_PLACE);
	(void)munmap((void *)page.text, page.size);
	return r;
}

/* *ret_is_missing: the deployment does not offer it. */
static int fetch_snapshot(struct fetch *f, bool *ret_is_missing)
{
	CVX_AUTO(cvx_freep) char *snapshot = NULL;
	CVX_AUTO(cvx_freep) char *cursor = NULL;
	int r;

	*ret_is_missing = false;
	f->is_consistent = true;
	do {
		CVX_AUTO(cvx_buf_fini)
		struct cvx_buf path = CVX_BUF_INIT(1 << 20);
		struct http_call call = {.method = "GET"};
		struct http_answer answer;

		r = print_snapshot_path(f, snapshot, cursor, &path);
		if (r < 0)
			return r;
		call.path = path.data;
		r = load_page(f, &call, &answer);
		*ret_is_missing =
			r < 0 && !snapshot &&
			(answer.outcome == HTTP_NOT_FOUND ||
			 answer.status == 405 ||
			 strcmp(answer.code, "StreamingExportNotEnabled") == 0);
		http_answer_fini(&answer);
		if (r == 0)
			r = read_snapshot_page(f, &snapshot, &cursor);
	} while (r == 0 && cursor);
	return r;
}

/* --- pages by queries (9.2) -------------------------------------------------
 */

static const char *query_of(const struct fetch *f)
{
	return f->target->component_id ? COMPONENT_QUERY : ROOT_QUERY;
}

static bool fill_args(const struct fetch *f, cJSON *args, const char *cursor)
{
	const struct fetch_target *t = f->target;
	cJSON *options = cJSON_AddObjectToObject(args, "paginationOpts");

	if (!cJSON_AddNumberToObject(options, "numItems", PAGE_ITEMS) ||
	    !(cursor ? cJSON_AddStringToObject(options, "cursor", cursor)
		     : cJSON_AddNullToObject(options, "cursor")) ||
	    !cJSON_AddStringToObject(args, "table", t->table))
		return false;
	if (!t->component_id)
		return cJSON_AddStringToObject(args, "order", "asc");
	return cJSON_AddNullToObject(args, "filters") &&
	       cJSON_AddStringToObject(args, "componentId", t->component_id);
}

static char *print_query(const struct fetch *f, const char *cursor)
{
	cJSON *call = cJSON_CreateObject(), *args = cJSON_CreateObject();
	cJSON *list = cJSON_AddArrayToObject(call, "args");
	char *text = NULL;

	if (!cJSON_AddItemToArray(list, args))
		cJSON_Delete(args);
	else if (fill_args(f, args, cursor) &&
		 cJSON_AddStringToObject(call, "path", query_of(f)) &&
		 cJSON_AddStringToObject(call, "format",
					 "convex_encoded_json") &&
		 (!f->ts || cJSON_AddStringToObject(call, "ts", f->ts)))
		text = cJSON_PrintUnformatted(call);
	cJSON_Delete(call);
	return text;
}

static int fail_query(struct fetch *f, const struct range *message)
{
	CVX_AUTO(cvx_freep) char *why = range_string(message);

	return query_fail(query_of(f), why, f->err);
}

/* {"status":…,"value":{"page":[…],"isDone":…,"continueCursor":…}} */
static int read_query_page(struct fetch *f, char **cursor)
{
	enum { STATUS, VALUE, MESSAGE, COUNT };
	enum { PAGE, DONE, CURSOR, COUNT_INSIDE };
	static const char *const names[COUNT] = {"status", "value",
						 "errorMessage"};
	static const char *const inside[COUNT_INSIDE] = {"page", "isDone",
							 "continueCursor"};
	struct range page, found[COUNT], part[COUNT_INSIDE];
	int r = map_page(f, &page);

	if (r < 0)
		return cvx_err_prefix(f->err, "%s", query_of(f));
	if (members_pick(&page, names, found, COUNT) &&
	    range_is(&found[STATUS], "\"error\""))
		r = fail_query(f, &found[MESSAGE]);
	else if (!range_is(&found[STATUS], "\"success\"") ||
		 !members_pick(&found[VALUE], inside, part, COUNT_INSIDE) ||
		 part[PAGE].size == 0 || part[DONE].size == 0)
		r = cvx_fail(f->err, -EPROTO, "%s: no page in the answer",
			     query_of(f));
	if (r == 0)
		r = add_documents(f, &part[PAGE], query_of(f));
	if (r == 0)
		r = take_cursor(f, range_is(&part[DONE], "true"), &part[CURSOR],
				cursor, query_of(f));
	(void)munmap((void *)page.text, page.size);
	return r;
}

static int load_query_page(struct fetch *f, const char *cursor)
{
	CVX_AUTO(cvx_freep) char *text = print_query(f, cursor);
	struct http_call call = {.method = "POST",
				 .path = f->ts ? "/api/query_at_ts"
					       : "/api/query",
				 .body = text,
				 .accept_560 = true};
	struct http_answer answer;
	int r;

	if (!text)
		return cvx_fail_memory(f->err);
	call.body_size = strlen(text);
	r = load_page(f, &call, &answer);
	if (r == -ENOENT && f->ts && !cursor) {
		/* no query_at_ts here: pages of different moments then */
		free(f->ts);
		f->ts = NULL;
		f->is_consistent = false;
		http_answer_fini(&answer);
		return load_query_page(f, cursor);
	}
	http_answer_fini(&answer);
	return r;
}

static int fetch_pages(struct fetch *f)
{
	CVX_AUTO(cvx_freep) char *cursor = NULL;
	int r;

	f->is_encoded = true;
	r = query_timestamp(f->http, f->halt, &f->ts, f->err);
	if (r < 0 && r != -ENOENT)
		return r;
	f->is_consistent = r == 0;
	do {
		r = load_query_page(f, cursor);
		if (r == 0)
			r = read_query_page(f, &cursor);
	} while (r == 0 && cursor);
	return r;
}

/* --- all of it --------------------------------------------------------------
 */

static int open_files(struct fetch *f)
{
	f->fd = file_open_unnamed(f->dir_fd);
	f->page_fd = f->fd < 0 ? -1 : file_open_unnamed(f->dir_fd);
	if (f->fd < 0 || f->page_fd < 0)
		return cvx_fail(f->err, f->fd < 0 ? f->fd : f->page_fd,
				"cannot make a file in the cache");
	return 0;
}

static int fetch_all(struct fetch *f)
{
	bool is_missing = false;
	int r;

	r = open_files(f);
	if (r == 0)
		r = fetch_snapshot(f, &is_missing);
	if (r < 0 && is_missing)
		r = fetch_pages(f);
	if (r == 0)
		r = flush(f);
	if (r == 0 && !f->ascends)
		r = sort_lines(f);
	return r;
}

int fetch_table(struct http *http, const struct fetch_target *target,
		int dir_fd, const struct halt *halt, int *ret_fd,
		struct fetched *ret, struct cvx_err *err)
{
	struct fetch f = {.http = http,
			  .target = target,
			  .halt = halt,
			  .err = err,
			  .dir_fd = dir_fd,
			  .page_fd = -1,
			  .fd = -1,
			  .row = CVX_BUF_INIT(ROW_SIZE_MAX),
			  .lines = CVX_BUF_INIT(LINES_MAX + ROW_SIZE_MAX),
			  .ascends = true};
	int r;

	r = fetch_all(&f);
	if (r == 0) {
		*ret_fd = CVX_TAKE_FD(f.fd);
		*ret = (struct fetched){f.place_count, f.size, f.is_consistent};
	}
	cvx_closep(&f.fd);
	cvx_closep(&f.page_fd);
	cvx_buf_fini(&f.row);
	cvx_buf_fini(&f.lines);
	document_reader_free(f.reader);
	free(f.places);
	free(f.ts);
	return r;
}
