#include "importer/remote/listing.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/remote/http.h"
#include "importer/remote/query.h"
#include "importer/value/base64.h"
#include "importer/value/id.h"

#define PAGE_SIZE 1000
#define MAPPING_QUERY "_system/frontend/getTableMapping"
#define TABLES_QUERY "_system/cli/tables"
#define COMPONENTS_QUERY "_system/frontend/components:list"
#define FILES_QUERY "_system/frontend/fileStorageV2:fileMetadata"
#define FILE_QUERY "_system/frontend/fileStorageV2:getFile"
#define COUNT_QUERY "_system/frontend/fileStorageV2:numFiles"
#define SIZE_QUERY "_system/frontend/tableSize"
#define SCHEMAS_QUERY "_system/frontend/getSchemas"
#define UUID_SIZE STORED_FILE_UUID_SIZE

static const cJSON *member(const cJSON *object, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(object, key);
}

static int fail_shape(const char *query, const char *what, struct cvx_err *err)
{
	return query_fail_value(QUERY_ENDPOINT, query, err, "%s", what);
}

/* {"componentId":…}; NULL without memory. */
static cJSON *make_args(const char *component)
{
	cJSON *args = cJSON_CreateObject();
	cJSON *id =
		component ? cJSON_CreateString(component) : cJSON_CreateNull();

	if (cJSON_AddItemToObject(args, "componentId", id))
		return args;
	cJSON_Delete(id);
	cJSON_Delete(args);
	return NULL;
}

/* Runs the query; NULL args: memory ran out. */
static int run(struct http *http, const char *query, cJSON *args,
	       const struct halt *halt, cJSON **ret, struct cvx_err *err)
{
	if (!args)
		return cvx_fail_memory(err);
	return query_run(http, query, args, NULL, halt, ret, err);
}

/* --- components ------------------------------------------------------------
 */

static int take_component(const cJSON *one, struct remote_component *ret,
			  struct cvx_err *err)
{
	const char *id = query_text(one, "id"), *path = query_text(one, "path");

	if (!id || !path || !name_is_component_path(path, strlen(path)))
		return fail_shape(COMPONENTS_QUERY,
				  "no id and path of a component", err);
	ret->id = strdup(id);
	ret->path = strdup(path);
	if (ret->id && ret->path)
		return 0;
	free(ret->id);
	free(ret->path);
	return cvx_fail_memory(err);
}

void remote_components_free(struct remote_component *list, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		free(list[i].id);
		free(list[i].path);
	}
	free(list);
}

int remote_list_components(struct http *http, const struct halt *halt,
			   struct remote_component **ret, size_t *ret_count,
			   struct cvx_err *err)
{
	struct remote_component *list = NULL;
	size_t count = 0;
	const cJSON *one;
	cJSON *value;
	int r;

	r = query_run(http, COMPONENTS_QUERY, NULL, NULL, halt, &value, err);
	if (r < 0)
		return r;
	if (!cJSON_IsArray(value))
		r = fail_shape(COMPONENTS_QUERY, "not a list", err);
	list = calloc((size_t)cJSON_GetArraySize(value) + 1, sizeof(*list));
	if (r == 0 && !list)
		r = cvx_fail_memory(err);
	cJSON_ArrayForEach(one, value)
	{
		const char *path = query_text(one, "path");

		if (r == 0 && (!path || path[0]))
			r = take_component(one, &list[count], err);
		if (r < 0)
			break;
		count += !path || path[0];
	}
	cJSON_Delete(value);
	if (r < 0) {
		remote_components_free(list, count);
		return r;
	}
	*ret = list;
	*ret_count = count;
	return 0;
}

/* --- tables ---------------------------------------------------------------
 */

/* A growing list of tables. */
struct tables {
	struct remote_table *list;
	size_t count;
};

