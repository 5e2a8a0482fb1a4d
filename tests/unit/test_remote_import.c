#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "importer/remote/http.h"
#include "importer/remote/remote_import.h"
#include "tests/unit/loopback.h"

#define IMPORT_FILE "tests/data/transcripts/import.json"
#define KEY "stub-deployment|0123456789abcdef"

static const char *text_of(const cJSON *object, const char *key)
{
	return cJSON_GetStringValue(
		cJSON_GetObjectItemCaseSensitive(object, key));
}

static int int_of(const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	return cJSON_IsNumber(item) ? item->valueint : 0;
}

/* A file in memory. */
struct file {
	const char *bytes;
	size_t size;
};

static int read_file(void *ctx, uint64_t off, void *buf, size_t size,
		     size_t *ret_n, struct cvx_err *err)
{
	const struct file *f = ctx;

	(void)err;
	*ret_n = 0;
	if (off >= f->size)
		return 0;
	*ret_n = size < f->size - off ? size : f->size - (size_t)off;
	memcpy(buf, f->bytes + off, *ret_n);
	return 0;
}

static struct http *open_http(const struct loopback *server, uint64_t idle_ms)
{
	const struct http_settings settings = {
		.origin = loopback_url(server),
		.authorization = "Convex " KEY,
		.idle_ms = idle_ms,
		.backoff_ms = 1,
	};
	struct cvx_err err = CVX_ERR_INIT;
	struct http *http;

	EXPECT_OK(http_new(&settings, &http, &err), &err);
	return http;
}

/* --- the recorded runs --------------------------------------------------- */

struct run {
	const cJSON *transcript;
	cJSON *calls;	    /* that must come yet */
	const cJSON *state; /* the next look at the import gives it */
	bool was_performed;
	unsigned cancel_count;
	char fault[512];
};

static void complain(struct run *run, const char *what, const char *got)
{
	if (!run->fault[0])
		(void)snprintf(run->fault, sizeof(run->fault),
			       "%s: another %s: %.400s",
			       text_of(run->transcript, "name"), what, got);
}

static char *print(cJSON *json)
{
	char *text = cJSON_PrintUnformatted(json);

	assert_non_null(text);
	cJSON_Delete(json);
	return text;
}

/* What the socket of the official client was told, one look after another. */
static char *answer_look(struct run *run)
{
	const cJSON *value = run->state;
	const char *failed = text_of(value, "failed");
	const char *state =
		text_of(cJSON_GetObjectItem(value, "state"), "state");
	bool waits = state && strcmp(state, "waiting_for_confirmation") == 0;
	cJSON *answer = cJSON_CreateObject();

	if (waits && run->was_performed) {
		cJSON_Delete(answer);
		run->state = value->next;
		return answer_look(run);
	}
	if (!waits && value->next)
		run->state = value->next;
	(void)cJSON_AddStringToObject(answer, "status",
				      failed ? "error" : "success");
	if (failed)
		(void)cJSON_AddStringToObject(answer, "errorMessage", failed);
	else
		(void)cJSON_AddItemToObject(answer, "value",
					    cJSON_Duplicate(value, true));
	return print(answer);
}

static void expect_call(struct run *run, const struct loopback_request *q,
			const cJSON *call)
{
	const cJSON *want = cJSON_GetObjectItem(call, "json");
	const char *path = text_of(call, "path"), *text;
	cJSON *got = NULL;
	char part[32];

	path += path[1] == '/'; /* URL-2: our client gives an origin only */
	if (strcmp(q->path, path) != 0)
		complain(run, "call", q->path);
	if (!loopback_has_header(q, "Authorization: Convex " KEY) &&
	    !strstr(text_of(run->transcript, "name"), "wrong"))
		complain(run, "key", q->headers);
	(void)snprintf(part, sizeof(part), "&partNumber=%d",
		       int_of(call, "part"));
	if (int_of(call, "part") == 0) {
		got = cJSON_Parse(q->body);
		if (want ? !cJSON_Compare(got, want, true) : q->body_size != 0)
			complain(run, "body", q->body);
		cJSON_Delete(got);
		if (!loopback_has_header(q, "Content-Type: application/json"))
			complain(run, "content type", q->headers);
		return;
	}
	text = text_of(call, "text");
	if (!strstr(q->query, part) ||
	    strncmp(q->query, "uploadToken=%7B%22", 18) != 0)
		complain(run, "part", q->query);
	if (q->body_size != (size_t)int_of(call, "size") ||
	    (text && strcmp(q->body, text) != 0))
		complain(run, "content of a part", q->query);
	if (!loopback_has_header(q, "Content-Type: application/octet-stream"))
		complain(run, "content type", q->headers);
}

