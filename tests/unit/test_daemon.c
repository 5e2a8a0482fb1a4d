#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/daemon.h"

#define LONG_MS 60000

enum child_does {
	CHILD_IS_READY,
	CHILD_FAILS,
	CHILD_DIES,
	CHILD_LEAVES,
	CHILD_HANGS,
	CHILD_CHECKS_DESCRIPTORS,
};

static void stop_signals(int how)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(how, &set, NULL);
}

/* Nothing of the caller's is open: only the pipe and the standard streams. */
static bool is_alone(const struct daemon_link *l)
{
	char target[64];
	ssize_t n;
	int fd;

	for (fd = 3; fd < 1024; fd++)
		if (fd != l->fd && close(fd) == 0)
			return false;
	n = readlink("/proc/self/fd/1", target, sizeof(target) - 1);
	return n == 9 && memcmp(target, "/dev/null", 9) == 0 &&
	       getsid(0) == getpid();
}

static void be_child(struct daemon_link *l, enum child_does what)
{
	struct cvx_err cause = CVX_ERR_INIT;

	switch (what) {
	case CHILD_IS_READY:
		daemon_ready(l);
		daemon_ready(l); /* the second does nothing */
		break;
	case CHILD_FAILS:
		(void)cvx_fail(&cause, -EIO, "no luck today");
		daemon_failed(l, EXIT_STATUS_LOCAL_TROUBLE, &cause);
		break;
	case CHILD_DIES:
		(void)kill(getpid(), SIGKILL);
		break;
	case CHILD_LEAVES:
		break;
	case CHILD_HANGS:
		(void)signal(SIGTERM, SIG_DFL);
		stop_signals(SIG_UNBLOCK);
		(void)sleep(600);
		break;
	case CHILD_CHECKS_DESCRIPTORS:
		(void)cvx_fail(&cause, -EIO, "not alone");
		if (is_alone(l))
			daemon_ready(l);
		else
			daemon_failed(l, EXIT_STATUS_LOCAL_TROUBLE, &cause);
		break;
	}
	_exit(0);
}

static void expect_end(enum child_does what, int timeout_ms,
		       enum exit_status status, const char *text)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct daemon_link l;

	stop_signals(SIG_BLOCK);
	EXPECT_OK(daemon_fork(&l, &err), &err);
	if (l.child == 0)
		be_child(&l, what);
	EXPECT_INT(daemon_await(&l, timeout_ms, &err), status);
	if (!strstr(err.msg, text))
		fail_msg("'%s' is not in '%s'", text, err.msg);
	(void)waitpid(l.child, NULL, 0);
}

TEST(daemon_that_is_ready_is_done)
{
	expect_end(CHILD_IS_READY, LONG_MS, EXIT_STATUS_DONE, "");
}

TEST(daemon_that_fails_tells_the_cause)
{
	expect_end(CHILD_FAILS, LONG_MS, EXIT_STATUS_LOCAL_TROUBLE,
		   "no luck today");
}

TEST(daemon_that_dies_is_noticed)
{
	expect_end(CHILD_DIES, LONG_MS, EXIT_STATUS_LOCAL_TROUBLE,
		   "by a signal: Killed");
	expect_end(CHILD_LEAVES, LONG_MS, EXIT_STATUS_LOCAL_TROUBLE,
		   "without a word");
}

TEST(daemon_that_says_nothing_is_ended)
{
	expect_end(CHILD_HANGS, 50, EXIT_STATUS_LOCAL_TROUBLE,
		   "does not answer");
}

TEST(daemon_holds_nothing_of_the_caller)
{
	int fd = dup(STDERR_FILENO);

	assert_true(fd >= 0);
	expect_end(CHILD_CHECKS_DESCRIPTORS, LONG_MS, EXIT_STATUS_DONE, "");
	(void)close(fd);
}

/* Last: the signal is remembered. */
TEST(daemon_waiting_is_interrupted)
{
	stop_signals(SIG_BLOCK);
	(void)raise(SIGINT); /* waits until it is let in */
	expect_end(CHILD_HANGS, LONG_MS, EXIT_STATUS_INTERRUPTED,
		   "interrupted");
}

UNIT_MAIN(UNIT_CASE(daemon_that_is_ready_is_done),
	  UNIT_CASE(daemon_that_fails_tells_the_cause),
	  UNIT_CASE(daemon_that_dies_is_noticed),
	  UNIT_CASE(daemon_that_says_nothing_is_ended),
	  UNIT_CASE(daemon_holds_nothing_of_the_caller),
	  UNIT_CASE(daemon_waiting_is_interrupted))
