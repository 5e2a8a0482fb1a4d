/*
 * job: the work of a command, in a thread of its own, while this one shows
 * how far it is and hears signals.
 *
 *   stop_init -> job_run, stop_ask in any number and order -> stop_fini
 *
 * From stop_init on SIGINT, SIGTERM and SIGHUP are blocked in this thread and
 * all that it starts, and are heard by job_run() and stop_ask(), unless they
 * were ignored before. Once one has
 * come the command is being stopped: stop.signal says so, and stop.fd can be
 * read from, so that work that waits for something else can wait for it too.
 *
 * Threads: for one thread of a process that does nothing else.
 */
#ifndef CVX_FS_JOB_H
#define CVX_FS_JOB_H

#include <stdbool.h>

struct cvx_err;

struct stop {
	int signal_fd;
	int fd;	    /* readable once the command is being stopped */
	int signal; /* 0: it is not */
};

int stop_init(struct stop *s, struct cvx_err *err);
void stop_fini(struct stop *s);

/*
 * Prints the question on standard error and reads a line from standard input.
 * *ret_yes is whether it agrees, as an empty line does; the end of the input
 * and a stop do not.
 */
int stop_ask(struct stop *s, const char *question, bool *ret_yes,
	     struct cvx_err *err);

struct job {
	void *ctx;
	int (*run)(void *ctx, struct cvx_err *err); /* in its own thread */
	void (*cancel)(void *ctx); /* called once, when a signal has come */
	void (*show)(void *ctx);   /* some ten times a second */
};

/* What run returns. */
int job_run(struct stop *s, const struct job *job, struct cvx_err *err);

#endif
