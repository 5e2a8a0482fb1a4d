/*
 * interrupt: closing a file, and other changes that take long, can be broken
 * off with Ctrl-C.
 *
 * A program that waits in close(2) for its import cannot be killed; the kernel
 * tells us of its signals instead, but of any signal (a shell's dead child, a
 * language's timer), and only of the first. So while a commit runs whose
 * caller has been sent some signal, the caller is watched: once one is pending
 * that asks it to end, the import is cancelled.
 *
 * Threads: locked inside; the watcher is started by need.
 */
#ifndef CVX_FS_INTERRUPT_H
#define CVX_FS_INTERRUPT_H

#include <stdatomic.h>
#include <sys/types.h>

struct cvx_err;
struct interrupts;
struct stage;

int interrupts_new(struct interrupts **ret, struct cvx_err *err);
/* Every watch has ended. NULL is allowed. */
void interrupts_free(struct interrupts *is);

/* One commit, or another change, on behalf of one thread. */
struct watch {
	struct interrupts *home;
	struct stage *stage; /* of the commit; or NULL */
	pid_t tid;
	atomic_bool is_asked; /* to give up */

	/* interrupt.c's own */
	struct watch *next;
	int active;
};

/* stage: its commit is cancelled; NULL: only is_asked is set. */
void watch_begin(struct watch *w, struct interrupts *home, struct stage *stage,
		 pid_t tid);
void watch_end(struct watch *w);

/* The kernel says that the thread got some signal. */
void watch_signal(struct watch *w);

#endif
