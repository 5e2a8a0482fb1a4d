/* Stored files: protocol.md 12. */

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "importer/server/component_id.h"
#include "importer/server/compose.h"
#include "importer/server/function_table.h"
#include "importer/server/http.h"
#include "importer/server/inside.h"
#include "importer/server/pages.h"
#include "importer/server/range.h"
#include "importer/server/reply.h"
#include "importer/server/routes.h"
#include "importer/server/stored_pages.h"
#include "importer/server/upload_token.h"
#include "importer/server/uploads.h"
#include "importer/stored_file.h"
#include "importer/value/base64.h"
#include "importer/value/sha256.h"

static int generate_url(const struct function_call *call, struct cvx_buf *out,
			struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *component = NULL;
	CVX_AUTO(cvx_freep) char *url = NULL;
	char token[UPLOAD_LEAVE_SIZE];
	int r = function_component(call, "componentId", &component, err);

	if (r == 0)
		r = upload_token_make(&call->server->auth, component, token,
				      err);
	if (r < 0)
		return r;
	if (asprintf(&url, "%s/api/storage/upload?token=%s", call->server->url,
		     token) < 0) {
		url = NULL;
		return cvx_fail_memory(err);
	}
	return compose_print_string(url, out);
}

/* --- looking ------------------------------------------------------------- */

static int list_files(const struct function_call *call, struct cvx_buf *out,
		      struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *component = NULL;
	const cJSON *options =
		cJSON_GetObjectItemCaseSensitive(call->args, "paginationOpts");
	const cJSON *filters =
		cJSON_GetObjectItemCaseSensitive(call->args, "filters");
	const cJSON *count =
		cJSON_GetObjectItemCaseSensitive(options, "numItems");
	const cJSON *least =
		cJSON_GetObjectItemCaseSensitive(filters, "minCreationTime");
	const cJSON *most =
		cJSON_GetObjectItemCaseSensitive(filters, "maxCreationTime");
	const char *order = reply_member(filters, "order");
	struct page_request request = {
		.table = "_storage",
		.descending = !order || strcmp(order, "asc") != 0,
		.cursor = reply_member(options, "cursor"),
	};
	const struct stored_view view = {
		.url = call->server->url,
		.least = cJSON_IsNumber(least) ? least->valuedouble : -INFINITY,
		.most = cJSON_IsNumber(most) ? most->valuedouble : INFINITY,
	};
	int r;

	if (!cJSON_IsNumber(count) || !(count->valuedouble >= 1))
		return function_fail_argument("paginationOpts.numItems",
					      "a number above 0", err);
	request.count = count->valuedouble < PAGE_ROWS_MAX
				? (uint64_t)count->valuedouble
				: PAGE_ROWS_MAX;
	r = function_component(call, "componentId", &component, err);
	if (r < 0)
		return r;
	request.component = component;
	return stored_pages_print(call->server->d, &request, &view, out, err);
}

static int get_file(const struct function_call *call, struct cvx_buf *out,
		    struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *component = NULL;
	const char *id = reply_member(call->args, "storageId");
	const struct stored_view view = {.url = call->server->url};
	struct stored_file file;
	int r;

	if (!id)
		return function_fail_argument("storageId", "an id", err);
	r = function_component(call, "componentId", &component, err);
	if (r == 0)
		r = deployment_find_stored_file(call->server->d, component, id,
						&file, err);
	if (r == -ENOENT && component)
		return compose_print(cJSON_CreateNull(), out, err);
	if (r < 0)
		return r;
	r = compose_print(stored_file_json(&file, component, &view), out, err);
	stored_file_fini(&file);
	return r;
}

static int count_files(const struct function_call *call, struct cvx_buf *out,
		       struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *component = NULL;
	struct storage_info info;
	int r = function_component(call, "componentId", &component, err);

	if (r == 0)
		r = deployment_stat_storage(call->server->d, component, &info,
					    err);
	if (r < 0)
		return r;
	return compose_fail_append(
		cvx_buf_printf(out, "%.1f", (double)info.file_count), err);
}

/* --- deleting ------------------------------------------------------------ */

static int delete_file(const struct function_call *call, struct cvx_buf *out,
		       struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *component = NULL;
	const char *id = reply_member(call->args, "storageId");
	int r;

	if (!id)
		return function_fail_argument("storageId", "an id", err);
	r = function_component(call, "componentId", &component, err);
	if (r == 0)
		r = deployment_delete_stored_file(call->server->d, component,
						  id, err);
	return r < 0 ? r : compose_print(cJSON_CreateNull(), out, err);
}