/* The one that must come now, taken out of the list. Parts behind the first
 * may come in any order. */
static cJSON *next_call(struct run *run, const struct loopback_request *q)
{
	const char *number = strstr(q->query, "partNumber=");
	cJSON *call = run->calls->child;

	while (call && number && int_of(call, "part") > 1 &&
	       int_of(call, "part") != (int)strtol(number + 11, NULL, 10))
		call = call->next;
	return call ? cJSON_DetachItemViaPointer(run->calls, call) : NULL;
}

static void play(void *ctx, const struct loopback_request *q,
		 struct loopback_answer *a)
{
	struct run *run = ctx;
	const cJSON *say, *json;
	cJSON *call;

	if (strstr(q->body, "queryImport\"") && run->state) {
		a->body = answer_look(run);
		return;
	}
	if (strcmp(q->path, "/api/cancel_import") == 0) {
		run->cancel_count++;
		return;
	}
	call = next_call(run, q);
	if (!call) {
		complain(run, "call at the end", q->path);
		a->status = 400;
		return;
	}
	expect_call(run, q, call);
	say = cJSON_GetObjectItem(call, "answer");
	run->was_performed |= strstr(q->path, "perform") != NULL;
	a->status = int_of(say, "status");
	json = cJSON_GetObjectItem(say, "json");
	if (json)
		a->body = print(cJSON_Duplicate(json, true));
	cJSON_Delete(call);
}

static enum remote_format format_of(const char *name)
{
	if (strcmp(name, "csv") == 0)
		return REMOTE_CSV;
	if (strcmp(name, "jsonArray") == 0)
		return REMOTE_JSON_ARRAY;
	return strcmp(name, "zip") == 0 ? REMOTE_ZIP : REMOTE_JSON_LINES;
}

static enum import_mode mode_of(const char *name)
{
	if (strcmp(name, "append") == 0)
		return IMPORT_APPEND;
	if (strcmp(name, "replaceAll") == 0)
		return IMPORT_REPLACE_ALL;
	return strcmp(name, "replace") == 0 ? IMPORT_REPLACE
					    : IMPORT_REQUIRE_EMPTY;
}

/* With ask_nobody as without a terminal and without --yes. */
static int commit(struct remote_import *imp, uint64_t size, bool ask_nobody,
		  uint64_t *ret_count, struct cvx_err *err)
{
	struct remote_plan plan;
	int r = remote_import_prepare(imp, size, &plan, err);

	if (r == 0 && plan.asks && ask_nobody)
		return -ECANCELED;
	return r < 0 ? r : remote_import_perform(imp, ret_count, err);
}

static struct remote_import_target target_of(const cJSON *transcript)
{
	const cJSON *t = cJSON_GetObjectItem(transcript, "target");

	if (!cJSON_IsObject(t)) /* it ended before */
		return (struct remote_import_target){.component = "",
						     .table = "users",
						     .format =
							     REMOTE_JSON_LINES};
	return (struct remote_import_target){
		.component = text_of(t, "componentPath")
				     ? text_of(t, "componentPath")
				     : "",
		.table = text_of(t, "tableName"),
		.format = format_of(text_of(t, "format")),
		.mode = mode_of(text_of(t, "mode")),
	};
}

