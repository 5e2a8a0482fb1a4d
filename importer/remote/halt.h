/*
 * halt: lets any thread interrupt what others wait for. Once requested it
 * stays requested.
 *
 * Threads: locked inside; free it when nobody uses it any more.
 */
#ifndef CVX_IMPORTER_REMOTE_HALT_H
#define CVX_IMPORTER_REMOTE_HALT_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/base/cleanup.h"

struct cvx_err;
struct halt;
struct patience;

int halt_new(struct halt **ret, struct cvx_err *err);
void halt_free(struct halt *s);
CVX_DEFINE_CLEANUP(struct halt, halt_free)

/* How often who waits asks whether he is to give up. */
#define HALT_ASK_MS 50

/* Requested as well once the patience has ended, which who waits asks in his
 * own thread. *ret is NULL for one that never ends. patience may be NULL, and
 * must outlive the halt. */
int halt_of_patience(const struct patience *patience, struct halt **ret,
		     struct cvx_err *err);

/* From a signal handler, too. */
void halt_request(struct halt *s);

/* NULL is never requested. */
bool halt_is_requested(const struct halt *s);

/* From now on it is also requested for a thread that asks while it is asked to
 * give up (cancel.h), though nothing wakes it: who waits asks again after
 * halt_patience_ms(). */
void halt_follow_thread(struct halt *s);

/* How long to wait before asking again: ms, or less. */
int halt_patience_ms(const struct halt *s, uint64_t ms);

/* Becomes readable by the request, and stays so; -1 for NULL. */
int halt_fd(const struct halt *s);

/* Sleeps; false: the request came. */
bool halt_sleep(const struct halt *s, uint64_t ms);

#endif
