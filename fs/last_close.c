#include "fs/last_close.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "fs/process.h"

/*
 * Sessions of processes, as of the last look, by pid. /proc gives a process
 * another inode number than its predecessor of the same pid, and keeps it as
 * long as somebody looks, so that most processes need not be read again. One
 * that leaves its session keeps being looked at: more than needed, never less.
 */
struct known {
	pid_t pid;
	pid_t sid;
	uint64_t proc_ino;
};

struct sessions {
	struct known *known, *fresh; /* fresh: being filled */
	size_t count, capacity, fresh_capacity;
};

/* One question on its way. Freed by whoever leaves it last. */
struct job {
	struct close_question q;
	struct close_answer answer;
	bool done, abandoned;
	struct job *next;
};

struct last_close {
	pthread_mutex_t lock;
	/* guarded by lock: */
	pthread_cond_t asked, answered;
	struct job *first, **last;
	unsigned helpers, idle, queued;
	bool stopping;
};

static int grow(struct known **list, size_t *capacity)
{
	size_t want = *capacity ? *capacity * 2 : 256;
	struct known *p = reallocarray(*list, want, sizeof(**list));

	if (!p)
		return -ENOMEM;
	*list = p;
	*capacity = want;
	return 0;
}

/* The session of a process, from the last look if it is the same process. */
static int find_sid(const struct sessions *s, size_t *at, pid_t pid,
		    uint64_t proc_ino, pid_t *ret)
{
	struct process_status status;
	int r;

	while (*at < s->count && s->known[*at].pid < pid)
		(*at)++;
	if (*at < s->count && s->known[*at].pid == pid &&
	    s->known[*at].proc_ino == proc_ino) {
		*ret = s->known[*at].sid;
		return 0;
	}
	r = process_read_status(pid, &status);
	if (r == 0)
		*ret = status.sid;
	return r;
}

/* Adds a process to the fresh list, which /proc gives in order of pid. */
static int remember(struct sessions *s, size_t *count, pid_t pid, pid_t sid,
		    uint64_t proc_ino)
{
	if (*count == s->fresh_capacity &&
	    grow(&s->fresh, &s->fresh_capacity) < 0)
		return -ENOMEM;
	s->fresh[(*count)++] = (struct known){pid, sid, proc_ino};
	return 0;
}

static void swap_in(struct sessions *s, size_t count)
{
	struct known *old = s->known;
	size_t old_capacity = s->capacity;

	s->known = s->fresh;
	s->capacity = s->fresh_capacity;
	s->count = count;
	s->fresh = old;
	s->fresh_capacity = old_capacity;
}

/*
 * Lists all processes anew. *ret_count of them are in s->known, or a negative
 * errno when /proc could not be listed.
 */
static int look(struct sessions *s)
{
	_Alignas(struct dirent64) char entries[32768];
	CVX_AUTO(cvx_closep) int fd = -1;
	size_t at = 0, count = 0;
	ssize_t n;

	fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((n = getdents64(fd, entries, sizeof(entries))) > 0) {
		for (ssize_t off = 0; off < n;) {
			const struct dirent64 *e =
				(const struct dirent64 *)(entries + off);
			pid_t pid, sid = 0;

			off += e->d_reclen;
			if (!isdigit((unsigned char)e->d_name[0]))
				continue;
			pid = (pid_t)strtol(e->d_name, NULL, 10);
			if (find_sid(s, &at, pid, e->d_ino, &sid) < 0)
				continue; /* gone, or hidden from us */
			if (remember(s, &count, pid, sid, e->d_ino) < 0)
				return -ENOMEM;
		}
	}
	if (n < 0)
		return -errno;
	swap_in(s, count);
	return 0;
}

/* Whether one process holds the file; sets the answer if that settles it. */
static bool settles(pid_t pid, const struct close_question *q, bool must_see,
		    struct close_answer *a)
{
	int r = process_holds(pid, q->inode);

	if (r > 0) {
		a->holders = HOLDERS_SOME;
		a->holder = pid;
		return true;
	}
	if (r < 0 && r != -ESRCH && must_see) {
		a->holders = HOLDERS_UNKNOWN;
		return true;
	}
	return false;
}

static void ask_sessions(struct sessions *s, const struct close_question *q,
			 pid_t closer_sid, struct close_answer *a)
{
	int r;

	r = look(s);
	if (r < 0) {
		a->holders = HOLDERS_UNKNOWN;
		a->error = r == -ENOMEM ? r : 0;
		return;
	}
	for (size_t i = 0; i < s->count; i++) {
		const struct known *k = &s->known[i];

		if (k->pid == a->closer || k->pid == q->opener)
			continue; /* asked already */
		if (!(a->closer && k->sid == closer_sid) &&
		    !(q->opener && k->sid == q->opener_sid))
			continue;
		/* Another user's process cannot be seen; it could hold the
		 * file only by inheriting it, and then RELEASE commits. */
		if (settles(k->pid, q, false, a))
			return;
	}
}

static void find_answer(struct sessions *s, const struct close_question *q,
			struct close_answer *a)
{
	struct process_status closer = {0};

