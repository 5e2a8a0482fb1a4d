#include "importer/remote/removal.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "cache/base/err.h"
#include "importer/intake.h"
#include "importer/remote/halt.h"
#include "importer/remote/http.h"

#define REPETITIONS_MAX 4

/* How a request failed. */
struct attempt {
	bool is_ambiguous; /* it may have been done all the same */
	bool was_answered; /* it is over, one way or the other */
};

static int request(const struct removal *removal, struct attempt *ret,
		   struct cvx_err *err)
{
	struct http_call call = {.method = "POST",
				 .path = removal->path,
				 .content_type = "application/json",
				 .body = removal->body,
				 .total_ms = HTTP_TOTAL_MS,
				 .halt = removal->halt};
	struct http_answer answer;
	int r;

	*ret = (struct attempt){.is_ambiguous = false};
	if (!removal->body)
		return cvx_fail_memory(err);
	call.body_size = strlen(removal->body);
	r = http_perform_repeated(removal->http, &call, false, &answer, err);
	ret->is_ambiguous = r < 0 && (answer.outcome == HTTP_AMBIGUOUS ||
				      halt_is_requested(removal->halt));
	ret->was_answered = answer.status != 0;
	if (r == 0 && answer.body.size > 0) { /* it is not the deployment's */
		ret->is_ambiguous = true;
		r = http_fail_answer(&call, answer.status, err,
				     "it should be empty");
	}
	http_answer_fini(&answer);
	return r;
}

static int fail_unknown(const struct removal *removal,
			const struct cvx_err *why, struct cvx_err *err)
{
	return cvx_fail_named(err, -EINPROGRESS, INTAKE_UNKNOWN,
			      "outcome unknown: %s %s may be deleted or not "
			      "(%.300s)",
			      removal->kind, removal->name, why->msg);
}

/* The answer was lost. 1: it is there as before; 0: it is gone. */
static int look_again(const struct removal *removal, unsigned number,
		      const struct cvx_err *lost, struct cvx_err *err)
{
	const struct http_answer none = {.outcome = HTTP_AMBIGUOUS};
	int r;

	if (!http_wait_to_repeat(removal->http, number, &none, removal->halt))
		return fail_unknown(removal, lost, err);
	r = removal->look(removal->ctx, err);
	return r < 0 && r != -ENOTEMPTY ? fail_unknown(removal, lost, err) : r;
}

/* A network that repeats a request gets a refusal for the second one: what is
 * gone need not go. */
static int fail_refused(const struct removal *removal,
			const struct cvx_err *why, struct cvx_err *err)
{
	struct cvx_err looking = CVX_ERR_INIT;

	if (removal->look(removal->ctx, &looking) == 0)
		return 0;
	if (err)
		*err = *why;
	return why->code;
}

int removal_run(const struct removal *removal, struct cvx_err *err)
{
	struct cvx_err why = CVX_ERR_INIT;
	unsigned number;
	struct attempt last;
	int r = removal->look(removal->ctx, err);

	if (r == 0)
		r = cvx_fail(err, -ENOENT, "there is no %s %s", removal->kind,
			     removal->name);
	for (number = 1; r == 1; number++) {
		r = request(removal, &last, &why);
		if (r < 0 && last.is_ambiguous && number <= REPETITIONS_MAX)
			r = look_again(removal, number, &why, err);
		else if (r < 0 && last.is_ambiguous && !last.was_answered)
			r = fail_unknown(removal, &why, err);
		else if (r < 0)
			r = fail_refused(removal, &why, err);
	}
	return r;
}
