/* stored_file.h, in an embedded deployment. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/catalog.h"
#include "importer/embedded/component_rows.h"
#include "importer/embedded/counters.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/files.h"
#include "importer/embedded/files_change.h"
#include "importer/embedded/files_stage.h"
#include "importer/embedded/plan.h"
#include "importer/embedded/publish.h"
#include "importer/value/mime.h"
#include "importer/value/refusal.h"

/* How often a file is looked up again that went while it was being opened;
 * each time, a whole commit has come in between. */
#define OPEN_TRIES 100

static void file_row_fini(struct file_row *row)
{
	stored_file_fini(&row->file);
}

static int stat_storage(struct catalog *c, const char *component,
			struct storage_info *ret, struct cvx_err *err)
{
	struct component_row row;
	int r = component_find(c, component, &row, err);

	return r < 0 ? r : storage_find(c, row.id, ret, err);
}

int deployment_stat_storage(struct deployment *d, const char *component,
			    struct storage_info *ret, struct cvx_err *err)
{
	int r = stat_storage(embedded_lock_reads(d), component, ret, err);

	embedded_unlock_reads(d);
	return r;
}

static int list_files(struct catalog *c, const char *component,
		      struct stored_file **list, size_t *count,
		      struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	struct component_row owner;
	struct stored_file *more;
	size_t capacity = 0;
	struct file_row row;
	int r = component_find(c, component, &owner, err);

	if (r == 0)
		r = files_begin(c, component, &q, err);
	if (r < 0)
		return r;
	while ((r = files_next(q, &row, err)) == 1) {
		if (*count == capacity) {
			capacity = capacity * 2 + 16;
			more = reallocarray(*list, capacity, sizeof(**list));
			if (!more) {
				file_row_fini(&row);
				return cvx_fail_memory(err);
			}
			*list = more;
		}
		(*list)[(*count)++] = row.file;
	}
	return r;
}

int deployment_list_stored_files(struct deployment *d, const char *component,
				 struct stored_file **ret, size_t *ret_count,
				 struct cvx_err *err)
{
	struct stored_file *list = NULL;
	size_t count = 0;
	int r = list_files(embedded_lock_reads(d), component, &list, &count,
			   err);

	embedded_unlock_reads(d);
	if (r < 0) {
		stored_files_free(list, count);
		return r;
	}
	*ret = list;
	*ret_count = count;
	return 0;
}

/* 0 and the file, or -ENOENT with a text. */
static int find_file(struct catalog *c, const char *component, const char *id,
		     struct file_row *ret, struct cvx_err *err)
{
	struct component_row owner;
	struct internal_id key;
	uint32_t number;
	int r = component_find(c, component, &owner, err);

	if (r < 0)
		return r;
	if (id_decode(id, strlen(id), &number, &key) == 0) {
		r = file_find(c, component, &key, ret, err);
		if (r < 0)
			return r;
		/* Its number is another one since an import moved it. */
		if (r == 1 && strcmp(ret->file.id, id) == 0)
			return 0;
		if (r == 1)
			file_row_fini(ret);
	}
	return cvx_fail(err, -ENOENT, "there is no stored file %.80s", id);
}

int deployment_find_stored_file(struct deployment *d, const char *component,
				const char *id, struct stored_file *ret,
				struct cvx_err *err)
{
	struct file_row row;
	int r = find_file(embedded_lock_reads(d), component, id, &row, err);

	embedded_unlock_reads(d);
	if (r == 0)
		*ret = row.file;
	return r;
}

/* -ESTALE, without a text: it went meanwhile (I4 in commit.c). */
static int open_once(struct deployment *d, const char *component,
		     const char *id, int *ret_fd, struct file_row *ret,
		     struct cvx_err *err)
{
	char name[STORED_FILE_NAME_SIZE];
	struct file_row row;
	int r = find_file(embedded_lock_reads(d), component, id, &row, err);

	embedded_unlock_reads(d);
	if (r < 0)
		return r;
	stored_file_name(row.id, name);
	*ret_fd = openat(d->stored_fd, name, O_RDONLY | O_CLOEXEC);
	if (*ret_fd >= 0) {
		*ret = row;
		return 0;
	}
	r = errno == ENOENT
		    ? -ESTALE
		    : cvx_fail(err, -errno, "cannot open %s/files/%s: %s",
			       d->dir, name, strerror(errno));
	file_row_fini(&row);
	return r;
}

int deployment_open_stored_file(struct deployment *d, const char *component,
				const char *id, int *ret_fd,
				struct stored_file *ret, struct cvx_err *err)
{
	struct file_row row;
	int r = -ESTALE, tries;

