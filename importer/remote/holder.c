#include "importer/remote/holder.h"

#include <errno.h>
#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "importer/deployment.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/held.h"
#include "importer/remote/age.h"
#include "importer/remote/fetch.h"
#include "importer/remote/gate.h"
#include "importer/remote/lister.h"
#include "importer/remote/listing.h"
#include "importer/remote/mirror.h"
#include "importer/remote/take_in.h"
#include "importer/remote/trim.h"

/* So often, at most, the catalog is told that a table is used. */
#define USE_NOTED_EVERY_NS (60 * (int64_t)1000000000)

/* A cursor lasts three days (STR-9), so the one of the last change does; a
 * younger one is noted now and then all the same. */
#define CURSOR_NOTED_EVERY_NS (3600 * (int64_t)1000000000)

/* How often a table is looked at that changes under our hands. */
#define TRIES_MAX 10

/* A table that was read since the start. */
struct known {
	char *component, *table;
	struct gate gate; /* held while the deployment is asked about it */
	/* guarded by the holder's lock: */
	struct age checked;
	bool is_there;	  /* then, with documents that it had before */
	int64_t noted_ns; /* that it is used */
	/* guarded by the gate: */
	int64_t cursor_ns; /* when the catalog was told of one */
};

struct holder {
	struct holder_settings settings;
	struct fetch_offer offer;

	pthread_mutex_t lock;
	/* guarded by lock: */
	void *tables; /* a tree of struct known (search.h); none ever goes */
	uint64_t forgotten_ns;
	const struct known *looked_at; /* by holder_look() last */
	struct age looked;	       /* when */

	struct gate mirror_gate; /* guards mirrored */
	struct age mirrored;
};

CVX_DEFINE_CLEANUP(struct holder, holder_free)

int holder_new(const struct holder_settings *settings, struct holder **ret,
	       struct cvx_err *err)
{
	struct holder *h = calloc(1, sizeof(*h));

	if (!h)
		return cvx_fail_memory(err);
	h->settings = *settings;
	gate_init(&h->mirror_gate);
	(void)pthread_mutex_init(&h->lock, NULL);
	*ret = h;
	return 0;
}

static void free_known(void *node)
{
	struct known *k = node;

	gate_fini(&k->gate);
	free(k->component);
	free(k->table);
	free(k);
}

void holder_free(struct holder *h)
{
	if (!h)
		return;
	tdestroy(h->tables, free_known);
	gate_fini(&h->mirror_gate);
	(void)pthread_mutex_destroy(&h->lock);
	free(h);
}

static int compare_known(const void *a, const void *b)
{
	const struct known *x = a, *y = b;
	int order = strcmp(x->component, y->component);

	return order != 0 ? order : strcmp(x->table, y->table);
}

static struct known *make_known(const char *component, const char *table)
{
	struct known *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->component = strdup(component);
	k->table = strdup(table);
	if (k->component && k->table) {
		gate_init(&k->gate);
		return k;
	}
	free(k->component);
	free(k->table);
	free(k);
	return NULL;
}

/* With the lock held. NULL: memory ran out, or it is not known. */
static struct known *find(struct holder *h, const char *component,
			  const char *table, bool make)
{
	const struct known key = {.component = (char *)component,
				  .table = (char *)table};
	struct known **found = tfind(&key, &h->tables, compare_known), *k;

	if (found || !make)
		return found ? *found : NULL;
	k = make_known(component, table);
	if (k && !tsearch(k, &h->tables, compare_known)) {
		free_known(k);
		k = NULL;
	}
	return k;
}

void holder_forget(struct holder *h, const char *component, const char *table)
{
	struct age now = age_now();
	struct known *k;

	(void)pthread_mutex_lock(&h->lock);
	if (!table)
		h->forgotten_ns = now.asked_ns;
	else if ((k = find(h, component, table, false)))
		age_forget(&k->checked);
	(void)pthread_mutex_unlock(&h->lock);
}

