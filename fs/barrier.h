/*
 * barrier: what was closed before is seen afterwards (filesystem.md W-4).
 *
 * The kernel tells of the end of an open file by RELEASE, in the background: a
 * script's next command may be here first. So a file that has been closed by
 * someone, was not committed then because others still held it, and is held by
 * nobody now, is on its way; who looks at the deployment waits for it.
 *
 * Nobody waits for a file that is still held: `exec 3>f; cat f` goes on.
 *
 * Threads: locked inside.
 */
#ifndef CVX_FS_BARRIER_H
#define CVX_FS_BARRIER_H

#include <stdbool.h>

/* How long a RELEASE that should come is waited for. */
#define BARRIER_WAIT_MS 2000

/* How often give_up is asked. */
#define BARRIER_ASK_MS 50

struct barrier;
struct cvx_err;
struct last_close;
struct stage;

int barrier_new(struct last_close *lc, struct barrier **ret,
		struct cvx_err *err);
void barrier_free(struct barrier *b);

/* The file was closed and still has holders. */
void barrier_add(struct barrier *b, struct stage *s);

/* It is committed, or will never be. */
void barrier_remove(struct barrier *b, struct stage *s);

/* Waits until all that is on its way has arrived, or give_up says that nobody
 * waits for us any more. Costs nothing when nothing is. */
void barrier_wait(struct barrier *b, bool (*give_up)(void *ctx), void *ctx);

/* Those that were added and are held by nobody any more, with a reference
 * each, for the end of the mount. NULL at the end of the list. */
struct stage *barrier_take_closed(struct barrier *b);

#endif
