#include "fs/hidden.h"

#include <errno.h>
#include <pthread.h>
#include <search.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache/base/err.h"
#include "fs/process.h"

enum veil_state {
	VEIL_HIDDEN,
	VEIL_FRESH, /* a folder: what is in it is hidden, it is not */
	VEIL_MADE,  /* a file in a fresh folder */
};

/* What one process takes one path for. */
struct veil {
	char *path;
	pid_t who;
	char comm[16]; /* of it: another process may get its number */
	enum veil_state state;
	int64_t until;
};

struct hidden {
	pthread_mutex_t lock;
	/* guarded by lock: */
	void *veils; /* tsearch tree */
	size_t count;
	int64_t swept;
};

static int64_t seconds_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static int compare(const void *a, const void *b)
{
	const struct veil *x = a, *y = b;

	if (x->who != y->who)
		return x->who < y->who ? -1 : 1;
	return strcmp(x->path, y->path);
}

static void veil_free(void *at)
{
	struct veil *v = at;

	free(v->path);
	free(v);
}

int hidden_new(struct hidden **ret, struct cvx_err *err)
{
	struct hidden *h = calloc(1, sizeof(*h));

	if (!h)
		return cvx_fail_memory(err);
	pthread_mutex_init(&h->lock, NULL);
	*ret = h;
	return 0;
}

void hidden_free(struct hidden *h)
{
	if (!h)
		return;
	tdestroy(h->veils, veil_free);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

/* The process of a thread, and its name; false if they cannot be told. */
static bool find_process(pid_t tid, struct veil *ret)
{
	struct process_status status;

	if (tid == 0 || process_read_status(tid, &status) < 0 ||
	    process_read_comm(status.tgid, ret->comm) < 0)
		return false;
	ret->who = status.tgid;
	return true;
}

static struct veil *find(struct hidden *h, const struct veil *who,
			 const char *path)
{
	struct veil key = {.path = (char *)path, .who = who->who};
	struct veil **found = tfind(&key, &h->veils, compare);

	if (!found || strcmp((*found)->comm, who->comm) != 0 ||
	    (*found)->until <= seconds_now())
		return NULL;
	return *found;
}

static void take_out(struct hidden *h, struct veil *v)
{
	(void)tdelete(v, &h->veils, compare);
	h->count--;
	veil_free(v);
}

/* Those that nobody needs any more, some at a time. */
struct sweep {
	int64_t now;
	struct veil *gone[256];
	size_t count;
	pid_t asked; /* the process that was asked for last */
	bool asked_is_gone;
};

static bool is_gone(struct sweep *s, pid_t who)
{
	if (who != s->asked) {
		s->asked = who;
		s->asked_is_gone = kill(who, 0) < 0 && errno == ESRCH;
	}
	return s->asked_is_gone;
}

static void collect_old(const void *at, VISIT which, void *arg)
{
	struct veil *v = *(struct veil *const *)at;
	struct sweep *s = arg;

	if ((which == postorder || which == leaf) &&
	    s->count < sizeof(s->gone) / sizeof(s->gone[0]) &&
	    (v->until <= s->now || is_gone(s, v->who)))
		s->gone[s->count++] = v;
}

static void sweep(struct hidden *h)
{
	struct sweep s = {.now = seconds_now()};

	if (h->swept == s.now)
		return;
	do {
		s.count = 0;
		twalk_r(h->veils, collect_old, &s);
		for (size_t i = 0; i < s.count; i++)
			take_out(h, s.gone[i]);
	} while (s.count == sizeof(s.gone) / sizeof(s.gone[0]));
	h->swept = s.now;
}

/* Without memory the process sees what is there, and says so. */
static void set(struct hidden *h, const struct veil *who, const char *path,
		enum veil_state state)
{
	struct veil key = {.path = (char *)path, .who = who->who};
	struct veil **found = tfind(&key, &h->veils, compare);
	struct veil *v = found ? *found : calloc(1, sizeof(*v));

	if (!v)
		return;
	if (!found) {
		v->path = strdup(path);
		v->who = who->who;
		if (!v->path || !tsearch(v, &h->veils, compare)) {
			veil_free(v);
			return;
		}
		h->count++;
	}
	memcpy(v->comm, who->comm, sizeof(v->comm));
	v->state = state;
	v->until =
		seconds_now() +
		(state == VEIL_HIDDEN ? HIDDEN_SECONDS : HIDDEN_FRESH_SECONDS);
}

static void put(struct hidden *h, const char *path, pid_t tid,
		enum veil_state state)
{
	struct veil who;

	if (!find_process(tid, &who))
		return;
	pthread_mutex_lock(&h->lock);
	sweep(h);
	set(h, &who, path, state);
	pthread_mutex_unlock(&h->lock);
}

void hidden_put(struct hidden *h, const char *path, pid_t tid)
{
	put(h, path, tid, VEIL_HIDDEN);
}

void hidden_put_fresh(struct hidden *h, const char *path, pid_t tid)
{
	put(h, path, tid, VEIL_FRESH);
}

/* Nearly always false, and then nobody need be asked who a thread is. */
static bool is_any(struct hidden *h)
{
	bool any;

	pthread_mutex_lock(&h->lock);
	if (h->count > 0)
		sweep(h);
	any = h->count > 0;
	pthread_mutex_unlock(&h->lock);
	return any;
}

static bool is_in_fresh(struct hidden *h, const struct veil *who,
			const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, (size_t)(slash - path)) : NULL;
	const struct veil *v = dir ? find(h, who, dir) : NULL;

	free(dir);
	return v && v->state == VEIL_FRESH;
}

bool hidden_from(struct hidden *h, const char *path, pid_t tid)
{
	const struct veil *v;
	struct veil who;
	bool yes;

	if (!is_any(h) || !find_process(tid, &who))
		return false;
	pthread_mutex_lock(&h->lock);
	v = find(h, &who, path);
	yes = v ? v->state == VEIL_HIDDEN : is_in_fresh(h, &who, path);
	pthread_mutex_unlock(&h->lock);
	return yes;
}

void hidden_show(struct hidden *h, const char *path, pid_t tid)
{
	struct veil *v;
	struct veil who;

	if (!is_any(h) || !find_process(tid, &who))
		return;
	pthread_mutex_lock(&h->lock);
	v = find(h, &who, path);
	if (is_in_fresh(h, &who, path)) {
		if (!v || v->state == VEIL_HIDDEN)
			set(h, &who, path, VEIL_MADE);
	} else if (v && v->state == VEIL_HIDDEN) {
		take_out(h, v);
	}
	pthread_mutex_unlock(&h->lock);
}
