#include "importer/import.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cancel.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "cache/segment.h"
#include "importer/embedded/commit.h"
#include "importer/embedded/duplicates.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/records.h"
#include "importer/load.h"
#include "importer/pipeline.h"
#include "importer/preview.h"

/* Ten places, and what else there is to say. */
#define ERROR_TEXT_MAX ((size_t)16 << 10)

struct import {
	struct deployment *d;
	struct import_target target; /* its texts are our own */
	char *texts[3];
	struct pipeline *pipeline;
	struct running_import running;
	atomic_bool is_canceled;
	bool was_previewed; /* the rows are converted, or refused for good */
	bool was_committed; /* or tried to be */
	bool is_listed;	    /* as running */
	int64_t job;
	struct commit_rows rows;

	/* What the pipeline's rows were made with: set by its plan hook. */
	struct plan_item item;
	struct plan_set set; /* of the item */
	/* That it is made, for the owner, while threads may be making it. */
	_Atomic bool is_planned;
	/* The same under the write lock, and whether rows must be made so. */
	struct plan_item now_item;
	struct plan_set now;
	bool is_locked;
	struct plan plan; /* of either set */

	struct places places;	/* of faults that the pipeline cannot see */
	struct cvx_err refusal; /* found by the preview */
	struct cvx_buf error_text;
};

CVX_DEFINE_CLEANUP(struct import, import_free)

static struct plan_item item_of(const struct import *imp,
				const struct plan_facts *facts)
{
	return (struct plan_item){
		.target = &imp->target,
		.facts = *facts,
		.makes_component = imp->target.makes_component,
	};
}

static struct plan_set set_of(const struct import *imp, struct plan_item *item)
{
	return (struct plan_set){
		.items = item,
		.count = 1,
		.drops_rest = imp->target.mode == IMPORT_REPLACE_ALL,
	};
}

static int hook_plan(void *ctx, const struct plan_facts *facts,
		     enum document_encoding *ret_encoding,
		     struct document_stamp *ret_stamp,
		     struct format_rules *ret_rules, struct cvx_err *err)
{
	struct import *imp = ctx;
	int r = 0;

	if (imp->is_locked) {
		imp->plan = imp->now_item.plan;
	} else {
		plan_set_fini(&imp->set);
		imp->item = item_of(imp, facts);
		imp->set = set_of(imp, &imp->item);
		r = commit_plan(imp->d, &imp->set, err);
		imp->plan = imp->item.plan;
		imp->is_planned = true;
	}
	if (r < 0)
		return r;
	*ret_encoding = imp->plan.encoding;
	*ret_stamp = imp->plan.stamp;
	*ret_rules = row_rules_format(&imp->plan.rules);
	return 0;
}

static int hook_new_stage(void *ctx, struct segment_stage **ret,
			  struct cvx_err *err)
{
	struct import *imp = ctx;

	return commit_new_stage(imp->d, ret, err);
}

static int copy_target(struct import *imp, const struct import_target *target,
		       struct cvx_err *err)
{
	imp->target = *target;
	imp->target.component = imp->texts[0] = strdup(target->component);
	imp->target.table = imp->texts[1] = strdup(target->table);
	imp->target.path = imp->texts[2] = strdup(target->path);
	if (!imp->texts[0] || !imp->texts[1] || !imp->texts[2])
		return cvx_fail_memory(err);
	return 0;
}

static void list_running(struct import *imp)
{
	running_add(imp->d, &imp->running);
	imp->is_listed = true;
}

int import_new(struct deployment *d, const struct import_target *target,
	       const struct import_source *source, struct import **ret,
	       struct cvx_err *err)
{
	CVX_AUTO(import_freep) struct import *imp = calloc(1, sizeof(*imp));
	struct pipeline_hooks hooks;
	int r;

	assert(d && target && source && ret);
	if (!imp)
		return cvx_fail_memory(err);
	cvx_buf_init(&imp->error_text, ERROR_TEXT_MAX);
	r = copy_target(imp, target, err);
	if (r < 0)
		return r;
	hooks = (struct pipeline_hooks){
		.ctx = imp,
		.plan = hook_plan,
		.new_stage = hook_new_stage,
		.consumed_size = &imp->running.consumed_size,
		.row_count = &imp->running.row_count,
	};
	r = pipeline_new(target->format, source, &hooks, &imp->pipeline, err);
	if (r < 0)
		return r;
	imp->running.subject = record_subject(&imp->target);
	imp->running.started_ns = embedded_now_ns();
	imp->d = d;
	if (!target->is_early && !target->is_copy)
		list_running(imp);
	*ret = CVX_TAKE(imp);
	return 0;
}

/* The import runs no more, so it is not listed as running, and the deployment
 * may be closed. */
static void stop_running(struct import *imp)
{
	plan_set_fini(&imp->set);
	plan_set_fini(&imp->now);
	if (imp->is_listed)
		running_remove(imp->d, &imp->running);
	imp->is_listed = false;
	imp->d = NULL;
}

