/* Data sync (protocol.md 10.3). */
#include "importer/remote/fetch_inside.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/base/thread.h"
#include "importer/remote/halt.h"
#include "importer/remote/http.h"

#define SYNC_PATH "/api/v1/data/sync"

/* A deployment that is not done, but tells nothing, is asked again after so
 * long, and so often. */
#define WAIT_MS 50
#define EMPTY_PAGES_MAX 1200

/* {"cursor":…,"selection":{…}}: one table, and all of its fields. */
static char *print_request(const struct fetch *f)
{
	cJSON *request = cJSON_CreateObject();
	cJSON *all = cJSON_AddObjectToObject(request, "selection");
	cJSON *component = cJSON_AddObjectToObject(all, f->target->component);
	cJSON *table = cJSON_AddObjectToObject(component, f->target->table);
	char *text = NULL;

	if (cJSON_AddStringToObject(all, "_other", "excluded") &&
	    cJSON_AddStringToObject(component, "_other", "excluded") &&
	    cJSON_AddStringToObject(table, "_other", "included") &&
	    (!f->cursor ||
	     cJSON_AddStringToObject(request, "cursor", f->cursor)))
		text = cJSON_PrintUnformatted(request);
	cJSON_Delete(request);
	return text;
}

/* [{"component","table"}] */
static int read_truncates(struct fetch *f, const struct range *list)
{
	static const char *const names[2] = {"component", "table"};
	struct range one, found[2];
	struct members m;

	members_init(&m, list);
	while (members_next(&m, NULL, &one))
		if (members_pick(&one, names, found, 2) &&
		    fetch_is_ours(f, &found[0], &found[1]))
			fetch_clear(f);
	return m.is_bad || m.is_object
		       ? cvx_fail(f->err, -EPROTO, "truncates are no list")
		       : 0;
}

/* Of the status: whether all is told. */
static bool is_up_to_date(const struct range *status)
{
	static const char *const names[1] = {"type"};
	struct range type[1];

	return members_pick(status, names, type, 1) &&
	       range_is(&type[0], "\"upToDate\"");
}

static int take_next(struct fetch *f, const struct range *pagination)
{
	static const char *const names[1] = {"nextCursor"};
	struct range next[1];

	free(CVX_TAKE(f->cursor));
	if (members_pick(pagination, names, next, 1) && next[0].size > 0)
		f->cursor = range_string(&next[0]);
	return f->cursor ? 0 : cvx_fail(f->err, -EPROTO, "no cursor");
}

/* The members of a page. */
enum { STATUS, TRUNCATES, VALUES, PAGINATION, COUNT };
static const char *const names[COUNT] = {"status", "truncates", "values",
					 "pagination"};

/* What was truncated goes before the values. */
static int read_values(struct fetch *f, const struct range *found,
		       struct json *j)
{
	int r = 0;

	if (found[TRUNCATES].size > 0)
		r = read_truncates(f, &found[TRUNCATES]);
	return r < 0 ? r : fetch_add_entries(f, j);
}

static const struct fetch_form form = {
	.names = names,
	.count = COUNT,
	.list = VALUES,
	.before = TRUNCATES,
	.read = read_values,
};

static int read_page(struct fetch *f, bool *ret_is_done, bool *ret_is_empty)
{
	struct range page, found[COUNT];
	size_t before = f->place_count;
	int r = fetch_map_page(f, &page);

	if (r < 0)
		return r;
	r = fetch_read_form(f, &page, &form, found);
	if (r == 0 && found[STATUS].size == 0)
		r = cvx_fail(f->err, -EPROTO, "no status");
	if (r == 0)
		r = take_next(f, &found[PAGINATION]);
	*ret_is_done = r == 0 && is_up_to_date(&found[STATUS]);
	*ret_is_empty = f->place_count == before;
	(void)munmap((void *)page.text, page.size);
	return r;
}

/* One request; its answer becomes the page. */
static int load(struct fetch *f, struct http_answer *answer)
{
	CVX_AUTO(cvx_freep) char *text = print_request(f);
	struct http_call call = {
		.method = "POST", .path = SYNC_PATH, .body = text};

	*answer = (struct http_answer){.status = 0};
	if (!text)
		return cvx_fail_memory(f->err);
	call.body_size = strlen(text);
	return fetch_load_page(f, &call, answer);
}

/* --- a page ahead -------------------------------------------------------- */

/* A smaller page is read sooner than the next one can be asked for. */
#define AHEAD_SIZE_MIN ((uint64_t)128 << 10)

/* A page ends with its cursor: as much of it is looked through for that. */
#define TAIL_SIZE ((size_t)64 << 10)

/* The page behind the one that is read, asked for meanwhile. */
struct ahead {
	struct fetch fetch; /* f's, with a page, cursor and error of its own */
	struct http_answer answer;
	struct cvx_err err;
	char *cursor; /* that it was asked for with; NULL: there is none */
	int r;
};

static void drop_ahead(struct ahead *a)
{
	if (a->cursor)
		http_answer_fini(&a->answer);
	free(CVX_TAKE(a->cursor));
}

static void ahead_finip(struct ahead *a)
{
	drop_ahead(a);
	cvx_closep(&a->fetch.page_fd);
}