static int delete_files(const struct function_call *call, struct cvx_buf *out,
			struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *component = NULL;
	const cJSON *item, *list = cJSON_GetObjectItemCaseSensitive(
				   call->args, "storageIds");
	int r;

	if (!cJSON_IsArray(list))
		return function_fail_argument("storageIds", "an array", err);
	r = function_component(call, "componentId", &component, err);
	cJSON_ArrayForEach(item, list)
	{
		const char *id = cJSON_GetStringValue(item);

		if (r == 0 && !id)
			r = function_fail_argument("storageIds", "ids", err);
		if (r == 0)
			r = deployment_delete_stored_file(call->server->d,
							  component, id, err);
	}
	return r < 0 ? r : compose_print(cJSON_CreateNull(), out, err);
}

#define MODULE "_system/frontend/fileStorageV2:"

const struct function stored_functions[] = {
	{MODULE "generateUploadUrl", true, generate_url},
	{MODULE "fileMetadata", false, list_files},
	{MODULE "getFile", false, get_file},
	{MODULE "numFiles", false, count_files},
	{MODULE "deleteFile", true, delete_file},
	{MODULE "deleteFiles", true, delete_files},
	{NULL, false, NULL},
};

/* --- storing ------------------------------------------------------------- */

#define FILE_SIZE_MAX (UINT64_C(64) << 30)

static int write_file(void *ctx, const void *bytes, size_t size,
		      struct cvx_err *err)
{
	struct request *request = ctx;
	int r = file_pwrite(request->fd, bytes, size, request->written);

	if (r < 0)
		return cvx_fail(err, r, "cannot write a file: %s",
				strerror(-r));
	request->written += size;
	return 0;
}

static void begin_file(struct server *s, struct http_exchange *x)
{
	struct request *request = request_of(x);
	const struct http_sink sink = {request, write_file};
	const char *token = http_arg(x, "token");
	struct cvx_err err = CVX_ERR_INIT;
	char component[ID_TEXT_MAX + 1];

	if (upload_token_check(&s->auth, token ? token : "", component, &err) <
		    0 ||
	    uploads_open_file(s->uploads, &request->fd, &err) < 0)
		reply_failure(x, &err);
	else
		http_set_sink(x, &sink);
}

static int hash_file(int fd, uint64_t size, unsigned char hash[SHA256_SIZE],
		     struct cvx_err *err)
{
	struct sha256 *sha;
	char bytes[16384];
	uint64_t off;
	size_t n = 0;
	int r = sha256_new(&sha, err);

	for (off = 0; r == 0 && off < size; off += n) {
		r = file_pread(fd, bytes, sizeof(bytes), off, &n);
		if (r == 0 && n == 0)
			r = -EIO;
		if (r < 0) {
			(void)cvx_fail(err, r, "cannot read a file: %s",
				       strerror(-r));
			break;
		}
		sha256_add(sha, bytes, n);
	}
	if (r == 0)
		sha256_finish(sha, hash);
	sha256_free(sha);
	return r;
}

/* FIL-2: "sha-256=BASE64". NULL: not told. */
static int check_digest(const char *digest, int fd, uint64_t size,
			struct cvx_err *err)
{
	unsigned char told[SHA256_SIZE], hash[SHA256_SIZE];
	size_t told_size;
	int r;

	if (!digest)
		return 0;
	if (strncasecmp(digest, "sha-256=", 8) != 0 ||
	    !base64_check(digest + 8, strlen(digest + 8), &told_size) ||
	    told_size != sizeof(told))
		return cvx_fail_named(err, -EINVAL, "BadHeader",
				      "Digest must be sha-256=BASE64");
	base64_decode(digest + 8, strlen(digest + 8), told);
	r = hash_file(fd, size, hash, err);
	if (r == 0 && memcmp(told, hash, sizeof(told)) != 0)
		r = cvx_fail_named(err, -EINVAL, "Sha256Mismatch",
				   "the bytes do not have this Digest");
	return r;
}

static int store(struct server *s, struct http_exchange *x,
		 char id[ID_TEXT_MAX + 1], struct cvx_err *err)
{
	struct request *request = request_of(x);
	CVX_AUTO(cvx_freep) char *component = NULL;
	char component_id[ID_TEXT_MAX + 1];
	int r = http_body_error(x, err);

	if (r == 0)
		r = upload_token_check(&s->auth, http_arg(x, "token"),
				       component_id, err);
	if (r == 0)
		r = component_id_find(s->d, component_id, &component, err);
	if (r == 0)
		r = check_digest(http_header(x, HTTP_DIGEST), request->fd,
				 request->written, err);
	if (r == 0)
		r = deployment_store_file(
			s->d, component, http_header(x, HTTP_CONTENT_TYPE),
			request->fd, request->written, id, err);
	if (r < 0 && err->name && strcmp(err->name, "InvalidConvexValue") == 0)
		err->name = "BadHeader";
	return r;
}

