#include "importer/server/imports.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/jobs.h"
#include "importer/server/early.h"
#include "importer/server/turn.h"
#include "importer/server/work.h"
#include "importer/value/id.h"
#include "importer/value/name.h"
#include "importer/value/refusal.h"

/* How often the worker looks for what others have put on record. */
#define LOOK_MS 1000
/* Previewed imports that wait with their rows; others are read again. */
#define KEPT_MAX 4
#define AGE_MAX_NS (INT64_C(7) * 24 * 3600 * 1000000000)
/* import.md 10.5 */
#define FAILURES_MAX 5
#define RETRY_FIRST_MS 30000
#define RETRY_MAX_MS 300000

struct imports {
	struct deployment *d;
	struct imports_hooks hooks;
	pthread_t thread;
	struct turn *turn;

	/* A job is there only with the work that is kept for it. Held before
	 * lock. */
	pthread_mutex_t adding;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	bool has_news; /* for the worker */
	bool is_stopping;
	struct work *current;	     /* what the worker works on */
	struct work *kept[KEPT_MAX]; /* oldest first; parsed, not confirmed */
};

static void tell(struct imports *im)
{
	(void)pthread_mutex_lock(&im->lock);
	im->has_news = true;
	(void)pthread_cond_broadcast(&im->changed);
	(void)pthread_mutex_unlock(&im->lock);
	im->hooks.changed(im->hooks.ctx);
}

/* --- works that are kept ------------------------------------------------- */

static void keep(struct imports *im, struct work *w)
{
	struct work *oldest = NULL;
	size_t i;

	(void)pthread_mutex_lock(&im->lock);
	for (i = 0; i < KEPT_MAX && im->kept[i]; i++)
		;
	if (i == KEPT_MAX) {
		oldest = im->kept[0];
		memmove(&im->kept[0], &im->kept[1],
			(KEPT_MAX - 1) * sizeof(*im->kept));
		i--;
	}
	im->kept[i] = w;
	(void)pthread_mutex_unlock(&im->lock);
	work_free(oldest);
}

static struct work *take_kept(struct imports *im, int64_t number)
{
	struct work *w = NULL;
	size_t i;

	(void)pthread_mutex_lock(&im->lock);
	for (i = 0; i < KEPT_MAX && im->kept[i]; i++) {
		if (work_number(im->kept[i]) != number)
			continue;
		w = im->kept[i];
		memmove(&im->kept[i], &im->kept[i + 1],
			(KEPT_MAX - 1 - i) * sizeof(*im->kept));
		im->kept[KEPT_MAX - 1] = NULL;
		break;
	}
	(void)pthread_mutex_unlock(&im->lock);
	return w;
}

/* From now on it can be canceled; false: the server stops. */
static bool set_current(struct imports *im, struct work *w)
{
	bool goes_on;

	(void)pthread_mutex_lock(&im->lock);
	goes_on = !im->is_stopping || !w;
	if (goes_on)
		im->current = w;
	(void)pthread_mutex_unlock(&im->lock);
	return goes_on;
}

/* --- the worker ---------------------------------------------------------- */

/* min(30 s × 2^n, 300 s) × random[0, 1) */
static int64_t retry_at(unsigned failure_count)
{
	uint64_t ms = RETRY_FIRST_MS, random = 0;

	while (failure_count-- > 0 && ms < RETRY_MAX_MS)
		ms *= 2;
	if (ms > RETRY_MAX_MS)
		ms = RETRY_MAX_MS;
	(void)getrandom(&random, sizeof(random), 0); /* 0 is a number, too */
	return embedded_now_ns() + (int64_t)(random % ms) * 1000000;
}

/* Whether it is on record, as with the next. */
static bool fail(struct imports *im, const struct job *job, const char *text)
{
	struct cvx_err err = CVX_ERR_INIT;
	bool happened;

	if (job_fail(im->d, job->number, text, &happened, &err) == 0)
		return true;
	log_warning("import %s: cannot record that it failed: %s", job->id,
		    err.msg);
	return false;
}

/* The step did not succeed: for good, or only this time? */
static bool settle_failure(struct imports *im, const struct job *job,
			   const struct work *w, const struct cvx_err *cause)
{
	CVX_AUTO(cvx_freep) char *text = NULL;
	struct cvx_err err = CVX_ERR_INIT;

	if (cause->code == -ECANCELED)
		return true; /* on record already, or to be gone on with */
	if (cause->name) {
		text = w ? work_error(w) : NULL;
		return fail(im, job, text ? text : cause->msg);
	}
	log_warning("import %s: %s", job->id, cause->msg);
	if (job->failure_count >= FAILURES_MAX)
		return fail(im, job,
			    "The import failed for a reason that lies with the "
			    "server, several times. Its log tells more.");
	if (job_delay(im->d, job->number, retry_at(job->failure_count), &err) ==
	    0)
		return true;
	log_warning("import %s: cannot record a failure: %s", job->id, err.msg);
	return false;
}

static bool is_too_old(const struct job *job)
{
	return embedded_now_ns() - (int64_t)(job->created_ms * 1e6) >
	       AGE_MAX_NS;
}

