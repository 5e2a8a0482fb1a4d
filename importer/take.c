/* Which thread gets the next block. */

#include <assert.h>

#include "importer/pipeline_inside.h"

/* The worker and the place change their rooms, so that no bytes move. */
static void swap_text(struct worker *w, struct ready *ready)
{
	char *text = w->text;
	size_t capacity = w->text_capacity;

	w->text = ready->text;
	w->text_capacity = ready->text_capacity;
	ready->text = text;
	ready->text_capacity = capacity;
}

/* Under the lock. */
static void put_ready(struct pipeline *p, struct worker *w,
		      const struct block *block)
{
	unsigned place = p->first_ready + p->ready_count;

	assert(p->ready_count < PIPELINE_READY_MAX);
	p->ready[place % PIPELINE_READY_MAX].block = *block;
	swap_text(w, &p->ready[place % PIPELINE_READY_MAX]);
	p->ready_count++;
}

/* Under the lock. */
static void take_ready(struct pipeline *p, struct worker *w, struct block *ret)
{
	struct ready *ready = &p->ready[p->first_ready];

	*ret = ready->block;
	swap_text(w, ready);
	p->first_ready = (p->first_ready + 1) % PIPELINE_READY_MAX;
	p->ready_count--;
}

/* As cut_block(), for one thread at a time; the block becomes ready. Under the
 * lock, which it drops for the work. */
static int make_ready(struct pipeline *p, struct worker *w, struct cvx_err *err)
{
	struct block block;
	int r;

	p->is_cutting = true;
	(void)pthread_mutex_unlock(&p->lock);
	(void)pthread_mutex_lock(&p->cut_lock);
	r = cut_block(p, w, &block, err);
	(void)pthread_mutex_unlock(&p->cut_lock);
	(void)pthread_mutex_lock(&p->lock);
	p->is_cutting = false;
	if (r == 1)
		put_ready(p, w, &block);
	(void)pthread_cond_broadcast(&p->changed);
	return r;
}

/*
 * To read a stream takes time, and one thread at a time can do it: that thread
 * goes on reading as long as others take what it has read, and converts too
 * when they are busy. So the longer of the two never waits for the other, and
 * most blocks stay with the processor that read them.
 */
static int take_of_stream(struct pipeline *p, struct worker *w,
			  struct block *ret, struct cvx_err *err)
{
	int r = 1;

	(void)pthread_mutex_lock(&p->lock);
	/* Alone, to read ahead is of no use. */
	while (r == 1 && !p->is_exhausted &&
	       p->ready_count <
		       (p->thread_count > 0 ? PIPELINE_READY_MAX : 1)) {
		if (!p->is_cutting)
			r = make_ready(p, w, err);
		else if (p->ready_count > 0)
			break;
		else
			(void)pthread_cond_wait(&p->changed, &p->lock);
	}
	if (r >= 0)
		r = p->ready_count > 0 && !p->is_exhausted;
	if (r == 1)
		take_ready(p, w, ret);
	(void)pthread_mutex_unlock(&p->lock);
	return r;
}

int take_block(struct pipeline *p, struct worker *w, struct block *ret,
	       struct cvx_err *err)
{
	int r;

	if (p->hooks.is_stream)
		return take_of_stream(p, w, ret, err);
	(void)pthread_mutex_lock(&p->cut_lock);
	r = cut_block(p, w, ret, err);
	(void)pthread_mutex_unlock(&p->cut_lock);
	return r;
}
