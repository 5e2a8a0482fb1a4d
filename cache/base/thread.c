#include "cache/base/thread.h"

#include <sched.h>
#include <signal.h>

int thread_start(pthread_t *ret, void *(*run)(void *arg), void *arg)
{
	sigset_t all, old;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(ret, NULL, run, arg);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

unsigned thread_cpu_count(unsigned max)
{
	cpu_set_t set;
	unsigned count;

	/* Fails where there are more processors than the set has room for. */
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return max;
	count = (unsigned)CPU_COUNT(&set);
	return count < max ? count : max;
}
