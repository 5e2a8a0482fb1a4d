#include "importer/server/exports.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/figures.h"
#include "cache/base/file.h"
#include "cache/base/log.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/export_jobs.h"
#include "importer/export.h"
#include "importer/server/turn.h"
#include "importer/value/refusal.h"

#define LOOK_SECONDS 1
#define PROGRESS_NS (INT64_C(500) * 1000000)
#define DAY_NS (INT64_C(24) * 3600 * 1000000000)
#define EXPIRES_NS (14 * DAY_NS)
#define EXPIRES_MAX_NS (60 * DAY_NS)

struct exports {
	struct deployment *d;
	struct turn *turn;
	struct imports_hooks hooks;
	pthread_t thread;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	bool has_news;
	bool is_stopping;
	int64_t current_number;
	struct export *current; /* what is written now */
};

static void tell(struct exports *ex)
{
	(void)pthread_mutex_lock(&ex->lock);
	ex->has_news = true;
	(void)pthread_cond_signal(&ex->changed);
	(void)pthread_mutex_unlock(&ex->lock);
	ex->hooks.changed(ex->hooks.ctx);
}

/* --- the thread ---------------------------------------------------------- */

/* From now on it can be canceled; false: the server stops. */
static bool set_current(struct exports *ex, int64_t number, struct export *e)
{
	bool goes_on;

	(void)pthread_mutex_lock(&ex->lock);
	goes_on = !ex->is_stopping || !e;
	if (goes_on) {
		ex->current = e;
		ex->current_number = number;
	}
	(void)pthread_mutex_unlock(&ex->lock);
	return goes_on;
}

/* One export as it is written. */
struct writing {
	struct exports *ex;
	const struct export_job *job;
	uint64_t total;
	int64_t told_ns;
};

static void report(void *ctx, const struct export_progress *progress)
{
	struct writing *w = ctx;
	int64_t now = embedded_now_ns();
	char done[FIGURES_SIZE], total[FIGURES_SIZE], text[96];
	struct cvx_err err = CVX_ERR_INIT;
	bool happened;

	if (now - w->told_ns < PROGRESS_NS)
		return;
	w->told_ns = now;
	figures_print_size(progress->done, done);
	figures_print_size(w->total, total);
	(void)snprintf(text, sizeof(text), "%s of %s", done, total);
	if (export_job_progress(w->ex->d, w->job->number, text, &happened,
				&err) < 0)
		log_warning("export %s: %s", w->job->id, err.msg);
	w->ex->hooks.changed(w->ex->hooks.ctx);
}

static int write_file(struct exports *ex, const struct export_job *job,
		      struct export *e, uint64_t *ret_size, struct cvx_err *err)
{
	CVX_AUTO(cvx_closep) int fd = -1;
	struct writing writing = {.ex = ex, .job = job};
	const struct export_watcher watcher = {report, &writing};
	struct export_counts counts;
	int r = export_job_make_file(ex->d, job->number, &fd, err);

	if (r < 0)
		return r;
	export_count(e, &counts);
	writing.total = counts.size;
	writing.told_ns = embedded_now_ns();
	r = export_write(e, fd, &watcher, ret_size, err);
	if (r < 0)
		return r;
	r = file_sync(fd);
	return r < 0 ? cvx_fail(err, r, "cannot sync an archive: %s",
				strerror(-r))
		     : 0;
}

static int run_export(struct exports *ex, const struct export_job *job,
		      struct cvx_err *err)
{
	const struct export_settings settings = {
		.include_storage = job->has_storage,
	};
	struct export *e;
	uint64_t size = 0;
	bool happened = false;
	int r = export_new(ex->d, &settings, &e, err);

	if (r < 0)
		return r;
	r = export_job_begin(ex->d, job->number, export_snapshot_ns(e),
			     &happened, err);
	if (r == 0 && (!happened || !set_current(ex, job->number, e)))
		r = -ECANCELED;
	ex->hooks.changed(ex->hooks.ctx);
	if (r == 0)
		r = write_file(ex, job, e, &size, err);
	(void)set_current(ex, 0, NULL);
	if (r == 0)
		r = export_job_complete(ex->d, job->number, size, &happened,
					err);
	export_free(e);
	return r;
}

static bool is_stopping(struct exports *ex)
{
	bool stops;

	(void)pthread_mutex_lock(&ex->lock);
	stops = ex->is_stopping;
	(void)pthread_mutex_unlock(&ex->lock);
	return stops;
}

/* What cannot even be recorded is as it was, and would come again at once: it
 * waits for the next look. */
static void do_export(struct exports *ex, const struct export_job *job)
{
	struct cvx_err err = CVX_ERR_INIT;
	bool happened, is_recorded = true;
	int r = run_export(ex, job, &err);

	/* A canceled one is on record, one that is broken off begins anew. */
	if (r < 0 && r != -ECANCELED) {
		log_warning("export %s: %s", job->id, err.msg);
		if (export_job_end(ex->d, job->number, EXPORT_FAILED, &happened,
				   &err) < 0) {
			log_warning("export %s: %s", job->id, err.msg);
			is_recorded = false;
		}
	}
	if (!is_stopping(ex) && export_job_sweep(ex->d, &err) < 0)
		log_warning("exports: %s", err.msg);
	if (is_recorded)
		tell(ex);
}

/* Whether the thread goes on. */
static bool await_news(struct exports *ex)
{
	struct timespec at;
	bool goes_on;
	int r = 0;

	(void)clock_gettime(CLOCK_REALTIME, &at); /* cannot fail */
	at.tv_sec += LOOK_SECONDS;
	(void)pthread_mutex_lock(&ex->lock);
	while (r == 0 && !ex->has_news && !ex->is_stopping)
		r = pthread_cond_timedwait(&ex->changed, &ex->lock, &at);
	ex->has_news = false;
	goes_on = !ex->is_stopping;
	(void)pthread_mutex_unlock(&ex->lock);
	return goes_on;
}

