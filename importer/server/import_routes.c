/* Uploads and imports: protocol.md 7. */

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/spool.h"
#include "importer/embedded/jobs.h"
#include "importer/server/compose.h"
#include "importer/server/early.h"
#include "importer/server/http.h"
#include "importer/server/imports.h"
#include "importer/server/inside.h"
#include "importer/server/mode.h"
#include "importer/server/reply.h"
#include "importer/server/routes.h"
#include "importer/server/uploads.h"

/* --- parts --------------------------------------------------------------- */

static void begin_part(struct server *s, struct http_exchange *x)
{
	struct request *request = request_of(x);
	const char *token = http_arg(x, "uploadToken");
	const char *number = http_arg(x, "partNumber");
	struct http_sink sink = {NULL, upload_part_write};
	struct cvx_err err = CVX_ERR_INIT;

	if (!token || !number) {
		reply_error(x, 400, "BadQueryArgs",
			    "uploadToken and partNumber are needed");
		return;
	}
	if (uploads_begin_part(s->uploads, token, number, http_body_size(x),
			       &request->part, &err) < 0) {
		reply_failure(x, &err);
		return;
	}
	sink.ctx = request->part;
	http_set_sink(x, &sink);
}

static void upload_part(struct server *s, struct http_exchange *x)
{
	struct request *request = request_of(x);
	struct cvx_buf body = CVX_BUF_INIT(REPLY_MAX);
	char token[UPLOAD_PART_TOKEN_SIZE];
	struct cvx_err err = CVX_ERR_INIT;
	int r = http_body_error(x, &err);

	(void)s;
	if (r == 0)
		r = upload_part_finish(request->part, token, &err);
	upload_part_free(CVX_TAKE(request->part));
	if (r < 0)
		reply_failure(x, &err);
	else if (compose_print_string(token, &body) < 0)
		reply_empty(x, 503);
	else
		reply_json(x, &body);
	cvx_buf_fini(&body);
}

/* --- from an upload to an import ----------------------------------------- */

static int fail_body(struct cvx_err *err, const char *text)
{
	return cvx_fail_named(err, -EINVAL, "BadJsonBody", "%s", text);
}

static int copy_word(char **ret, const char *text, struct cvx_err *err)
{
	*ret = strdup(text ? text : "");
	return *ret ? 0 : cvx_fail_memory(err);
}

/* IMP-7. NULL: not given. */
static int fill_job(struct job *job, const char *format, const char *mode,
		    const char *table, const char *component,
		    struct cvx_err *err)
{
	enum import_mode known;
	int r;

	if (!mode)
		mode = "requireEmpty";
	if (!format || !mode_is_format(format))
		return fail_body(err, "format must be csv, jsonLines, "
				      "jsonArray or zip");
	if (!mode_read(mode, &known))
		return fail_body(err, "mode must be requireEmpty, append, "
				      "replace or replaceAll");
	r = copy_word(&job->format, format, err);
	if (r == 0)
		r = copy_word(&job->mode, mode, err);
	if (r == 0)
		r = copy_word(&job->table, table, err);
	if (r == 0)
		r = copy_word(&job->component, component, err);
	return r;
}

/* --- beginning ----------------------------------------------------------- */

/* Clients may tell here what they tell in the end (early.h), by the words of
 * IMP-27. What cannot be is told then. */
static void begin_early(struct server *s, struct http_exchange *x,
			const char *token)
{
	struct job job = {.number = 0};
	struct early *early;

	if (fill_job(&job, http_arg(x, "format"), http_arg(x, "mode"),
		     http_arg(x, "tableName"), http_arg(x, "componentPath"),
		     NULL) == 0 &&
	    strcmp(job.format, "zip") != 0 && imports_check(&job, NULL) == 0 &&
	    early_new(s->d, &job, &early, NULL) == 0)
		uploads_set_early(s->uploads, token, early);
	job_fini(&job);
}

static void start_upload(struct server *s, struct http_exchange *x)
{
	struct cvx_err err = CVX_ERR_INIT;
	char token[UPLOAD_TOKEN_SIZE];
	cJSON *object;

	if (uploads_start(s->uploads, token, &err) < 0) {
		reply_failure(x, &err);
		return;
	}
	if (http_arg(x, "format"))
		begin_early(s, x, token);
	object = cJSON_CreateObject();
	if (object && !cJSON_AddStringToObject(object, "uploadToken", token)) {
		cJSON_Delete(object);
		object = NULL;
	}
	reply_object(x, object);
}

