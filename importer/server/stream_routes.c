/* Reading everything: protocol.md 10.1 and 10.3. */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/embedded/embedded.h"
#include "importer/server/compose.h"
#include "importer/server/data_sync.h"
#include "importer/server/http.h"
#include "importer/server/inside.h"
#include "importer/server/reply.h"
#include "importer/server/routes.h"
#include "importer/server/stream.h"

/* The arguments of a request, from its query or its body. */
struct given {
	struct http_exchange *x;
	const cJSON *body; /* NULL: the query has them */
};

static const char *text(const struct given *g, const char *key)
{
	return g->body ? reply_member(g->body, key) : http_arg(g->x, key);
}

/*
 * A number of 64 bits (VAL-7), or not given. cJSON keeps a double of it, which
 * is not enough, so the body is looked at once more.
 */
static bool read_number(const struct given *g, const char *key, bool *ret_given,
			int64_t *ret)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(g->body, key);
	const char *value = text(g, key), *body, *found;
	char quoted[32], *end;
	size_t size;

	*ret_given = value || cJSON_IsNumber(item);
	*ret = 0;
	if (!*ret_given)
		return !item || cJSON_IsNull(item);
	if (!value) {
		body = http_body(g->x, &size);
		(void)snprintf(quoted, sizeof(quoted), "\"%s\"", key);
		found = memmem(body, size, quoted, strlen(quoted));
		if (!found)
			return false;
		found += strlen(quoted);
		found += strspn(found, " \t\r\n:");
		value = found;
	}
	errno = 0;
	*ret = strtoll(value, &end, 10);
	return errno == 0 && end != value && *ret >= 0 &&
	       strchr(",}] \t\r\n", *end);
}

static int fill_request(const struct given *g, struct stream_request *ret,
			struct cvx_err *err)
{
	const cJSON *tree =
		cJSON_GetObjectItemCaseSensitive(g->body, "selection");
	int r = encoding_read(text(g, "format"), &ret->encoding, err);

	if (r == 0)
		r = selection_check(tree, err);
	ret->cursor = text(g, "cursor");
	ret->selection = (struct selection){
		.table = text(g, "tableName"),
		.component = text(g, "component"),
		.tree = tree,
	};
	if (!ret->selection.table)
		ret->selection.table = text(g, "table_name");
	return r;
}

static int fail_number(struct cvx_err *err, const char *key)
{
	return cvx_fail_named(err, -EINVAL, "BadQueryArgs",
			      "%s is not a number", key);
}

static int list(struct server *s, const struct given *g, struct cvx_buf *out,
		struct cvx_err *err)
{
	struct stream_request request = {.snapshot_ns = 0};
	bool given;
	int r = fill_request(g, &request, err);

	if (r == 0 && !read_number(g, "snapshot", &given, &request.snapshot_ns))
		r = fail_number(err, "snapshot");
	return r < 0 ? r : streams_print(s->streams, &request, out, err);
}

static int deltas(struct server *s, const struct given *g, struct cvx_buf *out,
		  struct cvx_err *err)
{
	struct stream_request request = {.snapshot_ns = 0};
	int64_t cursor;
	bool given;
	int r = fill_request(g, &request, err);

	if (r == 0 && !read_number(g, "cursor", &given, &cursor))
		r = fail_number(err, "cursor");
	if (r == 0 && !given)
		r = cvx_fail_named(err, -EINVAL, "DocumentDeltasCursorRequired",
				   "cursor is needed");
	return r < 0 ? r
		     : streams_print_deltas(s->streams, &request, cursor, out,
					    err);
}

/* A text, or not given; what is something else is of the wrong type. */
static bool read_text(const cJSON *object, const char *key, const char **ret)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	*ret = cJSON_GetStringValue(item);
	return *ret || !item || cJSON_IsNull(item);
}

/* STR-9 */
static int sync_data(struct server *s, const struct given *g,
		     struct cvx_buf *out, struct cvx_err *err)
{
	const cJSON *tree =
		cJSON_GetObjectItemCaseSensitive(g->body, "selection");
	struct data_sync_request request = {
		.selection.tree = cJSON_IsNull(tree) ? NULL : tree,
		.now_ns = embedded_now_ns(),
	};

