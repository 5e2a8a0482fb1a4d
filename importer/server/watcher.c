#include "importer/server/watcher.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
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
#include "importer/server/functions.h"
#include "importer/server/http.h"
#include "importer/server/inside.h"
#include "importer/server/reply.h"
#include "importer/server/scope.h"
#include "importer/server/sync.h"
#include "importer/value/value.h"

#define PING_NS (INT64_C(15) * 1000000000)

/* Texts of the queries of one watcher. Those that name no function need none,
 * and there is no other without a key. */
#define QUERIES_SIZE_MAX ((size_t)1 << 20)
#define PATH_SHOWN_MAX 200

struct version {
	uint32_t query_set, identity;
	uint64_t ts;
};

struct query {
	struct query *next;
	uint32_t id;
	const struct function *function; /* NULL: there is none */
	char *path;  /* its beginning, for an error's text */
	cJSON *args; /* NULL without a function, as the next */
	char *component;
	size_t size;   /* of the texts of these two */
	uint64_t hash; /* of what was sent last (WS-23) */
	bool was_sent;
};

struct watcher {
	struct server *server;
	struct http_socket *socket;
	bool is_admin;
	bool is_over; /* closed by us: nothing that comes counts */
	struct version at;
	uint32_t identity, query_set; /* of the client's messages */
	double skew_ms;
	bool has_skew;
	struct query *queries;
	size_t query_count;
	size_t queries_size; /* of their texts */
	int64_t sent_ns;
};

struct watcher *watcher_new(struct server *server, struct http_socket *socket)
{
	struct watcher *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->server = server;
	s->socket = socket;
	s->sent_ns = embedded_now_ns();
	http_socket_ref(socket);
	return s;
}

static void query_free(struct query *q)
{
	cJSON_Delete(q->args);
	free(q->component);
	free(q->path);
	free(q);
}

void watcher_free(struct watcher *s)
{
	struct query *q;

	while ((q = s->queries)) {
		s->queries = q->next;
		query_free(q);
	}
	http_socket_unref(s->socket);
	free(s);
}

struct http_socket *watcher_socket(const struct watcher *s)
{
	return s->socket;
}

/* --- sending ------------------------------------------------------------- */

static void send_text(struct watcher *s, struct cvx_buf *text)
{
	s->sent_ns = embedded_now_ns();
	http_socket_send(s->socket, text);
}

static void close_with(struct watcher *s, unsigned code, const char *reason)
{
	s->is_over = true;
	http_socket_close(s->socket, code, reason);
}

/* Takes over the object; NULL: memory ran out. */
static void send_object(struct watcher *s, cJSON *object)
{
	struct cvx_buf text = CVX_BUF_INIT(REPLY_MAX);

	if (compose_print(object, &text, NULL) < 0)
		close_with(s, 1011, "OutOfMemory");
	else
		send_text(s, &text);
	cvx_buf_fini(&text);
}

/* WS-19: the client's mistake. */
static void send_fatal(struct watcher *s, const char *message, unsigned code,
		       const char *reason)
{
	cJSON *object = cJSON_CreateObject();

	if (object &&
	    (!cJSON_AddStringToObject(object, "error", message) ||
	     !cJSON_AddStringToObject(object, "type", "FatalError"))) {
		cJSON_Delete(object);
		object = NULL;
	}
	send_object(s, object);
	close_with(s, code, reason);
}

static void send_auth_error(struct watcher *s, const char *message)
{
	cJSON *object = cJSON_CreateObject();

	if (object &&
	    (!cJSON_AddBoolToObject(object, "authUpdateAttempted", true) ||
	     !cJSON_AddNumberToObject(object, "baseVersion", s->identity) ||
	     !cJSON_AddStringToObject(object, "error", message) ||
	     !cJSON_AddStringToObject(object, "type", "AuthError"))) {
		cJSON_Delete(object);
		object = NULL;
	}
	send_object(s, object);
	close_with(s, 0, "");
}

void watcher_keep_alive(struct watcher *s, int64_t now_ns)
{
	struct cvx_buf text = CVX_BUF_INIT(REPLY_MAX);

	if (s->is_over || now_ns - s->sent_ns < PING_NS)
		return;
	if (cvx_buf_puts(&text, "{\"type\":\"Ping\"}") == 0)
		send_text(s, &text);
	cvx_buf_fini(&text);
}

void watcher_say_goodbye(struct watcher *s)
{
	close_with(s, 1001, "ServerStops");
}

/* --- transitions --------------------------------------------------------- */