/* Whether what is held needs no question. since as in lister.c. */
static bool is_new_enough(struct holder *h, struct known *k,
			  enum origin_age age, const struct age *since)
{
	struct age checked;

	(void)pthread_mutex_lock(&h->lock);
	checked = k->checked;
	if (checked.forgotten_ns < h->forgotten_ns)
		checked.forgotten_ns = h->forgotten_ns;
	(void)pthread_mutex_unlock(&h->lock);
	return age == ORIGIN_KNOWN ||
	       age_holds(&checked, age, h->settings.ttl_ms) ||
	       age_is_since(&checked, since);
}

/* --- one table ----------------------------------------------------------- */

/* A table on its way into the copy. */
struct bringing {
	struct holder *h;
	struct known *known;
	char *component_id;
	struct age begun;
	struct fetch_target target;
	bool is_changed; /* of what was there, not all may be */
	const struct halt *halt;
	struct cvx_err *err;
};

static int note_held(struct bringing *b, uint64_t revision, enum fetch_way way,
		     const char *cursor)
{
	const struct held held = {
		.revision = revision,
		.way = (int)way,
		.cursor = (char *)(cursor ? cursor : ""),
		.used_ns = embedded_now_ns(),
	};

	b->known->cursor_ns = held.used_ns;
	return held_put(b->h->settings.copy, b->known->component,
			b->known->table, &held, b->err);
}

/* All tables at once, unless somebody else has fetched them since. */
static int mirror(struct bringing *b)
{
	struct holder *h = b->h;
	const struct mirror_settings settings = {
		.http = h->settings.http,
		.copy = h->settings.copy,
		.dir_fd = h->settings.dir_fd,
		.patience_ms = h->settings.timeout_ms,
		.halt = b->halt,
	};
	struct age now;
	int r = gate_enter(&h->mirror_gate, b->halt, b->err);

	if (r < 0)
		return r;
	if (!age_is_since(&h->mirrored, &b->begun)) {
		now = age_now();
		r = mirror_fetch(&settings, b->err);
		if (r == 0)
			age_take(&h->mirrored, &now);
	}
	gate_leave(&h->mirror_gate);
	return r;
}

static int fetch_all(struct bringing *b)
{
	const struct holder_settings *s = &b->h->settings;
	CVX_AUTO(cvx_closep) int fd = -1;
	struct fetched fetched = {.cursor = NULL};
	uint64_t revision = 0;
	int r = fetch_table(s->http, &b->target, s->dir_fd, b->halt, &fd,
			    &fetched, b->err);

	/* No way to one table; by the export job all of them come. */
	if (r == -EPERM || r == -EREMOTEIO)
		return mirror(b);
	if (r == 0)
		r = take_in_all(s->copy, b->known->component, b->known->table,
				fd, fetched.size, fetched.committed_ns,
				&revision, b->err);
	if (r == 0)
		r = note_held(b, revision, fetched.way, fetched.cursor);
	free(fetched.cursor);
	return r;
}

/* Deltas do not tell which documents an import has replaced. If those that
 * were there are all still there, there are as many as we have. */
static int check_count(struct bringing *b, uint64_t revision)
{
	struct table_info info;
	uint64_t count = 0;
	int r = remote_count_documents(b->h->settings.http, b->component_id,
				       b->known->table, b->halt, &count,
				       b->err);

	if (r == -EREMOTEIO || r == -EPERM)
		return -ESTALE; /* it cannot be told */
	if (r == 0)
		r = deployment_stat_table(b->h->settings.copy,
					  b->known->component, b->known->table,
					  &info, b->err);
	if (r == 0 &&
	    (info.revision != revision || info.document_count != count))
		r = -ESTALE;
	return r;
}

static bool is_cursor_due(const struct known *k)
{
	int64_t age_ns = embedded_now_ns() - k->cursor_ns;

	return age_ns < 0 || age_ns > CURSOR_NOTED_EVERY_NS;
}

