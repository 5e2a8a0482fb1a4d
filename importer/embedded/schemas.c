#include "importer/embedded/schemas.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/deployment.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/sql.h"
#include "importer/schema/schema.h"

/* What the deployment keeps of a component's schema; active comes first. */
struct kept_schema {
	struct active_schema active;
	struct schema *schema;
	char *component, *text;
	unsigned ref_count; /* guarded by schemas_lock */
	struct kept_schema *next;
};

static void kept_free(struct kept_schema *kept)
{
	if (!kept)
		return;
	schema_free(kept->schema);
	free(kept->component);
	free(kept->text);
	free(kept);
}
CVX_DEFINE_CLEANUP(struct kept_schema, kept_free)

/* Under schemas_lock. */
static void kept_unref(struct kept_schema *kept)
{
	assert(kept->ref_count > 0);
	if (--kept->ref_count == 0)
		kept_free(kept);
}

void schemas_unref(struct deployment *d, struct active_schema *s)
{
	if (!s)
		return;
	(void)pthread_mutex_lock(&d->schemas_lock);
	kept_unref((struct kept_schema *)s);
	(void)pthread_mutex_unlock(&d->schemas_lock);
}

void schemas_forget_all(struct deployment *d)
{
	struct kept_schema *kept;

	while ((kept = d->schemas)) {
		d->schemas = kept->next;
		kept_unref(kept);
	}
}

/* The schema of that revision with one more reference; NULL if it is not
 * kept. */
static struct active_schema *find_kept(struct deployment *d,
				       const char *component, uint64_t revision)
{
	struct active_schema *found = NULL;
	struct kept_schema *kept;

	(void)pthread_mutex_lock(&d->schemas_lock);
	for (kept = d->schemas; kept && !found; kept = kept->next) {
		if (kept->active.revision == revision &&
		    strcmp(kept->component, component) == 0) {
			kept->ref_count++;
			found = &kept->active;
		}
	}
	(void)pthread_mutex_unlock(&d->schemas_lock);
	return found;
}

/* In place of the component's last one. */
static void keep(struct deployment *d, struct kept_schema *kept)
{
	struct kept_schema **link, *old;

	(void)pthread_mutex_lock(&d->schemas_lock);
	link = &d->schemas;
	while (*link && strcmp((*link)->component, kept->component) != 0)
		link = &(*link)->next;
	old = *link;
	kept->next = old ? old->next : NULL;
	*link = kept;
	kept->ref_count++;
	if (old)
		kept_unref(old);
	(void)pthread_mutex_unlock(&d->schemas_lock);
}

static int compile(struct deployment *d, const char *component,
		   uint64_t revision, const char *text, size_t size,
		   struct active_schema **ret, struct cvx_err *err)
{
	CVX_AUTO(kept_freep)
	struct kept_schema *kept = calloc(1, sizeof(*kept));
	int r;

	if (!kept)
		return cvx_fail_memory(err);
	kept->component = strdup(component);
	kept->text = malloc(size);
	if (!kept->component || !kept->text)
		return cvx_fail_memory(err);
	memcpy(kept->text, text, size);
	r = schema_parse(kept->text, size, &kept->schema, err);
	if (r < 0)
		return err ? cvx_err_prefix(err, "the stored schema") : r;
	kept->active = (struct active_schema){
		.schema = kept->schema,
		.text = kept->text,
		.size = size,
		.revision = revision,
	};
	kept->ref_count = 1;
	keep(d, kept);
	*ret = &CVX_TAKE(kept)->active;
	return 0;
}

int schemas_get(struct deployment *d, struct catalog *c, const char *component,
		struct active_schema **ret, struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	uint64_t revision;
	const char *text;
	size_t size;
	int r = catalog_query(c, SQL_FIND_SCHEMA, &q, err);

	*ret = NULL;
	if (r < 0)
		return r;
	catalog_bind_text(q, 1, component);
	r = catalog_next(q, err);
	if (r <= 0)
		return r;
	revision = (uint64_t)catalog_int(q, 0);
	*ret = find_kept(d, component, revision);
	if (*ret)
		return 0;
	text = catalog_bytes(q, 1, &size);
	return compile(d, component, revision, text, size, ret, err);
}

int schemas_version(struct catalog *c, uint64_t *ret, struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	int r = catalog_query(c, SQL_SCHEMAS_VERSION, &q, err);

	if (r == 0)
		r = catalog_next(q, err);
	if (r < 0)
		return r;
	*ret = r == 1 ? (uint64_t)catalog_int(q, 0) : 0;
	return 0;
}

int schemas_list(struct catalog *c, char ***ret, size_t *ret_count,
		 struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	size_t count = 0, capacity = 0, size;
	char **list = NULL, **more;
	const char *bytes;
	int r = catalog_query(c, SQL_LIST_SCHEMAS, &q, err);

	while (r == 0 && (r = catalog_next(q, err)) == 1) {
		/* Room for the one behind the last, which is NULL. */
		if (count + 1 >= capacity) {
			capacity = capacity * 2 + 8;
			more = reallocarray(list, capacity, sizeof(*list));
			if (!more) {
				r = cvx_fail_memory(err);
				break;
			}
			list = more;
		}
		bytes = catalog_bytes(q, 0, &size);
		list[count] = strndup(bytes, size);
		list[count + 1] = NULL;
		r = list[count++] ? 0 : cvx_fail_memory(err);
	}
	if (r < 0) {
		deployment_free_components(list);
		return r;
	}
	*ret = list;
	*ret_count = count;
	return 0;
}

int schemas_put(struct catalog *c, int64_t component, uint64_t revision,
		const char *text, size_t size, struct cvx_err *err)
{
	struct catalog_query *q;
	int r = catalog_query(c, SQL_PUT_SCHEMA, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, component);
	catalog_bind_int(q, 2, (int64_t)revision);
	catalog_bind_bytes(q, 3, text, size);
	return catalog_run(q, err);
}
