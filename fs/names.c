#include "fs/names.h"

#include <errno.h>
#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "fs/stage.h"

struct named {
	char *path;
	struct name name;
	struct name before; /* NAME_STAGED: a ghost that it replaced, if any */
	int64_t until;	    /* NAME_GHOST */
};

struct names {
	pthread_mutex_t lock;
	/* guarded by lock: */
	void *entries; /* tsearch tree of struct named */
	uint64_t next_serial;
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
	const struct named *x = a, *y = b;

	return strcmp(x->path, y->path);
}

int names_new(struct names **ret, struct cvx_err *err)
{
	struct names *ns = calloc(1, sizeof(*ns));

	if (!ns)
		return cvx_fail_memory(err);
	pthread_mutex_init(&ns->lock, NULL);
	ns->next_serial = 1;
	*ret = ns;
	return 0;
}

static void entry_free(void *at)
{
	struct named *e = at;

	stage_unref(e->name.stage);
	free(e->path);
	free(e);
}

void names_free(struct names *ns)
{
	if (!ns)
		return;
	tdestroy(ns->entries, entry_free);
	pthread_mutex_destroy(&ns->lock);
	free(ns);
}

/* Out of the tree; the caller frees it when the lock is open again, because
 * a stage may have a whole import to stop. */
static struct named *take_out(struct names *ns, struct named *e)
{
	(void)tdelete(e, &ns->entries, compare);
	return e;
}

static struct named *find(struct names *ns, const char *path)
{
	struct named key = {.path = (char *)path};
	struct named **found = tfind(&key, &ns->entries, compare);

	return found ? *found : NULL;
}

/* Adds an entry without a stage yet; NULL without memory. */
static struct named *add(struct names *ns, const char *path)
{
	struct named *e = calloc(1, sizeof(*e));

	if (!e || !(e->path = strdup(path)) ||
	    !tsearch(e, &ns->entries, compare)) {
		if (e)
			free(e->path);
		free(e);
		return NULL;
	}
	e->name.serial = ns->next_serial++;
	return e;
}

struct name names_find(struct names *ns, const char *path)
{
	struct name ret = {.kind = NAME_NONE};
	struct named *gone = NULL;
	struct named *e;

	pthread_mutex_lock(&ns->lock);
	e = find(ns, path);
	if (e && e->name.kind == NAME_GHOST && e->until <= seconds_now()) {
		gone = take_out(ns, e);
		e = NULL;
	}
	if (e) {
		ret = e->name;
		if (ret.stage)
			stage_ref(ret.stage);
	}
	pthread_mutex_unlock(&ns->lock);
	if (gone)
		entry_free(gone);
	return ret;
}

int names_put(struct names *ns, const char *path, struct stage *stage,
	      struct cvx_err *err)
{
	struct stage *old = NULL;
	struct named *e;

	pthread_mutex_lock(&ns->lock);
	e = find(ns, path);
	if (!e)
		e = add(ns, path);
	if (e) {
		old = e->name.stage;
		if (e->name.kind == NAME_GHOST)
			e->before = e->name;
		e->name.kind = NAME_STAGED;
		e->name.stage = stage_ref(stage);
	}
	pthread_mutex_unlock(&ns->lock);
	stage_unref(old);
	return e ? 0 : cvx_fail_memory(err);
}

int names_put_folder(struct names *ns, const char *path, struct cvx_err *err)
{
	struct named *e;
	int r = 0;

	pthread_mutex_lock(&ns->lock);
	if (find(ns, path)) {
		r = cvx_fail(err, -EEXIST, "%s: exists", path);
	} else {
		e = add(ns, path);
		if (e)
			e->name.kind = NAME_FOLDER;
		else
			r = cvx_fail_memory(err);
	}
	pthread_mutex_unlock(&ns->lock);
	return r;
}

bool names_remove(struct names *ns, const char *path, const struct stage *stage)
{
	struct named *e;

	pthread_mutex_lock(&ns->lock);
	e = find(ns, path);
	if (e && stage && e->name.stage != stage)
		e = NULL;
	if (e)
		e = take_out(ns, e);
	pthread_mutex_unlock(&ns->lock);
	if (!e)
		return false;
	entry_free(e);
	return true;
}

/* What a walk over all entries collects. */
struct sweep {
	int64_t now;
	struct named *gone[64];
	size_t count;
};

static void collect_old(const void *at, VISIT which, void *arg)
{
	struct named *e = *(struct named *const *)at;
	struct sweep *s = arg;

	if ((which == postorder || which == leaf) &&
	    e->name.kind == NAME_GHOST && e->until <= s->now &&
	    s->count < sizeof(s->gone) / sizeof(s->gone[0]))
		s->gone[s->count++] = e;
}

/* Ghosts that nobody asks for any more go once in a while. */
static void sweep(struct names *ns, struct sweep *s)
{
	s->now = seconds_now();
	s->count = 0;
	if (s->now == ns->swept)
		return;
	ns->swept = s->now;
	twalk_r(ns->entries, collect_old, s);
	for (size_t i = 0; i < s->count; i++)
		(void)take_out(ns, s->gone[i]);
}

void names_put_back(struct names *ns, const char *path,
		    const struct stage *stage)
{
	struct stage *old = NULL;
	struct named *e;
	bool was_ghost;

	pthread_mutex_lock(&ns->lock);
	e = find(ns, path);
	was_ghost = e && e->name.stage == stage && e->before.kind == NAME_GHOST;
	if (was_ghost) {
		old = e->name.stage;
		e->name = e->before;
	}
	pthread_mutex_unlock(&ns->lock);
	stage_unref(old);
	if (!was_ghost)
		(void)names_remove(ns, path, stage);
}

