/* Functions over HTTP: protocol.md 5. */

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/embedded/embedded.h"
#include "importer/server/compose.h"
#include "importer/server/encoding.h"
#include "importer/server/functions.h"
#include "importer/server/http.h"
#include "importer/server/inside.h"
#include "importer/server/reply.h"
#include "importer/server/routes.h"

/* QRY-7 */
static int print_error(const struct cvx_err *cause, struct cvx_buf *out,
		       struct cvx_err *err)
{
	char text[CVX_ERR_MSG_SIZE + 64];
	uint64_t id = 0;
	int r;

	(void)getrandom(&id, sizeof(id), 0); /* 0 is an id, too */
	(void)snprintf(text, sizeof(text),
		       "[Request ID: %016" PRIx64 "] Server Error\n%s", id,
		       cause->msg);
	r = cvx_buf_puts(out, "{\"status\":\"error\",\"errorMessage\":");
	if (r == 0)
		r = compose_print_string(text, out);
	if (r == 0 && strncmp(cause->msg, "InvalidCursor", 13) == 0)
		r = cvx_buf_puts(out, ",\"errorData\":{\"isConvexSystemError\":"
				      "true,\"paginationError\":"
				      "\"InvalidCursor\"}");
	if (r == 0)
		r = cvx_buf_puts(out, "}");
	return compose_fail_append(r, err);
}

static int print_success(enum encoding encoding, const struct cvx_buf *value,
			 struct cvx_buf *out, struct cvx_err *err)
{
	int r = cvx_buf_puts(out, "{\"status\":\"success\",\"value\":");

	if (r == 0)
		r = encoding_print(encoding, value->data, value->size, out);
	if (r == 0)
		r = cvx_buf_puts(out, "}");
	return compose_fail_append(r, err);
}

/* What a request asks for; there are no actions here. */
enum kind { KIND_QUERY, KIND_MUTATION, KIND_ACTION };

struct question {
	const char *path, *component;
	const cJSON *args;
	enum encoding encoding;
	enum kind kind;
};

static int read_question(const cJSON *body, struct question *ret,
			 struct cvx_err *err)
{
	const char *format = reply_member(body, "format");

	ret->path = reply_member(body, "path");
	ret->args =
		function_args(cJSON_GetObjectItemCaseSensitive(body, "args"));
	ret->component = reply_member(body, "componentPath");
	if (!ret->component)
		ret->component = "";
	if (!ret->path || !ret->args)
		return cvx_fail_named(err, -EINVAL, "BadJsonBody",
				      "path and args are needed");
	return encoding_read(format, &ret->encoding, err);
}

static const struct function *find_kind(const char *path, enum kind kind)
{
	const struct function *f = function_find(path);

	if (!f || kind == KIND_ACTION ||
	    function_is_mutation(f) != (kind == KIND_MUTATION))
		return NULL;
	return f;
}

/* Appends the R of protocol.md 5.1. */
static int ask(struct server *s, const struct request *request,
	       const struct question *q, struct cvx_buf *out,
	       struct cvx_err *err)
{
	const struct function_call call = {s, q->args, q->component};
	const struct function *f = find_kind(q->path, q->kind);
	struct cvx_buf value = CVX_BUF_INIT(REPLY_MAX);
	int r = 0;

	if (function_is_system(q->path) && !request->is_admin)
		return cvx_fail_named(err, -EACCES, "SystemIdentityRequired",
				      "system functions need an admin key");
	if (!f)
		r = cvx_fail(err, -ENOENT,
			     "Could not find public function for '%.200s'",
			     q->path);
	else
		r = function_run(f, &call, &value, err);
	if (r == 0)
		r = print_success(q->encoding, &value, out, err);
	else if (!err->name)
		r = print_error(err, out, err);
	cvx_buf_fini(&value);
	return r;
}

static void reply_or_fail(struct http_exchange *x, int r, struct cvx_buf *out,
			  const struct cvx_err *err)
{
	if (r < 0)
		reply_failure(x, err);
	else
		reply_json(x, out);
	cvx_buf_fini(out);
}

static void post(struct server *s, struct http_exchange *x, enum kind kind,
		 int (*check)(struct server *s, const cJSON *body,
			      struct cvx_err *err))
{
	struct cvx_buf out = CVX_BUF_INIT(2 * REPLY_MAX);
	struct question q = {.kind = kind};
	struct cvx_err err = CVX_ERR_INIT;
	cJSON *body;
	int r;

	if (reply_read_json(x, &body) < 0)
		return;
	r = read_question(body, &q, &err);
	if (r == 0)
		r = ask(s, request_of(x), &q, &out, &err);
	/* Behind it: what is answered was so all the time. */
	if (r == 0 && check)
		r = check(s, body, &err);
	reply_or_fail(x, r, &out, &err);
	cJSON_Delete(body);
}

static void post_query(struct server *s, struct http_exchange *x)
{
	post(s, x, KIND_QUERY, NULL);
}

