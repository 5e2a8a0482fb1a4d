#include "importer/embedded/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/embedded/counters.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/sql.h"
#include "importer/value/base64.h"
#include "importer/value/mime.h"
#include "importer/value/number.h"

/* A content type of which each byte is escaped, and the rest. */
#define LINE_SIZE_MAX (2 * MIME_TYPE_MAX + 1024)

void stored_file_fini(struct stored_file *f)
{
	free(f->content_type);
	f->content_type = NULL;
}

void stored_files_free(struct stored_file *list, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		stored_file_fini(&list[i]);
	free(list);
}

int storage_find(struct catalog *c, int64_t component, struct storage_info *ret,
		 struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	int r = catalog_query(c, SQL_FIND_STORAGE, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, component);
	r = catalog_next(q, err);
	if (r < 0)
		return r;
	*ret = (struct storage_info){.number = STORAGE_NUMBER};
	if (r == 0)
		return 0;
	ret->number = (uint32_t)catalog_int(q, 0);
	ret->revision = (uint64_t)catalog_int(q, 1);
	ret->committed_ns = catalog_int(q, 2);
	ret->file_count = (uint64_t)catalog_int(q, 3);
	ret->size = (uint64_t)catalog_int(q, 4);
	ret->documents_size = (uint64_t)catalog_int(q, 5);
	return 0;
}

int storage_put(struct catalog *c, int64_t component,
		const struct storage_info *info, struct cvx_err *err)
{
	struct catalog_query *q;
	int r = catalog_query(c, SQL_PUT_STORAGE, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, component);
	catalog_bind_int(q, 2, info->number);
	catalog_bind_int(q, 3, (int64_t)info->revision);
	catalog_bind_int(q, 4, info->committed_ns);
	catalog_bind_int(q, 5, (int64_t)info->file_count);
	catalog_bind_int(q, 6, (int64_t)info->size);
	catalog_bind_int(q, 7, (int64_t)info->documents_size);
	return catalog_run(q, err);
}

void storage_touch(struct storage_info *info, struct counters_row *counters)
{
	int64_t now_ns = embedded_now_ns();

	info->revision = ++counters->revision;
	/* A clock that went back must not give an older time to newer bytes. */
	info->committed_ns =
		now_ns > info->committed_ns ? now_ns : info->committed_ns + 1;
}

/* The column's bytes, which are as many as there must be. */
static int read_bytes(struct catalog_query *q, int column, void *bytes,
		      size_t size, struct cvx_err *err)
{
	size_t have;
	const char *from = catalog_bytes(q, column, &have);

	if (have != size)
		return cvx_fail(err, -EIO,
				"the catalog is damaged: a stored file");
	memcpy(bytes, from, size);
	return 0;
}

static int read_row(struct catalog_query *q, struct file_row *ret,
		    struct cvx_err *err)
{
	struct file_row row = {.id = (uint64_t)catalog_int(q, 6)};
	struct stored_file *file = &row.file;
	uint32_t number = (uint32_t)catalog_int(q, 7);
	const char *type;
	size_t size;
	int r = read_bytes(q, 0, row.key.bytes, sizeof(row.key.bytes), err);

	if (r == 0)
		r = read_bytes(q, 3, file->sha256, sizeof(file->sha256), err);
	if (r == 0)
		r = read_bytes(q, 5, file->internal_id, STORED_FILE_UUID_SIZE,
			       err);
	if (r < 0)
		return r;
	(void)id_encode(number > 0 ? number : STORAGE_NUMBER, &row.key,
			file->id);
	file->creation_time = catalog_real(q, 1);
	file->size = (uint64_t)catalog_int(q, 2);
	type = catalog_bytes(q, 4, &size);
	if (size > 0) {
		file->content_type = strndup(type, size);
		if (!file->content_type)
			return cvx_fail_memory(err);
	}
	*ret = row;
	return 1;
}

int file_find(struct catalog *c, const char *component,
	      const struct internal_id *key, struct file_row *ret,
	      struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	int r = catalog_query(c, SQL_FIND_STORED_FILE, &q, err);

	if (r < 0)
		return r;
	catalog_bind_text(q, 1, component);
	catalog_bind_bytes(q, 2, key->bytes, sizeof(key->bytes));
	return files_next(q, ret, err);
}

int files_begin(struct catalog *c, const char *component,
		struct catalog_query **ret, struct cvx_err *err)
{
	int r = catalog_query(c, SQL_LIST_STORED_FILES, ret, err);

