/* Pages by queries (protocol.md 9.2). */
#include "importer/remote/fetch_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/remote/http.h"
#include "importer/remote/query.h"

#define PAGE_ITEMS 1000
#define ROOT_QUERY "_system/cli/tableData"
#define COMPONENT_QUERY "_system/frontend/paginatedTableDocuments"

static const char *query_of(const struct fetch *f)
{
	return f->target->component_id ? COMPONENT_QUERY : ROOT_QUERY;
}

static const char *endpoint_of(const struct fetch *f)
{
	return f->ts ? "/api/query_at_ts" : QUERY_ENDPOINT;
}

static int blame(struct fetch *f)
{
	(void)fetch_blame_page(f, "POST", endpoint_of(f));
	return cvx_err_prefix(f->err, "%s", query_of(f));
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
	int r = fetch_map_page(f, &page);

	if (r < 0)
		return blame(f);
	if (members_pick(&page, names, found, COUNT) &&
	    range_is(&found[STATUS], "\"error\"")) {
		r = fail_query(f, &found[MESSAGE]);
		(void)munmap((void *)page.text, page.size);
		return r;
	}
	if (!range_is(&found[STATUS], "\"success\"") ||
	    !members_pick(&found[VALUE], inside, part, COUNT_INSIDE) ||
	    part[PAGE].size == 0 || part[DONE].size == 0)
		r = cvx_fail(f->err, -EPROTO, "no page");
	if (r == 0)
		r = fetch_add_documents(f, &part[PAGE]);
	if (r == 0)
		r = fetch_take_cursor(f, range_is(&part[DONE], "true"),
				      &part[CURSOR], cursor);
	(void)munmap((void *)page.text, page.size);
	return r < 0 ? blame(f) : 0;
}

static int load_query_page(struct fetch *f, const char *cursor)
{
	CVX_AUTO(cvx_freep) char *text = print_query(f, cursor);
	struct http_call call = {.method = "POST",
				 .path = endpoint_of(f),
				 .body = text,
				 .accept_560 = true};
	struct http_answer answer;
	int r;

	if (!text)
		return cvx_fail_memory(f->err);
	call.body_size = strlen(text);
	r = fetch_load_page(f, &call, &answer);
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

int fetch_by_query(struct fetch *f)
{
	CVX_AUTO(cvx_freep) char *cursor = NULL;
	int r;

	f->is_encoded = true;
	f->has_meta = false;
	f->way = FETCH_NO_WAY;
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
