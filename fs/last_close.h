/*
 * last_close: who closed a written file, whether it was the last close, and
 * whether the one who closed was being killed (filesystem.md W-4, W-5).
 *
 * The kernel takes a descriptor out of the table before it sends FLUSH. So a
 * close is the last one when no process has a descriptor left that can write
 * to the inode. Those asked are the process that closes, the one that opened,
 * and every process of their sessions: children that inherited the file stay
 * in the session unless they leave it on purpose (fuse-facts.md c).
 *
 * The answers come from a helper thread, which is given LAST_CLOSE_LIMIT_MS.
 * If some kernel makes /proc wait for the very close that asks, the answer is
 * "unknown", the close goes on, and RELEASE decides. The limit is long, because
 * on a busy machine an answer that comes too late would let the file of a
 * killed writer through.
 *
 * Cost:    what /proc lists once, the descriptors of the session's processes,
 *          and status of every process that was not there the last time.
 * Threads: any; helpers are started by need, LAST_CLOSE_HELPERS at most.
 */
#ifndef CVX_FS_LAST_CLOSE_H
#define CVX_FS_LAST_CLOSE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cvx_err;
struct last_close;

#define LAST_CLOSE_LIMIT_MS 2000
#define LAST_CLOSE_HELPERS 16

/* Starts no thread yet. */
int last_close_new(struct last_close **ret, struct cvx_err *err);

/* Helpers that hang in /proc are left behind. NULL is allowed. */
void last_close_free(struct last_close *lc);

enum holders {
	HOLDERS_NONE,
	HOLDERS_SOME,
	HOLDERS_UNKNOWN,
};

struct close_question {
	uint64_t inode;
	pid_t closer;	  /* thread that closes; 0: nobody, only look */
	pid_t opener;	  /* process that opened; 0: unknown */
	pid_t opener_sid; /* its session, if opener is not 0 */
	pid_t witness;	  /* a process that held it before, or 0 */
};

struct close_answer {
	enum holders holders;
	pid_t holder; /* one of them, if HOLDERS_SOME */
	pid_t closer; /* the process of the closing thread, 0: unknown */
	int died_of;  /* the signal that ends the closer, 0: none */
	int error;    /* -ENOMEM: unknown, since memory to look was missing */
};

void last_close_ask(struct last_close *lc, const struct close_question *q,
		    struct close_answer *ret);

#endif