	if (selection_check(request.selection.tree, err) < 0 ||
	    !read_text(g->body, "tableName", &request.selection.table) ||
	    !read_text(g->body, "component", &request.selection.component))
		return cvx_fail_named(err, -EINVAL, "InvalidDataSyncSelection",
				      "selection is not understood");
	if (!read_text(g->body, "cursor", &request.cursor))
		return cvx_fail_named(err, -EINVAL, "InvalidDataSyncCursor",
				      "cursor is not a string");
	return data_sync_print(s->d, &request, out, err);
}

static void answer(struct server *s, struct http_exchange *x, bool has_body,
		   int (*print)(struct server *s, const struct given *g,
				struct cvx_buf *out, struct cvx_err *err))
{
	struct cvx_buf out = CVX_BUF_INIT(REPLY_MAX);
	struct cvx_err err = CVX_ERR_INIT;
	struct given given = {.x = x};
	cJSON *body = NULL;

	if (has_body && reply_read_json(x, &body) < 0)
		return;
	given.body = body;
	if (print(s, &given, &out, &err) < 0)
		reply_failure(x, &err);
	else
		reply_json(x, &out);
	cvx_buf_fini(&out);
	cJSON_Delete(body);
}

static void get_list(struct server *s, struct http_exchange *x)
{
	answer(s, x, false, list);
}

static void post_list(struct server *s, struct http_exchange *x)
{
	answer(s, x, true, list);
}

static void get_deltas(struct server *s, struct http_exchange *x)
{
	answer(s, x, false, deltas);
}

static void post_deltas(struct server *s, struct http_exchange *x)
{
	answer(s, x, true, deltas);
}

static void post_sync(struct server *s, struct http_exchange *x)
{
	answer(s, x, true, sync_data);
}

/* STR-8 */
static void test_connection(struct server *s, struct http_exchange *x)
{
	(void)s;
	reply_object(x, cJSON_CreateNull());
}

/* STR-6, -7, -10, -11, SCH-6: they tell of what is not kept here. */
static void not_served(struct server *s, struct http_exchange *x)
{
	(void)s;
	reply_error(x, 404, "NotServed",
		    "This is not served by convexfs. Documents are at "
		    "/api/list_snapshot and /api/v1/data/sync, schemas at "
		    "/api/streaming_import/get_schema.");
}

const struct route stream_routes[] = {
	{HTTP_GET, "/api/list_snapshot", ROUTE_ADMIN, 0, NULL, get_list},
	{HTTP_POST, "/api/list_snapshot", ROUTE_ADMIN, ROUTE_JSON_MAX, NULL,
	 post_list},
	{HTTP_GET, "/api/document_deltas", ROUTE_ADMIN, 0, NULL, get_deltas},
	{HTTP_POST, "/api/document_deltas", ROUTE_ADMIN, ROUTE_JSON_MAX, NULL,
	 post_deltas},
	{HTTP_POST, "/api/v1/data/sync", ROUTE_ADMIN, ROUTE_JSON_MAX, NULL,
	 post_sync},
	{HTTP_GET, "/api/test_streaming_export_connection", ROUTE_ADMIN, 0,
	 NULL, test_connection},
	{HTTP_GET, "/api/json_schemas", ROUTE_ADMIN, 0, NULL, not_served},
	{HTTP_GET, "/api/get_table_column_names", ROUTE_ADMIN, 0, NULL,
	 not_served},
	{HTTP_GET, "/api/shapes2", ROUTE_ADMIN, 0, NULL, not_served},
	{HTTP_GET, "/api/v1/data/list_active_syncs", ROUTE_ADMIN, 0, NULL,
	 not_served},
	{HTTP_POST, "/api/data_sync_cursor_from_deltas", ROUTE_ADMIN,
	 ROUTE_JSON_MAX, NULL, not_served},
	{HTTP_OTHER, NULL, ROUTE_ADMIN, 0, NULL, NULL},
};
