#include "fs/nodes.h"

#include <errno.h>
#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "fs/backup.h"
#include "fs/stage.h"
#include "fs/text.h"

/* 20 bits of tag above 32 bits of counter: below 2^53. */
#define TAG_BITS 20
#define COUNTER_BITS 32

struct nodes {
	pthread_mutex_t lock;
	/* guarded by lock: */
	void *by_number; /* tsearch trees of struct node */
	void *by_path;	 /* those that are listed */
	uint64_t next;
};

static int compare_numbers(const void *a, const void *b)
{
	const struct node *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static int compare_paths(const void *a, const void *b)
{
	const struct node *x = a, *y = b;
	int r = strcmp(x->path, y->path);

	if (r)
		return r;
	return (x->version > y->version) - (x->version < y->version);
}

static uint64_t random_tag(void)
{
	uint64_t tag = 0;

	/* Without random numbers the tag is 0: one in a million as well. */
	if (getrandom(&tag, sizeof(tag), GRND_NONBLOCK) < 0)
		tag = 0;
	return tag & ((UINT64_C(1) << TAG_BITS) - 1);
}

static void drop(struct node *n)
{
	text_unref(n->text);
	stage_unref(n->stage);
	backup_unref(n->backup);
	free(n->path);
	free(n);
}

static int add_root(struct nodes *ns, const char *component,
		    struct cvx_err *err)
{
	struct node *root = calloc(1, sizeof(*root));

	if (!root || !(root->path = strdup(""))) {
		free(root);
		return cvx_fail_memory(err);
	}
	root->number = NODES_ROOT;
	root->place = tree_root(component);
	root->lookups = 1; /* the kernel never forgets it */
	if (!tsearch(root, &ns->by_number, compare_numbers)) {
		drop(root);
		return cvx_fail_memory(err);
	}
	return 0;
}

int nodes_new(const char *component, struct nodes **ret, struct cvx_err *err)
{
	struct nodes *ns = calloc(1, sizeof(*ns));
	int r;

	if (!ns)
		return cvx_fail_memory(err);
	pthread_mutex_init(&ns->lock, NULL);
	ns->next = (random_tag() << COUNTER_BITS) + NODES_ROOT + 1;
	r = add_root(ns, component, err);
	if (r < 0) {
		nodes_free(ns);
		return r;
	}
	*ret = ns;
	return 0;
}

static void drop_any(void *n)
{
	drop(n);
}

static void keep(void *n __attribute__((unused)))
{
}

void nodes_free(struct nodes *ns)
{
	if (!ns)
		return;
	tdestroy(ns->by_path, keep);
	tdestroy(ns->by_number, drop_any);
	pthread_mutex_destroy(&ns->lock);
	free(ns);
}

uint64_t nodes_number(struct nodes *ns)
{
	uint64_t n;

	pthread_mutex_lock(&ns->lock);
	n = ns->next++;
	pthread_mutex_unlock(&ns->lock);
	return n;
}

static struct node *find_number(struct nodes *ns, uint64_t number)
{
	struct node key = {.number = number};
	struct node **found = tfind(&key, &ns->by_number, compare_numbers);

	return found ? *found : NULL;
}

static struct node *find_path(struct nodes *ns, const char *path,
			      uint64_t version)
{
	struct node key = {.path = (char *)path, .version = version};
	struct node **found = tfind(&key, &ns->by_path, compare_paths);

	return found ? *found : NULL;
}

static void unlist(struct nodes *ns, struct node *n)
{
	if (n->listed)
		(void)tdelete(n, &ns->by_path, compare_paths);
	n->listed = false;
}

/* Takes the node out when nobody knows it any more; returns it for drop(). */
static struct node *settle(struct nodes *ns, struct node *n)
{
	if (n->lookups > 0 || n->refs > 0)
		return NULL;
	unlist(ns, n);
	(void)tdelete(n, &ns->by_number, compare_numbers);
	return n;
}

static struct node *make(struct nodes *ns, const struct node_key *key)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n || !(n->path = strdup(key->path))) {
		free(n);
		return NULL;
	}
	n->number = key->number ? key->number : ns->next++;
	n->place = *key->place;
	n->version = key->version;
	n->size = key->size;
	n->mtime_ns = key->mtime_ns;
	n->text = key->text ? text_ref(key->text) : NULL;
	n->stage = key->stage ? stage_ref(key->stage) : NULL;
	n->ghost = key->ghost;
	n->backup = key->backup ? backup_ref(key->backup) : NULL;
	return n;
}

/* Puts a new node into the trees. */
static int enter(struct nodes *ns, struct node *n)
{
	if (!tsearch(n, &ns->by_number, compare_numbers))
		return -ENOMEM;
	if (n->stage)
		return 0;
	if (!tsearch(n, &ns->by_path, compare_paths)) {
		(void)tdelete(n, &ns->by_number, compare_numbers);
		return -ENOMEM;
	}
	n->listed = true;
	return 0;
}

