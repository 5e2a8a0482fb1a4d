/*
 * daemon: going to the background, and telling the one who waits in front.
 *
 *   daemon_fork    the parent goes on with daemon_await, the child works
 *   daemon_ready   child: from here on nobody watches; standard streams close
 *   daemon_failed  child: the cause, for the parent to print
 *
 * The child is a session of its own at once, and keeps standard error until
 * it is ready, for what libraries print. Before daemon_fork nothing may run in
 * threads, no database may be open, and SIGINT, SIGTERM and SIGHUP must be
 * blocked; the child lets them in when it can handle them.
 *
 * Threads: not locked. daemon_await and the signal handlers it sets are for a
 * process that does nothing else.
 */
#ifndef CVX_FS_DAEMON_H
#define CVX_FS_DAEMON_H

#include <sys/types.h>

#include "cache/base/err.h"
#include "fs/exit_status.h"

struct daemon_link {
	pid_t child; /* 0 in the child */
	int fd;	     /* the parent reads from it, the child writes to it */
};

int daemon_fork(struct daemon_link *ret, struct cvx_err *err);

/*
 * Parent: waits until the child is ready or has failed; its status, with the
 * cause in *err. A child that says nothing for timeout_ms is ended. SIGINT,
 * SIGTERM and SIGHUP end it too: EXIT_STATUS_INTERRUPTED.
 */
enum exit_status daemon_await(struct daemon_link *l, int timeout_ms,
			      struct cvx_err *err);

/* Child. After daemon_ready both do nothing. */
void daemon_ready(struct daemon_link *l);
void daemon_failed(struct daemon_link *l, enum exit_status status,
		   const struct cvx_err *cause);

#endif
