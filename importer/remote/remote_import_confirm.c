/* Confirming an import, and everything that may become of that: it ends, it is
 * canceled, or nobody knows. */

#include "importer/remote/remote_import_inside.h"

#include <errno.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/err.h"
#include "importer/remote/halt.h"
#include "importer/remote/http.h"

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
	r = remote_import_post(imp, "/api/cancel_import", body, NULL, true,
			       &answer, err);
	if (r < 0 && strcmp(answer.code, "CannotCancelImport") == 0)
		r = 0;
	http_answer_fini(&answer);
	return r;
}

/* Gives up an import that nobody has confirmed. It never runs; telling the
 * deployment so only tidies up. */
void remote_import_abandon(struct remote_import *imp)
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
	r = remote_import_post(imp, "/api/perform_import", body, imp->halt,
			       true, &answer, err);
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
	enum import_state kind;
	int r;

	r = cancel_there(imp, err);
	if (r < 0)
		return fail_unknown(imp, err);
	imp->halt = NULL; /* it was heard */
	r = remote_import_wait(imp, &state, &kind, err);
	imp->halt = halt;
	if (r < 0)
		return fail_unknown(imp, err);
	if (kind == STATE_COMPLETED)
		r = remote_import_complete(imp, state, ret_count);
	else if (kind == STATE_FAILED)
		r = remote_import_fail(imp, state, err);
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

/* Of an import in that state. */
static int tell_outcome(struct remote_import *imp, enum import_state kind,
			const cJSON *state, enum remote_outcome *ret,
			uint64_t *ret_count, struct cvx_err *err)
{
	switch (kind) {
	case STATE_COMPLETED:
		*ret = REMOTE_IMPORTED;
		return remote_import_complete(imp, state, ret_count);
	case STATE_FAILED:
		*ret = REMOTE_NOTHING;
		(void)remote_import_fail(imp, state, NULL);
		return 0;
	case STATE_WAITING:
		*ret = REMOTE_NOTHING;
		return cancel_there(imp, err);
	case STATE_UPLOADED:
	case STATE_IN_PROGRESS:
		break;
	}
	*ret = REMOTE_OPEN;
	return 0;
}

int remote_import_look_up(struct remote_import *imp, struct http *http,
			  const struct halt *halt, enum remote_outcome *ret,
			  uint64_t *ret_count, struct cvx_err *err)
{
	struct http *own_http = imp->http;
	struct halt *own_halt = imp->halt;
	cJSON *state = NULL;
	enum import_state kind;
	int r;

	/* Its own may be halted already, and waits for longer. */
	imp->http = http;
	imp->halt = (struct halt *)halt;
	r = remote_import_look(imp, &state, &kind, err);
	if (r == 0)
		r = tell_outcome(imp, kind, state, ret, ret_count, err);
	cJSON_Delete(state);
	imp->http = own_http;
	imp->halt = own_halt;
	return r;
}

/* From the confirmation to the end. */
int remote_import_run(struct remote_import *imp, uint64_t *ret_count,
		      struct cvx_err *err)
{
	struct cvx_err looking = CVX_ERR_INIT;
	cJSON *state = NULL;
	enum import_state kind;
	int performed, r;

	performed = perform(imp, err);
	if (performed < 0 && !imp->was_performed)
		return performed;
	r = remote_import_wait(imp, &state, &kind, &looking);
	if (r < 0) {
		if (err)
			*err = looking;
		return halt_is_requested(imp->halt)
			       ? end_canceled(imp, ret_count, err)
			       : fail_unknown(imp, err);
	}
	if (kind == STATE_COMPLETED)
		r = remote_import_complete(imp, state, ret_count);
	else if (kind == STATE_FAILED)
		r = remote_import_fail(imp, state, err);
	else
		r = end_unconfirmed(imp, performed, err);
	cJSON_Delete(state);
	return r;
}