static int add_table(struct tables *t, const char *name, uint32_t number,
		     const char *query, struct cvx_err *err)
{
	struct remote_table *more;

	if (name[0] == '_')
		return 0; /* the deployment's own */
	if (!name_is_identifier(name, strlen(name)) || t->count >= LISTING_MAX)
		return fail_shape(query, "a table with an impossible name",
				  err);
	if ((t->count & (t->count - 1)) == 0) {
		more = reallocarray(t->list, t->count ? t->count * 2 : 1,
				    sizeof(*more));
		if (!more)
			return cvx_fail_memory(err);
		t->list = more;
	}
	(void)snprintf(t->list[t->count].name, sizeof(t->list->name), "%s",
		       name);
	t->list[t->count++].number = number;
	return 0;
}

/* {"10001":"users",…} */
static int add_mapping(struct tables *t, struct http *http,
		       const char *component, const struct halt *halt,
		       struct cvx_err *err)
{
	unsigned long long number;
	const cJSON *one;
	cJSON *value;
	int r;

	r = run(http, MAPPING_QUERY, make_args(component), halt, &value, err);
	if (r < 0)
		return r;
	if (!cJSON_IsObject(value))
		r = fail_shape(MAPPING_QUERY, "not an object", err);
	cJSON_ArrayForEach(one, value)
	{
		if (r < 0)
			break;
		number = strtoull(one->string, NULL, 10);
		if (!cJSON_IsString(one) || number == 0 || number > UINT32_MAX)
			r = fail_shape(MAPPING_QUERY,
				       "a table without a number", err);
		else
			r = add_table(t, one->valuestring, (uint32_t)number,
				      MAPPING_QUERY, err);
	}
	cJSON_Delete(value);
	return r;
}

/* {"page":[{"name":…}]}, of the root; also those behind the 1000th, which the
 * mapping leaves out. */
static int add_names(struct tables *t, struct http *http,
		     const struct halt *halt, struct cvx_err *err)
{
	cJSON *args = cJSON_CreateObject(), *value;
	cJSON *options = cJSON_AddObjectToObject(args, "paginationOpts");
	const cJSON *one;
	int r;

	if (!cJSON_AddNullToObject(options, "cursor") ||
	    !cJSON_AddNumberToObject(options, "numItems", 10000)) {
		cJSON_Delete(args);
		args = NULL;
	}
	r = run(http, TABLES_QUERY, args, halt, &value, err);
	if (r < 0)
		return r;
	if (!cJSON_IsArray(member(value, "page")))
		r = fail_shape(TABLES_QUERY, "no page", err);
	cJSON_ArrayForEach(one, member(value, "page"))
	{
		if (r < 0)
			break;
		if (query_text(one, "name"))
			r = add_table(t, query_text(one, "name"), 0,
				      TABLES_QUERY, err);
		else
			r = fail_shape(TABLES_QUERY, "a table without a name",
				       err);
	}
	cJSON_Delete(value);
	return r;
}

/* By name; of the same, the one with a number first. */
static int compare_tables(const void *a, const void *b)
{
	const struct remote_table *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	if (order != 0)
		return order;
	return (x->number == 0) - (y->number == 0);
}

static void sort_tables(struct tables *t)
{
	size_t i, n = 0;

	if (t->count == 0)
		return;
	qsort(t->list, t->count, sizeof(*t->list), compare_tables);
	for (i = 1; i < t->count; i++)
		if (strcmp(t->list[i].name, t->list[n].name) != 0)
			t->list[++n] = t->list[i];
	t->count = n + 1;
}

int remote_list_tables(struct http *http, const char *component,
		       const struct halt *halt, struct remote_table **ret,
		       size_t *ret_count, struct cvx_err *err)
{
	struct tables t = {NULL, 0};
	int r;

	r = add_mapping(&t, http, component, halt, err);
	if (r == -EREMOTEIO && !component)
		r = 0; /* an older deployment tells names only */
	if (r == 0 && !component)
		r = add_names(&t, http, halt, err);
	if (r < 0) {
		free(t.list);
		return r;
	}
	sort_tables(&t);
	*ret = t.list;
	*ret_count = t.count;
	return 0;
}

