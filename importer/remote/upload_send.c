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

/* A part's bytes for libcurl, which may begin anew with them. */
struct body {
	const struct import_source *source;
	uint64_t off;
	bool hashes;
	/* Of the first hashed_size bytes; NULL: of none. */
	struct part_hash *hash;
	uint64_t hashed_size;
};

static void add_hash(struct body *body, uint64_t off, const void *bytes,
		     size_t size)
{
	if (off == 0) {
		part_hash_free(CVX_TAKE(body->hash));
		body->hashed_size = 0;
		/* Without memory it is not hashed, and so not recorded. */
		body->hash = part_hash_new();
	}
	if (!body->hash || off != body->hashed_size)
		return;
	part_hash_add(body->hash, bytes, size);
	body->hashed_size += size;
}

static int read_body(void *ctx, uint64_t off, void *bytes, size_t size)
{
	struct body *body = ctx;
	int r = file_part_read(body->source, body->off + off, bytes, size);

	if (r == 0 && body->hashes)
		add_hash(body, off, bytes, size);
	return r;
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
		r = http_fail_answer(&call, answer.status, err,
				     "uploadToken is missing");
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
		r = http_fail_answer(call, answer->status, err,
				     "it is not a part token");
	if (r == 0) {
		*ret = strdup(json->valuestring);
		if (!*ret)
			r = cvx_fail_memory(err);
	}
	cJSON_Delete(json);
	return r;
}

int upload_send_part(const struct upload_send *s, const struct file_part *part,
		     bool hashes, struct sent_part *ret, struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf path = CVX_BUF_INIT(PATH_SIZE_MAX);
	struct body body = {s->source, part->off, hashes, NULL, 0};
	struct http_call call = {.method = "POST",
				 .content_type = "application/octet-stream",
				 .body_size = part->size,
				 .read = read_body,
				 .ctx = &body,
				 .halt = s->halt};
	struct http_answer answer;
	int r;

	*ret = (struct sent_part){.token = NULL};
	r = print_path(s->token, part->number, &path, err);
	if (r < 0)
		return r;
	call.path = path.data;
	r = http_perform_repeated(s->http, &call, false, &answer, err);
	ret->begins_again = r < 0 && answer.outcome == HTTP_AMBIGUOUS;
	ret->is_refused = answer.outcome == HTTP_REFUSED ||
			  answer.outcome == HTTP_NOT_FOUND;
	if (r == 0)
		r = take_part_token(&call, &answer, &ret->token, err);
	if (body.hash && body.hashed_size == part->size) {
		part_hash_finish(body.hash, ret->hash);
		ret->is_hashed = true;
	}
	part_hash_free(body.hash);
	http_answer_fini(&answer);
	return r;
}