/* --- finishing ----------------------------------------------------------- */

static void reply_import_id(struct http_exchange *x, const char *id)
{
	cJSON *object = cJSON_CreateObject();

	if (object && !cJSON_AddStringToObject(object, "importId", id)) {
		cJSON_Delete(object);
		object = NULL;
	}
	reply_object(x, object);
}

/* The texts of an array of strings, which live as long as it. */
static int read_tokens(const cJSON *array, const char ***ret, size_t *ret_count,
		       struct cvx_err *err)
{
	const cJSON *item;
	size_t n = 0;

	if (!cJSON_IsArray(array))
		return fail_body(err, "partTokens must be an array");
	*ret = calloc((size_t)cJSON_GetArraySize(array) + 1, sizeof(**ret));
	if (!*ret)
		return cvx_fail_memory(err);
	cJSON_ArrayForEach(item, array)
	{
		(*ret)[n] = cJSON_GetStringValue(item);
		if (!(*ret)[n++])
			return fail_body(err,
					 "partTokens must hold strings only");
	}
	*ret_count = n;
	if (n > UPLOAD_PART_MAX)
		return fail_body(err, "there are too many partTokens");
	return 0;
}

static int read_finish(const cJSON *body, struct job *job, const char **token,
		       const char ***tokens, size_t *ret_count,
		       struct cvx_err *err)
{
	const cJSON *import = cJSON_GetObjectItemCaseSensitive(body, "import");
	int r;

	*token = reply_member(body, "uploadToken");
	if (!*token || !cJSON_IsObject(import))
		return fail_body(err, "import and uploadToken are needed");
	r = fill_job(job, reply_member(import, "format"),
		     reply_member(import, "mode"),
		     reply_member(import, "tableName"),
		     reply_member(import, "componentPath"), err);
	if (r == 0)
		r = imports_check(job, err);
	return r < 0 ? r
		     : read_tokens(cJSON_GetObjectItemCaseSensitive(
					   body, "partTokens"),
				   tokens, ret_count, err);
}

static uint64_t total(const struct job *job)
{
	uint64_t size = 0;
	size_t i;

	for (i = 0; i < job->extent_count; i++)
		size += job->extents[i].size;
	return size;
}

/* What there was no room for can be finished when there is. */
static int add_claimed(struct server *s, struct claimed_upload *claimed,
		       struct job *job, struct cvx_err *err)
{
	bool in_doubt;
	int r;

	job->extents = CVX_TAKE(claimed->extents);
	job->extent_count = claimed->extent_count;
	job->size = total(job);
	r = imports_add(s->imports, job, claimed->bytes,
			CVX_TAKE(claimed->early), &in_doubt, err);
	if (r < 0 && !in_doubt)
		uploads_put_back(s->uploads, claimed);
	else
		uploads_end(s->uploads, claimed);
	return r;
}

static void finish_upload(struct server *s, struct http_exchange *x)
{
	CVX_AUTO(cvx_freep) const char **tokens = NULL;
	struct claimed_upload claimed = {.upload = NULL};
	struct job job = {.number = 0};
	struct cvx_err err = CVX_ERR_INIT;
	const char *token;
	size_t count = 0;
	cJSON *body;
	int r;

	if (reply_read_json(x, &body) < 0)
		return;
	r = read_finish(body, &job, &token, &tokens, &count, &err);
	if (r == 0)
		r = uploads_claim(s->uploads, token, tokens, count, &claimed,
				  &err);
	if (r == 0)
		r = add_claimed(s, &claimed, &job, &err);
	if (r < 0)
		reply_failure(x, &err);
	else
		reply_import_id(x, job.id);
	job_fini(&job);
	cJSON_Delete(body);
}

/* --- confirming and canceling -------------------------------------------- */

static void change_import(struct server *s, struct http_exchange *x,
			  int (*change)(struct imports *im, const char *id,
					struct cvx_err *err))
{
	struct cvx_err err = CVX_ERR_INIT;
	const char *id;
	cJSON *body;

	if (reply_read_json(x, &body) < 0)
		return;
	id = reply_member(body, "importId");
	if (!id)
		reply_error(x, 400, "BadJsonBody", "importId is needed");
	else if (change(s->imports, id, &err) < 0)
		reply_failure(x, &err);
	else
		reply_empty(x, 200);
	cJSON_Delete(body);
}

