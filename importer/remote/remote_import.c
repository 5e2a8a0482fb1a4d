#include "importer/remote/remote_import_inside.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/remote/halt.h"
#include "importer/remote/upload.h"

#define POLL_MS 1
#define HINT_MAX ((size_t)8192)
#define SUBJECT_MAX ((size_t)8192)

static int copy_texts(struct remote_import *imp,
		      const struct remote_import_target *target,
		      struct cvx_err *err)
{
	imp->component = strdup(target->component ? target->component : "");
	imp->table = target->table ? strdup(target->table) : NULL;
	if (!imp->component || (target->table && !imp->table))
		return cvx_fail_memory(err);
	imp->target.component = imp->component;
	imp->target.table = imp->table;
	return 0;
}

int remote_import_new(struct http *http,
		      const struct remote_import_target *target,
		      const struct import_source *source,
		      const struct remote_import_settings *settings,
		      struct remote_import **ret, struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini) struct cvx_buf hint = CVX_BUF_INIT(HINT_MAX);
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf subject = CVX_BUF_INIT(SUBJECT_MAX);
	struct remote_import *imp = calloc(1, sizeof(*imp));
	struct upload_settings upload = {
		.http = http,
		.source = *source,
		.drops_bom = target->format != REMOTE_ZIP,
		.part_size = settings->part_size,
		.record_dir_fd = settings->record_dir_fd,
		.prepare = remote_import_look_at_others,
		.ctx = imp,
	};
	int r;

	assert(!target->table == (target->format == REMOTE_ZIP));
	if (!imp)
		return cvx_fail_memory(err);
	imp->http = http;
	imp->target = *target;
	imp->settings = *settings;
	if (imp->settings.poll_ms == 0)
		imp->settings.poll_ms = POLL_MS;
	r = copy_texts(imp, target, err);
	if (r == 0)
		r = halt_new(&imp->halt, err);
	if (r == 0) {
		halt_follow_thread(imp->halt);
		r = remote_import_print_hint(imp, &hint);
		if (r == 0)
			r = remote_import_print_subject(imp, &subject);
		if (r < 0)
			(void)cvx_fail(err, r,
				       "the name of the table is too "
				       "long");
	}
	if (r == 0) {
		upload.hint = hint.data;
		upload.subject = settings->keeps_records ? subject.data : NULL;
		r = upload_new(&upload, &imp->upload, err);
	}
	if (r < 0)
		remote_import_free(imp);
	else
		*ret = imp;
	return r;
}

void remote_import_free(struct remote_import *imp)
{
	if (!imp)
		return;
	upload_free(imp->upload);
	remote_import_abandon(imp);
	halt_free(imp->halt);
	free(imp->component);
	free(imp->table);
	free(imp->id);
	free(imp->error);
	free(imp->message);
	free(imp);
}

void remote_import_detach(struct remote_import *imp)
{
	upload_free(CVX_TAKE(imp->upload));
}

void remote_import_available(struct remote_import *imp, uint64_t size)
{
	upload_available(imp->upload, size);
}

uint64_t remote_import_consumed(struct remote_import *imp)
{
	return upload_consumed(imp->upload);
}

void remote_import_restart(struct remote_import *imp)
{
	upload_restart(imp->upload);
}

static int upload_all(struct remote_import *imp, uint64_t size,
		      struct cvx_err *err)
{
	int r = upload_finish(imp->upload, size, err);

	return r < 0 ? r : remote_import_finish(imp, err);
}

int remote_import_prepare(struct remote_import *imp, uint64_t size,
			  struct remote_plan *ret, struct cvx_err *err)
{
	struct cvx_err own = CVX_ERR_INIT;
	int r;

	assert(!imp->was_prepared);
	imp->was_prepared = true;
	r = upload_all(imp, size, &own);
	if (r < 0 && imp->is_refused && upload_was_resumed(imp->upload)) {
		/* Perhaps for what arrived before, so without it. */
		upload_restart(imp->upload);
		own = (struct cvx_err)CVX_ERR_INIT;
		r = upload_all(imp, size, &own);
	}
	if (r == 0)
		r = remote_import_wait_for_plan(imp, ret, &own);
	if (r < 0)
		remote_import_abandon(imp);
	if (r < 0 && err)
		*err = own;
	return r;
}

int remote_import_perform(struct remote_import *imp, uint64_t *ret_count,
			  struct cvx_err *err)
{
	struct cvx_err own = CVX_ERR_INIT;
	int r;

	*ret_count = imp->count;
	if (imp->has_ended) /* somebody else confirmed it */
		return 0;
	r = remote_import_run(imp, ret_count, &own);
	if (r < 0)
		remote_import_abandon(imp);
	if (r < 0 && err)
		*err = own;
	return r;
}

int remote_import_commit(struct remote_import *imp, uint64_t size,
			 uint64_t *ret_count, struct cvx_err *err)
{
	struct remote_plan plan;
	int r = remote_import_prepare(imp, size, &plan, err);

	return r < 0 ? r : remote_import_perform(imp, ret_count, err);
}

uint64_t remote_import_sent_size(struct remote_import *imp)
{
	return upload_sent_size(imp->upload);
}

void remote_import_cancel(struct remote_import *imp)
{
	halt_request(imp->halt);
	upload_cancel(imp->upload);
}

const char *remote_import_id(const struct remote_import *imp)
{
	return imp->id;
}

const char *remote_import_error(const struct remote_import *imp)
{
	return imp->error;
}
