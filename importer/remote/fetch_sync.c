/* Data sync (protocol.md 10.3). */
#include "importer/remote/fetch_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/remote/halt.h"
#include "importer/remote/http.h"

#define SYNC_PATH "/api/v1/data/sync"
#define SYNC_PLACE "POST " SYNC_PATH

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

/* Whether it is about the table. */
static bool is_ours(const struct fetch *f, const struct range *component,
		    const struct range *table)
{
	CVX_AUTO(cvx_freep) char *a = range_string(component);
	CVX_AUTO(cvx_freep) char *b = range_string(table);

	return a && b && strcmp(a, f->target->component) == 0 &&
	       strcmp(b, f->target->table) == 0;
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
		    is_ours(f, &found[0], &found[1]))
			fetch_clear(f);
	return m.is_bad || m.is_object
		       ? cvx_fail(f->err, -EPROTO, "truncates are no list")
		       : 0;
}

/* [{"component","table","ts","deleted","value"}] */
static int read_values(struct fetch *f, const struct range *list)
{
	enum { COMPONENT, TABLE, TIME, DELETED, VALUE, COUNT };
	static const char *const names[COUNT] = {"component", "table", "ts",
						 "deleted", "value"};
	struct range one, found[COUNT];
	struct members m;
	int r = 0;

	members_init(&m, list);
	while (r == 0 && members_next(&m, NULL, &one)) {
		if (!members_pick(&one, names, found, COUNT) ||
		    found[VALUE].size == 0)
			return cvx_fail(f->err, -EPROTO,
					"an entry without a value");
		if (!is_ours(f, &found[COMPONENT], &found[TABLE]))
			continue;
		fetch_note_time(f, &found[TIME]);
		r = range_is(&found[DELETED], "true")
			    ? fetch_add_gone(f, &found[VALUE])
			    : fetch_add_document(f, &found[VALUE]);
	}
	if (r == 0 && (m.is_bad || m.is_object))
		r = cvx_fail(f->err, -EPROTO, "values are no list");
	return r;
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
	return f->cursor ? 0
			 : cvx_fail(f->err, -EPROTO, "no cursor in the answer");
}

static int read_page(struct fetch *f, bool *ret_is_done, bool *ret_is_empty)
{
	enum { STATUS, TRUNCATES, VALUES, PAGINATION, COUNT };
	static const char *const names[COUNT] = {"status", "truncates",
						 "values", "pagination"};
	struct range page, found[COUNT];
	size_t before = f->place_count;
	int r = fetch_map_page(f, &page);

	if (r < 0)
		return r;
	if (!members_pick(&page, names, found, COUNT) ||
	    found[STATUS].size == 0 || found[VALUES].size == 0)
		r = cvx_fail(f->err, -EPROTO, "no values in the answer");
	if (r == 0 && found[TRUNCATES].size > 0)
		r = read_truncates(f, &found[TRUNCATES]);
	if (r == 0)
		r = read_values(f, &found[VALUES]);
	if (r == 0)
		r = take_next(f, &found[PAGINATION]);
	*ret_is_done = r == 0 && is_up_to_date(&found[STATUS]);
	*ret_is_empty = f->place_count == before;
	(void)munmap((void *)page.text, page.size);
	return r;
}

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

int fetch_sync(struct fetch *f, bool *ret_is_missing)
{
	bool is_first = !f->cursor, is_done = false, is_empty;
	unsigned empty_count = 0;
	int r;

	f->has_meta = f->is_encoded = f->is_consistent = false;
	*ret_is_missing = false;
	do {
		struct http_answer answer;

		r = load(f, &answer);
		*ret_is_missing =
			r < 0 && is_first && fetch_is_missing(&answer);
		/* The cursor is too old, or from elsewhere. */
		if (r < 0 && !is_first &&
		    (answer.status == 400 || fetch_is_missing(&answer)))
			r = -ESTALE;
		http_answer_fini(&answer);
		if (r < 0)
			return r;
		r = read_page(f, &is_done, &is_empty);
		if (r < 0)
			return cvx_err_prefix(f->err, SYNC_PLACE);
		is_first = false;
		if (is_done || !is_empty)
			continue;
		if (++empty_count > EMPTY_PAGES_MAX)
			return cvx_fail(f->err, -EPROTO,
					SYNC_PLACE ": it never is up to date");
		if (!halt_sleep(f->halt, WAIT_MS))
			return cvx_fail(f->err, -ECANCELED,
					SYNC_PLACE ": interrupted");
	} while (!is_done);
	f->way = FETCH_SYNC;
	return 0;
}