/* A Transition that is being put together. */
struct transition {
	struct cvx_buf list; /* its modifications, between commas */
	int r;
};

static void add_comma(struct transition *t)
{
	if (t->r == 0 && t->list.size > 0)
		t->r = cvx_buf_puts(&t->list, ",");
}

static int print_version(const struct version *v, struct cvx_buf *out)
{
	char ts[STAMP_TEXT_SIZE];

	compose_print_stamp(v->ts, ts);
	return cvx_buf_printf(out,
			      "{\"querySet\":%" PRIu32 ",\"identity\":%" PRIu32
			      ",\"ts\":\"%s\"}",
			      v->query_set, v->identity, ts);
}

static uint64_t next_ts(const struct watcher *s)
{
	uint64_t now = (uint64_t)embedded_now_ns();

	return now > s->at.ts ? now : s->at.ts + 1;
}

/* Sends what was put together, and ends it (WS-8, WS-13). */
static void send_transition(struct watcher *s, struct transition *t)
{
	struct cvx_buf text = CVX_BUF_INIT(REPLY_MAX + 4096);
	struct version end = {s->query_set, s->identity, next_ts(s)};
	int r = t->r;

	if (r == 0)
		r = cvx_buf_puts(&text,
				 "{\"type\":\"Transition\",\"startVersion\":");
	if (r == 0)
		r = print_version(&s->at, &text);
	if (r == 0)
		r = cvx_buf_puts(&text, ",\"endVersion\":");
	if (r == 0)
		r = print_version(&end, &text);
	if (r == 0)
		r = cvx_buf_puts(&text, ",\"modifications\":[");
	if (r == 0 && t->list.size > 0)
		r = cvx_buf_append(&text, t->list.data, t->list.size);
	if (r == 0 && s->has_skew)
		r = cvx_buf_printf(&text,
				   "],\"clientClockSkew\":%.0f,\"serverTs\":"
				   "%" PRId64 "}",
				   s->skew_ms, embedded_now_ns());
	else if (r == 0)
		r = cvx_buf_puts(&text, "]}");
	if (r == 0) {
		s->at = end;
		send_text(s, &text);
	} else {
		close_with(s, 1011, "AnswerTooLong");
	}
	cvx_buf_fini(&text);
	cvx_buf_fini(&t->list);
}

static void add_failed(struct transition *t, const struct query *q,
		       const char *message)
{
	add_comma(t);
	if (t->r == 0)
		t->r = cvx_buf_printf(&t->list,
				      "{\"type\":\"QueryFailed\",\"queryId\":"
				      "%" PRIu32 ",\"errorMessage\":",
				      q->id);
	if (t->r == 0)
		t->r = compose_print_string(message, &t->list);
	if (t->r == 0)
		t->r = cvx_buf_puts(&t->list,
				    ",\"logLines\":[],\"journal\":null}");
}

static void add_updated(struct transition *t, const struct query *q,
			const struct cvx_buf *canonical)
{
	add_comma(t);
	if (t->r == 0)
		t->r = cvx_buf_printf(&t->list,
				      "{\"type\":\"QueryUpdated\",\"queryId\":"
				      "%" PRIu32 ",\"value\":",
				      q->id);
	if (t->r == 0)
		t->r = value_print_internal(canonical->data, canonical->size,
					    &t->list);
	if (t->r == 0)
		t->r = cvx_buf_puts(&t->list,
				    ",\"logLines\":[],\"journal\":null}");
}

/* Asks again; what is new goes to the transition. */
static void evaluate(struct watcher *s, struct query *q, struct transition *t)
{
	struct cvx_buf result = CVX_BUF_INIT(REPLY_MAX);
	struct cvx_err err = CVX_ERR_INIT;
	const struct function_call call = {
		.server = s->server,
		.args = q->args,
		.component = q->component,
	};
	uint64_t h;
	int r;

	if (!q->function)
		r = cvx_fail(&err, -ENOENT,
			     "Could not find public function for '%.200s'",
			     q->path);
	else
		r = function_run(q->function, &call, &result, &err);
	h = r < 0 ? scope_add(SCOPE_INIT, err.msg, strlen(err.msg))
		  : scope_add(SCOPE_INIT, result.data, result.size);
	if (!q->was_sent || h != q->hash) {
		q->was_sent = true;
		q->hash = h;
		if (r < 0)
			add_failed(t, q, err.msg);
		else
			add_updated(t, q, &result);
	}
	cvx_buf_fini(&result);
}

