/*
 * thread: threads that work for the program and take no signals of it.
 */
#ifndef CVX_CACHE_BASE_THREAD_H
#define CVX_CACHE_BASE_THREAD_H

#include <pthread.h>

/* Starts run(arg) with all signals blocked. 0 or a negative errno. */
int thread_start(pthread_t *ret, void *(*run)(void *arg), void *arg);

/* As many threads as there are processors for this process; 1 to max. */
unsigned thread_cpu_count(unsigned max);

#endif
