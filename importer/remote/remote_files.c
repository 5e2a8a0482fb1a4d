#include "importer/remote/remote_files.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "importer/intake.h"
#include "importer/remote/halt.h"
#include "importer/remote/http.h"
#include "importer/remote/query.h"
#include "importer/value/base64.h"
#include "importer/value/sha256.h"

#define MODULE "_system/frontend/fileStorageV2:"
#define URL_MUTATION MODULE "generateUploadUrl"
#define FILES_QUERY MODULE "fileMetadata"
#define FILE_QUERY MODULE "getFile"
#define DELETE_MUTATION MODULE "deleteFile"

#define REPETITIONS_MAX 4
/* So many new ones are looked through for ours. */
#define NEWEST_MAX 100
#define HASH_TEXT_SIZE BASE64_SIZE(SHA256_SIZE)

/* One file on its way. */
struct upload {
	struct http *http;
	const char *component;
	const char *content_type;
	int fd;
	uint64_t size;
	const struct halt *halt;
	char hash[HASH_TEXT_SIZE + 1];
	double newest_before; /* _creationTime of the newest file before it */
};

static const cJSON *member(const cJSON *object, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* {"componentId":…}, left out for the root; NULL without memory. */
static cJSON *make_args(const char *component)
{
	cJSON *args = cJSON_CreateObject();

	if (!component ||
	    cJSON_AddStringToObject(args, "componentId", component))
		return args;
	cJSON_Delete(args);
	return NULL;
}

/* --- what is there ------------------------------------------------------- */

/* The newest files, the newest first, that are younger than newest_before. */
static int list_newest(const struct upload *u, unsigned count, cJSON **ret,
		       struct cvx_err *err)
{
	cJSON *args = make_args(u->component), *value;
	cJSON *options = cJSON_AddObjectToObject(args, "paginationOpts");
	cJSON *filters = cJSON_AddObjectToObject(args, "filters");
	int r;

	if (!cJSON_AddNumberToObject(options, "numItems", count) ||
	    !cJSON_AddNullToObject(options, "cursor") ||
	    !cJSON_AddStringToObject(filters, "order", "desc") ||
	    !cJSON_AddNumberToObject(filters, "minCreationTime",
				     u->newest_before)) {
		cJSON_Delete(args);
		return cvx_fail_memory(err);
	}
	r = query_run(u->http, FILES_QUERY, args, NULL, u->halt, &value, err);
	if (r < 0)
		return r;
	*ret = cJSON_DetachItemFromObjectCaseSensitive(value, "page");
	cJSON_Delete(value);
	if (cJSON_IsArray(*ret))
		return 0;
	cJSON_Delete(*ret);
	return query_fail_value(QUERY_ENDPOINT, FILES_QUERY, err, "no page");
}

static double creation_time(const cJSON *file)
{
	const cJSON *time = member(file, "_creationTime");

	return cJSON_IsNumber(time) ? time->valuedouble : 0;
}

static int note_newest(struct upload *u, struct cvx_err *err)
{
	cJSON *list;
	int r = list_newest(u, 1, &list, err);

	if (r < 0)
		return r;
	u->newest_before = creation_time(cJSON_GetArrayItem(list, 0));
	cJSON_Delete(list);
	return 0;
}

static bool take_id(const char *id, char ret[ID_TEXT_MAX + 1])
{
	struct internal_id key;
	uint32_t table;

	if (!id || id_decode(id, strlen(id), &table, &key) < 0)
		return false;
	(void)snprintf(ret, ID_TEXT_MAX + 1, "%s", id);
	return true;
}

/* 1: a new file of these bytes is there; 0: there is none. */
static int find_ours(const struct upload *u, char ret_id[ID_TEXT_MAX + 1],
		     struct cvx_err *err)
{
	const cJSON *one;
	const char *hash;
	int64_t size;
	cJSON *list;
	int r = list_newest(u, NEWEST_MAX, &list, err);

	if (r < 0)
		return r;
	cJSON_ArrayForEach(one, list)
	{
		hash = query_text(one, "sha256");
		if (creation_time(one) <= u->newest_before || !hash ||
		    strcmp(hash, u->hash) != 0 ||
		    !query_read_integer(member(one, "size"), &size) ||
		    (uint64_t)size != u->size)
			continue;
		r = take_id(query_text(one, "_id"), ret_id)
			    ? 1
			    : query_fail_value(QUERY_ENDPOINT, FILES_QUERY, err,
					       "no id of a stored file");
		break;
	}
	cJSON_Delete(list);
	return r;
}

/* --- uploading ----------------------------------------------------------- */

static int read_bytes(void *ctx, uint64_t off, void *bytes, size_t size)
{
	const struct upload *u = ctx;
	size_t n;
	int r = file_pread(u->fd, bytes, size, off, &n);

	if (r < 0)
		return r;
	return n == size ? 0 : -EIO;
}

static int hash_bytes(struct upload *u, struct cvx_err *err)
{
	unsigned char hash[SHA256_SIZE];
	struct sha256 *sha = NULL;
	char bytes[16384];
	uint64_t off;
	size_t n = 0;
	int r = sha256_new(&sha, err);

	for (off = 0; r == 0 && off < u->size; off += n) {
		n = u->size - off < sizeof(bytes) ? (size_t)(u->size - off)
						  : sizeof(bytes);
		r = halt_is_requested(u->halt) ? -ECANCELED
					       : read_bytes(u, off, bytes, n);
		if (r < 0)
			(void)cvx_fail(err, r, "cannot read the file: %s",
				       strerror(-r));
		else
			sha256_add(sha, bytes, n);
	}
	if (r == 0) {
		sha256_finish(sha, hash);
		base64_encode(hash, sizeof(hash), u->hash);
		u->hash[HASH_TEXT_SIZE] = '\0';
	}
	sha256_free(sha);
	return r;
}

/* Where to: path and query of the URL. The host in it is the one that the
 * deployment knows itself by, which need not be one that is known here; it is
 * reached where it answers (FIL-1). */
static int generate_path(const struct upload *u, char **ret,
			 struct cvx_err *err)
{
	cJSON *args = make_args(u->component), *value;
	const char *url, *path;
	bool may_have_run;
	int r;

	if (!args)
		return cvx_fail_memory(err);
	r = query_mutate(u->http, URL_MUTATION, args, true, u->halt, &value,
			 &may_have_run, err);
	if (r < 0)
		return r;
	url = cJSON_GetStringValue(value);
	path = url ? strstr(url, "://") : NULL;
	path = path ? strchr(path + 3, '/') : NULL;
	if (!path) {
		r = query_fail_value(QUERY_MUTATION_ENDPOINT, URL_MUTATION, err,
				     "not a URL");
	} else {
		*ret = strdup(path);
		if (!*ret)
			r = cvx_fail_memory(err);
	}
	cJSON_Delete(value);
	return r;
}

/* How an upload failed. */
struct attempt {
	bool is_ambiguous; /* it may be stored all the same */
	bool is_over;	   /* but not any more, if it is not yet */
};

static int send_file(struct upload *u, const char *path,
		     char ret_id[ID_TEXT_MAX + 1], struct attempt *ret,
		     struct cvx_err *err)
{
	char digest[sizeof("Digest: sha-256=") + HASH_TEXT_SIZE];
	const struct http_call call = {.method = "POST",
				       .path = path,
				       .content_type = u->content_type,
				       .header = digest,
				       .body_size = u->size,
				       .read = read_bytes,
				       .ctx = u,
				       .no_authorization = true,
				       .halt = u->halt};
	struct http_answer answer;
	cJSON *json = NULL;
	int r;

	(void)snprintf(digest, sizeof(digest), "Digest: sha-256=%s", u->hash);
	r = http_perform_repeated(u->http, &call, false, &answer, err);
	ret->is_ambiguous =
		r < 0 && (answer.outcome == HTTP_AMBIGUOUS ||
			  (halt_is_requested(u->halt) && !answer.body_is_cut));
	ret->is_over = answer.status != 0 || answer.body_is_cut;
	if (r == 0) {
		r = http_parse(&call, &answer, &json, err);
		if (r == 0 && !take_id(query_text(json, "storageId"), ret_id))
			r = http_fail_answer(&call, answer.status, err,
					     "no id of a stored file");
		ret->is_ambiguous = r < 0; /* whoever has answered */
	}
	cJSON_Delete(json);
	http_answer_fini(&answer);
	return r;
}

static int fail_unknown(const struct cvx_err *why, struct cvx_err *err)
{
	return cvx_fail_named(err, -EINPROGRESS, INTAKE_UNKNOWN,
			      "outcome unknown: the file may be stored or not "
			      "(%.300s)",
			      why->msg);
}

/* 1: it is stored. 0: it is not, and may be sent again. */
static int look_again(const struct upload *u, const struct attempt *last,
		      unsigned number, const struct cvx_err *lost,
		      char ret_id[ID_TEXT_MAX + 1], struct cvx_err *err)
{
	const struct http_answer none = {.outcome = HTTP_AMBIGUOUS};
	int r;

	do {
		if (!http_wait_to_repeat(u->http, number, &none, u->halt))
			return fail_unknown(lost, err);
		r = find_ours(u, ret_id, err);
	} while (r == 0 && !last->is_over && number++ < REPETITIONS_MAX);
	return r < 0 || (r == 0 && !last->is_over) ? fail_unknown(lost, err)
						   : r;
}

static int store(struct upload *u, char ret_id[ID_TEXT_MAX + 1],
		 struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *path = NULL;
	struct attempt last = {false, false};
	struct cvx_err why = CVX_ERR_INIT;
	unsigned number;
	int r;

	for (number = 1;; number++) {
		free(CVX_TAKE(path));
		r = generate_path(u, &path, err);
		if (r < 0)
			return r;
		r = send_file(u, path, ret_id, &last, &why);
		if (r == 0)
			return 0;
		if (!last.is_ambiguous || number > REPETITIONS_MAX) {
			if (err)
				*err = why;
			return r;
		}
		r = look_again(u, &last, number, &why, ret_id, err);
		if (r != 0)
			return r < 0 ? r : 0;
	}
}

int remote_store_file(struct http *http, const char *component,
		      const char *content_type, int fd, uint64_t size,
		      const struct halt *halt, char ret_id[ID_TEXT_MAX + 1],
		      struct cvx_err *err)
{
	struct upload u = {.http = http,
			   .component = component,
			   .content_type = content_type,
			   .fd = fd,
			   .size = size,
			   .halt = halt};
	int r = hash_bytes(&u, err);

	if (r == 0)
		r = note_newest(&u, err);
	return r < 0 ? r : store(&u, ret_id, err);
}

/* --- deleting ------------------------------------------------------------ */

static cJSON *make_file_args(const char *component, const char *id)
{
	cJSON *args = make_args(component);

	if (cJSON_AddStringToObject(args, "storageId", id))
		return args;
	cJSON_Delete(args);
	return NULL;
}

static int is_gone(struct http *http, const char *component, const char *id,
		   const struct halt *halt, bool *ret, struct cvx_err *err)
{
	cJSON *args = make_file_args(component, id), *value;
	int r;

	if (!args)
		return cvx_fail_memory(err);
	r = query_run(http, FILE_QUERY, args, NULL, halt, &value, err);
	if (r < 0)
		return r;
	*ret = cJSON_IsNull(value);
	cJSON_Delete(value);
	return 0;
}

int remote_delete_file(struct http *http, const char *component, const char *id,
		       const struct halt *halt, struct cvx_err *err)
{
	cJSON *args = make_file_args(component, id), *value = NULL;
	struct cvx_err why = CVX_ERR_INIT;
	bool may_have_run, gone = false;
	int r;

	if (!args)
		return cvx_fail_memory(err);
	/* An id is used once, so this may be repeated. */
	r = query_mutate(http, DELETE_MUTATION, args, true, halt, &value,
			 &may_have_run, &why);
	cJSON_Delete(value);
	if (r == 0)
		return 0;
	if (is_gone(http, component, id, halt, &gone, NULL) < 0 && may_have_run)
		return cvx_fail_named(err, -EINPROGRESS, INTAKE_UNKNOWN,
				      "outcome unknown: the file %s may be "
				      "deleted or not (%.300s)",
				      id, why.msg);
	if (gone && may_have_run)
		return 0;
	if (gone)
		return cvx_fail(err, -ENOENT, "there is no stored file %s", id);
	if (err)
		*err = why;
	return r;
}
