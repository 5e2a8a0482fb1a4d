#include "importer/remote/lister.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "importer/deployment.h"
#include "importer/deployment_schema.h"
#include "importer/embedded/copy.h"
#include "importer/embedded/listed.h"
#include "importer/remote/age.h"
#include "importer/remote/gate.h"
#include "importer/remote/listing.h"

/* A component, and when it was asked about. */
struct known {
	char *path;
	char *id; /* NULL: the root */
	struct age listed, files_listed;
	bool warned; /* of its schema */
};

struct lister {
	struct lister_settings settings;
	struct gate gate; /* held while the deployment is asked */

	pthread_mutex_t lock;
	/* guarded by lock, and changed only by who has passed the gate: */
	struct known *list; /* the root first */
	size_t count;
	struct age components_listed;
};

CVX_DEFINE_CLEANUP(struct lister, lister_free)

int lister_new(const struct lister_settings *settings, struct lister **ret,
	       struct cvx_err *err)
{
	CVX_AUTO(lister_freep) struct lister *l = calloc(1, sizeof(*l));

	if (!l)
		return cvx_fail_memory(err);
	l->settings = *settings;
	gate_init(&l->gate);
	(void)pthread_mutex_init(&l->lock, NULL);
	l->list = calloc(1, sizeof(*l->list));
	if (!l->list)
		return cvx_fail_memory(err);
	l->list[0].path = strdup("");
	if (!l->list[0].path)
		return cvx_fail_memory(err);
	l->count = 1;
	*ret = CVX_TAKE(l);
	return 0;
}

static void free_known(struct known *list, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		free(list[i].path);
		free(list[i].id);
	}
	free(list);
}

void lister_free(struct lister *l)
{
	if (!l)
		return;
	free_known(l->list, l->count);
	(void)pthread_mutex_destroy(&l->lock);
	gate_fini(&l->gate);
	free(l);
}

/* With the lock held, or behind the gate. */
static struct known *find(struct lister *l, const char *component)
{
	size_t i;

	for (i = 0; i < l->count; i++)
		if (strcmp(l->list[i].path, component) == 0)
			return &l->list[i];
	return NULL;
}

void lister_forget(struct lister *l)
{
	size_t i;

	(void)pthread_mutex_lock(&l->lock);
	age_forget(&l->components_listed);
	for (i = 0; i < l->count; i++) {
		age_forget(&l->list[i].listed);
		age_forget(&l->list[i].files_listed);
	}
	(void)pthread_mutex_unlock(&l->lock);
}

int lister_component_id(struct lister *l, const char *component, char **ret,
			struct cvx_err *err)
{
	const struct known *known;
	int r = 0;

	*ret = NULL;
	(void)pthread_mutex_lock(&l->lock);
	known = find(l, component);
	if (!known)
		r = cvx_fail(err, -ENOENT, "there is no component %s",
			     component);
	else if (known->id && !(*ret = strdup(known->id)))
		r = cvx_fail_memory(err);
	(void)pthread_mutex_unlock(&l->lock);
	return r;
}

static void take_moment(struct lister *l, struct age *age,
			const struct age *moment)
{
	(void)pthread_mutex_lock(&l->lock);
	age_take(age, moment);
	(void)pthread_mutex_unlock(&l->lock);
}

static bool holds(struct lister *l, const struct age *of, enum origin_age age)
{
	bool r;

	(void)pthread_mutex_lock(&l->lock);
	r = age_holds(of, age, l->settings.ttl_ms);
	(void)pthread_mutex_unlock(&l->lock);
	return r;
}

/* --- components ---------------------------------------------------------- */

/* The new list, with what is known of components that were there before. */
static int take_components(struct lister *l, struct remote_component *list,
			   size_t count, struct cvx_err *err)
{
	struct known *fresh = calloc(count + 1, sizeof(*fresh)), *old;
	size_t i;

	if (!fresh)
		return cvx_fail_memory(err);
	(void)pthread_mutex_lock(&l->lock);
	fresh[0] = l->list[0];
	l->list[0] = (struct known){.path = NULL};
	for (i = 0; i < count; i++) {
		old = l->count > 1
			      ? find(&(struct lister){.list = l->list + 1,
						      .count = l->count - 1},
				     list[i].path)
			      : NULL;
		if (old && strcmp(old->id, list[i].id) == 0) {
			fresh[i + 1].listed = old->listed;
			fresh[i + 1].files_listed = old->files_listed;
			fresh[i + 1].warned = old->warned;
		}
		fresh[i + 1].path = CVX_TAKE(list[i].path);
		fresh[i + 1].id = CVX_TAKE(list[i].id);
	}
	free_known(l->list, l->count);
	l->list = fresh;
	l->count = count + 1;
	(void)pthread_mutex_unlock(&l->lock);
	return 0;
}

static int list_components(struct lister *l, const struct halt *halt,
			   struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) const char **paths = NULL;
	struct remote_component *list = NULL;
	struct age now = age_now();
	size_t count = 0, i;
	int r = remote_list_components(l->settings.http, halt, &list, &count,
				       err);

	if (r == -EREMOTEIO) {
		/* An older deployment does not know the question. */
		log_debug("%s: components are not told", l->settings.name);
		take_moment(l, &l->components_listed, &now);
		return 0;
	}
	if (r < 0)
		return r;
	paths = calloc(count + 1, sizeof(*paths));
	if (!paths)
		r = cvx_fail_memory(err);
	for (i = 0; r == 0 && i < count; i++)
		paths[i] = list[i].path;
	if (r == 0)
		r = copy_set_components(l->settings.copy, paths, count, err);
	if (r == 0)
		r = take_components(l, list, count, err);
	if (r == 0)
		take_moment(l, &l->components_listed, &now);
	remote_components_free(list, count);
	return r;
}