static void check_run(const cJSON *transcript, const char *filler)
{
	const char *name = text_of(transcript, "name");
	const char *text = text_of(transcript, "file");
	struct file file = {text ? text : filler,
			    text ? strlen(text)
				 : (size_t)int_of(transcript, "size")};
	const struct import_source source = {&file, read_file};
	const struct remote_import_target target = target_of(transcript);
	const struct remote_import_settings settings = {
		.part_size = (uint64_t)int_of(transcript, "chunk_size"),
		.poll_ms = 1,
	};
	struct run run = {
		.transcript = transcript,
		.calls = cJSON_GetObjectItem(transcript, "calls"),
		.state = cJSON_GetObjectItem(transcript, "states")->child,
	};
	struct loopback *server = loopback_start(play, &run);
	struct http *http = open_http(server, 0);
	struct cvx_err err = CVX_ERR_INIT;
	struct remote_import *imp;
	uint64_t count = 0;
	int r;

	EXPECT_OK(remote_import_new(http, &target, &source, &settings, &imp,
				    &err),
		  &err);
	r = commit(imp, file.size, strstr(name, "no-yes"), &count, &err);
	remote_import_free(imp);
	http_free(http);
	loopback_stop(server);
	if (run.fault[0])
		fail_msg("%s", run.fault);
	if (run.calls->child)
		fail_msg("%s: %s was not called: %s", name,
			 text_of(run.calls->child, "path"), err.msg);
	if ((r < 0) != (int_of(transcript, "exit_code") != 0))
		fail_msg("%s: %d: %s", name, r, err.msg);
	if (r == 0)
		EXPECT_INT(count > 0, !strstr(name, "empty-file"));
	/* Ours does not leave what it gave up to lie there. */
	EXPECT_INT(run.cancel_count, strstr(name, "no-yes") != NULL ||
					     strstr(name, "query-failed"));
}

/* The same calls in the same order, with the same bodies, but for looking at
 * the state by a query instead of a socket. */
TEST(remote_import_calls_are_those_of_the_official_client)
{
	char *text = unit_read_file(IMPORT_FILE, NULL);
	char *filler = malloc((size_t)12 << 20);
	cJSON *all = cJSON_Parse(text);
	const cJSON *one;

	assert_non_null(all);
	assert_non_null(filler);
	memset(filler, 'x', (size_t)12 << 20);
	cJSON_ArrayForEach(one, all) check_run(one, filler);
	EXPECT_INT(cJSON_GetArraySize(all), 21);
	cJSON_Delete(all);
	free(filler);
	free(text);
}

/* --- a deployment that keeps what it is given ----------------------------- */

#define UPLOADS_MAX 16

enum model_state {
	MODEL_UPLOADED,
	MODEL_WAITING,
	MODEL_IN_PROGRESS,
	MODEL_COMPLETED,
	MODEL_CANCELED,
};

/* One fault, at one request or from one on. */
struct plan {
	unsigned at;   /* the number of the request, from 0 */
	bool for_ever; /* and at all behind it */
	bool acts;     /* the deployment does what it is asked nevertheless */
	int status;    /* 0: as it would be */
	const char *body;
	enum loopback_fault fault;
};

struct model {
	bool in_order; /* parts are appended as they come, without tokens */
	struct plan plan;
	unsigned request_count;
	char *uploads[UPLOADS_MAX];
	size_t upload_sizes[UPLOADS_MAX];
	unsigned upload_count;
	struct {
		unsigned upload;
		enum model_state state;
		unsigned looks;
	} imports[UPLOADS_MAX];
	unsigned import_count;
	unsigned applied_count; /* imports that have become visible */
	char *table;
	size_t table_size;
	bool was_performed;
	size_t part_size; /* where parts go that come in any order */
	unsigned delay_ms;
	bool halts; /* imports stay in progress */
};