/* -ESTALE: it must be fetched anew. */
static int follow(struct bringing *b, const struct held *held)
{
	const struct holder_settings *s = &b->h->settings;
	struct fetched_changes changes = {.fd = -1};
	uint64_t revision = held->revision;
	int r;

	if (held->way == FETCH_NO_WAY)
		return -ESTALE;
	r = fetch_changes(s->http, &b->target, (enum fetch_way)held->way,
			  held->cursor, s->dir_fd, b->halt, &changes, b->err);
	if (r < 0)
		return r;
	b->is_changed = changes.is_all_new;
	if (changes.is_all_new || changes.count > 0)
		r = take_in_changes(s->copy, b->known->component,
				    b->known->table, s->dir_fd, &changes,
				    &revision, b->err);
	if (r == 0 && (revision != held->revision || changes.count > 0 ||
		       is_cursor_due(b->known)))
		r = note_held(b, revision, (enum fetch_way)held->way,
			      changes.cursor);
	if (r == 0 && held->way == FETCH_DELTAS)
		r = check_count(b, revision);
	fetched_changes_fini(&changes);
	return r;
}

static int bring(struct bringing *b)
{
	struct held held = {.cursor = NULL};
	int r = -ESTALE, tries;

	for (tries = 0; r == -ESTALE && tries < TRIES_MAX; tries++) {
		r = held_find(b->h->settings.copy, b->known->component,
			      b->known->table, &held, b->err);
		if (r < 0)
			return r;
		/* Asked in vain once, it is fetched. */
		r = r == 1 && tries == 0 ? follow(b, &held) : -ESTALE;
		held_fini(&held);
		if (r == -ESTALE) {
			b->is_changed = true;
			r = fetch_all(b);
		}
	}
	return r;
}

/* What a look at the table was answered with the first page: -ESTALE, as for
 * follow(), and -EAGAIN, there are more pages. */
static int glance(struct bringing *b)
{
	struct held held = {.cursor = NULL};
	int r = held_find(b->h->settings.copy, b->known->component,
			  b->known->table, &held, b->err);

	if (r >= 0)
		r = r == 1 && held.way == FETCH_SYNC ? follow(b, &held)
						     : -ESTALE;
	held_fini(&held);
	return r;
}

static bool has_documents(const struct holder *h, const struct known *k)
{
	struct table_info info;

	return deployment_stat_table(h->settings.copy, k->component, k->table,
				     &info, NULL) == 0 &&
	       info.document_count > 0;
}

/* Behind the table's gate. */
static int ask(struct holder *h, struct known *k, bool is_glance,
	       const struct halt *halt, struct cvx_err *err)
{
	struct bringing b = {
		.h = h,
		.known = k,
		.begun = age_now(),
		.target = {.component = k->component,
			   .table = k->table,
			   .offer = &h->offer,
			   .is_one_page = is_glance},
		.halt = halt,
		.err = err,
	};
	const struct age now = b.begun;
	bool is_there;
	int r = lister_list(h->settings.lister, k->component, ORIGIN_KNOWN,
			    halt, err);

	if (r == 0)
		r = lister_component_id(h->settings.lister, k->component,
					&b.component_id, err);
	b.target.component_id = b.component_id;
	if (r == 0)
		r = is_glance ? glance(&b) : bring(&b);
	free(b.component_id);
	if (r < 0)
		return r;
	is_there = !b.is_changed && has_documents(h, k);
	(void)pthread_mutex_lock(&h->lock);
	age_take(&k->checked, &now);
	k->is_there = is_there;
	(void)pthread_mutex_unlock(&h->lock);
	return 0;
}

/* --- for who reads ------------------------------------------------------- */

