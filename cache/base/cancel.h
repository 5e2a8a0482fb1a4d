/*
 * cancel: what a thread does on behalf of somebody who may give up.
 *
 * The thread names a flag for as long as it works for him. What takes long
 * below asks whether the flag is set: waiting for the lock of a catalog, which
 * another process may hold for a minute, and copying a file. Nobody has to
 * pass the flag on.
 *
 * Threads: each has a flag of its own, which any thread may set.
 */
#ifndef CVX_CACHE_BASE_CANCEL_H
#define CVX_CACHE_BASE_CANCEL_H

#include <stdatomic.h>
#include <stdbool.h>

/* From now on the flag is this thread's; NULL: it has none. Returns the one
 * before, which is to be put back. */
const atomic_bool *cancel_watch(const atomic_bool *flag);

bool cancel_is_watched(void);
bool cancel_is_asked(void);

#endif
