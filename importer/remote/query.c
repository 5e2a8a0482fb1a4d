#include "importer/remote/query.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/remote/http.h"
#include "importer/value/base64.h"

#define PERMISSION "You do not have permission to perform this operation"

const char *query_text(const struct cJSON *object, const char *key)
{
	return cJSON_GetStringValue(
		cJSON_GetObjectItemCaseSensitive(object, key));
}

/* {"path":…,"format":…,"args":[…],"ts":…}; NULL without memory. */
static char *print_call(const char *path, cJSON *args, const char *ts)
{
	cJSON *call = cJSON_CreateObject();
	cJSON *list = cJSON_AddArrayToObject(call, "args");
	char *text = NULL;

	if (!args)
		args = cJSON_CreateObject();
	if (!cJSON_AddItemToArray(list, args))
		cJSON_Delete(args);
	else if (cJSON_AddStringToObject(call, "path", path) &&
		 cJSON_AddStringToObject(call, "format",
					 "convex_encoded_json") &&
		 (!ts || cJSON_AddStringToObject(call, "ts", ts)))
		text = cJSON_PrintUnformatted(call);
	cJSON_Delete(call);
	return text;
}

/* QRY-5, QRY-7: the first line is "[Request ID: …] Server Error". */
int query_fail(const char *path, const char *message, struct cvx_err *err)
{
	const char *text = message ? strstr(message, PERMISSION) : NULL;

	if (text)
		return cvx_fail(err, -EPERM, "%s: %.*s", path,
				(int)strcspn(text, "\r\n"), text);
	if (!message)
		message = "failed without a message";
	text = strchr(message, '\n');
	if (message[0] != '[' || !text || !text[1])
		text = message;
	else
		text++;
	return cvx_fail(err, -EREMOTEIO, "%s: %s", path, text);
}

int query_fail_value(const char *endpoint, const char *path,
		     struct cvx_err *err, const char *fmt, ...)
{
	const struct http_call call = {.method = "POST", .path = endpoint};
	char what[CVX_ERR_MSG_SIZE];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	/* take_value() gives none of another status */
	(void)http_fail_answer(&call, 200, err, "%s", what);
	return err ? cvx_err_prefix(err, "%s", path) : -EPROTO;
}

/* R of QRY-4; takes the value out of it. */
static int take_value(const struct http_call *call, int http_status,
		      const char *path, cJSON *result, cJSON **ret,
		      struct cvx_err *err)
{
	const char *status = query_text(result, "status");

	if (status && strcmp(status, "error") == 0)
		return query_fail(path, query_text(result, "errorMessage"),
				  err);
	if (!status || strcmp(status, "success") != 0 || http_status != 200) {
		(void)http_fail_answer(call, http_status, err,
				       "no status of a function");
		return err ? cvx_err_prefix(err, "%s", path) : -EPROTO;
	}
	*ret = cJSON_DetachItemFromObjectCaseSensitive(result, "value");
	if (!*ret)
		*ret = cJSON_CreateNull();
	return *ret ? 0 : cvx_fail_memory(err);
}

/* How a function is called. */
struct calling {
	const char *endpoint;
	bool may_repeat;
	bool may_have_run; /* when it is over */
};

static int call_function(struct http *http, struct calling *how,
			 const char *path, char *text, const struct halt *halt,
			 cJSON **ret, struct cvx_err *err)
{
	struct http_call call = {.method = "POST",
				 .path = how->endpoint,
				 .content_type = "application/json",
				 .body = text,
				 .total_ms = HTTP_TOTAL_MS,
				 .accept_560 = true,
				 .halt = halt};
	struct http_answer answer;
	cJSON *result = NULL;
	int r;

	if (!text)
		return cvx_fail_memory(err);
	call.body_size = strlen(text);
	r = http_perform_repeated(http, &call, how->may_repeat, &answer, err);
	how->may_have_run = answer.may_have_arrived ||
			    (r < 0 && answer.outcome == HTTP_AMBIGUOUS);
	if (r == 0)
		r = http_parse(&call, &answer, &result, err);
	if (r == 0)
		r = take_value(&call, answer.status, path, result, ret, err);
	else if (err)
		(void)cvx_err_prefix(err, "%s", path);
	if (r == -EPROTO && answer.outcome == HTTP_DONE)
		how->may_have_run = true; /* whoever has answered */
	cJSON_Delete(result);
	http_answer_fini(&answer);
	return r;
}

int query_run(struct http *http, const char *path, struct cJSON *args,
	      const char *ts, const struct halt *halt, struct cJSON **ret,
	      struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *text = print_call(path, args, ts);
	struct calling how = {
		.endpoint = ts ? "/api/query_at_ts" : QUERY_ENDPOINT,
		.may_repeat = true,
	};

	return call_function(http, &how, path, text, halt, ret, err);
}

int query_mutate(struct http *http, const char *path, struct cJSON *args,
		 bool may_repeat, const struct halt *halt, struct cJSON **ret,
		 bool *ret_may_have_run, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *text = print_call(path, args, NULL);
	struct calling how = {
		.endpoint = QUERY_MUTATION_ENDPOINT,
		.may_repeat = may_repeat,
	};
	int r = call_function(http, &how, path, text, halt, ret, err);

	*ret_may_have_run = how.may_have_run;
	return r;
}

int query_timestamp(struct http *http, const struct halt *halt, char **ret,
		    struct cvx_err *err)
{
	const struct http_call call = {.method = "POST",
				       .path = "/api/query_ts",
				       .content_type = "application/json",
				       .total_ms = HTTP_TOTAL_MS,
				       .halt = halt};
	struct http_answer answer;
	cJSON *result = NULL;
	int r;

	r = http_perform_repeated(http, &call, true, &answer, err);
	if (r == 0)
		r = http_parse(&call, &answer, &result, err);
	if (r == 0 && !query_text(result, "ts"))
		r = http_fail_answer(&call, answer.status, err,
				     "ts is missing");
	if (r == 0) {
		*ret = strdup(query_text(result, "ts"));
		if (!*ret)
			r = cvx_fail_memory(err);
	}
	cJSON_Delete(result);
	http_answer_fini(&answer);
	return r;
}

/* VAL-4: eight bytes, the lowest first. */
static bool read_base64(const char *text, int64_t *ret)
{
	unsigned char bytes[9];
	uint64_t value = 0;
	size_t i, size;

	if (!text || strlen(text) != BASE64_SIZE(8) ||
	    !base64_check(text, strlen(text), &size) || size != 8)
		return false;
	base64_decode(text, strlen(text), bytes);
	for (i = 8; i > 0; i--)
		value = value << 8 | bytes[i - 1];
	*ret = (int64_t)value;
	return true;
}

bool query_read_integer(const struct cJSON *item, int64_t *ret)
{
	const char *text;
	char *end;

	if (cJSON_IsObject(item))
		return read_base64(query_text(item, "$integer"), ret);
	if (cJSON_IsNumber(item)) {
		if (!(item->valuedouble >= -9007199254740992.0 &&
		      item->valuedouble <= 9007199254740992.0) ||
		    (double)(int64_t)item->valuedouble != item->valuedouble)
			return false;
		*ret = (int64_t)item->valuedouble;
		return true;
	}
	text = cJSON_GetStringValue(item);
	if (!text || !text[0] || strspn(text, "-0123456789") != strlen(text))
		return false;
	errno = 0;
	*ret = strtoll(text, &end, 10);
	return *end == '\0' && errno == 0;
}