static void store_file(struct server *s, struct http_exchange *x)
{
	struct cvx_err err = CVX_ERR_INIT;
	char id[ID_TEXT_MAX + 1];
	cJSON *object;

	if (store(s, x, id, &err) < 0) {
		reply_failure(x, &err);
		return;
	}
	object = cJSON_CreateObject();
	if (object && !cJSON_AddStringToObject(object, "storageId", id)) {
		cJSON_Delete(object);
		object = NULL;
	}
	reply_object(x, object);
}

/* --- reading (FIL-4) ----------------------------------------------------- */

/* The id of the file with this UUID. */
static int find_uuid(struct server *s, const char *component, const char *uuid,
		     char id[ID_TEXT_MAX + 1], struct cvx_err *err)
{
	struct stored_file *files = NULL;
	size_t count = 0, i;
	int r = deployment_list_stored_files(s->d, component, &files, &count,
					     err);

	if (r < 0)
		return r;
	for (i = 0; i < count; i++)
		if (strcmp(files[i].internal_id, uuid) == 0)
			break;
	if (i == count)
		r = cvx_fail_named(err, -ENOENT, "FileNotFound",
				   "there is no file %.40s", uuid);
	else
		(void)snprintf(id, ID_TEXT_MAX + 1, "%s", files[i].id);
	stored_files_free(files, count);
	return r;
}

static int open_uuid(struct server *s, struct http_exchange *x, int *ret_fd,
		     struct stored_file *ret, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *component = NULL;
	const char *uuid = request_of(x)->rest;
	char id[ID_TEXT_MAX + 1];
	int r;

	if (strlen(uuid) != STORED_FILE_UUID_SIZE)
		return cvx_fail_named(err, -EINVAL, "InvalidStoragePath",
				      "the path does not end with a UUID");
	r = component_id_find(s->d, http_arg(x, "component"), &component, err);
	if (r == 0)
		r = find_uuid(s, component, uuid, id, err);
	if (r == 0)
		r = deployment_open_stored_file(s->d, component, id, ret_fd,
						ret, err);
	if (r == -ENOENT && !err->name)
		err->name = "FileNotFound";
	return r;
}

static void reply_file(struct http_exchange *x, const struct stored_file *file,
		       int fd)
{
	char text[128];
	struct range range;

	switch (range_read(http_header(x, HTTP_RANGE), file->size, &range)) {
	case RANGE_NONE:
		http_reply_file(x, 200, file->content_type, fd, 0, file->size);
		return;
	case RANGE_ONE:
		(void)snprintf(text, sizeof(text),
			       "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
			       range.off, range.off + range.size - 1,
			       file->size);
		http_add_header(x, "Content-Range", text);
		http_reply_file(x, 206, file->content_type, fd, range.off,
				range.size);
		return;
	case RANGE_BAD:
		cvx_closep(&fd);
		(void)snprintf(text, sizeof(text), "bytes */%" PRIu64,
			       file->size);
		http_add_header(x, "Content-Range", text);
		reply_empty(x, 416);
	}
}

static void get_stored(struct server *s, struct http_exchange *x)
{
	char digest[8 + BASE64_SIZE(STORED_FILE_SHA256_SIZE) + 1] = "sha-256=";
	struct cvx_err err = CVX_ERR_INIT;
	struct stored_file file;
	int fd;

	if (open_uuid(s, x, &fd, &file, &err) < 0) {
		reply_failure(x, &err);
		return;
	}
	base64_encode(file.sha256, sizeof(file.sha256), digest + 8);
	digest[sizeof(digest) - 1] = '\0';
	http_add_header(x, "Digest", digest);
	http_add_header(x, "Accept-Ranges", "bytes");
	http_add_header(x, "Cache-Control", "private, max-age=2592000");
	reply_file(x, &file, fd);
	stored_file_fini(&file);
}

const struct route stored_routes[] = {
	{HTTP_POST, "/api/storage/upload", ROUTE_OPEN, FILE_SIZE_MAX,
	 begin_file, store_file},
	{HTTP_GET, "/api/storage/*", ROUTE_OPEN, 0, NULL, get_stored},
	{HTTP_OTHER, NULL, ROUTE_ADMIN, 0, NULL, NULL},
};
