#include "importer/remote/remote_import.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/remote/halt.h"
#include "importer/remote/http.h"
#include "importer/remote/query.h"
#include "importer/remote/upload.h"

#define POLL_MS 50
#define POLL_MAX_MS 2000
#define FINISHES_MAX 4 /* repetitions of finish_upload */
#define LIST_QUERY "_system/cli/queryImport:list"
#define STATE_QUERY "_system/cli/queryImport"

enum state {
	STATE_UPLOADED,
	STATE_WAITING,
	STATE_IN_PROGRESS,
	STATE_COMPLETED,
	STATE_FAILED,
};

struct remote_import {
	struct http *http;
	struct remote_import_target target; /* its texts are our own */
	struct remote_import_settings settings;
	struct upload *upload;
	struct halt *halt;
	char *component;
	char *table;
	double newest_before; /* _creationTime of the newest other import */
	char *id;
	char *error;
	char *message;	      /* of the plan */
	uint64_t count;	      /* if it ended before it was performed */
	bool was_prepared;    /* or tried to be */
	bool was_performed;   /* or may have been */
	bool has_ended;	      /* completed, failed or canceled */
	int checkpoint_count; /* that were reported */
};

static const char *format_name(enum remote_format format)
{
	switch (format) {
	case REMOTE_CSV:
		return "csv";
	case REMOTE_JSON_LINES:
		return "jsonLines";
	case REMOTE_JSON_ARRAY:
		return "jsonArray";
	case REMOTE_ZIP:
		return "zip";
	}
	return "";
}

/* As an import document says it (7.4). */
static const char *document_format(enum remote_format format)
{
	switch (format) {
	case REMOTE_CSV:
		return "csv";
	case REMOTE_JSON_LINES:
		return "jsonl";
	case REMOTE_JSON_ARRAY:
		return "json_array";
	case REMOTE_ZIP:
		return "zip";
	}
	return "";
}

/* IMP-7, and with capital letters in import documents. */
static const char *mode_name(enum import_mode mode, bool in_document)
{
	switch (mode) {
	case IMPORT_REQUIRE_EMPTY:
		return in_document ? "RequireEmpty" : "requireEmpty";
	case IMPORT_APPEND:
		return in_document ? "Append" : "append";
	case IMPORT_REPLACE:
		return in_document ? "Replace" : "replace";
	case IMPORT_REPLACE_ALL:
		return in_document ? "ReplaceAll" : "replaceAll";
	}
	return "";
}

