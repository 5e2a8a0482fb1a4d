#include "importer/server/reply.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "importer/server/http.h"

#define JSON_TYPE "application/json"

void reply_empty(struct http_exchange *x, unsigned status)
{
	http_reply(x, status, NULL, NULL);
}

void reply_text(struct http_exchange *x, const char *text)
{
	struct cvx_buf body = CVX_BUF_INIT(REPLY_MAX);

	if (cvx_buf_puts(&body, text) < 0)
		reply_empty(x, 503);
	else
		http_reply(x, 200, "text/plain; charset=utf-8", &body);
	cvx_buf_fini(&body);
}

void reply_json(struct http_exchange *x, struct cvx_buf *body)
{
	http_reply(x, 200, JSON_TYPE, body);
}

static int print_object(struct cJSON *object, struct cvx_buf *out)
{
	char *text = object ? cJSON_PrintUnformatted(object) : NULL;
	int r = text ? cvx_buf_puts(out, text) : -ENOMEM;

	cJSON_free(text);
	cJSON_Delete(object);
	return r;
}

void reply_object(struct http_exchange *x, struct cJSON *object)
{
	struct cvx_buf body = CVX_BUF_INIT(REPLY_MAX);

	if (print_object(object, &body) < 0)
		reply_empty(x, 503);
	else
		reply_json(x, &body);
	cvx_buf_fini(&body);
}

void reply_error(struct http_exchange *x, unsigned status, const char *code,
		 const char *message)
{
	struct cvx_buf body = CVX_BUF_INIT(REPLY_MAX);
	struct cJSON *object = cJSON_CreateObject();

	if (object && (!cJSON_AddStringToObject(object, "code", code) ||
		       !cJSON_AddStringToObject(object, "message", message))) {
		cJSON_Delete(object);
		object = NULL;
	}
	if (print_object(object, &body) < 0)
		reply_empty(x, status);
	else
		http_reply(x, status, JSON_TYPE, &body);
	cvx_buf_fini(&body);
}

static const struct {
	const char *name;
	unsigned status;
} statuses[] = {
	{"ImportNotFound", 404},	 {"ExportNotFound", 404},
	{"FileNotFound", 404},		 {"OutOfRetention", 503},
	{"SystemIdentityRequired", 403}, {"StorageTokenInvalid", 401},
	{"StorageTokenExpired", 401},
};

static unsigned status_of(const struct cvx_err *err)
{
	size_t i;

	for (i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		if (strcmp(statuses[i].name, err->name) == 0)
			return statuses[i].status;
	return 400;
}

void reply_failure(struct http_exchange *x, const struct cvx_err *err)
{
	if (err->name) {
		reply_error(x, status_of(err), err->name, err->msg);
		return;
	}
	switch (err->code) {
	case -EBUSY:
		reply_error(x, 503, "Overloaded", err->msg);
		return;
	case -ESHUTDOWN:
		reply_error(x, 503, "ServerStops", err->msg);
		return;
	case -ETIMEDOUT:
		reply_error(x, 408, "RequestTimedOut", err->msg);
		return;
	default:
		log_warning("%s: %s", http_path(x), err->msg);
		reply_error(x, 500, "InternalServerError", err->msg);
	}
}

static bool is_json_type(const char *type)
{
	size_t size = type ? strcspn(type, "; ") : 0;

	if (size == sizeof(JSON_TYPE) - 1 &&
	    strncasecmp(type, JSON_TYPE, size) == 0)
		return true;
	return size > 17 && strncasecmp(type, "application/", 12) == 0 &&
	       strncasecmp(type + size - 5, "+json", 5) == 0;
}

/* Each value but the first of an array or object has a comma before it. */
static bool has_too_many_values(const char *text, size_t size)
{
	const char *end = text + size;
	bool in_string = false;
	size_t n = 0;

	for (; text < end; text++) {
		if (in_string && *text == '\\')
			text++;
		else if (*text == '"')
			in_string = !in_string;
		else if (!in_string &&
			 (*text == ',' || *text == '[' || *text == '{'))
			n++;
	}
	return n > REPLY_VALUES_MAX;
}

struct cJSON *reply_parse(const char *text, size_t size)
{
	const char *end = NULL;
	struct cJSON *value;

	if (!text || has_too_many_values(text, size))
		return NULL;
	value = cJSON_ParseWithLengthOpts(text, size, &end, false);
	while (value && end < text + size && strchr(" \t\r\n", *end))
		end++;
	if (value && end != text + size) {
		cJSON_Delete(value);
		return NULL;
	}
	return value;
}

int reply_read_json(struct http_exchange *x, struct cJSON **ret)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct cJSON *object;
	const char *body;
	size_t size;

	if (!is_json_type(http_header(x, HTTP_CONTENT_TYPE))) {
		reply_error(x, 400, "BadJsonBody",
			    "The header Content-Type must be "
			    "application/json.");
		return -EINVAL;
	}
	if (http_body_error(x, &err) == -EBUSY) {
		reply_failure(x, &err);
		return -EINVAL;
	}
	if (err.code < 0) {
		reply_error(x, 400, "BadJsonBody", err.msg);
		return -EINVAL;
	}
	body = http_body(x, &size);
	object = reply_parse(body, size);
	if (!cJSON_IsObject(object)) {
		cJSON_Delete(object);
		reply_error(x, 400, "BadJsonBody",
			    "The body is not a JSON object, or one of too many "
			    "values.");
		return -EINVAL;
	}
	*ret = object;
	return 0;
}

const char *reply_member(const struct cJSON *object, const char *key)
{
	return cJSON_GetStringValue(
		cJSON_GetObjectItemCaseSensitive(object, key));
}
