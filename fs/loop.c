#include "fs/loop.h"

#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 14)
#include <fuse_lowlevel.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/err.h"
#include "cache/base/log.h"
#include "cache/base/thread.h"

struct worker {
	struct worker *next;
	struct loop *loop;
	pthread_t thread;
	struct fuse_buf buf;
};

struct loop {
	struct fuse_session *fuse;
	sem_t stop; /* posted by whoever wants the loop to end */

	pthread_mutex_t lock;
	/* guarded by lock: */
	struct worker *workers;
	struct worker *ended; /* to be joined */
	unsigned count, waiting;
	bool stopping;
	int error; /* why it could not go on */
};

int loop_new(struct fuse_session *fuse, struct loop **ret, struct cvx_err *err)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return cvx_fail_memory(err);
	l->fuse = fuse;
	(void)sem_init(&l->stop, 0, 0);
	pthread_mutex_init(&l->lock, NULL);
	*ret = l;
	return 0;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	(void)sem_destroy(&l->stop);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

void loop_stop(struct loop *l)
{
	(void)sem_post(&l->stop);
}

static void *work(void *arg);

/* With the lock held. Signals stay with the thread that runs the loop. */
static int start_worker(struct loop *l)
{
	struct worker *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->loop = l;
	r = thread_start(&w->thread, work, w);
	if (r < 0) {
		free(w);
		return r;
	}
	w->next = l->workers;
	l->workers = w;
	l->count++;
	l->waiting++;
	return 0;
}

/* Takes the next request; 0 or less: there will be none any more. */
static int receive(struct loop *l, struct worker *w)
{
	int r;

	do {
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
		r = fuse_session_receive_buf(l->fuse, &w->buf);
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	} while (r == -EINTR || r == -EAGAIN);
	return r;
}

/* Takes itself off the list, with the lock held; somebody else joins it. */
static void leave(struct loop *l, struct worker *w)
{
	struct worker **at = &l->workers;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	w->next = l->ended;
	l->ended = w;
	l->count--;
}

static void join_all(struct worker *w)
{
	while (w) {
		struct worker *next = w->next;

		(void)pthread_join(w->thread, NULL);
		free(w->buf.mem);
		free(w);
		w = next;
	}
}

/* Sees that somebody waits while this worker works. */
static void before_request(struct loop *l)
{
	int r = 0;

	pthread_mutex_lock(&l->lock);
	l->waiting--;
	if (l->waiting == 0 && !l->stopping && l->count < LOOP_WORKERS_MAX)
		r = start_worker(l);
	pthread_mutex_unlock(&l->lock);
	if (r < 0)
		log_warning("cannot start another worker: %s", strerror(-r));
}

/* Whether the worker goes on waiting for requests. */
static bool after_request(struct loop *l, struct worker *w)
{
	struct worker *ended;
	bool stay;

	pthread_mutex_lock(&l->lock);
	ended = l->ended;
	l->ended = NULL;
	stay = l->stopping || l->waiting < LOOP_IDLE_MAX;
	if (stay)
		l->waiting++;
	else
		leave(l, w);
	pthread_mutex_unlock(&l->lock);
	join_all(ended);
	return stay;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct loop *l = w->loop;
	int r;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	while (!fuse_session_exited(l->fuse)) {
		r = receive(l, w);
		if (r <= 0) {
			pthread_mutex_lock(&l->lock);
			if (r < 0 && !l->error)
				l->error = r;
			pthread_mutex_unlock(&l->lock);
			break;
		}
		before_request(l);
		fuse_session_process_buf(l->fuse, &w->buf);
		if (!after_request(l, w))
			return NULL;
	}
	loop_stop(l);
	return NULL;
}

/* Ends those who wait for a request; the others end when they have answered
 * theirs. */
static void stop_workers(struct loop *l)
{
	struct worker *workers, *ended;

	fuse_session_exit(l->fuse);
	pthread_mutex_lock(&l->lock);
	l->stopping = true;
	for (const struct worker *w = l->workers; w; w = w->next)
		(void)pthread_cancel(w->thread);
	workers = l->workers; /* nobody leaves any more */
	ended = l->ended;
	l->ended = NULL;
	pthread_mutex_unlock(&l->lock);
	join_all(workers);
	join_all(ended);
	l->workers = NULL;
}

int loop_run(struct loop *l, struct cvx_err *err)
{
	int r;

	pthread_mutex_lock(&l->lock);
	r = start_worker(l);
	pthread_mutex_unlock(&l->lock);
	if (r < 0)
		return cvx_fail(err, r, "cannot start a thread: %s",
				strerror(-r));
	while (sem_wait(&l->stop) < 0)
		continue; /* a signal */
	stop_workers(l);
	return l->error < 0 ? cvx_fail(err, l->error,
				       "the kernel stopped talking: %s",
				       strerror(-l->error))
			    : 0;
}