int nodes_look_up(struct nodes *ns, const struct node_key *key,
		  struct node **ret, struct cvx_err *err)
{
	struct node *n;

	pthread_mutex_lock(&ns->lock);
	n = key->stage ? find_number(ns, key->number)
		       : find_path(ns, key->path, key->version);
	if (n && n->place.kind != key->place->kind) {
		/* A name that was something else, such as a dropped folder. */
		unlist(ns, n);
		n = NULL;
	}
	if (!n) {
		n = make(ns, key);
		if (n && enter(ns, n) < 0) {
			drop(n);
			n = NULL;
		}
	}
	if (n) {
		n->lookups++;
		n->refs++;
	}
	pthread_mutex_unlock(&ns->lock);
	if (!n)
		return cvx_fail_memory(err);
	*ret = n;
	return 0;
}

struct node *nodes_find(struct nodes *ns, uint64_t number)
{
	struct node *n;

	pthread_mutex_lock(&ns->lock);
	n = find_number(ns, number);
	if (n)
		n->refs++;
	pthread_mutex_unlock(&ns->lock);
	return n;
}

void node_unref(struct nodes *ns, struct node *n)
{
	struct node *gone;

	if (!n)
		return;
	pthread_mutex_lock(&ns->lock);
	n->refs--;
	gone = settle(ns, n);
	pthread_mutex_unlock(&ns->lock);
	if (gone)
		drop(gone);
}

void nodes_forget(struct nodes *ns, uint64_t number, uint64_t lookups)
{
	struct node *n, *gone = NULL;

	pthread_mutex_lock(&ns->lock);
	n = find_number(ns, number);
	if (n && number != NODES_ROOT) {
		n->lookups -= lookups < n->lookups ? lookups : n->lookups;
		gone = settle(ns, n);
	}
	pthread_mutex_unlock(&ns->lock);
	if (gone)
		drop(gone);
}

void nodes_retire(struct nodes *ns, struct node *n)
{
	pthread_mutex_lock(&ns->lock);
	unlist(ns, n);
	pthread_mutex_unlock(&ns->lock);
}

uint64_t nodes_number_of(struct nodes *ns, const char *path, uint64_t version)
{
	const struct node *n;
	uint64_t number;

	pthread_mutex_lock(&ns->lock);
	n = find_path(ns, path, version);
	number = n ? n->number : 0;
	pthread_mutex_unlock(&ns->lock);
	return number;
}

void nodes_path(struct nodes *ns, const struct node *n, char *ret)
{
	pthread_mutex_lock(&ns->lock);
	memcpy(ret, n->path, strlen(n->path) + 1);
	pthread_mutex_unlock(&ns->lock);
}

/* What nodes_move needs while it walks the tree. */
struct move {
	const char *from, *to;
	struct node **found;
	size_t count, capacity;
	bool full;
};

static bool is_at_or_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && (path[n] == '/' || !path[n]);
}

static void collect(const void *at, VISIT which, void *arg)
{
	struct node *n = *(struct node *const *)at;
	struct move *m = arg;

	if ((which != postorder && which != leaf) ||
	    !tree_is_folder(n->place.kind) || !is_at_or_below(n->path, m->from))
		return;
	if (m->count == m->capacity) {
		size_t want = m->capacity ? m->capacity * 2 : 16;
		struct node **p =
			reallocarray(m->found, want, sizeof(*m->found));

		if (!p) {
			m->full = true;
			return;
		}
		m->found = p;
		m->capacity = want;
	}
	m->found[m->count++] = n;
}

static int rename_node(struct nodes *ns, struct node *n, const struct move *m)
{
	const char *rest = n->path + strlen(m->from);
	size_t to_size = strlen(m->to), rest_size = strlen(rest);
	char *path;

	if (to_size + rest_size > TREE_PATH_MAX)
		return -ENAMETOOLONG;
	path = malloc(to_size + rest_size + 1);
	if (!path)
		return -ENOMEM;
	memcpy(path, m->to, to_size);
	memcpy(path + to_size, rest, rest_size + 1);
	unlist(ns, n);
	free(n->path);
	n->path = path;
	if (!n->stage && !find_path(ns, n->path, n->version))
		n->listed = tsearch(n, &ns->by_path, compare_paths) != NULL;
	return 0;
}

int nodes_move(struct nodes *ns, const char *from, const char *to,
	       struct cvx_err *err)
{
	struct move m = {.from = from, .to = to};
	int r = 0;

	pthread_mutex_lock(&ns->lock);
	twalk_r(ns->by_number, collect, &m);
	if (m.full)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < m.count; i++)
		r = rename_node(ns, m.found[i], &m);
	pthread_mutex_unlock(&ns->lock);
	free(m.found);
	return r < 0 ? cvx_fail(err, r, "%s: cannot be moved: %s", from,
				strerror(-r))
		     : 0;
}
