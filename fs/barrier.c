#include "fs/barrier.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "cache/base/err.h"
#include "fs/last_close.h"
#include "fs/stage.h"

struct pending {
	struct pending *next;
	struct stage *stage;
	uint64_t serial;
};

struct barrier {
	struct last_close *last_close;
	_Atomic unsigned count; /* of the list; read without lock */

	pthread_mutex_t lock;
	/* guarded by lock: */
	pthread_cond_t arrived;
	struct pending *list; /* the newest first */
	uint64_t next_serial;
};

int barrier_new(struct last_close *lc, struct barrier **ret,
		struct cvx_err *err)
{
	struct barrier *b = calloc(1, sizeof(*b));
	pthread_condattr_t attr;

	if (!b)
		return cvx_fail_memory(err);
	b->last_close = lc;
	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->arrived, &attr);
	pthread_condattr_destroy(&attr);
	*ret = b;
	return 0;
}

void barrier_free(struct barrier *b)
{
	if (!b)
		return;
	while (b->list) {
		struct pending *p = b->list;

		b->list = p->next;
		stage_unref(p->stage);
		free(p);
	}
	pthread_cond_destroy(&b->arrived);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

static struct pending **find(struct barrier *b, const struct stage *s)
{
	struct pending **at = &b->list;

	while (*at && (*at)->stage != s)
		at = &(*at)->next;
	return at;
}

void barrier_add(struct barrier *b, struct stage *s)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (!p)
		return; /* the next command may be too early to see it */
	pthread_mutex_lock(&b->lock);
	if (*find(b, s)) {
		free(p);
	} else {
		p->stage = stage_ref(s);
		p->serial = b->next_serial++;
		p->next = b->list;
		b->list = p;
		b->count++;
	}
	pthread_mutex_unlock(&b->lock);
}

void barrier_remove(struct barrier *b, struct stage *s)
{
	struct pending **at, *p;

	if (b->count == 0)
		return;
	pthread_mutex_lock(&b->lock);
	at = find(b, s);
	p = *at;
	if (p) {
		*at = p->next;
		b->count--;
		pthread_cond_broadcast(&b->arrived);
	}
	pthread_mutex_unlock(&b->lock);
	if (p) {
		stage_unref(p->stage);
		free(p);
	}
}

/* The newest pending one older than the serial, or NULL. */
static struct stage *next_older(struct barrier *b, uint64_t *serial)
{
	struct stage *s = NULL;

	pthread_mutex_lock(&b->lock);
	for (const struct pending *p = b->list; p && !s; p = p->next) {
		if (p->serial < *serial) {
			*serial = p->serial;
			s = stage_ref(p->stage);
		}
	}
	pthread_mutex_unlock(&b->lock);
	return s;
}

/* A process that held it the last time is asked first: nearly always it still
 * does, and that settles it. */
static bool is_held(struct barrier *b, struct stage *s)
{
	const struct stage_facts f = stage_facts(s);
	const struct close_question q = {
		.inode = stage_shown(s),
		.opener = f.opener.process,
		.opener_sid = f.opener.sid,
		.witness = f.witness,
	};
	struct close_answer a;

	last_close_ask(b->last_close, &q, &a);
	if (a.holders == HOLDERS_SOME)
		stage_set_witness(s, a.holder);
	return a.holders != HOLDERS_NONE;
}

/* Someone who waits. */
struct waiter {
	struct timespec until; /* for a RELEASE; commits take their time */
	bool (*give_up)(void *ctx);
	void *ctx;
};

static struct timespec after_ms(long ms)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

static bool is_over(const struct timespec *t)
{
	struct timespec now = after_ms(0);

	return now.tv_sec > t->tv_sec ||
	       (now.tv_sec == t->tv_sec && now.tv_nsec >= t->tv_nsec);
}

static void wait_for(struct barrier *b, struct stage *s, const struct waiter *w)
{
	struct timespec next;

	pthread_mutex_lock(&b->lock);
	while (*find(b, s) && !w->give_up(w->ctx) &&
	       (stage_facts(s).is_committing || !is_over(&w->until))) {
		next = after_ms(BARRIER_ASK_MS);
		(void)pthread_cond_timedwait(&b->arrived, &b->lock, &next);
	}
	pthread_mutex_unlock(&b->lock);
}

void barrier_wait(struct barrier *b, bool (*give_up)(void *ctx), void *ctx)
{
	struct waiter w = {.give_up = give_up, .ctx = ctx};
	uint64_t serial = UINT64_MAX;
	struct stage *s;

	if (b->count == 0)
		return;
	w.until = after_ms(BARRIER_WAIT_MS);
	while ((s = next_older(b, &serial))) {
		if (stage_facts(s).is_committing || !is_held(b, s))
			wait_for(b, s, &w);
		stage_unref(s);
	}
}

struct stage *barrier_take_closed(struct barrier *b)
{
	uint64_t serial = UINT64_MAX;
	struct stage *s;

	while ((s = next_older(b, &serial))) {
		if (!is_held(b, s)) {
			barrier_remove(b, s);
			return s;
		}
		stage_unref(s);
	}
	return NULL;
}
