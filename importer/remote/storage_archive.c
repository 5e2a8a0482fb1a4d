#include "importer/remote/storage_archive.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/archive/storage_row.h"
#include "importer/remote/parts_archive.h"
#include "importer/value/base64.h"
#include "importer/value/id.h"
#include "importer/value/number.h"

#define FOLDER "_storage/"

/* A content type has up to MIME_TYPE_MAX bytes, and may be escaped. */
#define LINE_MAX_SIZE ((size_t)4096)

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

int storage_archive_write(const struct archived_file *file, int fd,
			  uint64_t *ret_size, struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf line = CVX_BUF_INIT(LINE_MAX_SIZE);
	char name[sizeof(FOLDER) + ID_TEXT_MAX] = FOLDER;
	struct archive_part parts[] = {
		{.name = FOLDER "documents.jsonl"},
		{name, source_of_fd(&file->fd), file->size},
	};
	int r = print_line(file, &line, err);

	if (r < 0)
		return r;
	parts[0].source = source_of_buf(&line);
	parts[0].size = line.size;
	(void)id_encode(file->row->number, &file->row->key,
			name + strlen(FOLDER));
	return parts_archive_write(parts, 2, fd, ret_size, err);
}
