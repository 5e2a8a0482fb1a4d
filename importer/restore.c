#include "importer/restore.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cancel.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "importer/archive/archive.h"
#include "importer/archive/contents.h"
#include "importer/embedded/commit.h"
#include "importer/embedded/duplicates.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/records.h"
#include "importer/load.h"
#include "importer/preview.h"
#include "importer/restore_inside.h"
#include "importer/restore_storage.h"
#include "importer/value/name.h"
#include "importer/value/refusal.h"

/* Ten places, and what else there is to say. */
#define ERROR_TEXT_MAX ((size_t)16 << 10)

CVX_DEFINE_CLEANUP(struct restore, restore_free)

int restore_new(struct deployment *d, const struct restore_target *target,
		const struct import_source *source, struct restore **ret,
		struct cvx_err *err)
{
	CVX_AUTO(restore_freep) struct restore *r = calloc(1, sizeof(*r));

	assert(d && target && source && ret);
	if (!r)
		return cvx_fail_memory(err);
	cvx_buf_init(&r->error_text, ERROR_TEXT_MAX);
	shelf_init(&r->shelf, d);
	r->component = strdup(target->component);
	r->path = strdup(target->path);
	if (!r->component || !r->path)
		return cvx_fail_memory(err);
	if (!name_is_component_path(r->component, strlen(r->component)))
		return refuse(err, "InvalidComponentPath",
			      "\"%s\" is not the path of a component",
			      r->component);
	r->mode = target->mode;
	r->source = *source;
	r->running.subject = (struct import_subject){
		.component = r->component,
		.table = "",
		.path = r->path,
		.format = "zip",
		.mode = import_mode_name(r->mode),
	};
	r->running.started_ns = embedded_now_ns();
	running_add(d, &r->running);
	r->d = d;
	*ret = CVX_TAKE(r);
	return 0;
}

static void forget_archive(struct restore *r)
{
	size_t i;

	for (i = 0; r->tables && i < r->count; i++)
		restore_table_fini(&r->tables[i]);
	plan_set_fini(&r->set);
	plan_set_fini(&r->now);
	free(r->tables);
	free(r->items);
	for (i = 0; i < r->files_count; i++)
		files_change_fini(&r->files[i]);
	free(r->parts);
	free(r->files);
	contents_free(r->contents);
	archive_free(r->archive);
	r->tables = NULL;
	r->items = NULL;
	r->parts = NULL;
	r->files = NULL;
	r->contents = NULL;
	r->archive = NULL;
	r->count = r->part_count = r->files_count = 0;
}

static void stop(struct restore *r)
{
	forget_archive(r);
	if (r->d)
		running_remove(r->d, &r->running);
	r->d = NULL;
}

void restore_free(struct restore *r)
{
	if (!r)
		return;
	stop(r);
	shelf_fini(&r->shelf);
	cvx_buf_fini(&r->error_text);
	free(r->component);
	free(r->path);
	free(r);
}

void restore_cancel(struct restore *r)
{
	r->is_canceled = true;
}

void restore_get_progress(struct restore *r, struct import_progress *ret)
{
	ret->consumed_size = r->running.consumed_size;
	ret->row_count = r->running.row_count;
}

void restore_set_copy(struct restore *r)
{
	r->is_copy = true;
}

void restore_set_job(struct restore *r, int64_t job)
{
	r->job = job;
}

static int check_canceled(const struct restore *r, struct cvx_err *err)
{
	if (!r->is_canceled)
		return 0;
	return cvx_fail(err, -ECANCELED, "the import was canceled");
}

static struct import_record make_record(const struct restore *r)
{
	return (struct import_record){
		.subject = r->running.subject,
		.size = r->size,
		.started_ns = r->running.started_ns,
		.error_code = "",
		.error_text = "",
		.job = r->job,
	};
}

static int refuse_existing(struct restore *r, const struct commit_part *failed,
			   const struct duplicates *existing,
			   struct cvx_err *err)
{
	struct places *places = &r->work.places;
	const struct restore_table *t = r->tables;
	int result;

	while (&t->target != failed->target)
		t++;
	places->origins = t->origins;
	places->origin_count = t->origin_count;
	result = load_refuse_duplicates(existing, failed->stamp.table_number,
					failed->target->table, places, err);
	if (!t->origins)
		(void)cvx_err_prefix(err, "%.200s", failed->target->path);
	return result;
}