static void perform_import(struct server *s, struct http_exchange *x)
{
	change_import(s, x, imports_confirm);
}

static void cancel_import(struct server *s, struct http_exchange *x)
{
	change_import(s, x, imports_cancel);
}

/* --- all in one request (IMP-27) ----------------------------------------- */

/* Each keeps a worker busy until its import is over. */
#define WHOLE_MAX 2
#define WHOLE_SECONDS 300

static int write_whole(void *ctx, const void *bytes, size_t size,
		       struct cvx_err *err)
{
	struct spool *spool = ctx;

	return spool_write(spool, spool_size(spool), bytes, size, err);
}

static void begin_whole(struct server *s, struct http_exchange *x)
{
	struct request *request = request_of(x);
	struct http_sink sink = {NULL, write_whole};
	struct cvx_err err = CVX_ERR_INIT;

	if (uploads_new_spool(s->uploads, &request->bytes, &err) < 0) {
		reply_failure(x, &err);
		return;
	}
	sink.ctx = request->bytes;
	http_set_sink(x, &sink);
}

static void reply_written(struct http_exchange *x, const struct job *job)
{
	cJSON *object;

	if (job->state != JOB_COMPLETED) {
		reply_error(x, 400, "ImportFailed", job->error_text);
		return;
	}
	object = cJSON_CreateObject();
	if (object &&
	    !compose_add_int64(object, "numWritten", (int64_t)job->row_count)) {
		cJSON_Delete(object);
		object = NULL;
	}
	reply_object(x, object);
}

static int import_spool(struct server *s, struct http_exchange *x,
			struct job *job, struct job *ret, struct cvx_err *err)
{
	struct request *request = request_of(x);
	uint64_t size = spool_size(request->bytes);
	bool in_doubt; /* what is, is told as a failure */
	int r = http_body_error(x, err);

	if (r == 0)
		r = fill_job(job, http_arg(x, "format"), http_arg(x, "mode"),
			     http_arg(x, "tableName"),
			     http_arg(x, "componentPath"), err);
	if (r < 0 && err->name)
		err->name = "BadQueryArgs";
	if (r == 0 && size > 0) {
		job->extents = calloc(1, sizeof(*job->extents));
		if (!job->extents)
			return cvx_fail_memory(err);
		job->extents[0].size = size;
		job->extent_count = 1;
	}
	job->size = size;
	job->confirms_itself = true;
	if (r == 0)
		r = imports_check(job, err);
	if (r == 0)
		r = imports_add(s->imports, job, request->bytes, NULL,
				&in_doubt, err);
	if (r == 0)
		r = imports_await(s->imports, job->id, WHOLE_SECONDS, ret, err);
	return r;
}

static void import_whole(struct server *s, struct http_exchange *x)
{
	struct job job = {.number = 0}, done = {.number = 0};
	struct cvx_err err = CVX_ERR_INIT;

	if (atomic_fetch_add(&s->whole_count, 1) >= WHOLE_MAX)
		reply_error(x, 503, "TooManyConcurrentRequests",
			    "other imports of this kind are under way");
	else if (import_spool(s, x, &job, &done, &err) < 0)
		reply_failure(x, &err);
	else
		reply_written(x, &done);
	atomic_fetch_sub(&s->whole_count, 1);
	job_fini(&job);
	job_fini(&done);
}

const struct route import_routes[] = {
	{HTTP_POST, "/api/import/start_upload", ROUTE_ADMIN, ROUTE_JSON_MAX,
	 NULL, start_upload},
	{HTTP_POST, "/api/import/upload_part", ROUTE_ADMIN,
	 UPLOAD_PART_SIZE_MAX, begin_part, upload_part},
	{HTTP_POST, "/api/import/finish_upload", ROUTE_ADMIN, ROUTE_JSON_MAX,
	 NULL, finish_upload},
	{HTTP_POST, "/api/perform_import", ROUTE_ADMIN, ROUTE_JSON_MAX, NULL,
	 perform_import},
	{HTTP_POST, "/api/cancel_import", ROUTE_ADMIN, ROUTE_JSON_MAX, NULL,
	 cancel_import},
	{HTTP_POST, "/api/import", ROUTE_ADMIN, UPLOAD_PART_SIZE_MAX,
	 begin_whole, import_whole},
	{HTTP_OTHER, NULL, ROUTE_ADMIN, 0, NULL, NULL},
};