	*a = (struct close_answer){.holders = HOLDERS_NONE};
	if (q->closer) {
		if (process_read_status(q->closer, &closer) < 0) {
			a->holders = HOLDERS_UNKNOWN;
			return;
		}
		a->closer = closer.tgid;
		if (closer.fd_size == 0 &&
		    process_read_death(q->closer, &a->died_of) < 0)
			a->died_of = 0;
	}
	if (q->witness && settles(q->witness, q, false, a))
		return;
	if (q->closer && closer.fd_size > 0 && settles(q->closer, q, true, a))
		return;
	/* Another thread of the closer may have a table of its own. */
	if (a->closer && a->closer != q->closer &&
	    settles(a->closer, q, true, a))
		return;
	if (q->opener && q->opener != a->closer && q->opener != q->witness &&
	    settles(q->opener, q, true, a))
		return;
	ask_sessions(s, q, closer.sid, a);
}

static void *helper(void *arg)
{
	struct last_close *lc = arg;
	struct sessions sessions = {0};

	pthread_mutex_lock(&lc->lock);
	while (!lc->stopping) {
		struct job *job = lc->first;

		if (!job) {
			lc->idle++;
			pthread_cond_wait(&lc->asked, &lc->lock);
			lc->idle--;
			continue;
		}
		lc->first = job->next;
		if (!lc->first)
			lc->last = &lc->first;
		lc->queued--;
		pthread_mutex_unlock(&lc->lock);
		find_answer(&sessions, &job->q, &job->answer);
		pthread_mutex_lock(&lc->lock);
		job->done = true;
		if (job->abandoned)
			free(job);
		else
			pthread_cond_broadcast(&lc->answered);
	}
	lc->helpers--;
	pthread_cond_broadcast(&lc->answered);
	pthread_mutex_unlock(&lc->lock);
	free(sessions.known);
	free(sessions.fresh);
	return NULL;
}

int last_close_new(struct last_close **ret, struct cvx_err *err)
{
	struct last_close *lc = calloc(1, sizeof(*lc));
	pthread_condattr_t attr;

	if (!lc)
		return cvx_fail_memory(err);
	pthread_mutex_init(&lc->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&lc->asked, &attr);
	pthread_cond_init(&lc->answered, &attr);
	pthread_condattr_destroy(&attr);
	lc->last = &lc->first;
	*ret = lc;
	return 0;
}

static struct timespec deadline_in(long ms)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

void last_close_free(struct last_close *lc)
{
	struct timespec until = deadline_in(LAST_CLOSE_LIMIT_MS);

	if (!lc)
		return;
	pthread_mutex_lock(&lc->lock);
	lc->stopping = true;
	pthread_cond_broadcast(&lc->asked);
	while (lc->helpers > 0 &&
	       pthread_cond_timedwait(&lc->answered, &lc->lock, &until) == 0)
		continue;
	if (lc->helpers > 0) {
		/* They still use it: it stays until the process ends. */
		pthread_mutex_unlock(&lc->lock);
		return;
	}
	pthread_mutex_unlock(&lc->lock);
	while (lc->first) {
		struct job *job =
			lc->first; /* abandoned, or we were not done */

		lc->first = job->next;
		free(job);
	}
	pthread_cond_destroy(&lc->asked);
	pthread_cond_destroy(&lc->answered);
	pthread_mutex_destroy(&lc->lock);
	free(lc);
}

/* Puts the job in line and sees that a helper will take it. -EBUSY when all
 * helpers hang, -ENOMEM. */
static int submit(struct last_close *lc, struct job *job)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r = 0;

	if (lc->idle <= lc->queued) {
		if (lc->helpers == LAST_CLOSE_HELPERS)
			return -EBUSY;
		pthread_attr_init(&attr);
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		r = pthread_create(&thread, &attr, helper, lc);
		pthread_attr_destroy(&attr);
		if (r != 0)
			return -ENOMEM; /* it says EAGAIN */
		lc->helpers++;
	}
	*lc->last = job;
	lc->last = &job->next;
	lc->queued++;
	pthread_cond_signal(&lc->asked);
	return 0;
}

void last_close_ask(struct last_close *lc, const struct close_question *q,
		    struct close_answer *ret)
{
	struct timespec until = deadline_in(LAST_CLOSE_LIMIT_MS);
	struct job *job = calloc(1, sizeof(*job));
	int r = 0;

	*ret = (struct close_answer){.holders = HOLDERS_UNKNOWN};
	if (!job) {
		ret->error = -ENOMEM;
		return;
	}
	job->q = *q;
	pthread_mutex_lock(&lc->lock);
	r = submit(lc, job);
	if (r < 0) {
		pthread_mutex_unlock(&lc->lock);
		ret->error = r == -ENOMEM ? r : 0;
		free(job);
		return;
	}
	while (!job->done && r == 0)
		r = pthread_cond_timedwait(&lc->answered, &lc->lock, &until);
	if (job->done) {
		*ret = job->answer;
		free(job);
	} else {
		job->abandoned = true;
		log_warning("/proc did not tell in %d ms who holds a file; its "
			    "import waits for the kernel's word",
			    LAST_CLOSE_LIMIT_MS);
	}
	pthread_mutex_unlock(&lc->lock);
}
