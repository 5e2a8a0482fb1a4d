/*
 * stop: lets any thread interrupt what others wait for. Once requested it
 * stays requested.
 *
 * Threads: locked inside; free it when nobody uses it any more.
 */
#ifndef CVX_IMPORTER_REMOTE_STOP_H
#define CVX_IMPORTER_REMOTE_STOP_H

#include <stdbool.h>
#include <stdint.h>

struct cvx_err;
struct stop;

int stop_new(struct stop **ret, struct cvx_err *err);
void stop_free(struct stop *s);

/* From a signal handler, too. */
void stop_request(struct stop *s);

/* NULL is never requested. */
bool stop_is_requested(const struct stop *s);

/* Becomes readable by the request, and stays so; -1 for NULL. */
int stop_fd(const struct stop *s);

/* Sleeps; false: the request came. */
bool stop_sleep(const struct stop *s, uint64_t ms);

#endif
