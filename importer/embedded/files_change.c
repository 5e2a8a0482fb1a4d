#include "importer/embedded/files_change.h"

#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/embedded/component_rows.h"
#include "importer/embedded/counters.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/files_stage.h"
#include "importer/embedded/publish.h"
#include "importer/value/refusal.h"

void files_change_fini(struct files_change *change)
{
	free(change->old_ids);
	change->old_ids = NULL;
}

/* Whether the component has a file of the key. */
static int check_new(struct catalog *c, const char *component,
		     const struct file_row *row, struct cvx_err *err)
{
	struct file_row had;
	int r = file_find(c, component, &row->key, &had, err);

	if (r <= 0)
		return r;
	r = refuse(err, "DocumentExists", "there is a stored file %s already",
		   had.file.id);
	stored_file_fini(&had.file);
	return r;
}

static int add_file(struct deployment *d, struct counters_row *counters,
		    struct files_change *change, int64_t component,
		    struct storage_info *info, struct cvx_err *err)
{
	struct file_row *row = &change->files[change->made_count];
	char name[STORED_FILE_NAME_SIZE];
	uint64_t size;
	int r = check_new(d->writes, change->component, row, err);

	if (r < 0)
		return r;
	files_stage_name(change->made_count, name);
	r = publish_file(d, counters, stage_folder_fd(change->stage), name,
			 &row->id, err);
	if (r < 0)
		return r;
	change->made_count++;
	memset(row->file.id, 0, sizeof(row->file.id));
	(void)id_encode(change->number, &row->key, row->file.id);
	r = stored_file_measure(&row->file, &size, err);
	info->file_count++;
	info->size += row->file.size;
	info->documents_size += size;
	return r < 0 ? r : file_insert(d->writes, component, row, err);
}

static int drop_all(struct catalog *c, struct files_change *change,
		    int64_t component, struct storage_info *info,
		    struct cvx_err *err)
{
	int r = files_list_ids(c, component, &change->old_ids,
			       &change->old_count, err);

	info->file_count = info->size = info->documents_size = 0;
	return r < 0 ? r : files_delete_all(c, component, err);
}

/* The storage's row, once its files are as they will be. */
static int put_storage(struct catalog *c, struct counters_row *counters,
		       const struct files_change *change,
		       struct component_row *component,
		       struct storage_info *info, struct cvx_err *err)
{
	uint32_t old_number = info->number;
	int r;

	info->number = change->number;
	storage_touch(info, counters);
	r = storage_put(c, component->id, info, err);
	if (r < 0 || info->number == old_number)
		return r;
	return component_release_number(c, component, old_number, err);
}

int files_change_write(struct deployment *d, struct counters_row *counters,
		       struct files_change *change, struct cvx_err *err)
{
	struct component_row component;
	struct storage_info info;
	int r = component_find(d->writes, change->component, &component, err);

	if (r == 0)
		r = storage_find(d->writes, component.id, &info, err);
	if (r < 0)
		return r;
	if (!change->replaces && change->count == 0 &&
	    info.number == change->number)
		return 0;
	if (change->replaces)
		r = drop_all(d->writes, change, component.id, &info, err);
	while (r == 0 && change->made_count < change->count) {
		change->failed = &change->files[change->made_count];
		r = add_file(d, counters, change, component.id, &info, err);
	}
	if (r < 0)
		return r;
	change->failed = NULL;
	counters->last = last_stamp_max(counters->last, change->last);
	return put_storage(d->writes, counters, change, &component, &info, err);
}

void files_change_committed(struct deployment *d,
			    const struct files_change *change)
{
	size_t i;

	for (i = 0; i < change->old_count; i++)
		publish_remove_file(d, change->old_ids[i]); /* I4 */
}

void files_change_undo(struct deployment *d, const struct files_change *change)
{
	size_t i;

	for (i = 0; i < change->made_count; i++)
		publish_remove_file(d, change->files[i].id);
}

static int write_alone(struct deployment *d, struct files_change *change,
		       files_change_prepare *prepare, const void *ctx,
		       struct cvx_err *err)
{
	struct counters_row counters;
	int r = counters_get(d->writes, &counters, err);

	if (r == 0)
		r = prepare(d, &counters, change, ctx, err);
	if (r != 0)
		return r;
	r = files_change_write(d, &counters, change, err);
	if (r == 0)
		r = counters_put(d->writes, &counters, err);
	return r < 0 ? r : publish_sync_files(d, err); /* I2 */
}

int files_change_commit(struct deployment *d, struct files_change *change,
			files_change_prepare *prepare, const void *ctx,
			struct cvx_err *err)
{
	bool in_doubt = false;
	int r = embedded_begin(d, err);

	if (r < 0)
		return r;
	r = write_alone(d, change, prepare, ctx, err);
	if (r == 0)
		r = embedded_commit(d, &in_doubt, err);
	else
		embedded_rollback(d);
	if (r < 0 && !in_doubt) /* I5 */
		files_change_undo(d, change);
	return r < 0 ? r : 0;
}