static int parse(struct imports *im, const struct job *job, struct work *w,
		 bool *ret_waits, struct cvx_err *err)
{
	struct work_summary summary = WORK_SUMMARY_INIT;
	bool happened = false;
	int r = work_parse(w, &summary, err);

	if (r == 0)
		r = job_parsed(im->d, job->number, summary.message,
			       summary.needs_confirmation, summary.checkpoints,
			       &happened, err);
	if (r == 0 && happened && job->confirms_itself)
		r = job_confirm(im->d, job->number, &happened, err);
	*ret_waits = happened;
	work_summary_fini(&summary);
	return r;
}

static int perform(struct imports *im, const struct job *job, struct work *w,
		   struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *progress = NULL, *list = NULL;
	bool happened;
	int r = work_describe(w, &progress, &list, err);

	if (r == 0)
		r = job_progress(im->d, job->number, progress, list, &happened,
				 err);
	if (r < 0)
		return r;
	if (!happened)
		return cvx_fail(err, -ECANCELED, "the import was canceled");
	im->hooks.changed(im->hooks.ctx);
	return work_commit(w, err);
}

/* False: it failed, and not even that could be recorded, so it would come
 * again at once. */
static bool do_step(struct imports *im, const struct job *job)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct work *w = take_kept(im, job->number);
	bool waits = false, is_recorded = true;
	int r = 0;

	if (is_too_old(job))
		r = refuse(&err, "ImportFailed",
			   "the import is older than seven days");
	if (r == 0 && !w)
		r = work_new(im->d, job, &w, &err);
	if (r == 0 && !set_current(im, w))
		r = -ECANCELED;
	else if (r == 0 && job->state == JOB_UPLOADED)
		r = parse(im, job, w, &waits, &err);
	else if (r == 0)
		r = perform(im, job, w, &err);
	(void)set_current(im, NULL);
	if (r < 0) {
		err.code = r;
		is_recorded = settle_failure(im, job, w, &err);
	}
	if (waits)
		keep(im, w);
	else
		work_free(w);
	if (job_sweep_uploads(im->d, &err) < 0)
		log_warning("uploads: %s", err.msg);
	if (is_recorded)
		tell(im);
	return is_recorded;
}

static struct timespec after_ms(unsigned ms)
{
	struct timespec at;

	(void)clock_gettime(CLOCK_REALTIME, &at); /* cannot fail */
	at.tv_sec += ms / 1000;
	at.tv_nsec += (long)(ms % 1000) * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	return at;
}

/* Whether the worker goes on. */
static bool await_news(struct imports *im)
{
	struct timespec at = after_ms(LOOK_MS);
	bool goes_on;
	int r = 0;

	(void)pthread_mutex_lock(&im->lock);
	while (r == 0 && !im->has_news && !im->is_stopping)
		r = pthread_cond_timedwait(&im->changed, &im->lock, &at);
	im->has_news = false;
	goes_on = !im->is_stopping;
	(void)pthread_mutex_unlock(&im->lock);
	return goes_on;
}

static bool is_stopping(struct imports *im)
{
	bool stops;

	(void)pthread_mutex_lock(&im->lock);
	stops = im->is_stopping;
	(void)pthread_mutex_unlock(&im->lock);
	return stops;
}

static int take_next(struct imports *im, struct job *ret, struct cvx_err *err)
{
	int r;

	(void)pthread_mutex_lock(&im->adding);
	r = job_next(im->d, ret, err);
	(void)pthread_mutex_unlock(&im->adding);
	return r;
}

static void *run(void *arg)
{
	struct imports *im = arg;
	struct cvx_err err = CVX_ERR_INIT;
	bool goes_on;
	struct job job;
	int r;

	if (turn_is_ours(im->turn) && job_sweep_uploads(im->d, &err) < 0)
		log_warning("uploads: %s", err.msg);
	do {
		while (turn_is_ours(im->turn) &&
		       (r = take_next(im, &job, &err)) != 0) {
			if (r < 0) {
				log_warning("imports: %s", err.msg);
				break;
			}
			goes_on = do_step(im, &job);
			job_fini(&job);
			if (!goes_on || is_stopping(im))
				break;
		}
	} while (await_news(im));
	return NULL;
}

/* --- for others ---------------------------------------------------------- */

int imports_start(struct deployment *d, struct turn *turn,
		  const struct imports_hooks *hooks, struct imports **ret,
		  struct cvx_err *err)
{
	struct imports *im = calloc(1, sizeof(*im));
	int r;

	if (!im)
		return cvx_fail_memory(err);
	im->d = d;
	im->hooks = *hooks;
	im->turn = turn;
	(void)pthread_mutex_init(&im->adding, NULL);
	(void)pthread_mutex_init(&im->lock, NULL);
	(void)pthread_cond_init(&im->changed, NULL);
	r = pthread_create(&im->thread, NULL, run, im);
	if (r != 0) {
		(void)pthread_cond_destroy(&im->changed);
		(void)pthread_mutex_destroy(&im->lock);
		(void)pthread_mutex_destroy(&im->adding);
		free(im);
		return cvx_fail(err, -r, "cannot start a thread: %s",
				strerror(r));
	}
	*ret = im;
	return 0;
}

