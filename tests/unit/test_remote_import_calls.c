/* importer/remote/remote_import: its calls, against the recorded ones of the
 * official client. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "importer/remote/http.h"
#include "importer/remote/remote_import_inside.h"
#include "tests/unit/loopback.h"
#include "tests/unit/upload.h"

#define IMPORT_FILE "tests/data/transcripts/import.json"

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
	if (!loopback_has_header(q, "Authorization: Convex " UPLOAD_KEY) &&
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
	struct upload_file file = {text ? text : filler,
				   text ? strlen(text)
					: (size_t)int_of(transcript, "size")};
	const struct import_source source = {&file, upload_file_read};
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
	struct http *http = upload_http_new(server, 0);
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

/* How many looks an import of so many ms takes, if looking takes no time. */
static unsigned looks_of(uint64_t import_ms, uint64_t *ret_late_ms)
{
	uint64_t now_ms = 0, pause = 1;
	unsigned looks = 1;

	while (now_ms < import_ms) {
		now_ms += pause;
		pause = remote_import_next_pause(pause);
		assert_true(++looks < 1000);
	}
	*ret_late_ms = now_ms - import_ms;
	return looks;
}

TEST(remote_import_looks_soon_and_seldom)
{
	uint64_t late, ms;

	EXPECT_INT(looks_of(1, &late), 2);
	EXPECT_INT(late, 0);
	EXPECT_INT(looks_of(10, &late), 5);
	EXPECT_INT(looks_of(1000, &late), 25);
	EXPECT_INT(looks_of(60000, &late), 70);
	for (ms = 1; ms < 60000; ms += ms / 3 + 1) {
		(void)looks_of(ms, &late);
		assert_true(late <= (ms < 32 ? ms : 8 + ms / 4));
		assert_true(late <= 2000);
	}
}

UNIT_MAIN(UNIT_CASE(remote_import_calls_are_those_of_the_official_client),
	  UNIT_CASE(remote_import_looks_soon_and_seldom))
