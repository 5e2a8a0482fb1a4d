#include "importer/pipeline.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/thread.h"
#include "cache/segment.h"
#include "importer/pipeline_inside.h"

CVX_DEFINE_CLEANUP(struct pipeline, pipeline_free)

int pipeline_new(enum format_kind kind, const struct import_source *source,
		 const struct pipeline_hooks *hooks, struct pipeline **ret,
		 struct cvx_err *err)
{
	struct pipeline *p = calloc(1, sizeof(*p));
	unsigned i;

	if (!p)
		return cvx_fail_memory(err);
	p->source = *source;
	p->hooks = *hooks;
	p->kind = kind;
	p->need = PIPELINE_BLOCK_SIZE;
	(void)pthread_mutex_init(&p->cut_lock, NULL);
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->changed, NULL);
	cvx_buf_init(&p->memory, PIPELINE_MEMORY_MAX);
	cvx_buf_init(&p->ahead, PIPELINE_TEXT_MAX);
	for (i = 0; i < PIPELINE_THREADS_MAX; i++) {
		p->threads[i].p = p;
		rows_init(&p->threads[i].rows);
	}
	p->caller.p = p;
	rows_init(&p->caller.rows);
	gather_reset(p);
	*ret = p;
	return 0;
}

static void worker_fini(struct worker *w)
{
	format_worker_free(w->converter);
	rows_fini(&w->rows);
	free(w->text);
}

void pipeline_free(struct pipeline *p)
{
	unsigned i;

	if (!p)
		return;
	pipeline_cancel(p);
	(void)pthread_mutex_lock(&p->lock);
	p->quits = true;
	(void)pthread_cond_broadcast(&p->changed);
	(void)pthread_mutex_unlock(&p->lock);
	for (i = 0; i < p->thread_count; i++)
		(void)pthread_join(p->threads[i].thread, NULL);
	for (i = 0; i < PIPELINE_THREADS_MAX; i++)
		worker_fini(&p->threads[i]);
	worker_fini(&p->caller);
	for (i = 0; i < PIPELINE_READY_MAX; i++)
		free(p->ready[i].text);
	format_free(p->format);
	segment_stage_free(p->stage);
	cvx_buf_fini(&p->memory);
	cvx_buf_fini(&p->ahead);
	free(p->keys);
	(void)pthread_cond_destroy(&p->changed);
	(void)pthread_mutex_destroy(&p->lock);
	(void)pthread_mutex_destroy(&p->cut_lock);
	free(p);
}

/* What becomes of a block of one refusal; nothing comes behind it. */
static void set_refused(struct rows *rows, const struct block *block)
{
	rows->text.size = 0;
	rows->continues = false;
	rows->row_count = block->is_row;
	rows->document_count = 0;
	rows->refused_count = rows->error_count = 1;
	rows->errors[0].row = block->is_row;
	rows->errors[0].err = block->refusal;
	rows->stopped = true;
}

static int convert(struct worker *w, const struct block *block,
		   struct cvx_err *err)
{
	int r = 0;

	if (block->is_refused) {
		set_refused(&w->rows, block);
		return 0;
	}
	if (!w->converter)
		r = format_worker_new(w->p->format, &w->converter, err);
	if (r == 0)
		r = format_convert(w->converter, w->text, block->size,
				   block->first_nth, &w->rows, err);
	return r;
}

/* Remembers the first failure; nothing goes on behind it. */
static void note_failure(struct pipeline *p, const struct cvx_err *failure)
{
	(void)pthread_mutex_lock(&p->lock);
	if (p->failure.code == 0)
		p->failure = *failure;
	p->is_exhausted = true;
	(void)pthread_cond_broadcast(&p->changed);
	(void)pthread_mutex_unlock(&p->lock);
}

/* One block, if there is one to be had: 1, else 0. */
static int work(struct worker *w)
{
	struct pipeline *p = w->p;
	struct cvx_err failure = CVX_ERR_INIT;
	struct block block;
	int r, taken;

	taken = take_block(p, w, &block, &failure);
	r = taken;
	if (taken == 1) {
		r = convert(w, &block, &failure);
		if (r == 0)
			r = gather_block(p, w, &block, &failure);
		while (r == 0 && w->rows.continues) {
			r = format_convert_more(w->converter, &w->rows,
						&failure);
			if (r == 0)
				r = gather_block(p, w, &block, &failure);
		}
	}
	if (r < 0)
		note_failure(p, &failure);
	return taken == 1 && r == 0;
}

/* Whether a look at the source could give a block. Under the lock. */
static bool has_work(const struct pipeline *p)
{
	if (p->is_exhausted || p->is_paused)
		return false;
	if (p->ready_count > 0)
		return true;
	if (p->end_known)
		return p->off < p->available_size;
	return p->kind != FORMAT_JSON && p->available_size > p->off &&
	       p->available_size - p->off >= p->need;
}