void imports_stop(struct imports *im)
{
	(void)pthread_mutex_lock(&im->lock);
	im->is_stopping = true;
	if (im->current)
		work_cancel(im->current);
	(void)pthread_cond_broadcast(&im->changed);
	(void)pthread_mutex_unlock(&im->lock);
	(void)pthread_join(im->thread, NULL);
}

void imports_free(struct imports *im)
{
	size_t i;

	if (!im)
		return;
	for (i = 0; i < KEPT_MAX; i++)
		work_free(im->kept[i]);
	(void)pthread_cond_destroy(&im->changed);
	(void)pthread_mutex_destroy(&im->lock);
	(void)pthread_mutex_destroy(&im->adding);
	free(im);
}

int imports_check(const struct job *job, struct cvx_err *err)
{
	bool is_zip = strcmp(job->format, "zip") == 0;

	if (!is_zip && !job->table[0])
		return refuse(err, "InvalidName",
			      "the name of the table is missing");
	if (is_zip && job->table[0])
		return refuse(err, "InvalidName",
			      "an archive tells its tables itself; a name was "
			      "given, too");
	if (!is_zip && !name_is_identifier(job->table, strlen(job->table)))
		return refuse(err, "ImportInvalidName",
			      "\"%.100s\" is not a name for a table",
			      job->table);
	if (!name_is_component_path(job->component, strlen(job->component)))
		return refuse(err, "InvalidComponentPath",
			      "\"%.100s\" is not the path of a component",
			      job->component);
	return 0;
}

int imports_add(struct imports *im, struct job *job, struct spool *bytes,
		struct early *early, bool *ret_in_doubt, struct cvx_err *err)
{
	struct work *w = NULL;
	int r;

	/* Another process may be the one that works on it. */
	if (early && turn_is_ours(im->turn))
		w = early_end(early, job);
	else
		early_free(early);
	(void)pthread_mutex_lock(&im->adding);
	r = job_insert(im->d, job, bytes, ret_in_doubt, err);
	if (r == 0 && w) {
		work_adopt(w, job);
		keep(im, CVX_TAKE(w));
	}
	(void)pthread_mutex_unlock(&im->adding);
	work_free(w);
	if (r == 0)
		tell(im);
	return r;
}

static int find(struct imports *im, const char *id, struct job *ret,
		struct cvx_err *err)
{
	struct internal_id internal;
	uint32_t table;
	int r;

	if (id_decode(id, strlen(id), &table, &internal) < 0)
		return refuse(err, "InvalidImport",
			      "\"%.100s\" is not the id of an import", id);
	r = job_find(im->d, id, ret, err);
	if (r == 0)
		return refuse(err, "ImportNotFound", "there is no import %s",
			      id);
	return r < 0 ? r : 0;
}

int imports_confirm(struct imports *im, const char *id, struct cvx_err *err)
{
	struct job job;
	bool happened;
	int r = find(im, id, &job, err);

	if (r < 0)
		return r;
	r = job_confirm(im->d, job.number, &happened, err);
	job_fini(&job);
	if (r == 0 && happened)
		tell(im);
	return r;
}

/* The record says failed already. */
static void break_off(struct imports *im, int64_t number)
{
	work_free(take_kept(im, number));
	(void)pthread_mutex_lock(&im->lock);
	if (im->current && work_number(im->current) == number)
		work_cancel(im->current);
	(void)pthread_mutex_unlock(&im->lock);
	tell(im);
}

int imports_cancel(struct imports *im, const char *id, struct cvx_err *err)
{
	struct job job;
	bool happened;
	int r = find(im, id, &job, err);

	if (r < 0)
		return r;
	r = job_fail(im->d, job.number, "The import was canceled.", &happened,
		     err);
	if (r == 0 && happened)
		break_off(im, job.number);
	else if (r == 0)
		r = refuse(err, "CannotCancelImport",
			   "the import %s is over: it has %s", job.id,
			   job.state == JOB_FAILED ? "failed" : "completed");
	job_fini(&job);
	return r;
}

int imports_await(struct imports *im, const char *id, unsigned seconds,
		  struct job *ret, struct cvx_err *err)
{
	struct timespec end = after_ms(seconds * 1000), at;
	bool is_stopping;
	int r;

	for (;;) {
		r = find(im, id, ret, err);
		if (r < 0 || ret->state >= JOB_COMPLETED)
			return r;
		job_fini(ret);
		at = after_ms(LOOK_MS);
		(void)pthread_mutex_lock(&im->lock);
		is_stopping = im->is_stopping;
		if (!is_stopping)
			(void)pthread_cond_timedwait(&im->changed, &im->lock,
						     &at);
		(void)pthread_mutex_unlock(&im->lock);
		if (is_stopping)
			return cvx_fail(err, -ESHUTDOWN, "the server stops");
		if (at.tv_sec > end.tv_sec)
			return cvx_fail(err, -ETIMEDOUT,
					"the import takes longer than %u "
					"seconds; it goes on",
					seconds);
	}
}