void watcher_refresh(struct watcher *s)
{
	struct transition t = {CVX_BUF_INIT(REPLY_MAX), 0};
	struct query *q;

	if (s->is_over || !s->queries)
		return;
	for (q = s->queries; q; q = q->next)
		evaluate(s, q, &t);
	if (t.list.size > 0 || t.r < 0)
		send_transition(s, &t);
	else
		cvx_buf_fini(&t.list);
}

/* --- messages ------------------------------------------------------------ */

/* A whole number that fits; false: it is not there or no such. */
static bool read_number(const cJSON *object, const char *key, uint32_t *ret)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	if (!cJSON_IsNumber(item) || item->valuedouble < 0 ||
	    item->valuedouble > UINT32_MAX ||
	    item->valuedouble != floor(item->valuedouble))
		return false;
	*ret = (uint32_t)item->valuedouble;
	return true;
}

static void receive_connect(struct watcher *s, const cJSON *message)
{
	const cJSON *ts = cJSON_GetObjectItemCaseSensitive(message, "clientTs");
	const char *observed = reply_member(message, "maxObservedTimestamp");
	uint64_t stamp;

	if (cJSON_IsNumber(ts) && fabs(ts->valuedouble) < 1e15) {
		s->skew_ms = ts->valuedouble - (double)embedded_now_ns() / 1e6;
		s->has_skew = true;
	}
	/* A clock that was set back must not go back for this client. */
	if (observed && compose_read_stamp(observed, &stamp) &&
	    stamp > (uint64_t)embedded_now_ns() && stamp < INT64_MAX)
		send_fatal(s, "maxObservedTimestamp is ahead of the server",
			   1011, "InternalServerError");
}

static void receive_authenticate(struct watcher *s, const cJSON *message)
{
	struct transition t = {CVX_BUF_INIT(REPLY_MAX), 0};
	const char *type = reply_member(message, "tokenType");
	const char *value = reply_member(message, "value");
	struct cvx_err err = CVX_ERR_INIT;
	uint32_t base;

	if (!read_number(message, "baseVersion", &base) ||
	    base != s->identity) {
		close_with(s, 1011, "InternalServerError");
		return;
	}
	if (type && strcmp(type, "None") == 0) {
		s->is_admin = false;
	} else if (!type || strcmp(type, "Admin") != 0 || !value) {
		send_auth_error(s, "Only admin keys are known here.");
		return;
	} else if (auth_check_key(&s->server->auth, value, &err) != 0) {
		send_auth_error(s, err.msg);
		return;
	} else {
		s->is_admin = true;
	}
	s->identity++;
	send_transition(s, &t);
}

static struct query **find_query(struct watcher *s, uint32_t id)
{
	struct query **link = &s->queries;

	while (*link && (*link)->id != id)
		link = &(*link)->next;
	return link;
}

/* QRY-8 */
static bool may_ask(struct watcher *s, const char *path)
{
	if (s->is_admin || !function_is_system(path))
		return true;
	send_fatal(s,
		   "SystemIdentityRequired: system functions need an admin "
		   "key",
		   1000, "SystemIdentityRequired");
	return false;
}

/* What the query needs to be asked again and again; -EFBIG, -ENOMEM. */
static int keep_args(const struct watcher *s, struct query *q,
		     const cJSON *args, const char *component)
{
	CVX_AUTO(cvx_freep) char *text = cJSON_PrintUnformatted(args);

	if (!text)
		return -ENOMEM;
	q->size = strlen(text) + strlen(component);
	if (q->size > QUERIES_SIZE_MAX - s->queries_size)
		return -EFBIG;
	q->args = cJSON_Duplicate(args, true);
	q->component = strdup(component);
	return q->args && q->component ? 0 : -ENOMEM;
}

static int query_new(const struct watcher *s, const char *path,
		     const cJSON *args, const char *component,
		     struct query **ret)
{
	struct query *q = calloc(1, sizeof(*q));
	int r = 0;

	if (!q)
		return -ENOMEM;
	q->path = strndup(path, PATH_SHOWN_MAX);
	q->function = function_find(path);
	if (q->function && function_is_mutation(q->function))
		q->function = NULL;
	if (q->function)
		r = keep_args(s, q, args, component ? component : "");
	if (!q->path)
		r = -ENOMEM;
	if (r < 0) {
		query_free(q);
		return r;
	}
	*ret = q;
	return 0;
}

static bool add_query(struct watcher *s, const cJSON *change,
		      struct transition *t)
{
	const char *path = reply_member(change, "udfPath");
	const char *component = reply_member(change, "componentPath");
	const cJSON *args =
		function_args(cJSON_GetObjectItemCaseSensitive(change, "args"));
	struct query *q = NULL, **link;
	uint32_t id;
	int r;