static void *thread_main(void *arg)
{
	struct worker *w = arg;
	struct pipeline *p = w->p;

	(void)pthread_mutex_lock(&p->lock);
	while (!p->quits) {
		if (!has_work(p)) {
			(void)pthread_cond_wait(&p->changed, &p->lock);
			continue;
		}
		p->active_count++;
		(void)pthread_mutex_unlock(&p->lock);
		while (work(w) == 1)
			;
		(void)pthread_mutex_lock(&p->lock);
		p->active_count--;
		(void)pthread_cond_broadcast(&p->changed);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* Where a thread is refused, fewer do the same work. The owner of a stream is
 * one of those who work. */
static void start_threads(struct pipeline *p)
{
	unsigned want = thread_cpu_count(PIPELINE_THREADS_MAX);

	if (p->hooks.is_stream)
		want--;
	while (p->thread_count < want &&
	       thread_start(&p->threads[p->thread_count].thread, thread_main,
			    &p->threads[p->thread_count]) == 0)
		p->thread_count++;
}

void pipeline_offer(struct pipeline *p, uint64_t size)
{
	bool lags;

	(void)pthread_mutex_lock(&p->lock);
	if (size > p->available_size) {
		p->available_size = size;
		p->end_known = false;
		/* What was taken for the end was none: pipeline_finish()
		 * starts over. */
		if (p->end_used)
			p->is_exhausted = true;
	}
	if (has_work(p)) {
		if (p->thread_count == 0)
			start_threads(p);
		(void)pthread_cond_broadcast(&p->changed);
	}
	lags = has_work(p) && p->available_size - p->off > PIPELINE_LAG_MAX;
	(void)pthread_mutex_unlock(&p->lock);
	/* What is left at the end only the last close can do, while nothing
	 * else goes on. A failure is remembered for it. */
	if (lags)
		(void)work(&p->caller);
}

/* Under the lock. */
static void wait_until_idle(struct pipeline *p)
{
	while (p->active_count > 0)
		(void)pthread_cond_wait(&p->changed, &p->lock);
}

void pipeline_reset(struct pipeline *p)
{
	unsigned i;

	(void)pthread_mutex_lock(&p->lock);
	p->is_paused = true;
	/* Who waits for a turn need not. */
	p->is_exhausted = true;
	(void)pthread_cond_broadcast(&p->changed);
	wait_until_idle(p);
	for (i = 0; i < PIPELINE_THREADS_MAX; i++) {
		format_worker_free(p->threads[i].converter);
		p->threads[i].converter = NULL;
	}
	format_worker_free(p->caller.converter);
	p->caller.converter = NULL;
	format_free(p->format);
	p->format = NULL;
	p->has_begun = p->is_planned = false;
	p->nth = p->next_seq = 0;
	p->off = 0;
	cvx_buf_clear(&p->ahead);
	p->ready_count = 0;
	p->need = PIPELINE_BLOCK_SIZE;
	*p->hooks.consumed_size = 0;
	*p->hooks.row_count = 0;
	p->available_size = 0;
	p->end_known = p->end_used = false;
	gather_reset(p);
	p->is_paused = false;
	(void)pthread_mutex_unlock(&p->lock);
}

/* Whether what was done cannot be part of a file of that size. */
static bool is_stale(struct pipeline *p, uint64_t size)
{
	bool stale;

	(void)pthread_mutex_lock(&p->lock);
	if (size < p->available_size)
		wait_until_idle(p);
	stale = size < p->off || p->failure.code != 0 ||
		(p->end_used && size != p->end_size);
	(void)pthread_mutex_unlock(&p->lock);
	return stale;
}

int pipeline_finish(struct pipeline *p, uint64_t size, struct cvx_err *err)
{
	int r = 0;

	if (is_stale(p, size))
		pipeline_reset(p);
	(void)pthread_mutex_lock(&p->lock);
	p->available_size = p->end_size = size;
	p->end_known = true;
	(void)pthread_cond_broadcast(&p->changed);
	(void)pthread_mutex_unlock(&p->lock);
	while (work(&p->caller) == 1)
		;
	(void)pthread_mutex_lock(&p->lock);
	wait_until_idle(p);
	if (p->failure.code != 0) {
		*err = p->failure;
		r = err->code;
	}
	assert(r < 0 || p->is_exhausted || p->turn == p->next_seq);
	(void)pthread_mutex_unlock(&p->lock);
	return r;
}

void pipeline_cancel(struct pipeline *p)
{
	p->is_canceled = true;
}

int pipeline_peek(struct pipeline *p, struct cvx_err *err)
{
	int r = 0;

	(void)pthread_mutex_lock(&p->lock);
	if (p->failure.code != 0) {
		*err = p->failure;
		r = err->code;
	} else if (p->places.count > 0) {
		r = places_fail(&p->places, err);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return r;
}

const struct places *pipeline_places(const struct pipeline *p)
{
	return &p->places;
}
