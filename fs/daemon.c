#include "fs/daemon.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cache/base/file.h"

#define GRACE_MS 5000 /* for a child that was told to end */

/* What the child writes: short enough for one atomic write to a pipe. */
struct report {
	enum exit_status status; /* EXIT_STATUS_DONE: ready */
	struct cvx_err cause;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int sig __attribute__((unused)))
{
	interrupted = 1;
}

/* Lets go of what the caller had open: pipes that somebody waits for the end
 * of, locks, folders. */
static void child_becomes_daemon(int keep_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)setsid(); /* fails only for a leader, which a child is not */
	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
	}
	if (keep_fd > STDERR_FILENO + 1)
		(void)close_range(STDERR_FILENO + 1, (unsigned)keep_fd - 1, 0);
	(void)close_range((unsigned)keep_fd + 1, ~0u, 0);
}

int daemon_fork(struct daemon_link *ret, struct cvx_err *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return cvx_fail(err, -errno, "cannot make a pipe: %s",
				strerror(errno));
	ret->child = fork();
	if (ret->child < 0) {
		int code = -errno;

		(void)close(fds[0]);
		(void)close(fds[1]);
		return cvx_fail(err, code, "cannot go to the background: %s",
				strerror(-code));
	}
	(void)close(fds[ret->child == 0 ? 0 : 1]);
	ret->fd = fds[ret->child == 0 ? 1 : 0];
	if (ret->child == 0)
		child_becomes_daemon(ret->fd);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* 0: a report; -EPIPE: the child ended without; -ETIMEDOUT; -EINTR. */
static int await_report(int fd, int timeout_ms, struct report *ret)
{
	int64_t deadline = now_ms() + timeout_ms, left;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct timespec wait;
	sigset_t none;
	ssize_t n;
	int ready;

	(void)sigemptyset(&none);
	for (;;) {
		left = deadline - now_ms();
		left = left > 0 ? left : 0;
		wait = (struct timespec){left / 1000, left % 1000 * 1000000};
		/* Signals get in here only, so that none is missed. */
		ready = ppoll(&p, 1, &wait, &none);
		if (interrupted)
			return -EINTR;
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return -ETIMEDOUT;
		n = read(fd, ret, sizeof(*ret));
		return n == sizeof(*ret) ? 0 : -EPIPE;
	}
}

/* Waits for the child's end; kills it when that takes too long. */
static int reap(pid_t child)
{
	int64_t deadline = now_ms() + GRACE_MS;
	const struct timespec pause = {0, 10000000};
	int status = 0;

	while (waitpid(child, &status, WNOHANG) == 0) {
		if (now_ms() > deadline) {
			(void)kill(child, SIGKILL);
			(void)waitpid(child, &status, 0);
			break;
		}
		(void)nanosleep(&pause, NULL);
	}
	return status;
}

static void handle_signals(void)
{
	const struct sigaction action = {.sa_handler = on_signal};

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
}

enum exit_status daemon_await(struct daemon_link *l, int timeout_ms,
			      struct cvx_err *err)
{
	struct report report;
	int r, status;

	assert(l->child > 0);
	handle_signals();
	r = await_report(l->fd, timeout_ms, &report);
	(void)close(l->fd);
	if (r == 0 && report.status == EXIT_STATUS_DONE)
		return EXIT_STATUS_DONE;
	if (r == -EINTR || r == -ETIMEDOUT)
		(void)kill(l->child, SIGTERM);
	status = reap(l->child);
	switch (r) {
	case 0:
		*err = report.cause;
		err->name = NULL; /* a pointer of the other process */
		return report.status;
	case -EINTR:
		(void)cvx_fail(err, r, "interrupted");
		return EXIT_STATUS_INTERRUPTED;
	case -ETIMEDOUT:
		(void)cvx_fail(err, r,
			       "the mount does not answer; with -f it stays in "
			       "the foreground and tells what it is at");
		return EXIT_STATUS_LOCAL_TROUBLE;
	default:
		if (WIFSIGNALED(status))
			(void)cvx_fail(err, r,
				       "the mount ended by a signal: %s",
				       strsignal(WTERMSIG(status)));
		else
			(void)cvx_fail(
				err, r,
				"the mount ended without a word; with -f it "
				"stays in the foreground and tells more");
		return EXIT_STATUS_LOCAL_TROUBLE;
	}
}

static void send_report(struct daemon_link *l, const struct report *report)
{
	/* A parent that is gone has nobody to tell. */
	(void)file_write(l->fd, report, sizeof(*report));
	(void)close(l->fd);
	l->fd = -1;
}

void daemon_ready(struct daemon_link *l)
{
	const struct report report = {EXIT_STATUS_DONE, CVX_ERR_INIT};

	if (l->fd < 0)
		return;
	(void)dup2(STDOUT_FILENO, STDERR_FILENO); /* /dev/null */
	send_report(l, &report);
}

void daemon_failed(struct daemon_link *l, enum exit_status status,
		   const struct cvx_err *cause)
{
	struct report report = {status, *cause};

	assert(status != EXIT_STATUS_DONE);
	if (l->fd >= 0)
		send_report(l, &report);
}