void names_make_ghost(struct names *ns, const char *path,
		      const struct stage *stage, const struct name *ghost)
{
	struct stage *old = NULL;
	struct named *e;
	struct sweep s;

	pthread_mutex_lock(&ns->lock);
	sweep(ns, &s);
	e = find(ns, path);
	if (e && e->name.stage == stage) {
		old = CVX_TAKE(e->name.stage);
		e->name = *ghost;
		e->name.kind = NAME_GHOST;
		e->name.serial = ns->next_serial++;
		e->until = seconds_now() + NAMES_GHOST_SECONDS;
	}
	pthread_mutex_unlock(&ns->lock);
	stage_unref(old);
	for (size_t i = 0; i < s.count; i++)
		entry_free(s.gone[i]);
}

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return n == 0 || (strncmp(path, dir, n) == 0 && path[n] == '/');
}

/* The name right in dir, or NULL. */
static const char *child_name(const char *path, const char *dir)
{
	const char *name = path + strlen(dir) + (dir[0] ? 1 : 0);

	return is_below(path, dir) && !strchr(name, '/') ? name : NULL;
}

struct listing_walk {
	const char *dir;
	bool any; /* is there anything below dir? */
	int (*fn)(void *ctx, const char *name, bool is_folder, uint64_t number);
	void *ctx;
	int r;
};

static void visit_child(const void *at, VISIT which, void *arg)
{
	const struct named *e = *(struct named *const *)at;
	struct listing_walk *w = arg;
	const char *name;

	if ((which != postorder && which != leaf) ||
	    e->name.kind == NAME_GHOST || !is_below(e->path, w->dir))
		return;
	w->any = true;
	name = child_name(e->path, w->dir);
	if (w->fn && name && w->r == 0)
		w->r = w->fn(w->ctx, name, e->name.kind == NAME_FOLDER,
			     e->name.stage ? stage_shown(e->name.stage) : 0);
}

bool names_is_empty(struct names *ns, const char *dir)
{
	struct listing_walk w = {.dir = dir};

	pthread_mutex_lock(&ns->lock);
	twalk_r(ns->entries, visit_child, &w);
	pthread_mutex_unlock(&ns->lock);
	return !w.any;
}

int names_list(struct names *ns, const char *dir,
	       int (*fn)(void *ctx, const char *name, bool is_folder,
			 uint64_t number),
	       void *ctx)
{
	struct listing_walk w = {.dir = dir, .fn = fn, .ctx = ctx};

	pthread_mutex_lock(&ns->lock);
	twalk_r(ns->entries, visit_child, &w);
	pthread_mutex_unlock(&ns->lock);
	return w.r;
}

struct gather {
	const char *dir; /* only entries at or below it */
	struct named **list;
	size_t count, capacity;
	bool full;
};

static void gather_entry(const void *at, VISIT which, void *arg)
{
	struct named *e = *(struct named *const *)at;
	struct gather *g = arg;

	if ((which != postorder && which != leaf) ||
	    (strcmp(e->path, g->dir) != 0 && !is_below(e->path, g->dir)))
		return;
	if (g->count == g->capacity) {
		size_t want = g->capacity ? g->capacity * 2 : 16;
		struct named **p =
			reallocarray(g->list, want, sizeof(*g->list));

		if (!p) {
			g->full = true;
			return;
		}
		g->list = p;
		g->capacity = want;
	}
	g->list[g->count++] = e;
}

static int move_entry(struct names *ns, struct named *e, const char *from,
		      const char *to, struct named **ret_gone)
{
	const char *rest = e->path + strlen(from);
	size_t size = strlen(to) + strlen(rest) + 1;
	char *path = malloc(size);
	struct named *there;

	if (!path)
		return -ENOMEM;
	(void)snprintf(path, size, "%s%s", to, rest);
	there = find(ns, path);
	*ret_gone = there ? take_out(ns, there) : NULL;
	(void)take_out(ns, e);
	free(e->path);
	e->path = path;
	/* tdelete has just freed what tsearch needs. */
	return tsearch(e, &ns->entries, compare) ? 0 : -ENOMEM;
}

int names_move(struct names *ns, const char *from, const char *to,
	       struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct named **gone = NULL;
	struct gather g = {.dir = from};
	size_t moved = 0;
	int r = 0;

	pthread_mutex_lock(&ns->lock);
	twalk_r(ns->entries, gather_entry, &g);
	gone = calloc(g.count ? g.count : 1, sizeof(struct named *));
	if (g.full || !gone)
		r = -ENOMEM;
	else if (g.count == 0)
		r = -ENOENT;
	while (r == 0 && moved < g.count) {
		r = move_entry(ns, g.list[moved], from, to, &gone[moved]);
		moved++;
	}
	pthread_mutex_unlock(&ns->lock);
	for (size_t i = 0; i < moved; i++)
		if (gone[i])
			entry_free(gone[i]);
	free(g.list);
	return r < 0 ? cvx_fail(err, r, "%s: cannot be renamed: %s", from,
				strerror(-r))
		     : 0;
}

int names_stages(struct names *ns, struct stage ***ret, size_t *ret_count)
{
	struct gather g = {.dir = ""};
	struct stage **stages;
	size_t count = 0;

	pthread_mutex_lock(&ns->lock);
	twalk_r(ns->entries, gather_entry, &g);
	stages = calloc(g.count ? g.count : 1, sizeof(*stages));
	if (stages && !g.full)
		for (size_t i = 0; i < g.count; i++)
			if (g.list[i]->name.stage)
				stages[count++] =
					stage_ref(g.list[i]->name.stage);
	pthread_mutex_unlock(&ns->lock);
	free(g.list);
	if (!stages || g.full) {
		free(stages);
		return -ENOMEM;
	}
	*ret = stages;
	*ret_count = count;
	return 0;
}