/* --- what one of them has ------------------------------------------------ */

static int list_tables(struct lister *l, const struct known *known,
		       const struct halt *halt, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct remote_table *list = NULL;
	CVX_AUTO(cvx_freep) struct copy_table *tables = NULL;
	size_t count = 0, i;
	int r = remote_list_tables(l->settings.http, known->id, halt, &list,
				   &count, err);

	if (r < 0)
		return r;
	tables = calloc(count + 1, sizeof(*tables));
	if (!tables)
		return cvx_fail_memory(err);
	for (i = 0; i < count; i++) {
		memcpy(tables[i].name, list[i].name, sizeof(tables[i].name));
		tables[i].number = list[i].number;
	}
	return copy_set_tables(l->settings.copy, known->path, tables, count,
			       err);
}

/* One that this program does not understand is left out, as is one that the
 * key may not see. */
static int list_schema(struct lister *l, struct known *known,
		       const struct halt *halt, struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf text = CVX_BUF_INIT(DEPLOYMENT_SCHEMA_MAX);
	struct cvx_err own = CVX_ERR_INIT;
	int r = remote_print_schema(l->settings.http, known->id, halt, &text,
				    &own);

	if (r < 0 && r != -EREMOTEIO && r != -EPERM && r != -EFBIG) {
		*err = own;
		return r;
	}
	if (r == 0)
		r = deployment_set_schema(l->settings.copy, known->path,
					  text.data, text.size, &own);
	if (r < 0 && !known->warned)
		log_warning("schema of %s%s%s is left out: %s",
			    l->settings.name,
			    known->path[0] ? ", component " : "", known->path,
			    own.msg);
	known->warned = r < 0;
	return 0;
}

static int list_files(struct lister *l, const struct known *known,
		      const struct halt *halt, struct cvx_err *err)
{
	struct stored_file *files = NULL;
	size_t count = 0;
	int r = remote_list_stored_files(l->settings.http, known->id, halt,
					 &files, &count, err);

	if (r < 0)
		return r;
	r = copy_set_files(l->settings.copy, known->path, files, count, err);
	stored_files_free(files, count);
	return r;
}

/* --- when ---------------------------------------------------------------- */

enum what { NAMES, FILES };

static struct age *age_of(struct known *known, enum what what)
{
	return what == FILES ? &known->files_listed : &known->listed;
}

/* Whether nobody needs to be asked. since: the answer must not be older, if it
 * is not old enough anyway. */
static bool is_new_enough(struct lister *l, const char *component,
			  enum what what, enum origin_age age,
			  const struct age *since)
{
	struct known *known;
	bool is_new;

	(void)pthread_mutex_lock(&l->lock);
	known = find(l, component);
	is_new = known ? age_holds(age_of(known, what), age,
				   l->settings.ttl_ms) ||
				 age_is_since(age_of(known, what), since)
		       : age_holds(&l->components_listed, age,
				   l->settings.ttl_ms) ||
				 age_is_since(&l->components_listed, since);
	(void)pthread_mutex_unlock(&l->lock);
	return is_new;
}

/* Behind the gate. */
static int ask(struct lister *l, const char *component, enum what what,
	       enum origin_age age, const struct halt *halt,
	       struct cvx_err *err)
{
	struct known *known;
	struct age now;
	int r = 0;

	if (!holds(l, &l->components_listed, age))
		r = list_components(l, halt, err);
	known = r == 0 ? find(l, component) : NULL;
	if (!known)
		return r; /* the copy does not have it either */
	now = age_now();
	if (what == FILES)
		r = list_files(l, known, halt, err);
	else
		r = list_tables(l, known, halt, err);
	if (r == 0 && what == NAMES)
		r = list_schema(l, known, halt, err);
	if (r == 0)
		r = listed_put(l->settings.copy, component,
			       what == FILES ? LISTED_FILES : LISTED_NAMES,
			       err);
	if (r == 0)
		take_moment(l, age_of(known, what), &now);
	return r;
}

static int list(struct lister *l, const char *component, enum what what,
		enum origin_age age, const struct halt *halt,
		struct cvx_err *err)
{
	const struct age begun = age_now();
	int r;

	if (is_new_enough(l, component, what, age, &begun))
		return 0;
	r = gate_enter(&l->gate, halt, err);
	if (r < 0)
		return r;
	/* Somebody else may have asked while this one waited. */
	if (!is_new_enough(l, component, what, age, &begun))
		r = ask(l, component, what, age, halt, err);
	gate_leave(&l->gate);
	return r;
}

int lister_list(struct lister *l, const char *component, enum origin_age age,
		const struct halt *halt, struct cvx_err *err)
{
	return list(l, component, NAMES, age, halt, err);
}

int lister_list_files(struct lister *l, const char *component,
		      enum origin_age age, const struct halt *halt,
		      struct cvx_err *err)
{
	return list(l, component, FILES, age, halt, err);
}

bool lister_is_recent(struct lister *l, const char *component)
{
	const struct age now = age_now();

	return is_new_enough(l, component, NAMES, ORIGIN_RECENT, &now);
}
