/* What state an import is in, and waiting for the next one. */

#include "importer/remote/remote_import_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/err.h"
#include "importer/remote/halt.h"
#include "importer/remote/query.h"

#define POLL_FINE_MS 16
#define POLL_MAX_MS 2000
#define STATE_QUERY "_system/cli/queryImport"

static bool read_state(const char *name, enum import_state *ret)
{
	static const char *const names[] = {
		"uploaded", "waiting_for_confirmation", "in_progress",
		"completed", "failed"};
	size_t i;

	for (i = 0; name && i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(name, names[i]) != 0)
			continue;
		*ret = (enum import_state)i;
		return true;
	}
	return false;
}

int remote_import_look(struct remote_import *imp, cJSON **ret,
		       enum import_state *ret_state, struct cvx_err *err)
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
	cJSON_Delete(CVX_TAKE(*ret));
	return query_fail_value(QUERY_ENDPOINT, STATE_QUERY, err,
				"no state of import %s", imp->id);
}

/* IMP-20: what was not said yet. */
static void report(struct remote_import *imp, const cJSON *state)
{
	const cJSON *list = remote_import_member(state, "checkpoint_messages"),
		    *one;
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

/* Doubled while it is short, so that a small import is not waited for; then
 * what has ended is noticed when it is old by an eighth. */
uint64_t remote_import_next_pause(uint64_t ms)
{
	ms += ms < POLL_FINE_MS ? ms : ms / 8;
	return ms < POLL_MAX_MS ? ms : POLL_MAX_MS;
}

/* Until the state is neither of the two that pass by themselves. */
int remote_import_wait(struct remote_import *imp, cJSON **ret,
		       enum import_state *ret_state, struct cvx_err *err)
{
	uint64_t ms = imp->settings.poll_ms;
	int r;

	for (;;) {
		r = remote_import_look(imp, ret, ret_state, err);
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
		ms = remote_import_next_pause(ms);
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
int remote_import_fail(struct remote_import *imp, const cJSON *state,
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

int remote_import_complete(struct remote_import *imp, const cJSON *state,
			   uint64_t *ret_count)
{
	int64_t count;

	imp->has_ended = true;
	report(imp, state);
	if (query_read_integer(remote_import_member(state, "num_rows_written"),
			       &count) &&
	    count >= 0)
		*ret_count = (uint64_t)count;
	else
		*ret_count = UINT64_MAX;
	return 0;
}

/* IMP-17, IMP-21. */
static int take_plan(struct remote_import *imp, const cJSON *state,
		     struct remote_plan *ret, struct cvx_err *err)
{
	const cJSON *required =
		remote_import_member(state, "require_manual_confirmation");
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

int remote_import_wait_for_plan(struct remote_import *imp,
				struct remote_plan *ret, struct cvx_err *err)
{
	cJSON *state = NULL;
	enum import_state kind;
	int r;

	r = remote_import_wait(imp, &state, &kind, err);
	if (r < 0)
		return r;
	*ret = (struct remote_plan){.message = ""};
	if (kind == STATE_FAILED)
		r = remote_import_fail(imp, state, err);
	else if (kind == STATE_COMPLETED)
		r = remote_import_complete(imp, state, &imp->count);
	else
		r = take_plan(imp, state, ret, err);
	cJSON_Delete(state);
	return r;
}