static void post_mutation(struct server *s, struct http_exchange *x)
{
	post(s, x, KIND_MUTATION, NULL);
}

static void post_action(struct server *s, struct http_exchange *x)
{
	post(s, x, KIND_ACTION, NULL);
}

static void get_query(struct server *s, struct http_exchange *x)
{
	struct cvx_buf out = CVX_BUF_INIT(2 * REPLY_MAX);
	const char *args = http_arg(x, "args");
	cJSON *parsed = cJSON_Parse(args ? args : "{}");
	struct cvx_err err = CVX_ERR_INIT;
	struct question q = {
		.path = http_arg(x, "path"),
		.component = "",
		.args = function_args(parsed),
	};
	int r = 0;

	if (!q.path || !q.args)
		r = cvx_fail_named(&err, -EINVAL, "BadQueryArgs",
				   "path and args are needed");
	if (r == 0)
		r = encoding_read(http_arg(x, "format"), &q.encoding, &err);
	if (r == 0)
		r = ask(s, request_of(x), &q, &out, &err);
	reply_or_fail(x, r, &out, &err);
	cJSON_Delete(parsed);
}

/* --- at a time (QRY-10) -------------------------------------------------- */

static void query_ts(struct server *s, struct http_exchange *x)
{
	struct cvx_err err = CVX_ERR_INIT;
	char ts[STAMP_TEXT_SIZE];
	cJSON *object;
	int64_t ns;

	if (moment_now(&s->moment, &ns, &err) < 0) {
		reply_failure(x, &err);
		return;
	}
	compose_print_stamp((uint64_t)ns, ts);
	object = cJSON_CreateObject();
	if (object && !cJSON_AddStringToObject(object, "ts", ts)) {
		cJSON_Delete(object);
		object = NULL;
	}
	reply_object(x, object);
}

static int check_moment(struct server *s, const cJSON *body,
			struct cvx_err *err)
{
	const char *ts = reply_member(body, "ts");
	uint64_t ns;

	if (!ts || !compose_read_stamp(ts, &ns) || ns > INT64_MAX)
		return cvx_fail_named(err, -EINVAL, "BadJsonBody",
				      "ts is not a time");
	return moment_check(&s->moment, (int64_t)ns, err);
}

static void query_at_ts(struct server *s, struct http_exchange *x)
{
	post(s, x, KIND_QUERY, check_moment);
}

/* --- several at once ----------------------------------------------------- */

static int ask_all(struct server *s, const struct request *request,
		   const cJSON *list, struct cvx_buf *out, struct cvx_err *err)
{
	struct question q = {.kind = KIND_QUERY};
	const cJSON *item;
	bool is_first = true;
	int r = cvx_buf_puts(out, "{\"results\":[");

	cJSON_ArrayForEach(item, list)
	{
		if (r == 0 && !is_first)
			r = cvx_buf_puts(out, ",");
		is_first = false;
		if (r < 0)
			return compose_fail_append(r, err);
		r = read_question(item, &q, err);
		if (r == 0)
			r = ask(s, request, &q, out, err);
		if (r < 0)
			return r;
	}
	if (r == 0)
		r = cvx_buf_puts(out, "]}");
	return compose_fail_append(r, err);
}

static void query_batch(struct server *s, struct http_exchange *x)
{
	struct cvx_buf out = CVX_BUF_INIT(2 * REPLY_MAX);
	struct cvx_err err = CVX_ERR_INIT;
	const cJSON *list;
	cJSON *body;
	int r;

	if (reply_read_json(x, &body) < 0)
		return;
	list = cJSON_GetObjectItemCaseSensitive(body, "queries");
	if (!cJSON_IsArray(list))
		r = cvx_fail_named(&err, -EINVAL, "BadJsonBody",
				   "queries must be an array");
	else
		r = ask_all(s, request_of(x), list, &out, &err);
	reply_or_fail(x, r, &out, &err);
	cJSON_Delete(body);
}

const struct route function_routes[] = {
	{HTTP_POST, "/api/query", ROUTE_ASKED, ROUTE_JSON_MAX, NULL,
	 post_query},
	{HTTP_GET, "/api/query", ROUTE_ASKED, 0, NULL, get_query},
	{HTTP_POST, "/api/mutation", ROUTE_ASKED, ROUTE_JSON_MAX, NULL,
	 post_mutation},
	{HTTP_POST, "/api/action", ROUTE_ASKED, ROUTE_JSON_MAX, NULL,
	 post_action},
	{HTTP_POST, "/api/query_ts", ROUTE_OPEN, ROUTE_JSON_MAX, NULL,
	 query_ts},
	{HTTP_POST, "/api/query_at_ts", ROUTE_ASKED, ROUTE_JSON_MAX, NULL,
	 query_at_ts},
	{HTTP_POST, "/api/query_batch", ROUTE_ASKED, ROUTE_JSON_MAX, NULL,
	 query_batch},
	{HTTP_OTHER, NULL, ROUTE_ADMIN, 0, NULL, NULL},
};
