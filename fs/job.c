#include "fs/job.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cache/base/err.h"

/* How often a job is shown. */
#define SHOW_MS 100

/* Longer answers are as good as none. */
#define ANSWER_SIZE 64

/* What nohup, or a shell's "&", has had ignored stays so. */
static void add_signal(sigset_t *set, int sig)
{
	struct sigaction old;

	if (sigaction(sig, NULL, &old) < 0 || old.sa_handler != SIG_IGN)
		(void)sigaddset(set, sig);
}

int stop_init(struct stop *s, struct cvx_err *err)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t set;
	int code;

	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)sigemptyset(&set);
	add_signal(&set, SIGINT);
	add_signal(&set, SIGTERM);
	add_signal(&set, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	*s = (struct stop){-1, -1, 0};
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signal_fd >= 0)
		s->fd = eventfd(0, EFD_CLOEXEC);
	if (s->fd >= 0)
		return 0;
	code = -errno;
	stop_fini(s);
	return cvx_fail(err, code, "cannot wait for signals: %s",
			strerror(-code));
}

void stop_fini(struct stop *s)
{
	if (s->signal_fd >= 0)
		(void)close(s->signal_fd);
	if (s->fd >= 0)
		(void)close(s->fd);
}

/* Takes a signal if one has come: true the first time. */
static bool hear(struct stop *s)
{
	struct signalfd_siginfo info;
	uint64_t one = 1;

	if (read(s->signal_fd, &info, sizeof(info)) != sizeof(info) ||
	    s->signal != 0)
		return false;
	s->signal = (int)info.ssi_signo;
	if (write(s->fd, &one, sizeof(one)) < 0)
		return true; /* cannot be: the counter is at 0 */
	return true;
}

/* Which of the two can be read; false after a timeout. */
static bool wait_for(int signal_fd, int fd, int timeout_ms, bool *ret_signal,
		     bool *ret_fd)
{
	struct pollfd fds[2] = {{signal_fd, POLLIN, 0}, {fd, POLLIN, 0}};
	int n = poll(fds, 2, timeout_ms);

	*ret_signal = n > 0 && fds[0].revents != 0;
	*ret_fd = n > 0 && fds[1].revents != 0;
	return n > 0;
}

static bool agrees(const char *answer)
{
	return answer[0] == '\0' || strcasecmp(answer, "y") == 0 ||
	       strcasecmp(answer, "yes") == 0;
}

int stop_ask(struct stop *s, const char *question, bool *ret_yes,
	     struct cvx_err *err)
{
	char answer[ANSWER_SIZE];
	bool has_signal, has_answer;
	ssize_t n;

	*ret_yes = false;
	fprintf(stderr, "%s ", question);
	do {
		(void)wait_for(s->signal_fd, STDIN_FILENO, -1, &has_signal,
			       &has_answer);
		if (has_signal && hear(s)) {
			fputc('\n', stderr);
			return 0;
		}
	} while (!has_answer);
	n = read(STDIN_FILENO, answer, sizeof(answer));
	if (n < 0)
		return cvx_fail(err, -errno, "cannot read the answer: %s",
				strerror(errno));
	if (n > 0 && answer[n - 1] == '\n') {
		answer[n - 1] = '\0';
		*ret_yes = agrees(answer);
	} else {
		fputc('\n', stderr); /* the end of the input */
	}
	return 0;
}

struct running_job {
	const struct job *job;
	struct cvx_err *err;
	int result;
	int done_fd; /* readable when it is over */
};

static void *thread_main(void *arg)
{
	struct running_job *r = arg;
	uint64_t one = 1;

	r->result = r->job->run(r->job->ctx, r->err);
	while (write(r->done_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	return NULL;
}

int job_run(struct stop *s, const struct job *job, struct cvx_err *err)
{
	struct running_job r = {.job = job, .err = err};
	bool has_signal, is_done = false;
	pthread_t thread;
	int code;

	r.done_fd = eventfd(0, EFD_CLOEXEC);
	if (r.done_fd < 0)
		return cvx_fail(err, -errno, "cannot start a thread: %s",
				strerror(errno));
	code = pthread_create(&thread, NULL, thread_main, &r);
	if (code != 0) {
		(void)close(r.done_fd);
		return cvx_fail(err, -code, "cannot start a thread: %s",
				strerror(code));
	}
	while (!is_done) {
		job->show(job->ctx);
		(void)wait_for(s->signal_fd, r.done_fd, SHOW_MS, &has_signal,
			       &is_done);
		if (has_signal && hear(s))
			job->cancel(job->ctx);
	}
	(void)pthread_join(thread, NULL);
	(void)close(r.done_fd);
	return r.result;
}
