/* stored_file.h, in an embedded deployment: files that a backup has. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/archive/storage_row.h"
#include "importer/embedded/component_rows.h"
#include "importer/embedded/copy.h"
#include "importer/embedded/counters.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/files.h"
#include "importer/embedded/files_change.h"
#include "importer/embedded/files_stage.h"
#include "importer/embedded/plan.h"
#include "importer/embedded/publish.h"
#include "importer/embedded/table_numbers.h"
#include "importer/stored_file.h"
#include "importer/value/refusal.h"

static void file_row_fini(struct file_row *row)
{
	stored_file_fini(&row->file);
}

/* A storage as a transaction finds it. */
struct storage {
	struct component_row component;
	struct storage_info info;
};

static int find_storage(struct catalog *c, const char *component,
			struct storage *ret, struct cvx_err *err)
{
	int r = component_find(c, component, &ret->component, err);

	return r < 0 ? r : storage_find(c, ret->component.id, &ret->info, err);
}

static int check_content(const struct storage_row *row,
			 const struct stored_file *file, struct cvx_err *err)
{
	char id[ID_TEXT_MAX + 1] = "";

	if (!row->has_sha256 ||
	    memcmp(row->sha256, file->sha256, sizeof(row->sha256)) == 0)
		return 0;
	(void)id_encode(row->number, &row->key, id);
	return refuse(err, "Sha256Mismatch",
		      "%s: its SHA-256 is not the one that its row has", id);
}

/* --- one file ------------------------------------------------------------ */

/* Ids of a backup have the number that its storage had. One without files
 * takes it over (import.md 7.3). */
static int check_number(struct catalog *c, const struct storage *s,
			uint32_t number, struct cvx_err *err)
{
	char owner[NAME_MAX_SIZE + 1];
	int r;

	if (number == s->info.number)
		return 0;
	if (s->info.file_count > 0)
		return refuse(err, "InvalidId",
			      "the id has the table number %u, but the stored "
			      "files here have the number %u",
			      number, s->info.number);
	r = table_find_number(c, &s->component, number, owner, err);
	if (r == 1)
		return refuse(err, "TableConflict",
			      "the id has the number %u of table %s", number,
			      owner);
	return r;
}

static int fail_other(const struct stored_file *had, struct cvx_err *err)
{
	return cvx_fail(err, -EPERM,
			"another file is stored as %s, and stored files do not "
			"change",
			had->id);
}

/* Whether the file is there: 1; with other bytes that is a refusal. */
static int find_same(struct catalog *c, const char *component,
		     const struct file_row *wanted, struct cvx_err *err)
{
	CVX_AUTO(file_row_fini) struct file_row had = {.id = 0};
	int r = file_find(c, component, &wanted->key, &had, err);

	if (r <= 0)
		return r;
	if (had.file.size == wanted->file.size &&
	    memcmp(had.file.sha256, wanted->file.sha256,
		   sizeof(had.file.sha256)) == 0)
		return 1;
	return fail_other(&had.file, err);
}

/* In the transaction; ctx is the file's row. */
static int prepare_restored(struct deployment *d, struct counters_row *counters,
			    struct files_change *change, const void *ctx,
			    struct cvx_err *err)
{
	const struct storage_row *row = ctx;
	struct document_stamp stamp = {.table_number = 0};
	struct storage s;
	int r = find_storage(d->writes, change->component, &s, err);

	if (r == 0)
		r = check_number(d->writes, &s, row->number, err);
	if (r == 0)
		r = find_same(d->writes, change->component, change->files, err);
	if (r != 0 || row->has_time)
		return r;
	plan_choose_stamp(&counters->last, &stamp);
	change->files->file.creation_time = stamp.creation_time;
	change->last = plan_last_stamp(&stamp, 1);
	return 0;
}

/* The file that is stored under the id of the row: 1, if there is one. */
static int find_stored(struct deployment *d, const char *component,
		       const struct storage_row *row, struct file_row *ret,
		       struct cvx_err *err)
{
	struct catalog *c = embedded_lock_reads(d);
	struct storage s;
	int r = find_storage(c, component, &s, err);

	if (r == 0 && s.info.number == row->number)
		r = file_find(c, component, &row->key, ret, err);
	embedded_unlock_reads(d);
	return r;
}

/* Whether the file is there already, which is found out without a copy: 1;
 * with other bytes that is a refusal. */
static int is_stored(struct deployment *d, const char *component,
		     const struct storage_row *row, int fd, uint64_t size,
		     struct cvx_err *err)
{
	CVX_AUTO(file_row_fini) struct file_row had = {.id = 0};
	struct stored_file now;
	int r = find_stored(d, component, row, &had, err);

	if (r <= 0)
		return r;
	if (had.file.size != size)
		return fail_other(&had.file, err);
	r = file_hash(fd, size, &now, err);
	if (r == 0)
		r = check_content(row, &now, err);
	if (r < 0)
		return r;
	return memcmp(now.sha256, had.file.sha256, sizeof(now.sha256)) == 0
		       ? 1
		       : fail_other(&had.file, err);
}