	if (!path || !args || !read_number(change, "queryId", &id)) {
		send_fatal(s, "Add is not understood", 0, "");
		return false;
	}
	link = find_query(s, id);
	if (*link || s->query_count >= SYNC_QUERY_MAX) {
		send_fatal(s,
			   *link ? "the queryId is in use" : "too many queries",
			   0, "");
		return false;
	}
	if (!may_ask(s, path))
		return false;
	r = query_new(s, path, args, component, &q);
	if (r == -EFBIG)
		send_fatal(s, "the queries are too long", 0, "");
	else if (r < 0)
		close_with(s, 1011, "OutOfMemory");
	if (r < 0)
		return false;
	q->id = id;
	*link = q;
	s->query_count++;
	s->queries_size += q->size;
	evaluate(s, q, t);
	return true;
}

static bool remove_query(struct watcher *s, const cJSON *change,
			 struct transition *t)
{
	struct query **link, *q;
	uint32_t id;

	if (!read_number(change, "queryId", &id)) {
		send_fatal(s, "Remove is not understood", 0, "");
		return false;
	}
	link = find_query(s, id);
	q = *link;
	if (!q) {
		send_fatal(s, "there is no query to remove", 0, "");
		return false;
	}
	*link = q->next;
	s->query_count--;
	s->queries_size -= q->size;
	query_free(q);
	add_comma(t);
	if (t->r == 0)
		t->r = cvx_buf_printf(&t->list,
				      "{\"type\":\"QueryRemoved\",\"queryId\":"
				      "%" PRIu32 "}",
				      id);
	return true;
}

static void receive_query_set(struct watcher *s, const cJSON *message)
{
	struct transition t = {CVX_BUF_INIT(REPLY_MAX), 0};
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(message,
							     "modifications"),
		    *change;
	uint32_t base, version;
	bool ok = true;

	if (!read_number(message, "baseVersion", &base) ||
	    !read_number(message, "newVersion", &version) ||
	    base != s->query_set || version <= base || !cJSON_IsArray(list)) {
		send_fatal(s, "ModifyQuerySet has a wrong version", 0, "");
		return;
	}
	cJSON_ArrayForEach(change, list)
	{
		const char *type = reply_member(change, "type");

		if (type && strcmp(type, "Add") == 0) {
			ok = add_query(s, change, &t);
		} else if (type && strcmp(type, "Remove") == 0) {
			ok = remove_query(s, change, &t);
		} else {
			send_fatal(s, "a modification is not understood", 0,
				   "");
			ok = false;
		}
		if (!ok)
			break;
	}
	if (!ok) {
		cvx_buf_fini(&t.list);
		return;
	}
	s->query_set = version;
	send_transition(s, &t);
}

/* Nothing that a client deploys runs here. */
static void refuse_request(struct watcher *s, const cJSON *message,
			   const char *answer)
{
	cJSON *object = cJSON_CreateObject();
	uint32_t id;

	if (!read_number(message, "requestId", &id)) {
		cJSON_Delete(object);
		send_fatal(s, "requestId is missing", 0, "");
		return;
	}
	if (object &&
	    (!cJSON_AddItemToObject(object, "logLines", cJSON_CreateArray()) ||
	     !cJSON_AddNumberToObject(object, "requestId", id) ||
	     !cJSON_AddStringToObject(object, "result",
				      "Could not find public function") ||
	     !cJSON_AddBoolToObject(object, "success", false) ||
	     !cJSON_AddStringToObject(object, "type", answer))) {
		cJSON_Delete(object);
		object = NULL;
	}
	send_object(s, object);
}

void watcher_receive(struct watcher *s, const char *text, size_t size)
{
	cJSON *message;
	const char *type;

	if (s->is_over)
		return;
	message = reply_parse(text, size);
	type = reply_member(message, "type");
	if (!type)
		send_fatal(s, "the message is not understood", 0, "");
	else if (strcmp(type, "Connect") == 0)
		receive_connect(s, message);
	else if (strcmp(type, "Authenticate") == 0)
		receive_authenticate(s, message);
	else if (strcmp(type, "ModifyQuerySet") == 0)
		receive_query_set(s, message);
	else if (strcmp(type, "Mutation") == 0)
		refuse_request(s, message, "MutationResponse");
	else if (strcmp(type, "Action") == 0)
		refuse_request(s, message, "ActionResponse");
	else if (strcmp(type, "Event") != 0)
		send_fatal(s, "the type of the message is not known", 0, "");
	cJSON_Delete(message);
}