static void *run(void *arg)
{
	struct exports *ex = arg;
	struct cvx_err err = CVX_ERR_INIT;
	struct export_job job;
	int r;

	if (turn_is_ours(ex->turn) && export_job_sweep(ex->d, &err) < 0)
		log_warning("exports: %s", err.msg);
	do {
		r = turn_is_ours(ex->turn) ? export_job_next(ex->d, &job, &err)
					   : 0;
		if (r < 0)
			log_warning("exports: %s", err.msg);
		if (r == 1) {
			do_export(ex, &job);
			export_job_fini(&job);
		}
	} while (await_news(ex));
	return NULL;
}

/* --- for others ---------------------------------------------------------- */

int exports_start(struct deployment *d, struct turn *turn,
		  const struct imports_hooks *hooks, struct exports **ret,
		  struct cvx_err *err)
{
	struct exports *ex = calloc(1, sizeof(*ex));
	int r;

	if (!ex)
		return cvx_fail_memory(err);
	ex->d = d;
	ex->turn = turn;
	ex->hooks = *hooks;
	(void)pthread_mutex_init(&ex->lock, NULL);
	(void)pthread_cond_init(&ex->changed, NULL);
	r = pthread_create(&ex->thread, NULL, run, ex);
	if (r != 0) {
		exports_free(ex);
		return cvx_fail(err, -r, "cannot start a thread: %s",
				strerror(r));
	}
	*ret = ex;
	return 0;
}

void exports_stop(struct exports *ex)
{
	(void)pthread_mutex_lock(&ex->lock);
	ex->is_stopping = true;
	if (ex->current)
		export_cancel(ex->current);
	(void)pthread_cond_signal(&ex->changed);
	(void)pthread_mutex_unlock(&ex->lock);
	(void)pthread_join(ex->thread, NULL);
}

void exports_free(struct exports *ex)
{
	if (!ex)
		return;
	(void)pthread_cond_destroy(&ex->changed);
	(void)pthread_mutex_destroy(&ex->lock);
	free(ex);
}

int exports_request(struct exports *ex, bool with_storage,
		    const char *component, struct cvx_err *err)
{
	int r = export_job_insert(ex->d, with_storage, component,
				  embedded_now_ns() + EXPIRES_NS, err);

	if (r == 0)
		tell(ex);
	return r;
}

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

/* By its id. */
static int find(struct exports *ex, const char *id, struct export_job *ret,
		struct cvx_err *err)
{
	struct internal_id internal;
	uint32_t table;
	int r;

	if (id_decode(id, strlen(id), &table, &internal) < 0)
		return refuse(err, "BadSnapshotId",
			      "\"%.100s\" is not the id of an export", id);
	r = export_job_find(ex->d, id, ret, err);
	if (r == 0)
		return refuse(err, "ExportNotFound", "there is no export %s",
			      id);
	return r < 0 ? r : 0;
}

static int find_completed(struct exports *ex, const char *id,
			  struct export_job *ret, struct cvx_err *err)
{
	int64_t start;
	int r;

	if (is_number(id) && strlen(id) < 20) {
		errno = 0;
		start = strtoll(id, NULL, 10);
		r = errno ? 0 : export_job_find_start(ex->d, start, ret, err);
		if (r == 0)
			return refuse(err, "ExportNotFound",
				      "there is no export at %s", id);
		return r < 0 ? r : 0;
	}
	r = find(ex, id, ret, err);
	if (r == 0 && ret->state != EXPORT_COMPLETED) {
		export_job_fini(ret);
		return refuse(err, "ExportNotComplete",
			      "the export is not completed");
	}
	return r;
}

int exports_open(struct exports *ex, const char *id, int *ret_fd,
		 uint64_t *ret_size, int64_t *ret_start_ns, struct cvx_err *err)
{
	struct export_job job;
	int r = find_completed(ex, id, &job, err);

	if (r < 0)
		return r;
	*ret_size = job.size;
	*ret_start_ns = job.start_ns;
	r = export_job_open_file(ex->d, job.number, ret_fd, err);
	if (r == -ENOENT)
		r = refuse(err, "ExportNotFound", "the export has expired");
	export_job_fini(&job);
	return r;
}

int exports_cancel(struct exports *ex, const char *id, struct cvx_err *err)
{
	struct export_job job;
	bool happened;
	int r = find(ex, id, &job, err);

	if (r < 0)
		return r;
	r = export_job_end(ex->d, job.number, EXPORT_CANCELED, &happened, err);
	if (r == 0 && !happened)
		r = cvx_fail(err, -EINVAL, "the export is over already");
	if (r == 0) {
		(void)pthread_mutex_lock(&ex->lock);
		if (ex->current && ex->current_number == job.number)
			export_cancel(ex->current);
		(void)pthread_mutex_unlock(&ex->lock);
		tell(ex);
	}
	export_job_fini(&job);
	return r;
}

int exports_set_expiration(struct exports *ex, const char *id, int64_t ns,
			   struct cvx_err *err)
{
	struct export_job job;
	int64_t now = embedded_now_ns();
	bool happened;
	int r;

	if (ns <= now)
		return refuse(err, "SnapshotExpirationInPast",
			      "the time of expiration has passed");
	if (ns - now > EXPIRES_MAX_NS)
		return refuse(err, "SnapshotExpirationTooLarge",
			      "an export is kept for 60 days at most");
	r = find_completed(ex, id, &job, err);
	if (r < 0)
		return r;
	r = export_job_set_expiration(ex->d, job.number, ns, &happened, err);
	export_job_fini(&job);
	return r;
}