	if (r == 0)
		catalog_bind_text(*ret, 1, component);
	return r;
}

int files_next(struct catalog_query *q, struct file_row *ret,
	       struct cvx_err *err)
{
	int r = catalog_next(q, err);

	return r <= 0 ? r : read_row(q, ret, err);
}

int files_list_ids(struct catalog *c, int64_t component, uint64_t **ret,
		   size_t *ret_count, struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	CVX_AUTO(cvx_freep) uint64_t *ids = NULL;
	size_t count = 0, capacity = 0;
	uint64_t *more;
	int r = catalog_query(c, SQL_LIST_FILES_OF, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, component);
	while ((r = catalog_next(q, err)) == 1) {
		if (count == capacity) {
			capacity = capacity * 2 + 64;
			more = reallocarray(ids, capacity, sizeof(*ids));
			if (!more)
				return cvx_fail_memory(err);
			ids = more;
		}
		ids[count++] = (uint64_t)catalog_int(q, 0);
	}
	if (r < 0)
		return r;
	*ret = CVX_TAKE(ids);
	*ret_count = count;
	return 0;
}

int file_insert(struct catalog *c, int64_t component,
		const struct file_row *row, struct cvx_err *err)
{
	const struct stored_file *file = &row->file;
	struct catalog_query *q;
	int r = catalog_query(c, SQL_INSERT_STORED_FILE, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, (int64_t)row->id);
	catalog_bind_int(q, 2, component);
	catalog_bind_bytes(q, 3, row->key.bytes, sizeof(row->key.bytes));
	catalog_bind_real(q, 4, file->creation_time);
	catalog_bind_int(q, 5, (int64_t)file->size);
	catalog_bind_bytes(q, 6, file->sha256, sizeof(file->sha256));
	catalog_bind_text(q, 7, file->content_type ? file->content_type : "");
	catalog_bind_text(q, 8, file->internal_id);
	return catalog_run(q, err);
}

static int run_with_id(struct catalog *c, enum sql_statement statement,
		       int64_t id, struct cvx_err *err)
{
	struct catalog_query *q;
	int r = catalog_query(c, statement, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, id);
	return catalog_run(q, err);
}

int file_delete(struct catalog *c, uint64_t id, struct cvx_err *err)
{
	return run_with_id(c, SQL_DELETE_STORED_FILE, (int64_t)id, err);
}

int files_delete_all(struct catalog *c, int64_t component, struct cvx_err *err)
{
	return run_with_id(c, SQL_DELETE_FILES_OF, component, err);
}

/* A content type holds no control characters. */
static int print_type(const char *type, struct cvx_buf *out)
{
	int r = cvx_buf_append(out, "\"", 1);

	for (; r == 0 && *type; type++) {
		if (*type == '"' || *type == '\\')
			r = cvx_buf_append(out, "\\", 1);
		if (r == 0)
			r = cvx_buf_append(out, type, 1);
	}
	return r < 0 ? r : cvx_buf_append(out, "\"", 1);
}

int stored_file_print(const struct stored_file *f, struct cvx_buf *out,
		      struct cvx_err *err)
{
	char sha256[BASE64_SIZE(STORED_FILE_SHA256_SIZE)];
	char time[NUMBER_TEXT_MAX];
	int r;

	base64_encode(f->sha256, sizeof(f->sha256), sha256);
	r = cvx_buf_printf(
		out,
		"{\"_id\":\"%s\",\"_creationTime\":%.*s,\"sha256\":\"%.*s\","
		"\"size\":%llu,\"contentType\":",
		f->id, (int)number_print(f->creation_time, time), time,
		(int)sizeof(sha256), sha256, (unsigned long long)f->size);
	if (r == 0)
		r = f->content_type ? print_type(f->content_type, out)
				    : cvx_buf_puts(out, "null");
	if (r == 0)
		r = cvx_buf_printf(out, ",\"internalId\":\"%s\"}\n",
				   f->internal_id);
	if (r == -ENOMEM)
		return cvx_fail_memory(err);
	return r < 0 ? cvx_fail(err, r, "the text is too long") : 0;
}

int stored_file_measure(const struct stored_file *f, uint64_t *ret,
			struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini) struct cvx_buf out = CVX_BUF_INIT(LINE_SIZE_MAX);
	int r = stored_file_print(f, &out, err);

	*ret = out.size;
	return r;
}