int remote_count_documents(struct http *http, const char *component,
			   const char *table, const struct halt *halt,
			   uint64_t *ret, struct cvx_err *err)
{
	cJSON *args = make_args(component), *value;
	int64_t count;
	int r;

	if (!cJSON_AddStringToObject(args, "tableName", table)) {
		cJSON_Delete(args);
		args = NULL;
	}
	r = run(http, SIZE_QUERY, args, halt, &value, err);
	if (r < 0)
		return r;
	if (!query_read_integer(value, &count) || count < 0)
		r = fail_shape(SIZE_QUERY, "not a count", err);
	else
		*ret = (uint64_t)count;
	cJSON_Delete(value);
	return r;
}

int remote_count_files(struct http *http, const char *component,
		       const struct halt *halt, uint64_t *ret,
		       struct cvx_err *err)
{
	int64_t count;
	cJSON *value;
	int r;

	r = run(http, COUNT_QUERY, make_args(component), halt, &value, err);
	if (r < 0)
		return r;
	if (!query_read_integer(value, &count) || count < 0)
		r = fail_shape(COUNT_QUERY, "not a count", err);
	else
		*ret = (uint64_t)count;
	cJSON_Delete(value);
	return r;
}

int remote_print_schema(struct http *http, const char *component,
			const struct halt *halt, struct cvx_buf *out,
			struct cvx_err *err)
{
	const char *text;
	cJSON *value;
	int r;

	r = run(http, SCHEMAS_QUERY, make_args(component), halt, &value, err);
	if (r < 0)
		return r;
	text = query_text(value, "active");
	if (!cJSON_IsObject(value))
		r = fail_shape(SCHEMAS_QUERY, "not an object", err);
	else if (text && cvx_buf_puts(out, text) < 0)
		r = cvx_fail(err, -EFBIG, "the schema is too large");
	cJSON_Delete(value);
	return r;
}

/* --- stored files ----------------------------------------------------------
 */

struct files {
	struct stored_file *list;
	size_t count;
};

/* …/api/storage/UUID, with or without a query behind it. */
static bool read_uuid(const char *url, char *ret)
{
	static const char place[] = "/api/storage/";
	const char *at = url ? strstr(url, place) : NULL;
	size_t size;

	if (!at)
		return false;
	at += strlen(place);
	size = strspn(at, "0123456789abcdefABCDEF-");
	if (size != UUID_SIZE || (at[size] && at[size] != '?'))
		return false;
	memcpy(ret, at, size);
	ret[size] = '\0';
	return true;
}

static bool read_sha256(const char *text, unsigned char *ret)
{
	unsigned char bytes[STORED_FILE_SHA256_SIZE + 1];
	size_t size;

	if (!text || strlen(text) > BASE64_SIZE(STORED_FILE_SHA256_SIZE) ||
	    !base64_check(text, strlen(text), &size) ||
	    size != STORED_FILE_SHA256_SIZE)
		return false;
	base64_decode(text, strlen(text), bytes);
	memcpy(ret, bytes, STORED_FILE_SHA256_SIZE);
	return true;
}

static int take_file(const cJSON *one, struct stored_file *f,
		     struct cvx_err *err)
{
	const cJSON *time = member(one, "_creationTime");
	const char *id = query_text(one, "_id");
	const char *type = query_text(one, "contentType");
	struct internal_id internal;
	uint32_t table;
	int64_t size;

