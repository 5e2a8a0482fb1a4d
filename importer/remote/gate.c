#include "importer/remote/gate.h"

#include <errno.h>
#include <time.h>

#include "cache/base/err.h"
#include "importer/remote/halt.h"

void gate_init(struct gate *g)
{
	pthread_condattr_t attr;

	(void)pthread_mutex_init(&g->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&g->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	g->is_taken = false;
}

void gate_fini(struct gate *g)
{
	(void)pthread_cond_destroy(&g->changed);
	(void)pthread_mutex_destroy(&g->lock);
}

/* With the lock held. */
static void wait_a_little(struct gate *g)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += HALT_ASK_MS * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	(void)pthread_cond_timedwait(&g->changed, &g->lock, &until);
}

int gate_enter(struct gate *g, const struct halt *halt, struct cvx_err *err)
{
	bool has_ended = false;

	(void)pthread_mutex_lock(&g->lock);
	while (g->is_taken && !has_ended) {
		wait_a_little(g);
		(void)pthread_mutex_unlock(&g->lock);
		has_ended = halt_is_requested(halt);
		(void)pthread_mutex_lock(&g->lock);
	}
	if (!has_ended)
		g->is_taken = true;
	(void)pthread_mutex_unlock(&g->lock);
	return has_ended ? cvx_fail(err, -ECANCELED, "interrupted") : 0;
}

void gate_leave(struct gate *g)
{
	(void)pthread_mutex_lock(&g->lock);
	g->is_taken = false;
	(void)pthread_cond_signal(&g->changed);
	(void)pthread_mutex_unlock(&g->lock);
}
