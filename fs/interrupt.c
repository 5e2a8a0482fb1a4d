#include "fs/interrupt.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "cache/base/err.h"
#include "fs/process.h"
#include "fs/stage.h"

#define LOOK_EVERY_MS 50

struct interrupts {
	pthread_mutex_t lock;
	/* guarded by lock: */
	pthread_cond_t changed;
	struct watch *list; /* those whose thread got a signal */
	pthread_t thread;
	bool started, stopping;
};

int interrupts_new(struct interrupts **ret, struct cvx_err *err)
{
	struct interrupts *is = calloc(1, sizeof(*is));
	pthread_condattr_t attr;

	if (!is)
		return cvx_fail_memory(err);
	pthread_mutex_init(&is->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&is->changed, &attr);
	pthread_condattr_destroy(&attr);
	*ret = is;
	return 0;
}

void interrupts_free(struct interrupts *is)
{
	if (!is)
		return;
	pthread_mutex_lock(&is->lock);
	is->stopping = true;
	pthread_cond_signal(&is->changed);
	pthread_mutex_unlock(&is->lock);
	if (is->started)
		(void)pthread_join(is->thread, NULL);
	pthread_cond_destroy(&is->changed);
	pthread_mutex_destroy(&is->lock);
	free(is);
}

static void look(struct watch *w)
{
	struct process_status status;

	if (process_read_status(w->tid, &status) < 0 ||
	    !process_is_asked_to_end(&status))
		return;
	atomic_store(&w->is_asked, true);
	if (w->stage)
		stage_cancel(w->stage);
}

static void *watcher(void *arg)
{
	struct interrupts *is = arg;
	struct timespec until;

	pthread_mutex_lock(&is->lock);
	while (!is->stopping) {
		if (!is->list) {
			pthread_cond_wait(&is->changed, &is->lock);
			continue;
		}
		for (struct watch *w = is->list; w; w = w->next)
			look(w);
		(void)clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += LOOK_EVERY_MS * 1000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		(void)pthread_cond_timedwait(&is->changed, &is->lock, &until);
	}
	pthread_mutex_unlock(&is->lock);
	return NULL;
}

void watch_begin(struct watch *w, struct interrupts *home, struct stage *stage,
		 pid_t tid)
{
	*w = (struct watch){.home = home, .stage = stage, .tid = tid};
}

void watch_end(struct watch *w)
{
	struct interrupts *is = w->home;

	pthread_mutex_lock(&is->lock);
	if (w->active) {
		struct watch **at = &is->list;

		while (*at != w)
			at = &(*at)->next;
		*at = w->next;
	}
	pthread_mutex_unlock(&is->lock);
}

void watch_signal(struct watch *w)
{
	struct interrupts *is = w->home;

	pthread_mutex_lock(&is->lock);
	if (!w->active && w->tid != 0) {
		w->active = 1;
		w->next = is->list;
		is->list = w;
		if (!is->started)
			is->started = pthread_create(&is->thread, NULL, watcher,
						     is) == 0;
		pthread_cond_signal(&is->changed);
	}
	pthread_mutex_unlock(&is->lock);
}