static char *format_text(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

static char *format_text(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	assert_true(vasprintf(&text, fmt, ap) >= 0);
	va_end(ap);
	return text;
}

static char *model_start(struct model *m)
{
	if (m->upload_count == UPLOADS_MAX)
		return format_text("{}");
	return format_text("{\"uploadToken\":\"u%u\"}", m->upload_count++);
}

static char *model_part(struct model *m, const struct loopback_request *q)
{
	unsigned upload =
		(unsigned)strtoul(strstr(q->query, "=u") + 2, NULL, 10);
	unsigned number = (unsigned)strtoul(
		strstr(q->query, "partNumber=") + 11, NULL, 10);
	size_t off = m->in_order ? m->upload_sizes[upload]
				 : (number - 1) * m->part_size;
	size_t end = off + q->body_size;

	m->uploads[upload] = realloc(m->uploads[upload],
				     (end > m->upload_sizes[upload]
					      ? end
					      : m->upload_sizes[upload]) +
					     1);
	assert_non_null(m->uploads[upload]);
	memcpy(m->uploads[upload] + off, q->body, q->body_size);
	if (end > m->upload_sizes[upload])
		m->upload_sizes[upload] = end;
	return format_text(m->in_order ? "\"\"" : "\"part %u\"", number);
}

static char *model_finish(struct model *m, const struct loopback_request *q)
{
	unsigned upload = (unsigned)strtoul(
		strstr(q->body, "\"uploadToken\":\"u") + 16, NULL, 10);

	assert_true(m->import_count < UPLOADS_MAX);
	m->imports[m->import_count].upload = upload;
	m->imports[m->import_count].state = MODEL_UPLOADED;
	return format_text("{\"importId\":\"i%u\"}", m->import_count++);
}

static unsigned import_of(const struct loopback_request *q)
{
	const char *at = strstr(q->body, "\"importId\":\"i");

	return at ? (unsigned)strtoul(at + 13, NULL, 10) : UPLOADS_MAX;
}

static void model_apply(struct model *m, unsigned i)
{
	unsigned upload = m->imports[i].upload;

	m->imports[i].state = MODEL_COMPLETED;
	m->applied_count++;
	free(m->table);
	m->table_size = m->upload_sizes[upload];
	m->table = malloc(m->table_size + 1);
	assert_non_null(m->table);
	if (m->table_size > 0)
		memcpy(m->table, m->uploads[upload], m->table_size);
}

static char *print_state(const struct model *m, unsigned i)
{
	static const char *const states[] = {
		"{\"state\":\"uploaded\"}",
		"{\"state\":\"waiting_for_confirmation\"}",
		"{\"state\":\"in_progress\",\"progress_message\":\"p\","
		"\"checkpoint_messages\":[\"c\"]}",
		"{\"state\":\"completed\",\"num_rows_written\":"
		"{\"$integer\":\"AwAAAAAAAAA=\"}}",
		"{\"state\":\"failed\",\"error_message\":\"Import canceled\"}",
	};

	return format_text("{\"_id\":\"i%u\",\"_creationTime\":%u.5,"
			   "\"mode\":\"Replace\",\"component_path\":null,"
			   "\"format\":{\"format\":\"jsonl\",\"table\":\"t\"},"
			   "\"state\":%s}",
			   i, 100 + i, states[m->imports[i].state]);
}

/* What happens by itself happens between two looks. */
static char *model_look(struct model *m, unsigned i)
{
	char *state = print_state(m, i), *answer;

	answer = format_text("{\"status\":\"success\",\"value\":%s}", state);
	free(state);
	if (m->imports[i].state == MODEL_UPLOADED)
		m->imports[i].state = MODEL_WAITING;
	else if (m->imports[i].state == MODEL_IN_PROGRESS && !m->halts)
		model_apply(m, i);
	return answer;
}

static char *model_list(const struct model *m)
{
	char *list = format_text("{\"_id\":\"x\",\"_creationTime\":50}");
	char *more, *state;
	unsigned i;

	for (i = 0; i < m->import_count; i++) {
		state = print_state(m, i);
		more = format_text("%s,%s", state, list);
		free(list);
		free(state);
		list = more;
	}
	more = format_text("{\"status\":\"success\",\"value\":[%s]}", list);
	free(list);
	return more;
}

static char *model_cancel(struct model *m, unsigned i,
			  struct loopback_answer *a)
{
	if (m->imports[i].state == MODEL_COMPLETED ||
	    m->imports[i].state == MODEL_CANCELED) {
		a->status = 400;
		return format_text("{\"code\":\"CannotCancelImport\"}");
	}
	m->imports[i].state = MODEL_CANCELED;
	return NULL;
}

static char *model_act(struct model *m, const struct loopback_request *q,
		       struct loopback_answer *a)
{
	unsigned i = import_of(q);

	if (strstr(q->body, "queryImport:list"))
		return model_list(m);
	if (strcmp(q->path, "/api/query") == 0)
		return model_look(m, i);
	if (strcmp(q->path, "/api/import/start_upload") == 0)
		return model_start(m);
	if (strcmp(q->path, "/api/import/upload_part") == 0)
		return model_part(m, q);
	if (strcmp(q->path, "/api/import/finish_upload") == 0)
		return model_finish(m, q);
	if (strcmp(q->path, "/api/cancel_import") == 0)
		return model_cancel(m, i, a);
	assert_string_equal(q->path, "/api/perform_import");
	m->was_performed = true;
	if (m->imports[i].state == MODEL_WAITING)
		m->imports[i].state = MODEL_IN_PROGRESS;
	return NULL;
}

static void model_play(void *ctx, const struct loopback_request *q,
		       struct loopback_answer *a)
{
	struct model *m = ctx;
	const struct plan *p = &m->plan;
	bool is_bad = m->request_count == p->at ||
		      (p->for_ever && m->request_count > p->at);

	m->request_count++;
	a->delay_ms = m->delay_ms;
	if (!is_bad || p->acts)
		a->body = model_act(m, q, a);
	/* a confirmation that is lost may have come, as far as is known */
	m->was_performed |= strstr(q->path, "perform") != NULL;
	if (!is_bad)
		return;
	a->fault = p->fault;
	if (p->status)
		a->status = p->status;
	if (p->body || p->status >= 300) {
		free(a->body);
		a->body = p->body ? strdup(p->body) : NULL;
	}
	if (p->status == 302)
		a->headers = "Location: /elsewhere\r\n";
}

static void model_fini(struct model *m)
{
	size_t i;

	for (i = 0; i < UPLOADS_MAX; i++)
		free(m->uploads[i]);
	free(m->table);
}

/* One import into the model. */
struct trial {
	struct model model;
	struct loopback *server;
	struct http *http;
	struct file file;
	struct remote_import *imp;
	uint64_t count;
	struct cvx_err err;
};

#define ROWS "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n"
#define PART_SIZE 10 /* three parts */

static void trial_begin(struct trial *t, bool in_order, const struct plan *plan)
{
	bool is_silent = plan && plan->fault == LOOPBACK_HANG;
	const struct remote_import_target target = {.component = "",
						    .table = "t",
						    .format = REMOTE_JSON_LINES,
						    .mode = IMPORT_REPLACE};
	const struct remote_import_settings settings = {.part_size = PART_SIZE,
							.poll_ms = 1};
	struct import_source source = {&t->file, read_file};
	struct cvx_err err = CVX_ERR_INIT;

	memset(t, 0, sizeof(*t));
	t->model.in_order = in_order;
	t->model.part_size = PART_SIZE;
	t->model.plan = plan ? *plan : (struct plan){.at = UINT32_MAX};
	t->file = (struct file){ROWS, strlen(ROWS)};
	t->server = loopback_start(model_play, &t->model);
	t->http = open_http(t->server, is_silent ? 50 : 0);
	EXPECT_OK(remote_import_new(t->http, &target, &source, &settings,
				    &t->imp, &err),
		  &err);
}

static void trial_end(struct trial *t)
{
	remote_import_free(t->imp);
	http_free(t->http);
	loopback_stop(t->server);
	model_fini(&t->model);
}

static int trial_commit(struct trial *t)
{
	int r;

	loopback_sync(t->server);
	r = remote_import_commit(t->imp, t->file.size, &t->count, &t->err);
	loopback_sync(t->server);
	return r;
}

/* Whatever happened: the table is old or new, never doubled, and the writer
 * was told which. */
static void expect_true_outcome(struct trial *t, int r, const char *what)
{
	struct model *m = &t->model;
	bool unknown =
		t->err.name && strcmp(t->err.name, REMOTE_IMPORT_UNKNOWN) == 0;
	unsigned i;

	loopback_sync(t->server);
	for (i = 0; i < m->import_count; i++) /* nobody needs to look on */
		if (m->imports[i].state == MODEL_IN_PROGRESS)
			model_apply(m, i);
	if (m->applied_count > 1)
		fail_msg("%s: applied %u times", what, m->applied_count);
	if (m->applied_count == 1 &&
	    (m->table_size != t->file.size ||
	     memcmp(m->table, t->file.bytes, t->file.size) != 0))
		fail_msg("%s: the table is '%.*s'", what, (int)m->table_size,
			 m->table);
	if (r == 0 && (m->applied_count != 1 || t->count != 3))
		fail_msg("%s: success, but nothing is there", what);
	if (r < 0 && unknown && !m->was_performed)
		fail_msg("%s: it is known that nothing happened: %s", what,
			 t->err.msg);
	if (r < 0 && !unknown && m->applied_count != 0)
		fail_msg("%s: %d, but it happened: %s", what, r, t->err.msg);
	if (r < 0 && !t->err.msg[0])
		fail_msg("%s: no sentence", what);
}

static const struct {
	const char *name;
	struct plan plan;
	bool heals; /* the import succeeds if it happens once */
} faults[] = {
	{"dropped before", {.fault = LOOPBACK_DROP}, true},
	{"dropped behind", {.fault = LOOPBACK_DROP, .acts = true}, true},
	{"reset behind", {.fault = LOOPBACK_RESET, .acts = true}, true},
	{"truncated", {.fault = LOOPBACK_TRUNCATE, .acts = true}, false},
	{"longer", {.fault = LOOPBACK_LONGER, .acts = true}, true},
	{"slow", {.fault = LOOPBACK_SLOW, .acts = true}, true},
	{"silent", {.fault = LOOPBACK_HANG, .acts = true}, true},
	{"garbage", {.fault = LOOPBACK_GARBAGE, .acts = true}, true},
	{"429", {.status = 429}, true},
	{"500 before", {.status = 500}, true},
	{"503 behind", {.status = 503, .acts = true}, true},
	{"408 behind", {.status = 408, .acts = true}, true},
	{"400", {.status = 400, .body = "{\"code\":\"X\"}"}, false},
	{"401", {.status = 401}, false},
	{"404", {.status = 404}, false},
	{"302", {.status = 302}, false},
	{"html", {.acts = true, .body = "<html>"}, false},
	{"null", {.acts = true, .body = "null"}, false},
	{"{}", {.acts = true, .body = "{}"}, false},
	{"[]", {.acts = true, .body = "[]"}, false},
};

/* How many requests an import without faults makes. */
#define REQUESTS_MAX 10
#define FIRST_PART 2
#define LAST_PART 4

static void try_fault(size_t fault, unsigned at, bool for_ever, bool in_order)
{
	struct plan plan = faults[fault].plan;
	struct trial t;
	char what[128];
	int r;

	plan.at = at;
	plan.for_ever = for_ever;
	(void)snprintf(what, sizeof(what), "%s at %u%s, %s", faults[fault].name,
		       at, for_ever ? " and on" : "",
		       in_order ? "in order" : "in any order");
	trial_begin(&t, in_order, &plan);
	r = trial_commit(&t);
	if (r < 0 && faults[fault].heals && !for_ever)
		fail_msg("%s: %d: %s", what, r, t.err.msg);
	expect_true_outcome(&t, r, what);
	trial_end(&t);
}

TEST(remote_import_outcome_is_true_after_any_single_fault)
{
	unsigned at;
	size_t i;

	for (i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		for (at = 0; at <= REQUESTS_MAX; at++) {
			try_fault(i, at, false, true);
			if (at > FIRST_PART && at <= LAST_PART)
				try_fault(i, at, false, false);
		}
}

/* From a request on nothing works any more. */
TEST(remote_import_outcome_is_true_when_the_deployment_goes_away)
{
	unsigned at;
	size_t i;

	for (i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		for (at = (unsigned)i % 3; at <= REQUESTS_MAX; at += 3)
			if (faults[i].plan.fault != LOOPBACK_HANG &&
			    faults[i].plan.fault != LOOPBACK_SLOW)
				try_fault(i, at, true, at % 2);
}

TEST(remote_import_without_faults_is_applied_once)
{
	struct trial t;

	trial_begin(&t, false, NULL);
	EXPECT_OK(trial_commit(&t), &t.err);
	expect_true_outcome(&t, 0, "without faults");
	EXPECT_INT(t.model.request_count, REQUESTS_MAX + 1);
	EXPECT_INT(t.model.upload_count, 1);
	trial_end(&t);
}

/* IMP-9 */
TEST(remote_import_parts_go_together_only_where_order_does_not_matter)
{
	struct trial t;

	trial_begin(&t, true, NULL);
	t.model.delay_ms = 2;
	EXPECT_OK(trial_commit(&t), &t.err);
	EXPECT_INT(loopback_most_at_once(t.server), 1);
	trial_end(&t);

	trial_begin(&t, false, NULL);
	t.model.delay_ms = 20;
	EXPECT_OK(trial_commit(&t), &t.err);
	EXPECT_INT(loopback_most_at_once(t.server), 2);
	trial_end(&t);
}

static void wait_for_requests(struct trial *t, unsigned count)
{
	unsigned i;

	for (i = 0; i < 5000 && loopback_count(t->server) < count; i++)
		usleep(1000);
	assert_true(loopback_count(t->server) >= count);
	loopback_sync(t->server);
}

/* W-2 */
TEST(remote_import_parts_follow_the_writer)
{
	struct trial t;

	trial_begin(&t, true, NULL);
	remote_import_available(t.imp, 12); /* the first part may lose a BOM */
	EXPECT_INT(loopback_count(t.server), 0);
	remote_import_available(t.imp, 13);
	wait_for_requests(&t, 3);
	remote_import_available(t.imp, 20);
	wait_for_requests(&t, 4);
	EXPECT_INT(remote_import_consumed(t.imp), 20);
	EXPECT_OK(trial_commit(&t), &t.err);
	expect_true_outcome(&t, 0, "following");
	EXPECT_INT(t.model.request_count, REQUESTS_MAX + 1);
	trial_end(&t);
}

TEST(remote_import_restart_forgets_what_was_sent)
{
	struct trial t;

	trial_begin(&t, true, NULL);
	t.file.bytes = "old bytes, old bytes, ol";
	remote_import_available(t.imp, 24);
	wait_for_requests(&t, 4);
	remote_import_restart(t.imp);
	EXPECT_INT(remote_import_consumed(t.imp), 0);
	t.file.bytes = ROWS;
	EXPECT_OK(trial_commit(&t), &t.err);
	expect_true_outcome(&t, 0, "restarted");
	EXPECT_INT(t.model.upload_count, 2);
	trial_end(&t);
}

static void cancel_on_report(void *ctx, const char *message, bool final)
{
	struct trial *t = ctx;

	(void)message;
	(void) final;
	remote_import_cancel(t->imp);
}

/* An interrupted writer cancels its import. */
TEST(remote_import_cancel_while_in_progress_reaches_the_deployment)
{
	const struct remote_import_target target = {.component = "",
						    .table = "t",
						    .format = REMOTE_JSON_LINES,
						    .mode = IMPORT_REPLACE};
	struct trial t;
	struct remote_import_settings settings = {.part_size = PART_SIZE,
						  .poll_ms = 1,
						  .report = cancel_on_report,
						  .ctx = &t};
	struct import_source source = {&t.file, read_file};

	trial_begin(&t, true, NULL);
	remote_import_free(t.imp);
	t.model.halts = true;
	EXPECT_OK(remote_import_new(t.http, &target, &source, &settings, &t.imp,
				    &t.err),
		  &t.err);
	EXPECT_FAIL(trial_commit(&t), &t.err, -ECANCELED, "Import canceled");
	EXPECT_INT(t.model.imports[0].state, MODEL_CANCELED);
	expect_true_outcome(&t, -ECANCELED, "canceled");
	trial_end(&t);
}

TEST(remote_import_canceled_before_it_begins_sends_nothing_more)
{
	struct trial t;

	trial_begin(&t, true, NULL);
	remote_import_available(t.imp, 13);
	wait_for_requests(&t, 3);
	remote_import_cancel(t.imp);
	EXPECT_FAIL(trial_commit(&t), &t.err, -ECANCELED, "interrupted");
	EXPECT_INT(t.model.import_count, 0);
	expect_true_outcome(&t, -ECANCELED, "canceled");
	trial_end(&t);
}

UNIT_MAIN(
	UNIT_CASE(remote_import_calls_are_those_of_the_official_client),
	UNIT_CASE(remote_import_without_faults_is_applied_once),
	UNIT_CASE(remote_import_outcome_is_true_after_any_single_fault),
	UNIT_CASE(remote_import_outcome_is_true_when_the_deployment_goes_away),
	UNIT_CASE(
		remote_import_parts_go_together_only_where_order_does_not_matter),
	UNIT_CASE(remote_import_parts_follow_the_writer),
	UNIT_CASE(remote_import_restart_forgets_what_was_sent),
	UNIT_CASE(
		remote_import_cancel_while_in_progress_reaches_the_deployment),
	UNIT_CASE(remote_import_canceled_before_it_begins_sends_nothing_more))