/* Not that each reader costs a commit. */
static void note_used(struct holder *h, struct known *k)
{
	int64_t now_ns = embedded_now_ns();
	bool is_due;

	(void)pthread_mutex_lock(&h->lock);
	is_due = now_ns - k->noted_ns > USE_NOTED_EVERY_NS ||
		 now_ns < k->noted_ns;
	if (is_due)
		k->noted_ns = now_ns;
	(void)pthread_mutex_unlock(&h->lock);
	/* A failure only makes it seem older than it is. */
	if (is_due)
		(void)held_use(h->settings.copy, k->component, k->table, now_ns,
			       NULL);
}

static int hold_anew(struct holder *h, struct known *k, enum origin_age age,
		     const struct age *begun, const struct halt *halt,
		     struct cvx_err *err)
{
	struct held held = {.cursor = NULL};
	int r = gate_enter(&k->gate, halt, err);

	if (r < 0)
		return r;
	r = held_find(h->settings.copy, k->component, k->table, &held, err);
	held_fini(&held);
	/* Somebody else may have asked while this one waited. */
	if (r == 0 || (r == 1 && !is_new_enough(h, k, age, begun))) {
		r = ask(h, k, false, halt, err);
		if (r == 0)
			r = trim_copy(h->settings.copy, h->settings.size_max,
				      k->component, k->table, err);
	}
	gate_leave(&k->gate);
	return r < 0 ? r : 0;
}

int holder_hold_table(struct holder *h, const char *component,
		      const char *table, enum origin_age age, uint64_t since_ns,
		      const struct halt *halt, struct cvx_err *err)
{
	const struct age begun =
		since_ns ? (struct age){.asked_ns = since_ns} : age_now();
	struct held held = {.cursor = NULL};
	struct known *k;
	int r = held_find(h->settings.copy, component, table, &held, err);

	held_fini(&held);
	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&h->lock);
	k = find(h, component, table, true);
	(void)pthread_mutex_unlock(&h->lock);
	if (!k)
		return cvx_fail_memory(err);
	if (r == 0 || !is_new_enough(h, k, age, &begun))
		r = hold_anew(h, k, age, &begun, halt, err);
	if (r < 0)
		return r;
	note_used(h, k);
	return 0;
}

/* --- for who looks at its name ------------------------------------------- */

/* NULL: it is not held, there is nothing to look at, or not now. */
static struct known *find_to_look_at(struct holder *h, const char *component,
				     const char *table)
{
	struct held held = {.cursor = NULL};
	int found = held_find(h->settings.copy, component, table, &held, NULL);
	bool can_be_told = found == 1 && held.way == FETCH_SYNC;
	struct known *k = NULL;

	held_fini(&held);
	if (!can_be_told)
		return NULL;
	(void)pthread_mutex_lock(&h->lock);
	k = find(h, component, table, true);
	/* For the next one the names of all are asked for. */
	if (k && k != h->looked_at &&
	    age_holds(&h->looked, ORIGIN_RECENT, h->settings.ttl_ms))
		k = NULL;
	(void)pthread_mutex_unlock(&h->lock);
	return k && has_documents(h, k) ? k : NULL;
}

int holder_look(struct holder *h, const char *component, const char *table,
		const struct halt *halt, struct cvx_err *err)
{
	const struct age begun = age_now();
	struct known *k = find_to_look_at(h, component, table);
	bool is_there;
	int r;

	if (!k)
		return 0;
	r = gate_enter(&k->gate, halt, err);
	if (r < 0)
		return r;
	if (!is_new_enough(h, k, ORIGIN_RECENT, &begun))
		r = ask(h, k, true, halt, err);
	(void)pthread_mutex_lock(&h->lock);
	is_there = r == 0 && k->is_there;
	if (r == 0) {
		h->looked_at = k;
		age_take(&h->looked, &k->checked);
	}
	(void)pthread_mutex_unlock(&h->lock);
	gate_leave(&k->gate);
	return r == -ESTALE || r == -EAGAIN || r == 0 ? is_there : r;
}