void import_free(struct import *imp)
{
	size_t i;

	if (!imp)
		return;
	commit_rows_fini(&imp->rows);
	pipeline_free(imp->pipeline);
	stop_running(imp);
	cvx_buf_fini(&imp->error_text);
	for (i = 0; i < sizeof(imp->texts) / sizeof(imp->texts[0]); i++)
		free(imp->texts[i]);
	free(imp);
}

void import_available(struct import *imp, uint64_t size)
{
	imp->running.available_size = size;
	pipeline_offer(imp->pipeline, size);
}

uint64_t import_consumed(struct import *imp)
{
	return imp->running.consumed_size;
}

void import_restart(struct import *imp)
{
	pipeline_reset(imp->pipeline);
	imp->is_planned = false;
}

void import_cancel(struct import *imp)
{
	imp->is_canceled = true;
	pipeline_cancel(imp->pipeline);
}

void import_get_progress(struct import *imp, struct import_progress *ret)
{
	ret->consumed_size = imp->running.consumed_size;
	ret->row_count = imp->running.row_count;
}

void import_set_job(struct import *imp, int64_t job)
{
	imp->job = job;
	if (imp->d && !imp->is_listed)
		list_running(imp);
}

int import_check(struct import *imp, uint64_t size, struct cvx_err *err)
{
	int r = 0;

	if (size != UINT64_MAX)
		r = pipeline_finish(imp->pipeline, size, err);
	return r < 0 ? r : pipeline_peek(imp->pipeline, err);
}

/* The bytes of the source become rows that are ready to be committed. */
static int convert(struct import *imp, uint64_t size, struct cvx_err *err)
{
	return load_finish(imp->d, imp->pipeline, size, &imp->plan,
			   imp->target.table, &imp->places, &imp->rows, err);
}

/* As above, unless the preview did. */
static int convert_once(struct import *imp, uint64_t size, struct cvx_err *err)
{
	if (!imp->was_previewed)
		return convert(imp, size, err);
	if (imp->refusal.code < 0)
		*err = imp->refusal;
	return imp->refusal.code;
}

static int check_canceled(struct import *imp, struct cvx_err *err)
{
	if (!imp->is_canceled)
		return 0;
	return cvx_fail(err, -ECANCELED, "the import was canceled");
}

static struct import_record make_record(const struct import *imp, uint64_t size)
{
	return (struct import_record){
		.subject = record_subject(&imp->target),
		.size = size,
		.started_ns = imp->running.started_ns,
		.error_code = "",
		.error_text = "",
		.job = imp->job,
	};
}

/* The one part of the transaction. */
static int finish(struct import *imp, uint64_t size, struct import_result *ret,
		  struct cvx_err *err)
{
	struct import_record record = make_record(imp, size);
	struct commit_part part = {
		.target = &imp->target,
		.plan = &imp->now_item.plan,
		.stamp = imp->plan.stamp,
		.rows = &imp->rows,
	};
	const struct commit_request request = {
		.parts = &part,
		.part_count = 1,
		.set = &imp->now,
		.components = &imp->texts[0],
		.component_count = imp->target.makes_component ? 1 : 0,
		.record = imp->target.is_copy ? NULL : &record,
		.keeps_equal = imp->target.is_copy &&
			       imp->target.mode == IMPORT_REPLACE,
	};
	const struct commit_part *failed;
	struct duplicates existing;
	int r;

	record.row_count = imp->rows.document_count;
	r = commit_finish(imp->d, &request, &existing, &failed, err);
	if (r < 0 && existing.count > 0)
		return load_refuse_duplicates(
			&existing, imp->plan.stamp.table_number,
			imp->target.table, &imp->places, err);
	if (r < 0)
		return r;
	ret->document_count = imp->rows.document_count;
	ret->revision = part.revision;
	return 0;
}

/* Under the write lock: what was guessed is made sure, then committed. */
static int commit_locked(struct import *imp, uint64_t size,
			 struct import_result *ret, struct cvx_err *err)
{
	int r = 0;

	if (plan_is_stale(&imp->plan, &imp->now_item.plan, &imp->target)) {
		commit_rows_fini(&imp->rows);
		imp->is_locked = true;
		pipeline_reset(imp->pipeline);
		r = convert(imp, size, err);
		imp->is_locked = false;
	}
	if (r == 0)
		r = check_canceled(imp, err);
	if (r < 0) {
		commit_abort(imp->d);
		return r;
	}
	return finish(imp, size, ret, err);
}

/* What was converted while bytes arrived, under a schema that is no more, was
 * converted too early: only now the import begins (import.md 7.2). */
static int forget_old_schema(struct import *imp, struct cvx_err *err)
{
	bool changed = false;
	int r = 0;

	if (!imp->is_planned)
		return 0;
	r = commit_check_schemas(imp->d, &imp->set, &changed, err);
	if (r < 0 || !changed)
		return r;
	commit_rows_fini(&imp->rows);
	imp->was_previewed = false;
	imp->refusal = (struct cvx_err)CVX_ERR_INIT;
	import_restart(imp);
	return 0;
}