	for (tries = 0; r == -ESTALE && tries < OPEN_TRIES; tries++)
		r = open_once(d, component, id, ret_fd, &row, err);
	if (r == -ESTALE)
		return cvx_fail(err, -EIO,
				"the deployment in %s is damaged: the stored "
				"file %s is missing",
				d->dir, id);
	if (r < 0)
		return r;
	if (ret)
		*ret = row.file;
	else
		file_row_fini(&row);
	return 0;
}

static int print_files(struct catalog *c, const char *component,
		       struct cvx_buf *out, struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	struct component_row owner;
	struct file_row row;
	int r = component_find(c, component, &owner, err), more;

	if (r == 0)
		r = files_begin(c, component, &q, err);
	while (r == 0 && (more = files_next(q, &row, err)) != 0) {
		if (more < 0)
			return more;
		r = stored_file_print(&row.file, out, err);
		file_row_fini(&row);
	}
	return r;
}

int deployment_print_stored_files(struct deployment *d, const char *component,
				  struct cvx_buf *out, struct cvx_err *err)
{
	int r = print_files(embedded_lock_reads(d), component, out, err);

	embedded_unlock_reads(d);
	return r;
}

static int copy_type(const char *content_type, char **ret, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *copy = NULL;
	size_t size;

	if (!content_type)
		return 0;
	copy = strdup(content_type);
	if (!copy)
		return cvx_fail_memory(err);
	size = strlen(copy);
	if (mime_normalise(copy, &size) < 0)
		return refuse(err, "InvalidConvexValue",
			      "\"%.100s\" is no content type", content_type);
	copy[size] = '\0';
	*ret = CVX_TAKE(copy);
	return 0;
}

/* Gives the new file an id and a time, and the change its number. */
static int choose_id(struct deployment *d, struct counters_row *counters,
		     struct files_change *change,
		     const void *ctx __attribute__((unused)),
		     struct cvx_err *err)
{
	struct document_stamp stamp = {.table_number = 0};
	struct storage_info info;
	int r = stat_storage(d->writes, change->component, &info, err);

	if (r < 0)
		return r;
	plan_choose_stamp(&counters->last, &stamp);
	id_from_stamp(&stamp.id, 0, &change->files->key);
	change->files->file.creation_time = stamp.creation_time;
	change->number = info.number;
	change->last = plan_last_stamp(&stamp, 1);
	return 0;
}

int deployment_store_file(struct deployment *d, const char *component,
			  const char *content_type, int fd, uint64_t size,
			  char ret_id[ID_TEXT_MAX + 1], struct cvx_err *err)
{
	CVX_AUTO(stage_folder_freep) struct stage_folder *stage = NULL;
	CVX_AUTO(file_row_fini) struct file_row row = {.id = 0};
	struct files_change change = {
		.component = component, .files = &row, .count = 1};
	int r = copy_type(content_type, &row.file.content_type, err);

	if (r == 0)
		r = files_stage_new(d, &stage, err);
	if (r == 0)
		r = file_copy_in(stage, fd, size, &row.file, err);
	if (r == 0)
		r = file_make_uuid(row.file.internal_id, err);
	change.stage = stage;
	if (r == 0)
		r = files_change_commit(d, &change, choose_id, NULL, err);
	if (r == 0)
		memcpy(ret_id, row.file.id, sizeof(row.file.id));
	return r;
}

static int delete_file(struct deployment *d, const char *component,
		       const char *id, uint64_t *ret_file, struct cvx_err *err)
{
	CVX_AUTO(file_row_fini) struct file_row row = {.id = 0};
	struct counters_row counters;
	struct component_row owner;
	struct storage_info info;
	uint64_t size;
	int r = find_file(d->writes, component, id, &row, err);

	if (r == 0)
		r = component_find(d->writes, component, &owner, err);
	if (r == 0)
		r = storage_find(d->writes, owner.id, &info, err);
	if (r == 0)
		r = counters_get(d->writes, &counters, err);
	if (r == 0)
		r = stored_file_measure(&row.file, &size, err);
	if (r == 0)
		r = file_delete(d->writes, row.id, err);
	if (r < 0)
		return r;
	info.file_count--;
	info.size -= row.file.size;
	info.documents_size -= size;
	storage_touch(&info, &counters);
	*ret_file = row.id;
	r = storage_put(d->writes, owner.id, &info, err);
	return r < 0 ? r : counters_put(d->writes, &counters, err);
}

int deployment_delete_stored_file(struct deployment *d, const char *component,
				  const char *id, struct cvx_err *err)
{
	uint64_t file = 0;
	bool in_doubt;
	int r = embedded_begin(d, err);

	if (r < 0)
		return r;
	r = delete_file(d, component, id, &file, err);
	if (r < 0) {
		embedded_rollback(d);
		return r;
	}
	r = embedded_commit(d, &in_doubt, err);
	if (r == 0)
		publish_remove_file(d, file); /* I4 */
	return r;
}