/* What the commit does with each table, as it is converted now. */
static void describe_commit(struct restore *r)
{
	struct restore_table *t;
	size_t i;

	for (i = 0; i < r->count; i++) {
		t = &r->tables[i];
		if (t->contents->is_storage)
			r->files[r->files_count++] = restore_storage_change(t);
		else
			r->parts[r->part_count++] = (struct commit_part){
				.target = &t->target,
				.plan = &r->items[i].plan,
				.stamp = t->plan.stamp,
				.rows = &t->rows,
			};
	}
}

/* Names the entry of a stored file that is to blame. */
static int explain_files(struct restore *r, struct cvx_err *err)
{
	const struct files_change *files = r->files;
	size_t i;

	for (i = 0; i < r->count; i++) {
		if (!r->tables[i].contents->is_storage)
			continue;
		if (files->failed && err->name)
			(void)cvx_err_prefix(
				err, "%.200s",
				restore_storage_entry(&r->work, &r->tables[i],
						      files->failed));
		files++;
	}
	return err->code;
}

static int finish(struct restore *r, struct restore_result *ret,
		  struct cvx_err *err)
{
	struct import_record record = make_record(r);
	const struct commit_request request = {
		.parts = r->parts,
		.part_count = r->part_count,
		.files = r->files,
		.files_count = r->files_count,
		.components = r->contents->components,
		.component_count = r->contents->component_count,
		.set = &r->now,
		.record = r->is_copy ? NULL : &record,
		.keeps_equal = r->is_copy,
	};
	const struct commit_part *failed;
	struct duplicates existing;
	struct restore_result counts = {.table_count = r->part_count};
	size_t i;
	int result;

	for (i = 0; i < r->part_count; i++)
		counts.document_count += r->parts[i].rows->document_count;
	for (i = 0; i < r->files_count; i++)
		counts.file_count += r->files[i].count;
	record.row_count = counts.document_count;
	result = commit_finish(r->d, &request, &existing, &failed, err);
	if (result < 0 && existing.count > 0)
		return refuse_existing(r, failed, &existing, err);
	if (result < 0)
		return explain_files(r, err);
	*ret = counts;
	return 0;
}

/* Under the write lock: what was guessed is made sure, then committed. */
static int commit_locked(struct restore *r, struct restore_result *ret,
			 struct cvx_err *err)
{
	const char *shelf = NULL;
	size_t i;
	int result = restore_convert_stale(r, err);

	if (result == 0)
		result = check_canceled(r, err);
	if (result == 0)
		result = shelf_look(&r->shelf, &shelf, err);
	if (result < 0) {
		commit_abort(r->d);
		return result;
	}
	for (i = 0; i < r->count; i++)
		restore_table_point(&r->tables[i], shelf);
	describe_commit(r);
	return finish(r, ret, err);
}

/* Reads and converts, unless the preview did. */
static int convert_once(struct restore *r, struct cvx_err *err)
{
	int result = 0;

	if (r->refusal.code < 0)
		*err = r->refusal;
	if (r->was_previewed)
		return r->refusal.code;
	result = restore_look_inside(r, err);
	return result < 0 ? result : restore_convert(r, err);
}

/* What the preview has converted under a schema that is no more is converted
 * again: only now the import begins (import.md 7.2). */
static int forget_old_schema(struct restore *r, struct cvx_err *err)
{
	bool changed = false;
	int result = 0;

	if (r->was_previewed)
		result = commit_check_schemas(r->d, &r->set, &changed, err);
	if (result == 0 && changed) {
		forget_archive(r);
		r->was_previewed = false;
		r->refusal = (struct cvx_err)CVX_ERR_INIT;
	}
	return result;
}

static int commit(struct restore *r, struct restore_result *ret,
		  struct cvx_err *err)
{
	int result = forget_old_schema(r, err);

	if (result == 0)
		result = convert_once(r, err);
	if (result == 0)
		result = check_canceled(r, err);
	if (result < 0)
		return result;
	r->now = restore_set(r);
	result = commit_begin(r->d, &r->set, &r->now, err);
	if (result < 0)
		return restore_fail_plan(r->now.failed, result, err);
	return commit_locked(r, ret, err);
}

/* Every place of a fault if rows are to blame, else the cause. */
static void describe_failure(struct restore *r, const struct cvx_err *err)
{
	int result = cvx_buf_printf(&r->error_text, "%s\n", err->msg);

	if (result == 0 && r->work.places.total > 1)
		result = places_print(&r->work.places, &r->error_text);
	/* Without memory for it, the error itself must do. */
	if (result < 0)
		cvx_buf_clear(&r->error_text);
}