/* The row as that of a file whose bytes are known. */
static int make_file(const struct storage_row *row, struct file_row *ret,
		     struct cvx_err *err)
{
	ret->key = row->key;
	ret->file.creation_time = row->creation_time;
	if (row->content_type &&
	    !(ret->file.content_type = strdup(row->content_type)))
		return cvx_fail_memory(err);
	if (!row->has_internal_id)
		return file_make_uuid(ret->file.internal_id, err);
	memcpy(ret->file.internal_id, row->internal_id,
	       sizeof(ret->file.internal_id));
	return 0;
}

int deployment_restore_stored_file(struct deployment *d, const char *component,
				   const struct storage_row *row, int fd,
				   uint64_t size, struct cvx_err *err)
{
	CVX_AUTO(stage_folder_freep) struct stage_folder *stage = NULL;
	CVX_AUTO(file_row_fini) struct file_row file = {.id = 0};
	struct files_change change = {
		.component = component,
		.number = row->number,
		.files = &file,
		.count = 1,
	};
	int r = storage_row_check_time(row, err);

	if (r == 0)
		r = is_stored(d, component, row, fd, size, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = files_stage_new(d, &stage, err);
	if (r == 0)
		r = file_copy_in(stage, fd, size, &file.file, err);
	if (r == 0)
		r = check_content(row, &file.file, err);
	if (r == 0)
		r = make_file(row, &file, err);
	change.stage = stage;
	return r < 0 ? r
		     : files_change_commit(d, &change, prepare_restored, row,
					   err);
}

/* --- the rows ------------------------------------------------------------ */

static bool is_equal(const struct stored_file *a, const struct stored_file *b)
{
	bool no_type = !a->content_type || !b->content_type;

	return a->creation_time == b->creation_time &&
	       strcmp(a->internal_id, b->internal_id) == 0 &&
	       (no_type ? a->content_type == b->content_type
			: strcmp(a->content_type, b->content_type) == 0);
}

/* Takes the file for what its row says. 1: that is something else. */
static int change_file(struct file_row *file, const struct storage_row *row,
		       struct cvx_err *err)
{
	struct stored_file now = file->file;
	char *type = NULL;

	if (row->has_time)
		now.creation_time = row->creation_time;
	if (row->has_internal_id)
		memcpy(now.internal_id, row->internal_id,
		       sizeof(now.internal_id));
	now.content_type = row->content_type;
	if (is_equal(&now, &file->file))
		return 0;
	if (row->content_type && !(type = strdup(row->content_type)))
		return cvx_fail_memory(err);
	now.content_type = type;
	free(file->file.content_type);
	file->file = now;
	return 1;
}

/* 1: the file is there and has changed. */
static int describe_file(struct catalog *c, const char *component,
			 struct storage *s, const struct storage_row *row,
			 struct cvx_err *err)
{
	CVX_AUTO(file_row_fini) struct file_row file = {.id = 0};
	uint64_t before, after;
	int r = storage_row_check_time(row, err);

	if (r < 0 || row->number != s->info.number)
		return r; /* of a file that is not here */
	r = file_find(c, component, &row->key, &file, err);
	if (r <= 0)
		return r;
	r = check_content(row, &file.file, err);
	if (r == 0)
		r = stored_file_measure(&file.file, &before, err);
	if (r == 0)
		r = change_file(&file, row, err);
	if (r <= 0)
		return r;
	r = stored_file_measure(&file.file, &after, err);
	if (r == 0)
		r = file_delete(c, file.id, err);
	if (r == 0)
		r = file_insert(c, s->component.id, &file, err);
	s->info.documents_size += after - before;
	return r < 0 ? r : 1;
}

/* ret_changes, of count: what was changed; NULL: nobody wants to know. */
static int describe(struct catalog *c, const char *component,
		    const struct storage_row *rows, size_t count,
		    bool *ret_changes, struct cvx_err *err)
{
	struct counters_row counters;
	struct storage s;
	bool changed = false;
	int r = find_storage(c, component, &s, err);

	for (size_t i = 0; r >= 0 && i < count; i++) {
		r = describe_file(c, component, &s, &rows[i], err);
		changed = changed || r == 1;
		if (ret_changes)
			ret_changes[i] = r == 1;
	}
	if (r < 0 || !changed)
		return r < 0 ? r : 0;
	r = counters_get(c, &counters, err);
	if (r < 0)
		return r;
	storage_touch(&s.info, &counters);
	r = storage_put(c, s.component.id, &s.info, err);
	return r < 0 ? r : counters_put(c, &counters, err);
}

int deployment_describe_stored_files(struct deployment *d,
				     const char *component,
				     const struct storage_row *rows,
				     size_t count, struct cvx_err *err)
{
	bool in_doubt;
	int r = embedded_begin(d, err);

	if (r < 0)
		return r;
	r = describe(d->writes, component, rows, count, NULL, err);
	if (r == 0)
		return embedded_commit(d, &in_doubt, err);
	embedded_rollback(d);
	return r;
}

int copy_compare_files(struct deployment *d, const char *component,
		       const struct storage_row *rows, size_t count,
		       bool *ret_changes, struct cvx_err *err)
{
	int r = embedded_begin(d, err);

	if (r < 0)
		return r;
	r = describe(d->writes, component, rows, count, ret_changes, err);
	embedded_rollback(d);
	return r;
}
