#include "importer/remote/http_inside.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/remote/http.h"
#include "importer/remote/http_error.h"
#include "importer/remote/http_lane.h"
#include "importer/remote/secret.h"

/* Puts stars over every place of the secret. */
static void cut_out(char *text, const char *secret)
{
	size_t size = secret ? strlen(secret) : 0;
	char *at;

	if (size < 4)
		return;
	while ((at = strstr(text, secret)) != NULL)
		memset(at, '*', size);
}

/* A key, and also what is secret in it alone. */
static void cut_out_key(char *text, const char *key)
{
	const char *bar = key ? strchr(key, '|') : NULL;

	cut_out(text, key);
	if (bar)
		cut_out(text, bar + 1);
}

/* "POST /api/query", without its query. */
static void print_place(const struct http_call *call, char *out, size_t size)
{
	(void)snprintf(out, size, "%s %.*s", call->method,
		       (int)strcspn(call->path, "?"), call->path);
}

/* Of an answer that has begun; 0: none has. */
static int status_of(const struct request *q)
{
	long status = 0;

	(void)curl_easy_getinfo(q->lane->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

/* Whether it is the origin's own host that could not be connected to. */
static bool is_of_origin(const struct request *q)
{
	const char *origin = q->http->origin;
	const char *port = strncmp(origin, "https:", 6) == 0 ? "443" : "80";
	const char *host = strstr(origin, "://") + 3, *end;
	char direct[400];

	if (host[0] == '[')
		end = strchr(++host, ']');
	else
		end = host + strcspn(host, ":");
	if (strchr(end, ':'))
		port = strchr(end, ':') + 1;
	(void)snprintf(direct, sizeof(direct),
		       "Failed to connect to %.*s port %s ", (int)(end - host),
		       host, port);
	return strncmp(q->lane->why, direct, strlen(direct)) == 0;
}

/* What libcurl has to say, which knows more than its code: what is wrong with a
 * certificate, what a proxy answered. The system's own words do for a refused
 * connection, unless it was one to a proxy. */
static const char *explain(const struct request *q, CURLcode code, int os_error)
{
	const char *why = q->lane->why;

	if (code == CURLE_COULDNT_CONNECT && os_error > 0 && is_of_origin(q))
		return strerror(os_error);
	return why[0] ? why : curl_easy_strerror(code);
}

static int fail_transport(struct request *q, CURLcode code)
{
	const char *what;
	long os_error = 0;
	char place[300];
	int r;

	(void)curl_easy_getinfo(q->lane->easy, CURLINFO_OS_ERRNO, &os_error);
	r = http_error_of_curl((int)code, (int)os_error);
	print_place(q->call, place, sizeof(place));
	what = explain(q, code, (int)os_error);
	if (r == -ECANCELED)
		return cvx_fail(q->err, r, "%s: interrupted", place);
	if (r == -ETIMEDOUT && status_of(q) == 0)
		return cvx_fail(q->err, r, "%s: no answer from %s in time",
				place, q->http->origin);
	if (r == -ETIMEDOUT)
		what = "the rest did not come in time";
	if (status_of(q) > 0)
		return cvx_fail(q->err, r, "%s: %s answered %d, but: %s", place,
				q->http->origin, status_of(q), what);
	return cvx_fail(q->err, r, "%s: %s: %s", place, q->http->origin, what);
}

/* What the deployment's own error object says. */
static int fail_status(struct request *q)
{
	struct http_answer *a = q->answer;
	cJSON *json = cJSON_ParseWithLength(a->body.data, a->body.size);
	const char *code = cJSON_GetStringValue(
		cJSON_GetObjectItemCaseSensitive(json, "code"));
	const char *message = cJSON_GetStringValue(
		cJSON_GetObjectItemCaseSensitive(json, "message"));
	CVX_AUTO(cvx_freep) char *text = NULL;
	char place[300];
	int r;

	(void)snprintf(a->code, sizeof(a->code), "%s", code ? code : "");
	if (message)
		text = strdup(message); /* without memory there is none */
	secret_delete_json(json);
	if (text) {
		cut_out_key(text, q->http->key);
		cut_out_key(text, q->http->secret);
	}
	print_place(q->call, place, sizeof(place));
	r = http_error_of_status(a->status, a->code);
	if (a->is_deprecated && a->deprecation)
		return cvx_fail(q->err, r, "%s: %s", place, a->deprecation);
	if (!a->code[0] && !text)
		return cvx_fail(q->err, r, "%s: %s answered %d %s", place,
				q->http->origin, a->status,
				http_reason(a->status));
	return cvx_fail(q->err, r, "%s: %d %s: %s", place, a->status,
			a->code[0] ? a->code : http_reason(a->status),
			text ? text : "");
}

/* Whether the other side cannot have acted on the request. */
static bool is_unsent(const struct request *q, CURLcode code)
{
	long size = 0;

	switch (code) {
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_PROXY:
		return true;
	default: /* the codes of libcurl are not ours to list */
		break;
	}
	if (q->call->body_size > 0)
		return true;
	(void)curl_easy_getinfo(q->lane->easy, CURLINFO_REQUEST_SIZE, &size);
	return size == 0;
}

static enum http_outcome outcome_of_failure(const struct request *q,
					    CURLcode code, int error)
{
	if (q->sink_error < 0 || error == -ENOMEM || error == -ECANCELED)
		return HTTP_LOCAL;
	/* Whatever went wrong at last: what was lost on a kept connection
	 * libcurl would like to send again on a new one, and asks on_seek only
	 * once it has that. */
	if (q->body_off > 0)
		return HTTP_AMBIGUOUS;
	switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_TOO_MANY_REDIRECTS:
	case CURLE_URL_MALFORMAT:
		return HTTP_REFUSED; /* it would be the same again */
	default:
		break;
	}
	return is_unsent(q, code) ? HTTP_NOT_SENT : HTTP_AMBIGUOUS;
}

/* Of a sink's errors: it is the answer that is wrong, and not this machine. */
static bool is_of_answer(int error)
{
	return error == -EPROTO || error == -EINVAL || error == -EMSGSIZE;
}

static int fail_sink(struct request *q)
{
	char place[300];

	print_place(q->call, place, sizeof(place));
	q->answer->outcome = q->body_too_large ? HTTP_REFUSED : HTTP_LOCAL;
	if (q->body_too_large)
		return cvx_fail(q->err, -EMSGSIZE,
				"%s: %d, but the answer is larger than %zu "
				"bytes",
				place, status_of(q), q->answer->body.limit);
	if (q->sink_error == -ENOMEM)
		return cvx_fail_memory(q->err);
	if (q->err && q->err->code == q->sink_error) /* the sink said why */
		return is_of_answer(q->sink_error)
			       ? http_blame_answer(q->call, status_of(q),
						   q->err)
			       : q->sink_error;
	return cvx_fail(q->err, q->sink_error, "%s: %s", place,
			strerror(-q->sink_error));
}

/* libcurl has one code for a handshake that is refused, which would be the same
 * again, and one that is cut off. Of the first OpenSSL has an error to tell. */
static CURLcode tell_cut_handshake(const struct request *q, CURLcode code)
{
	const char *why = q->lane->why;

	if (code == CURLE_SSL_CONNECT_ERROR &&
	    (!strstr(why, "error:") || strstr(why, "unexpected eof")))
		return CURLE_RECV_ERROR;
	return code;
}

int http_conclude(struct request *q, CURLcode code)
{
	struct http_answer *a = q->answer;
	curl_off_t retry_after = 0;
	long status = 0;
	int r;

	if (q->sink_error < 0)
		return fail_sink(q);
	a->body_is_cut = q->body_off < q->call->body_size;
	code = tell_cut_handshake(q, code);
	if (code != CURLE_OK) {
		r = fail_transport(q, code);
		a->outcome = outcome_of_failure(q, code, r);
		return r;
	}
	(void)curl_easy_getinfo(q->lane->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(q->lane->easy, CURLINFO_RETRY_AFTER,
				&retry_after);
	a->status = (int)status;
	if (retry_after > 0 && retry_after < 3600)
		a->retry_after_ms = (uint64_t)retry_after * 1000;
	a->outcome = http_outcome_of_status(a->status);
	if (a->status == 560 && q->call->accept_560)
		a->outcome = HTTP_DONE;
	return a->outcome == HTTP_DONE ? 0 : fail_status(q);
}

int http_blame_answer(const struct http_call *call, int status,
		      struct cvx_err *err)
{
	char place[300];

	if (!err)
		return -EPROTO;
	print_place(call, place, sizeof(place));
	if (!is_of_answer(err->code))
		return cvx_err_prefix(err, "%s: %d", place, status);
	return cvx_err_prefix(err, "%s: %d, but the answer is wrong", place,
			      status);
}

int http_fail_answer(const struct http_call *call, int status,
		     struct cvx_err *err, const char *fmt, ...)
{
	char what[CVX_ERR_MSG_SIZE];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	(void)cvx_fail(err, -EPROTO, "%s", what);
	return http_blame_answer(call, status, err);
}

int http_parse(const struct http_call *call, const struct http_answer *answer,
	       struct cJSON **ret, struct cvx_err *err)
{
	const char *text = answer->body.data, *end = NULL;
	size_t size = answer->body.size;
	cJSON *json;

	json = size ? cJSON_ParseWithLengthOpts(text, size, &end, 0) : NULL;
	while (json && end < text + size && isspace((unsigned char)*end))
		end++;
	if (json && end == text + size) {
		*ret = json;
		return 0;
	}
	secret_delete_json(json);
	return http_fail_answer(call, answer->status, err,
				size ? "it is not JSON" : "it is empty");
}