static int commit(struct import *imp, uint64_t size, struct import_result *ret,
		  struct cvx_err *err)
{
	int r = forget_old_schema(imp, err);

	if (r == 0)
		r = convert_once(imp, size, err);
	if (r == 0)
		r = check_canceled(imp, err);
	if (r < 0)
		return r;
	imp->now_item = item_of(imp, &imp->item.facts);
	imp->now = set_of(imp, &imp->now_item);
	r = commit_begin(imp->d, &imp->set, &imp->now, err);
	return r < 0 ? r : commit_locked(imp, size, ret, err);
}

/* Every place of a fault if the rows are to blame, else the cause. */
static void describe_failure(struct import *imp, const struct cvx_err *err)
{
	const struct places *places = pipeline_places(imp->pipeline);
	int r;

	if (imp->places.count > 0)
		places = &imp->places;
	if (places->count > 0)
		r = places_print(places, &imp->error_text);
	else
		r = cvx_buf_printf(&imp->error_text, "%s\n", err->msg);
	/* Without memory for it, the error itself must do. */
	if (r < 0)
		cvx_buf_clear(&imp->error_text);
}

static void record_failure(struct import *imp, uint64_t size,
			   const struct cvx_err *cause)
{
	CVX_AUTO(cvx_freep)
	char *text = strndup(imp->error_text.data ? imp->error_text.data : "",
			     imp->error_text.size);
	struct import_record record = make_record(imp, size);
	struct cvx_err err = CVX_ERR_INIT;

	record.error_code = record_error_code(cause);
	record.error_text = text && text[0] ? text : cause->msg;

	if (imp->d->read_only || imp->target.is_copy)
		return;
	if (record_commit(imp->d, &record, NULL, &err) < 0)
		log_warning("%s: cannot record that it failed: %s",
			    imp->target.path, err.msg);
}

/* The import has failed for good. */
static int end_failed(struct import *imp, uint64_t size,
		      const struct cvx_err *cause, struct cvx_err *err)
{
	describe_failure(imp, cause);
	record_failure(imp, size, cause);
	stop_running(imp);
	if (err)
		*err = *cause;
	return cause->code;
}

static int check_writable(struct import *imp, struct cvx_err *err)
{
	if (!imp->d->read_only)
		return 0;
	return cvx_fail(err, -EROFS, "the deployment %s is read-only",
			imp->d->name);
}

int import_commit(struct import *imp, uint64_t size, struct import_result *ret,
		  struct cvx_err *err)
{
	const atomic_bool *outer = cancel_watch(&imp->is_canceled);
	struct cvx_err cause = CVX_ERR_INIT;
	int r;

	assert(!imp->was_committed);
	imp->was_committed = true;
	imp->running.available_size = size;
	r = check_writable(imp, &cause);
	if (r == 0)
		r = commit(imp, size, ret, &cause);
	if (r < 0)
		r = end_failed(imp, size, &cause, err);
	else
		stop_running(imp);
	(void)cancel_watch(outer);
	return r;
}

/* Whether one of the rows would be refused before anybody is asked. */
static bool is_refused_parsing(const struct import *imp,
			       const struct cvx_err *cause)
{
	const struct places *places = pipeline_places(imp->pipeline);
	bool parsing = preview_is_parsing_refusal(cause->name);
	unsigned i;

	for (i = 0; i < places->count; i++)
		parsing |= preview_is_parsing_refusal(places->list[i].err.name);
	return parsing;
}

static int preview(struct import *imp, uint64_t size, struct preview *ret,
		   struct cvx_err *err)
{
	int r = forget_old_schema(imp, err);

	if (r == 0)
		r = convert(imp, size, err);
	if (r == 0)
		r = check_canceled(imp, err);
	if (r < 0 && (!err->name || is_refused_parsing(imp, err)))
		return r;
	if (r < 0)
		ret->refusal = *err;
	r = preview_add(ret, imp->d, &imp->target, imp->running.row_count,
			imp->rows.stamp_count > 0, err);
	return r < 0 ? r : preview_finish(ret, imp->d, imp->target.mode, err);
}

int import_preview(struct import *imp, uint64_t size, struct preview *ret,
		   struct cvx_err *err)
{
	const atomic_bool *outer = cancel_watch(&imp->is_canceled);
	struct preview made = {.tables = NULL};
	struct cvx_err cause = CVX_ERR_INIT;
	int r;

	assert(!imp->was_previewed && !imp->was_committed);
	imp->was_previewed = true;
	imp->running.available_size = size;
	r = check_writable(imp, &cause);
	if (r == 0)
		r = preview(imp, size, &made, &cause);
	if (r < 0) {
		preview_fini(&made);
		imp->was_committed = true;
		r = end_failed(imp, size, &cause, err);
	} else {
		imp->refusal = made.refusal;
		*ret = made;
	}
	(void)cancel_watch(outer);
	return r;
}

int import_print_error(struct import *imp, struct cvx_buf *out)
{
	return cvx_buf_append(out, imp->error_text.data, imp->error_text.size);
}