static const cJSON *member(const cJSON *object, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* --- step 0: other imports ----------------------------------------------- */

static int list_imports(struct remote_import *imp, cJSON **ret,
			struct cvx_err *err)
{
	int r = query_run(imp->http, LIST_QUERY, NULL, NULL, imp->halt, ret,
			  err);

	if (r == 0 && !cJSON_IsArray(*ret)) {
		cJSON_Delete(*ret);
		return cvx_fail(err, -EPROTO, LIST_QUERY ": not a list");
	}
	return r;
}

static double creation_time(const cJSON *document)
{
	const cJSON *item = member(document, "_creationTime");

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static bool is_in_progress(const cJSON *document)
{
	const char *state = query_text(member(document, "state"), "state");

	return state && strcmp(state, "in_progress") == 0;
}

static int look_at_others(void *ctx, struct cvx_err *err)
{
	struct remote_import *imp = ctx;
	const cJSON *one;
	bool others = false;
	cJSON *list;
	int r;

	r = list_imports(imp, &list, err);
	if (r < 0)
		return r;
	cJSON_ArrayForEach(one, list)
	{
		others |= is_in_progress(one);
		if (creation_time(one) > imp->newest_before)
			imp->newest_before = creation_time(one);
	}
	cJSON_Delete(list);
	if (others && imp->settings.may_join &&
	    !imp->settings.may_join(imp->settings.ctx))
		return cvx_fail(err, -ECANCELED,
				"not begun: another import of this deployment "
				"is in progress");
	return 0;
}

/* --- finish_upload ---------------------------------------------------------
 */

static cJSON *make_tokens(const struct remote_import *imp)
{
	cJSON *list = cJSON_CreateArray(), *token;
	size_t i, count = upload_part_count(imp->upload);

	for (i = 0; list && i < count; i++) {
		token = cJSON_CreateString(upload_part_token(imp->upload, i));
		if (cJSON_AddItemToArray(list, token))
			continue;
		cJSON_Delete(token);
		cJSON_Delete(list);
		return NULL;
	}
	return list;
}

static bool fill_finish(const struct remote_import *imp, cJSON *body)
{
	cJSON *import = cJSON_AddObjectToObject(body, "import");
	cJSON *tokens;

	if (imp->table &&
	    !cJSON_AddStringToObject(import, "tableName", imp->table))
		return false;
	if (imp->component[0] &&
	    !cJSON_AddStringToObject(import, "componentPath", imp->component))
		return false;
	if (!cJSON_AddStringToObject(import, "mode",
				     mode_name(imp->target.mode, false)) ||
	    !cJSON_AddStringToObject(import, "format",
				     format_name(imp->target.format)) ||
	    !cJSON_AddStringToObject(body, "uploadToken",
				     upload_token(imp->upload)))
		return false;
	tokens = make_tokens(imp);
	if (cJSON_AddItemToObject(body, "partTokens", tokens))
		return true;
	cJSON_Delete(tokens);
	return false;
}

/* A POST with a body in JSON, which is deleted; repeated after HTTP_NOT_SENT,
 * and with ambiguous also when it may have arrived. Without a halt it does not
 * take long. */
static int post(struct remote_import *imp, const char *path, cJSON *body,
		const struct halt *halt, bool ambiguous,
		struct http_answer *answer, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *text = cJSON_PrintUnformatted(body);
	struct http_call call = {
		.method = "POST",
		.path = path,
		.content_type = "application/json",
		.body = text,
		.total_ms = halt ? HTTP_TOTAL_MS : HTTP_CONNECT_MS,
		.repetitions_max = halt ? 0 : 2,
		.halt = halt,
	};

	cJSON_Delete(body);
	*answer = (struct http_answer){.outcome = HTTP_LOCAL};
	if (!text)
		return cvx_fail_memory(err);
	call.body_size = strlen(text);
	return http_perform_repeated(imp->http, &call, ambiguous, answer, err);
}

static int take_id(struct remote_import *imp, const char *id,
		   struct cvx_err *err)
{
	imp->id = strdup(id);
	return imp->id ? 0 : cvx_fail_memory(err);
}

static int try_finish(struct remote_import *imp, bool *ret_ambiguous,
		      struct cvx_err *err)
{
	const struct http_call call = {.method = "POST",
				       .path = "/api/import/finish_upload"};
	cJSON *body = cJSON_CreateObject(), *json = NULL;
	struct http_answer answer;
	int r;

	*ret_ambiguous = false;
	if (!fill_finish(imp, body)) {
		cJSON_Delete(body);
		return cvx_fail_memory(err);
	}
	r = post(imp, call.path, body, imp->halt, false, &answer, err);
	if (r < 0)
		*ret_ambiguous = answer.outcome == HTTP_AMBIGUOUS;
	else
		r = http_parse(&call, &answer, &json, err);
	if (r == 0 && !query_text(json, "importId"))
		r = cvx_fail(err, -EPROTO,
			     "%s: importId is missing in the answer",
			     call.path);
	if (r == 0)
		r = take_id(imp, query_text(json, "importId"), err);
	cJSON_Delete(json);
	http_answer_fini(&answer);
	return r;
}

/* Whether the import document is one that our finish_upload may have made. */
static bool may_be_ours(const struct remote_import *imp, const cJSON *one)
{
	const cJSON *format = member(one, "format");
	const char *kind = query_text(format, "format");
	const char *table = query_text(format, "table");
	const char *mode = query_text(one, "mode");
	const char *component = query_text(one, "component_path");
	const char *state = query_text(member(one, "state"), "state");

	return creation_time(one) > imp->newest_before && kind && mode &&
	       state && query_text(one, "_id") &&
	       strcmp(kind, document_format(imp->target.format)) == 0 &&
	       strcmp(mode, mode_name(imp->target.mode, true)) == 0 &&
	       strcmp(component ? component : "", imp->component) == 0 &&
	       (!imp->table || (table && strcmp(table, imp->table) == 0)) &&
	       (strcmp(state, "uploaded") == 0 ||
		strcmp(state, "waiting_for_confirmation") == 0);
}

/* 7.8: the answer was lost; is there an import of ours? Sets imp->id if so. */
static int look_up(struct remote_import *imp, struct cvx_err *err)
{
	const cJSON *one, *found = NULL;
	unsigned count = 0;
	cJSON *list;
	int r;

	r = list_imports(imp, &list, err);
	if (r < 0)
		return r;
	cJSON_ArrayForEach(one, list)
	{
		if (!may_be_ours(imp, one))
			continue;
		found = one;
		count++;
	}
	if (count > 1)
		r = cvx_fail(err, -EREMOTEIO,
			     "the answer to finish_upload was lost, and %u "
			     "imports wait that could be this one; none was "
			     "confirmed",
			     count);
	else if (found)
		r = take_id(imp, query_text(found, "_id"), err);
	cJSON_Delete(list);
	return r;
}

static int finish(struct remote_import *imp, struct cvx_err *err)
{
	const struct http_answer none = {.outcome = HTTP_AMBIGUOUS};
	bool ambiguous;
	unsigned number;
	int r;

	for (number = 1;; number++) {
		r = try_finish(imp, &ambiguous, err);
		if (r == 0 || !ambiguous || number > FINISHES_MAX)
			return r;
		if (!http_wait_to_repeat(imp->http, number, &none, imp->halt))
			return cvx_fail(err, -ECANCELED, "interrupted");
		r = look_up(imp, err);
		if (r < 0 || imp->id)
			return r;
	}
}

/* --- states ----------------------------------------------------------------
 */

static bool read_state(const char *name, enum state *ret)
{
	static const char *const names[] = {
		"uploaded", "waiting_for_confirmation", "in_progress",
		"completed", "failed"};
	size_t i;

	for (i = 0; name && i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(name, names[i]) != 0)
			continue;
		*ret = (enum state)i;
		return true;
	}
	return false;
}

/* The state object of our import; the caller deletes it. */
static int look(struct remote_import *imp, cJSON **ret, enum state *ret_state,
		struct cvx_err *err)
{
	cJSON *args = cJSON_CreateObject(), *document;
	int r;

	if (!cJSON_AddStringToObject(args, "importId", imp->id)) {
		cJSON_Delete(args);
		return cvx_fail_memory(err);
	}
	r = query_run(imp->http, STATE_QUERY, args, NULL, imp->halt, &document,
		      err);
	if (r < 0)
		return r;
	*ret = cJSON_DetachItemFromObjectCaseSensitive(document, "state");
	cJSON_Delete(document);
	if (read_state(query_text(*ret, "state"), ret_state))
		return 0;
	cJSON_Delete(*ret);
	return cvx_fail(err, -EPROTO, STATE_QUERY ": no state of import %s",
			imp->id);
}

/* IMP-20: what was not said yet. */
static void report(struct remote_import *imp, const cJSON *state)
{
	const cJSON *list = member(state, "checkpoint_messages"), *one;
	const char *message = query_text(state, "progress_message");
	int i = 0;

	if (!imp->settings.report)
		return;
	cJSON_ArrayForEach(one, list)
	{
		if (i++ < imp->checkpoint_count || !cJSON_IsString(one))
			continue;
		imp->settings.report(imp->settings.ctx, one->valuestring, true);
	}
	if (i > imp->checkpoint_count)
		imp->checkpoint_count = i;
	if (message)
		imp->settings.report(imp->settings.ctx, message, false);
}

/* Until the state is neither of the two that pass by themselves. */
static int wait_for_state(struct remote_import *imp, cJSON **ret,
			  enum state *ret_state, struct cvx_err *err)
{
	uint64_t ms = imp->settings.poll_ms;
	int r;

	for (;;) {
		r = look(imp, ret, ret_state, err);
		if (r < 0)
			return r;
		if (*ret_state == STATE_IN_PROGRESS)
			report(imp, *ret);
		if (*ret_state != STATE_UPLOADED &&
		    *ret_state != STATE_IN_PROGRESS)
			return 0;
		cJSON_Delete(*ret);
		if (!halt_sleep(imp->halt, ms))
			return cvx_fail(err, -ECANCELED, "interrupted");
		ms += ms / 2 + 1;
		if (ms > POLL_MAX_MS)
			ms = POLL_MAX_MS;
	}
}

/* Deployments give a text only. These are told apart by it, since programs
 * treat them apart (filesystem.md F). */
static int error_of(const struct remote_import *imp, const char *text)
{
	if (strlen(text) < 100 && strcasestr(text, "cancel"))
		return -ECANCELED;
	if (imp->target.mode == IMPORT_REQUIRE_EMPTY && !imp->was_performed &&
	    (strcasestr(text, "not empty") || strcasestr(text, "already")))
		return -EEXIST;
	return -EINVAL;
}

/* The deployment refused; its text is the error. */
static int fail_import(struct remote_import *imp, const cJSON *state,
		       struct cvx_err *err)
{
	const char *text = query_text(state, "error_message");
	int code;

	imp->has_ended = true;
	imp->error = strdup(text ? text : "failed without a message");
	if (!imp->error)
		return cvx_fail_memory(err);
	code = error_of(imp, imp->error);
	if (code == -ECANCELED && imp->was_performed &&
	    imp->target.mode == IMPORT_APPEND)
		return cvx_fail(err, code,
				"%s; documents that were appended before stay",
				imp->error);
	return cvx_fail(err, code, "%s", imp->error);
}

static int complete(struct remote_import *imp, const cJSON *state,
		    uint64_t *ret_count)
{
	int64_t count;

	imp->has_ended = true;
	report(imp, state);
	if (query_read_integer(member(state, "num_rows_written"), &count) &&
	    count >= 0)
		*ret_count = (uint64_t)count;
	else
		*ret_count = UINT64_MAX;
	return 0;
}

/* --- confirmation ----------------------------------------------------------
 */

static cJSON *make_id_body(const struct remote_import *imp)
{
	cJSON *body = cJSON_CreateObject();

	if (cJSON_AddStringToObject(body, "importId", imp->id))
		return body;
	cJSON_Delete(body);
	return NULL;
}

/* Without the halt that may be why. An import that has ended by itself is as
 * good as canceled. */
static int cancel_there(struct remote_import *imp, struct cvx_err *err)
{
	cJSON *body = make_id_body(imp);
	struct http_answer answer;
	int r;

	if (!body)
		return cvx_fail_memory(err);
	r = post(imp, "/api/cancel_import", body, NULL, true, &answer, err);
	if (r < 0 && strcmp(answer.code, "CannotCancelImport") == 0)
		r = 0;
	http_answer_fini(&answer);
	return r;
}

/* Gives up an import that nobody has confirmed. It never runs; telling the
 * deployment so only tidies up. */
static void abandon(struct remote_import *imp)
{
	if (!imp->id || imp->was_performed || imp->has_ended)
		return;
	(void)cancel_there(imp, NULL);
	imp->has_ended = true;
}

static int perform(struct remote_import *imp, struct cvx_err *err)
{
	cJSON *body = make_id_body(imp);
	struct http_answer answer;
	int r;

	if (!body)
		return cvx_fail_memory(err);
	if (halt_is_requested(imp->halt)) {
		cJSON_Delete(body);
		return cvx_fail(err, -ECANCELED, "interrupted");
	}
	imp->was_performed = true;
	r = post(imp, "/api/perform_import", body, imp->halt, true, &answer,
		 err);
	if (r < 0 && !answer.may_have_arrived &&
	    (answer.outcome == HTTP_NOT_SENT ||
	     answer.outcome == HTTP_REFUSED ||
	     answer.outcome == HTTP_NOT_FOUND))
		imp->was_performed = false;
	http_answer_fini(&answer);
	return r;
}

static int fail_unknown(struct remote_import *imp, struct cvx_err *err)
{
	char why[CVX_ERR_MSG_SIZE] = "";

	if (err)
		memcpy(why, err->msg, sizeof(why));
	return cvx_fail_named(err, -EINPROGRESS, REMOTE_IMPORT_UNKNOWN,
			      "outcome unknown: import %s was confirmed, and "
			      "may still become visible (%.300s)",
			      imp->id, why);
}

/* The user gave up behind the confirmation: cancels, and looks how it ended,
 * for the end may have come first. */
static int end_canceled(struct remote_import *imp, uint64_t *ret_count,
			struct cvx_err *err)
{
	struct halt *halt = imp->halt;
	cJSON *state = NULL;
	enum state kind;
	int r;

	r = cancel_there(imp, err);
	if (r < 0)
		return fail_unknown(imp, err);
	imp->halt = NULL; /* it was heard */
	r = wait_for_state(imp, &state, &kind, err);
	imp->halt = halt;
	if (r < 0)
		return fail_unknown(imp, err);
	if (kind == STATE_COMPLETED)
		r = complete(imp, state, ret_count);
	else if (kind == STATE_FAILED)
		r = fail_import(imp, state, err);
	else
		r = fail_unknown(imp, err);
	cJSON_Delete(state);
	return r;
}

/* IMP-12: the confirmation did not arrive, or was not heeded. It must not be
 * later either. */
static int end_unconfirmed(struct remote_import *imp, int perform_error,
			   struct cvx_err *err)
{
	struct cvx_err own = CVX_ERR_INIT;

	if (cancel_there(imp, &own) < 0) {
		if (err)
			*err = own;
		return fail_unknown(imp, err);
	}
	imp->has_ended = true;
	if (perform_error < 0)
		return perform_error;
	return cvx_fail(err, -EPROTO,
			"import %s was confirmed, but still waits for it",
			imp->id);
}

/* From the confirmation to the end. */
static int run(struct remote_import *imp, uint64_t *ret_count,
	       struct cvx_err *err)
{
	struct cvx_err looking = CVX_ERR_INIT;
	cJSON *state = NULL;
	enum state kind;
	int performed, r;

	performed = perform(imp, err);
	if (performed < 0 && !imp->was_performed)
		return performed;
	r = wait_for_state(imp, &state, &kind, &looking);
	if (r < 0) {
		if (err)
			*err = looking;
		return halt_is_requested(imp->halt)
			       ? end_canceled(imp, ret_count, err)
			       : fail_unknown(imp, err);
	}
	if (kind == STATE_COMPLETED)
		r = complete(imp, state, ret_count);
	else if (kind == STATE_FAILED)
		r = fail_import(imp, state, err);
	else
		r = end_unconfirmed(imp, performed, err);
	cJSON_Delete(state);
	return r;
}

/* IMP-17, IMP-21. */
static int take_plan(struct remote_import *imp, const cJSON *state,
		     struct remote_plan *ret, struct cvx_err *err)
{
	const cJSON *required = member(state, "require_manual_confirmation");
	const char *message = query_text(state, "message_to_confirm");

	imp->message = strdup(message ? message : "");
	if (!imp->message)
		return cvx_fail_memory(err);
	*ret = (struct remote_plan){
		.message = imp->message,
		.asks = imp->message[0] && !cJSON_IsFalse(required),
	};
	return 0;
}

static int wait_for_plan(struct remote_import *imp, struct remote_plan *ret,
			 struct cvx_err *err)
{
	cJSON *state = NULL;
	enum state kind;
	int r;

	r = wait_for_state(imp, &state, &kind, err);
	if (r < 0)
		return r;
	*ret = (struct remote_plan){.message = ""};
	if (kind == STATE_FAILED)
		r = fail_import(imp, state, err);
	else if (kind == STATE_COMPLETED)
		r = complete(imp, state, &imp->count);
	else
		r = take_plan(imp, state, ret, err);
	cJSON_Delete(state);
	return r;
}

/* --- what others call ------------------------------------------------------
 */

static int copy_texts(struct remote_import *imp,
		      const struct remote_import_target *target,
		      struct cvx_err *err)
{
	imp->component = strdup(target->component ? target->component : "");
	imp->table = target->table ? strdup(target->table) : NULL;
	if (!imp->component || (target->table && !imp->table))
		return cvx_fail_memory(err);
	imp->target.component = imp->component;
	imp->target.table = imp->table;
	return 0;
}

int remote_import_new(struct http *http,
		      const struct remote_import_target *target,
		      const struct import_source *source,
		      const struct remote_import_settings *settings,
		      struct remote_import **ret, struct cvx_err *err)
{
	struct remote_import *imp = calloc(1, sizeof(*imp));
	struct upload_settings upload = {
		.http = http,
		.source = *source,
		.drops_bom = target->format != REMOTE_ZIP,
		.part_size = settings->part_size,
		.prepare = look_at_others,
		.ctx = imp,
	};
	int r;

	assert(!target->table == (target->format == REMOTE_ZIP));
	if (!imp)
		return cvx_fail_memory(err);
	imp->http = http;
	imp->target = *target;
	imp->settings = *settings;
	if (imp->settings.poll_ms == 0)
		imp->settings.poll_ms = POLL_MS;
	r = copy_texts(imp, target, err);
	if (r == 0)
		r = halt_new(&imp->halt, err);
	if (r == 0)
		r = upload_new(&upload, &imp->upload, err);
	if (r < 0)
		remote_import_free(imp);
	else
		*ret = imp;
	return r;
}

void remote_import_free(struct remote_import *imp)
{
	if (!imp)
		return;
	upload_free(imp->upload);
	abandon(imp);
	halt_free(imp->halt);
	free(imp->component);
	free(imp->table);
	free(imp->id);
	free(imp->error);
	free(imp->message);
	free(imp);
}

void remote_import_available(struct remote_import *imp, uint64_t size)
{
	upload_available(imp->upload, size);
}

uint64_t remote_import_consumed(struct remote_import *imp)
{
	return upload_consumed(imp->upload);
}

void remote_import_restart(struct remote_import *imp)
{
	upload_restart(imp->upload);
}

int remote_import_prepare(struct remote_import *imp, uint64_t size,
			  struct remote_plan *ret, struct cvx_err *err)
{
	struct cvx_err own = CVX_ERR_INIT;
	int r;

	assert(!imp->was_prepared);
	imp->was_prepared = true;
	r = upload_finish(imp->upload, size, &own);
	if (r == 0)
		r = finish(imp, &own);
	if (r == 0)
		r = wait_for_plan(imp, ret, &own);
	if (r < 0)
		abandon(imp);
	if (r < 0 && err)
		*err = own;
	return r;
}

int remote_import_perform(struct remote_import *imp, uint64_t *ret_count,
			  struct cvx_err *err)
{
	struct cvx_err own = CVX_ERR_INIT;
	int r;

	*ret_count = imp->count;
	if (imp->has_ended) /* somebody else confirmed it */
		return 0;
	r = run(imp, ret_count, &own);
	if (r < 0)
		abandon(imp);
	if (r < 0 && err)
		*err = own;
	return r;
}

int remote_import_commit(struct remote_import *imp, uint64_t size,
			 uint64_t *ret_count, struct cvx_err *err)
{
	struct remote_plan plan;
	int r = remote_import_prepare(imp, size, &plan, err);

	return r < 0 ? r : remote_import_perform(imp, ret_count, err);
}

uint64_t remote_import_sent_size(struct remote_import *imp)
{
	return upload_sent_size(imp->upload);
}

void remote_import_cancel(struct remote_import *imp)
{
	halt_request(imp->halt);
	upload_cancel(imp->upload);
}

const char *remote_import_id(const struct remote_import *imp)
{
	return imp->id;
}

const char *remote_import_error(const struct remote_import *imp)
{
	return imp->error;
}
