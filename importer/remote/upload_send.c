#include "importer/remote/upload_send.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/remote/http.h"
#include "importer/remote/query.h"
#include "importer/source.h"

#define PATH_SIZE_MAX ((size_t)1 << 20)

int file_part_read(const struct import_source *source, uint64_t off,
		   void *bytes, size_t size)
{
	size_t n;
	int r;

	while (size > 0) {
		r = source->read(source->ctx, off, bytes, size, &n, NULL);
		if (r < 0)
			return r;
		if (n == 0)
			return -EIO;
		bytes = (char *)bytes + n;
		off += n;
		size -= n;
	}
	return 0;
}

/* A part's bytes for libcurl. */
struct body {
	const struct import_source *source;
	uint64_t off;
};

static int read_body(void *ctx, uint64_t off, void *bytes, size_t size)
{
	const struct body *body = ctx;

	return file_part_read(body->source, body->off + off, bytes, size);
}

int upload_send_start(struct http *http, const char *path,
		      const struct halt *halt, char **ret, struct cvx_err *err)
{
	const struct http_call call = {.method = "POST",
				       .path = path,
				       .content_type = "application/json",
				       .total_ms = HTTP_TOTAL_MS,
				       .halt = halt};
	struct http_answer answer;
	cJSON *json = NULL;
	int r;

	r = http_perform_repeated(http, &call, true, &answer, err);
	if (r == 0)
		r = http_parse(&call, &answer, &json, err);
	if (r == 0 && !query_text(json, "uploadToken"))
		r = cvx_fail(err, -EPROTO,
			     "POST /api/import/start_upload: uploadToken is "
			     "missing in the answer");
	if (r == 0) {
		*ret = strdup(query_text(json, "uploadToken"));
		if (!*ret)
			r = cvx_fail_memory(err);
	}
	cJSON_Delete(json);
	http_answer_fini(&answer);
	return r;
}

static int print_path(const char *token, size_t number, struct cvx_buf *path,
		      struct cvx_err *err)
{
	int r = cvx_buf_puts(path, "/api/import/upload_part?uploadToken=");

	if (r == 0)
		r = http_escape(path, token);
	if (r == 0)
		r = cvx_buf_printf(path, "&partNumber=%zu", number);
	if (r == 0)
		r = cvx_buf_append(path, "", 1);
	return r < 0 ? cvx_fail(err, r, "the upload token is too long") : 0;
}

static int take_part_token(const struct http_call *call,
			   const struct http_answer *answer, char **ret,
			   struct cvx_err *err)
{
	cJSON *json = NULL;
	int r = http_parse(call, answer, &json, err);

	if (r == 0 && !cJSON_IsString(json))
		r = cvx_fail(err, -EPROTO,
			     "POST /api/import/upload_part: the answer is not "
			     "a part token");
	if (r == 0) {
		*ret = strdup(json->valuestring);
		if (!*ret)
			r = cvx_fail_memory(err);
	}
	cJSON_Delete(json);
	return r;
}

int upload_send_part(const struct upload_send *s, const struct file_part *part,
		     char **ret, bool *ret_again, struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf path = CVX_BUF_INIT(PATH_SIZE_MAX);
	struct body body = {s->source, part->off};
	struct http_call call = {.method = "POST",
				 .content_type = "application/octet-stream",
				 .body_size = part->size,
				 .read = read_body,
				 .ctx = &body,
				 .halt = s->halt};
	struct http_answer answer;
	int r;

	r = print_path(s->token, part->number, &path, err);
	if (r < 0)
		return r;
	call.path = path.data;
	r = http_perform_repeated(s->http, &call, false, &answer, err);
	*ret_again = r < 0 && answer.outcome == HTTP_AMBIGUOUS;
	if (r == 0)
		r = take_part_token(&call, &answer, ret, err);
	http_answer_fini(&answer);
	return r;
}