/* Whether the page begins with a status by which another page follows. */
static bool is_followed(const struct range *page)
{
	struct range key, status;
	struct members m;

	members_init(&m, page);
	return m.is_object && members_next(&m, &key, &status) &&
	       range_is(&key, "\"status\"") && !is_up_to_date(&status);
}

/* The cursor of the next page, where it usually stands; NULL: elsewhere. It
 * may be another one, which shows when the page has been read. */
static char *find_cursor(const struct range *page)
{
	static const char pagination[] = "\"pagination\":";
	const char *end = page->text + page->size, *at = end - TAIL_SIZE;
	struct range last = {NULL, 0}, key, value;
	struct members m;

	while ((at = memmem(at, (size_t)(end - at), pagination,
			    sizeof(pagination) - 1))) {
		at += sizeof(pagination) - 1;
		last = (struct range){at, (size_t)(end - at)};
	}
	if (!last.text)
		return NULL;
	members_init(&m, &last);
	while (m.is_object && members_next(&m, &key, &value))
		if (range_is(&key, "\"nextCursor\""))
			return range_string(&value);
	return NULL;
}

/* Whether the next page can be asked for before this one is read. */
static bool can_ask_ahead(struct fetch *f, struct ahead *a)
{
	struct range page;
	int fd = a->fetch.page_fd;

	if (f->page_size < AHEAD_SIZE_MIN || fetch_map_page(f, &page) < 0)
		return false;
	if (is_followed(&page))
		a->cursor = find_cursor(&page);
	(void)munmap((void *)page.text, page.size);
	if (fd < 0)
		fd = file_open_unnamed(f->dir_fd);
	a->fetch = *f;
	a->fetch.page_fd = fd;
	a->fetch.cursor = a->cursor;
	a->fetch.err = &a->err;
	a->answer = (struct http_answer){.status = 0};
	if (fd < 0)
		free(CVX_TAKE(a->cursor));
	return a->cursor != NULL;
}

/* A page being read. */
struct reading {
	struct fetch *f;
	bool is_done, is_empty;
	int r;
};

static void *read_it(void *ctx)
{
	struct reading *reading = ctx;

	reading->r =
		read_page(reading->f, &reading->is_done, &reading->is_empty);
	return NULL;
}

/* The thread that may be interrupted is the one that asks, so the page is read
 * by another one. */
static int read_and_ask(struct reading *reading, struct ahead *a)
{
	pthread_t thread;

	if (reading->f->target->is_one_page || !can_ask_ahead(reading->f, a) ||
	    thread_start(&thread, read_it, reading) < 0) {
		drop_ahead(a);
		(void)read_it(reading);
		return reading->r;
	}
	a->r = load(&a->fetch, &a->answer);
	(void)pthread_join(thread, NULL);
	return reading->r;
}

/* The page of f->cursor: the one ahead, if it was asked for with that. */
static int next_page(struct fetch *f, struct ahead *a,
		     struct http_answer *answer)
{
	int fd = f->page_fd;

	if (!a->cursor || strcmp(a->cursor, f->cursor) != 0) {
		drop_ahead(a);
		return load(f, answer);
	}
	f->page_fd = a->fetch.page_fd;
	f->page_size = a->fetch.page_size;
	f->page_status = a->fetch.page_status;
	a->fetch.page_fd = fd;
	*answer = a->answer;
	free(CVX_TAKE(a->cursor));
	if (a->r < 0)
		*f->err = a->err;
	return a->r;
}

int fetch_sync(struct fetch *f, bool *ret_is_missing)
{
	CVX_AUTO(ahead_finip) struct ahead ahead = {.fetch.page_fd = -1};
	struct reading reading = {.f = f};
	bool is_first = !f->cursor;
	unsigned empty_count = 0;
	int r;

	f->has_meta = f->is_encoded = f->is_consistent = false;
	*ret_is_missing = false;
	do {
		struct http_answer answer;

		r = next_page(f, &ahead, &answer);
		*ret_is_missing =
			r < 0 && is_first && fetch_is_missing(&answer);
		/* The cursor is too old, or from elsewhere. */
		if (r < 0 && !is_first &&
		    (answer.status == 400 || fetch_is_missing(&answer)))
			r = -ESTALE;
		http_answer_fini(&answer);
		if (r < 0)
			return r;
		r = read_and_ask(&reading, &ahead);
		if (r < 0)
			return fetch_blame_page(f, "POST", SYNC_PATH);
		is_first = false;
		if (!reading.is_done && f->target->is_one_page)
			return cvx_fail(f->err, -EAGAIN,
					"POST " SYNC_PATH
					": more has changed than one answer "
					"tells");
		if (reading.is_done || !reading.is_empty)
			continue;
		if (++empty_count > EMPTY_PAGES_MAX)
			break;
		if (!halt_sleep(f->halt, WAIT_MS))
			return cvx_fail(f->err, -ECANCELED,
					"POST " SYNC_PATH ": interrupted");
	} while (!reading.is_done);
	if (!reading.is_done) {
		(void)cvx_fail(f->err, -EPROTO, "it never is up to date");
		return fetch_blame_page(f, "POST", SYNC_PATH);
	}
	f->way = FETCH_SYNC;
	return 0;
}
