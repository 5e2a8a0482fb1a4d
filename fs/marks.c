#include "fs/marks.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "fs/stage.h"
#include "fs/view.h"

/* There are few at any time, so they stand in a list. */
struct mark {
	struct mark *next;
	char *path;
	pid_t who;
	int64_t until;
	struct stage *stage; /* a ticket's: one of the two */
	struct view *view;
};

/* More threads than look something up at a time. */
#define WALKS_MAX 64

struct walk {
	pid_t who; /* 0: over */
	uint64_t folder, moment_ns, until_ns;
};

struct marks {
	pthread_mutex_t lock;
	/* guarded by lock: */
	struct mark *tickets;
	struct walk walks[WALKS_MAX]; /* a ring */
	size_t next_walk;
};

static int64_t seconds_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void list_free(struct mark *m)
{
	while (m) {
		struct mark *next = m->next;

		stage_unref(m->stage);
		view_close(m->view);
		free(m->path);
		free(m);
		m = next;
	}
}

int marks_new(struct marks **ret, struct cvx_err *err)
{
	struct marks *ms = calloc(1, sizeof(*ms));

	if (!ms)
		return cvx_fail_memory(err);
	pthread_mutex_init(&ms->lock, NULL);
	*ret = ms;
	return 0;
}

void marks_free(struct marks *ms)
{
	if (!ms)
		return;
	list_free(ms->tickets);
	pthread_mutex_destroy(&ms->lock);
	free(ms);
}

/* Takes marks out whose time is over; returns them for marks_free. */
static struct mark *expire(struct mark **list)
{
	int64_t now = seconds_now();
	struct mark *gone = NULL;

	while (*list) {
		struct mark *m = *list;

		if (m->until > now) {
			list = &m->next;
			continue;
		}
		*list = m->next;
		m->next = gone;
		gone = m;
	}
	return gone;
}

static struct mark *mark_new(const char *path, pid_t who)
{
	struct mark *m = calloc(1, sizeof(*m));

	if (!m || !(m->path = strdup(path))) {
		free(m);
		return NULL;
	}
	m->who = who;
	m->until = seconds_now() + MARKS_TICKET_SECONDS;
	return m;
}

/* Where the thread's ticket for the path hangs; to NULL if it has none. */
static struct mark **find_ticket(struct marks *ms, pid_t tid, const char *path,
				 bool of_view)
{
	struct mark **at = &ms->tickets;

	while (*at && ((*at)->who != tid || ((*at)->view != NULL) != of_view ||
		       strcmp((*at)->path, path) != 0))
		at = &(*at)->next;
	return at;
}

int marks_put_ticket(struct marks *ms, pid_t tid, const char *path,
		     struct stage *stage)
{
	struct mark *m = mark_new(path, tid);
	struct mark *gone;
	int r = 0;

	if (!m)
		return -ENOMEM;
	pthread_mutex_lock(&ms->lock);
	gone = expire(&ms->tickets);
	if (*find_ticket(ms, tid, path, false)) {
		m->next = gone;
		gone = m;
		r = -EEXIST;
	} else {
		m->stage = stage_ref(stage);
		m->next = ms->tickets;
		ms->tickets = m;
	}
	pthread_mutex_unlock(&ms->lock);
	list_free(gone);
	return r;
}

bool marks_has_ticket(struct marks *ms, pid_t tid)
{
	bool yes = false;

	pthread_mutex_lock(&ms->lock);
	for (const struct mark *m = ms->tickets; m && tid; m = m->next)
		yes = yes || m->who == tid;
	pthread_mutex_unlock(&ms->lock);
	return yes;
}

struct stage *marks_find_ticket(struct marks *ms, pid_t tid, const char *path)
{
	struct mark *m;
	struct stage *s = NULL;

	pthread_mutex_lock(&ms->lock);
	m = tid ? *find_ticket(ms, tid, path, false) : NULL;
	if (m && m->until > seconds_now())
		s = stage_ref(m->stage);
	pthread_mutex_unlock(&ms->lock);
	return s;
}

bool marks_take_ticket(struct marks *ms, pid_t tid, const struct stage *stage)
{
	struct mark *gone = NULL;

	pthread_mutex_lock(&ms->lock);
	for (struct mark **at = &ms->tickets; *at; at = &(*at)->next) {
		if ((*at)->who == tid && (*at)->stage == stage) {
			gone = *at;
			*at = gone->next;
			gone->next = NULL;
			break;
		}
	}
	pthread_mutex_unlock(&ms->lock);
	if (!gone)
		return false;
	list_free(gone);
	return true;
}

void marks_put_view(struct marks *ms, pid_t tid, const char *path,
		    struct view *view)
{
	struct mark *m = mark_new(path, tid);
	struct mark *gone;

	if (!m || tid == 0) {
		list_free(m);
		view_close(view);
		return; /* the look-up finds the table again by itself */
	}
	m->view = view;
	pthread_mutex_lock(&ms->lock);
	gone = expire(&ms->tickets);
	m->next = ms->tickets;
	ms->tickets = m;
	pthread_mutex_unlock(&ms->lock);
	list_free(gone);
}

bool marks_find_view(struct marks *ms, pid_t tid, const char *path,
		     struct view_revision *ret)
{
	const struct mark *m;

	pthread_mutex_lock(&ms->lock);
	m = ms->tickets && tid ? *find_ticket(ms, tid, path, true) : NULL;
	if (m)
		*ret = view_revision(m->view);
	pthread_mutex_unlock(&ms->lock);
	return m != NULL;
}

struct view *marks_take_view(struct marks *ms, pid_t tid, const char *path)
{
	struct view *view = NULL;
	struct mark *gone = NULL;

	pthread_mutex_lock(&ms->lock);
	if (ms->tickets && tid) {
		struct mark **at = find_ticket(ms, tid, path, true);

		gone = *at;
		if (gone) {
			*at = gone->next;
			gone->next = NULL;
			view = CVX_TAKE(gone->view);
		}
	}
	pthread_mutex_unlock(&ms->lock);
	list_free(gone);
	return view;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void marks_put_walk(struct marks *ms, pid_t tid, uint64_t folder,
		    uint64_t moment_ns)
{
	const struct walk w = {tid, folder, moment_ns,
			       now_ns() + MARKS_WALK_MS * UINT64_C(1000000)};

	pthread_mutex_lock(&ms->lock);
	ms->walks[ms->next_walk] = w;
	ms->next_walk = (ms->next_walk + 1) % WALKS_MAX;
	pthread_mutex_unlock(&ms->lock);
}

uint64_t marks_take_walk(struct marks *ms, pid_t tid, uint64_t folder)
{
	uint64_t moment_ns = 0, now = now_ns();

	if (tid == 0)
		return 0;
	pthread_mutex_lock(&ms->lock);
	for (size_t i = 0; i < WALKS_MAX; i++) {
		struct walk *w = &ms->walks[i];

		if (w->who != tid)
			continue;
		if (w->folder == folder && w->until_ns > now)
			moment_ns = w->moment_ns;
		w->who = 0;
	}
	pthread_mutex_unlock(&ms->lock);
	return moment_ns;
}