static void record_failure(struct restore *r, const struct cvx_err *cause)
{
	CVX_AUTO(cvx_freep)
	char *text = strndup(r->error_text.data ? r->error_text.data : "",
			     r->error_text.size);
	struct import_record record = make_record(r);
	struct cvx_err err = CVX_ERR_INIT;

	record.error_code = record_error_code(cause);
	record.error_text = text && text[0] ? text : cause->msg;
	if (r->d->read_only || r->is_copy)
		return;
	if (record_commit(r->d, &record, NULL, &err) < 0)
		log_warning("%s: cannot record that it failed: %s", r->path,
			    err.msg);
}

static int check_writable(struct restore *r, struct cvx_err *err)
{
	if (!r->d->read_only)
		return 0;
	return cvx_fail(err, -EROFS, "the deployment %s is read-only",
			r->d->name);
}

/* The restore has failed for good. */
static int end_failed(struct restore *r, const struct cvx_err *cause,
		      struct cvx_err *err)
{
	describe_failure(r, cause);
	record_failure(r, cause);
	stop(r);
	if (err)
		*err = *cause;
	return cause->code;
}

int restore_commit(struct restore *r, uint64_t size, struct restore_result *ret,
		   struct cvx_err *err)
{
	const atomic_bool *outer = cancel_watch(&r->is_canceled);
	struct cvx_err cause = CVX_ERR_INIT;
	int result;

	assert(!r->was_committed);
	r->was_committed = true;
	r->size = size;
	r->running.available_size = size;
	result = check_writable(r, &cause);
	if (result == 0)
		result = commit(r, ret, &cause);
	if (result < 0)
		result = end_failed(r, &cause, err);
	else
		stop(r);
	(void)cancel_watch(outer);
	return result;
}

/* Whether rows would be refused before anybody is asked. */
static bool is_refused_parsing(const struct restore *r,
			       const struct cvx_err *cause)
{
	bool parsing = preview_is_parsing_refusal(cause->name);
	unsigned i;

	for (i = 0; i < r->work.places.count; i++)
		parsing |= preview_is_parsing_refusal(
			r->work.places.list[i].err.name);
	return parsing;
}

static int preview(struct restore *r, struct preview *ret, struct cvx_err *err)
{
	const struct restore_table *t;
	size_t i;
	int result = restore_look_inside(r, err);

	if (result < 0)
		return result;
	result = restore_convert(r, err);
	if (result < 0 && (!err->name || is_refused_parsing(r, err)))
		return result;
	if (result < 0)
		ret->refusal = *err;
	result = 0;
	for (i = 0; result == 0 && i < r->count; i++) {
		t = &r->tables[i];
		result = preview_add(ret, r->d, &t->target,
				     t->rows.document_count,
				     t->rows.stamp_count > 0, err);
	}
	return result < 0 ? result : preview_finish(ret, r->d, r->mode, err);
}

int restore_preview(struct restore *r, uint64_t size, struct preview *ret,
		    struct cvx_err *err)
{
	const atomic_bool *outer = cancel_watch(&r->is_canceled);
	struct preview made = {.tables = NULL};
	struct cvx_err cause = CVX_ERR_INIT;
	int result;

	assert(!r->was_previewed && !r->was_committed);
	r->was_previewed = true;
	r->size = size;
	r->running.available_size = size;
	result = check_writable(r, &cause);
	if (result == 0)
		result = preview(r, &made, &cause);
	if (result < 0) {
		preview_fini(&made);
		r->was_committed = true;
		result = end_failed(r, &cause, err);
	} else {
		r->refusal = made.refusal;
		*ret = made;
	}
	(void)cancel_watch(outer);
	return result;
}

int restore_print_error(struct restore *r, struct cvx_buf *out)
{
	return cvx_buf_append(out, r->error_text.data, r->error_text.size);
}

int restore_record_failure(struct deployment *d,
			   const struct restore_target *target,
			   const struct cvx_err *cause)
{
	struct import_record record = {
		.subject = {.component = target->component,
			    .table = "",
			    .path = target->path,
			    .format = "zip",
			    .mode = import_mode_name(target->mode)},
		.started_ns = embedded_now_ns(),
		.error_code = record_error_code(cause),
		.error_text = cause->msg,
	};

	return record_commit(d, &record, NULL, NULL);
}