	if (!id || id_decode(id, strlen(id), &table, &internal) < 0 ||
	    !cJSON_IsNumber(time) ||
	    !query_read_integer(member(one, "size"), &size) || size < 0 ||
	    !read_uuid(query_text(one, "url"), f->internal_id) ||
	    !read_sha256(query_text(one, "sha256"), f->sha256))
		return fail_shape(FILES_QUERY,
				  "a file without _id, size, url or sha256",
				  err);
	(void)snprintf(f->id, sizeof(f->id), "%s", id);
	f->creation_time = time->valuedouble;
	f->size = (uint64_t)size;
	f->content_type = type ? strdup(type) : NULL;
	return type && !f->content_type ? cvx_fail_memory(err) : 0;
}

static int add_file(struct files *files, const cJSON *one, struct cvx_err *err)
{
	struct stored_file f = {.size = 0}, *more;
	int r;

	if (files->count >= LISTING_MAX)
		return fail_shape(FILES_QUERY, "too many files", err);
	r = take_file(one, &f, err);
	if (r < 0)
		return r;
	if ((files->count & (files->count - 1)) == 0) {
		more = reallocarray(files->list,
				    files->count ? files->count * 2 : 1,
				    sizeof(*more));
		if (!more) {
			free(f.content_type);
			return cvx_fail_memory(err);
		}
		files->list = more;
	}
	files->list[files->count++] = f;
	return 0;
}

/* So many of them, behind the cursor. */
static cJSON *make_file_args(const char *component, const char *cursor,
			     unsigned count)
{
	cJSON *args = make_args(component);
	cJSON *options = cJSON_AddObjectToObject(args, "paginationOpts");

	if (cJSON_AddNumberToObject(options, "numItems", count) &&
	    (cursor ? cJSON_AddStringToObject(options, "cursor", cursor)
		    : cJSON_AddNullToObject(options, "cursor")))
		return args;
	cJSON_Delete(args);
	return NULL;
}

/* One page. *cursor becomes that of the next one; NULL behind the last. */
static int add_file_page(struct files *files, struct http *http,
			 const char *component, const struct halt *halt,
			 char **cursor, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *before = *cursor;
	const char *next;
	const cJSON *one;
	cJSON *value;
	int r;

	*cursor = NULL;
	r = run(http, FILES_QUERY, make_file_args(component, before, PAGE_SIZE),
		halt, &value, err);
	if (r < 0)
		return r;
	if (!cJSON_IsArray(member(value, "page")))
		r = fail_shape(FILES_QUERY, "no page", err);
	cJSON_ArrayForEach(one, member(value, "page"))
	{
		if (r == 0)
			r = add_file(files, one, err);
	}
	next = query_text(value, "continueCursor");
	if (r == 0 && !cJSON_IsTrue(member(value, "isDone"))) {
		if (!next || (before && strcmp(before, next) == 0))
			r = fail_shape(FILES_QUERY, "no way to go on", err);
		else if (!(*cursor = strdup(next)))
			r = cvx_fail_memory(err);
	}
	cJSON_Delete(value);
	return r;
}

static int compare_files(const void *a, const void *b)
{
	const struct stored_file *x = a, *y = b;

	return strcmp(x->id, y->id);
}

int remote_list_stored_files(struct http *http, const char *component,
			     const struct halt *halt, struct stored_file **ret,
			     size_t *ret_count, struct cvx_err *err)
{
	struct files files = {NULL, 0};
	char *cursor = NULL;
	size_t i;
	int r;

	do {
		r = add_file_page(&files, http, component, halt, &cursor, err);
	} while (r == 0 && cursor);
	free(cursor);
	if (r < 0) {
		for (i = 0; i < files.count; i++)
			free(files.list[i].content_type);
		free(files.list);
		return r;
	}
	if (files.count > 0)
		qsort(files.list, files.count, sizeof(*files.list),
		      compare_files);
	*ret = files.list;
	*ret_count = files.count;
	return 0;
}

int remote_find_stored_file(struct http *http, const char *component,
			    const char *id, const struct halt *halt,
			    struct stored_file *ret, struct cvx_err *err)
{
	cJSON *args = make_args(component), *value;
	struct stored_file f = {.size = 0};
	int r;

