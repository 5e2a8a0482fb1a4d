#include "importer/remote/storage_archive.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "importer/archive/storage_row.h"
#include "importer/archive/writer.h"
#include "importer/value/base64.h"
#include "importer/value/id.h"
#include "importer/value/number.h"

#define FOLDER "_storage/"

/* A content type has up to MIME_TYPE_MAX bytes, and may be escaped. */
#define LINE_MAX_SIZE ((size_t)4096)

/* The entries: the rows, then each file. */
struct feed {
	const struct cvx_buf *lines;
	const struct archived_file *files;
	size_t entry;
	uint64_t off;
};

static int feed_open(void *ctx, size_t entry,
		     struct cvx_err *err __attribute__((unused)))
{
	struct feed *f = ctx;

	f->entry = entry;
	f->off = 0;
	return 0;
}

static int feed_read(void *ctx, void *buf, size_t size, size_t *ret_n,
		     struct cvx_err *err)
{
	struct feed *f = ctx;
	size_t n;
	int r;

	if (f->entry == 0) {
		n = f->lines->size - (size_t)f->off;
		if (n > size)
			n = size;
		memcpy(buf, f->lines->data + f->off, n);
	} else {
		r = file_pread(f->files[f->entry - 1].fd, buf, size, f->off,
			       &n);
		if (r < 0)
			return cvx_fail(err, r, "cannot read the file: %s",
					strerror(-r));
	}
	f->off += n;
	*ret_n = n;
	return 0;
}

static bool add_members(cJSON *object, const struct archived_file *file)
{
	const struct storage_row *row = file->row;
	char hash[BASE64_SIZE(SHA256_SIZE) + 1] = "";
	char id[ID_TEXT_MAX + 1] = "";
	char time[NUMBER_TEXT_MAX];

	time[number_print(row->creation_time, time)] = '\0';
	(void)id_encode(row->number, &row->key, id);
	base64_encode(file->sha256, sizeof(file->sha256), hash);
	hash[sizeof(hash) - 1] = '\0';
	return cJSON_AddStringToObject(object, "_id", id) &&
	       (!row->has_time ||
		cJSON_AddRawToObject(object, "_creationTime", time)) &&
	       cJSON_AddStringToObject(object, "sha256", hash) &&
	       (!row->content_type ||
		cJSON_AddStringToObject(object, "contentType",
					row->content_type)) &&
	       (!row->has_internal_id ||
		cJSON_AddStringToObject(object, "internalId",
					row->internal_id));
}

static int print_line(const struct archived_file *file, struct cvx_buf *out,
		      struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *text = NULL;
	cJSON *object = cJSON_CreateObject();

	if (add_members(object, file))
		text = cJSON_PrintUnformatted(object);
	cJSON_Delete(object);
	if (!text || cvx_buf_printf(out, "%s\n", text) < 0)
		return cvx_fail_memory(err);
	return 0;
}

static int add_file(struct archive_writer *w, const struct archived_file *file,
		    struct cvx_err *err)
{
	char name[sizeof(FOLDER) + ID_TEXT_MAX] = FOLDER;

	(void)id_encode(file->row->number, &file->row->key,
			name + strlen(FOLDER));
	return archive_writer_add(w, name, file->size, err);
}

int storage_archive_write(const struct archived_file *files, size_t count,
			  int fd, uint64_t *ret_size, struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf lines = CVX_BUF_INIT(count * LINE_MAX_SIZE);
	struct feed f = {.lines = &lines, .files = files};
	const struct deflate_feed feed = {&f, feed_open, feed_read};
	struct archive_writer *w;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < count; i++)
		r = print_line(&files[i], &lines, err);
	if (r == 0)
		r = archive_writer_new(time(NULL), &w, err);
	if (r < 0)
		return r;
	r = archive_writer_add(w, FOLDER "documents.jsonl", lines.size, err);
	for (i = 0; r == 0 && i < count; i++)
		r = add_file(w, &files[i], err);
	if (r == 0)
		r = archive_writer_run(w, fd, &feed, NULL, ret_size, err);
	archive_writer_free(w);
	return r;
}