	if (!cJSON_AddStringToObject(args, "storageId", id)) {
		cJSON_Delete(args);
		return cvx_fail_memory(err);
	}
	r = run(http, FILE_QUERY, args, halt, &value, err);
	if (r < 0)
		return r;
	if (!cJSON_IsNull(value)) {
		r = take_file(value, &f, err);
		r = r < 0 ? r : 1;
	}
	cJSON_Delete(value);
	if (r == 1)
		*ret = f;
	return r;
}

int remote_find_any_file(struct http *http, const char *component,
			 const struct halt *halt, struct stored_file *ret,
			 struct cvx_err *err)
{
	struct stored_file f = {.size = 0};
	const cJSON *one;
	cJSON *value;
	int r = run(http, FILES_QUERY, make_file_args(component, NULL, 1), halt,
		    &value, err);

	if (r < 0)
		return r;
	one = cJSON_GetArrayItem(member(value, "page"), 0);
	if (one) {
		r = take_file(one, &f, err);
		r = r < 0 ? r : 1;
	} else if (!cJSON_IsArray(member(value, "page"))) {
		r = fail_shape(FILES_QUERY, "no page", err);
	}
	cJSON_Delete(value);
	if (r == 1)
		*ret = f;
	return r;
}

/* Where the bytes of an answer go. */
struct window {
	char *bytes;
	size_t size;
	size_t filled;
};

static int fill_window(void *ctx, const void *bytes, size_t size,
		       struct cvx_err *err)
{
	struct window *w = ctx;

	if (size > w->size - w->filled)
		return cvx_fail(err, -EPROTO,
				"more bytes of a stored file came than were "
				"asked for");
	memcpy(w->bytes + w->filled, bytes, size);
	w->filled += size;
	return 0;
}

static void empty_window(void *ctx)
{
	struct window *w = ctx;

	w->filled = 0;
}

/* FIL-4: the path is enough, its origin may be another than ours. */
static int read_window(struct http *http, const char *path, const char *range,
		       struct window *w, const struct halt *halt,
		       struct cvx_err *err)
{
	const struct http_call call = {.method = "GET",
				       .path = path,
				       .range = range,
				       .write = fill_window,
				       .begin = empty_window,
				       .ctx = w,
				       .no_authorization = true,
				       .halt = halt};
	struct http_answer answer;
	int r, status;

	r = http_perform_repeated(http, &call, true, &answer, err);
	status = answer.status;
	http_answer_fini(&answer);
	if (r == 0 && (status != 206 || w->filled != w->size))
		return http_fail_answer(&call, status, err,
					"%zu bytes in place of %zu", w->filled,
					w->size);
	return r;
}

int remote_read_stored_file(struct http *http, const char *component,
			    const struct stored_file *file, uint64_t off,
			    void *bytes, size_t size, const struct halt *halt,
			    size_t *ret_n, struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini) struct cvx_buf path = CVX_BUF_INIT(4096);
	struct window w = {bytes, size, 0};
	char range[64];
	int r;

	*ret_n = 0;
	if (off >= file->size || size == 0)
		return 0;
	if (w.size > file->size - off)
		w.size = (size_t)(file->size - off);
	r = cvx_buf_printf(&path, "/api/storage/%s", file->internal_id);
	if (r == 0 && component)
		r = cvx_buf_puts(&path, "?component=");
	if (r == 0 && component)
		r = http_escape(&path, component);
	if (r == 0)
		r = cvx_buf_append(&path, "", 1);
	if (r < 0)
		return cvx_fail(err, r, "the id of a component is too long");
	(void)snprintf(range, sizeof(range), "%" PRIu64 "-%" PRIu64, off,
		       off + w.size - 1);
	r = read_window(http, path.data, range, &w, halt, err);
	if (r == 0)
		*ret_n = w.filled;
	return r;
}
