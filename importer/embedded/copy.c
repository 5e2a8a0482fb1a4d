#include "importer/embedded/copy.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/deployment.h"
#include "importer/embedded/component_rows.h"
#include "importer/embedded/counters.h"
#include "importer/embedded/dropped.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/runs.h"
#include "importer/embedded/table_numbers.h"
#include "importer/embedded/tables.h"

/* --- tables -------------------------------------------------------------- */

/* What is to be done to the tables of one component. */
struct change {
	struct table_info *had;
	const struct copy_table **fresh;
	const char **gone;
	size_t fresh_count, gone_count;
};

static void change_fini(struct change *c)
{
	free(c->had);
	free(c->fresh);
	free(c->gone);
	*c = (struct change){.had = NULL};
}

/* Both lists are by name. */
static void compare(const struct table_info *had, size_t had_count,
		    const struct copy_table *list, size_t count,
		    struct change *ret)
{
	size_t i = 0, j = 0;
	int order;

	while (i < had_count || j < count) {
		order = i == had_count ? 1
			: j == count   ? -1
				       : strcmp(had[i].name, list[j].name);
		if (order == 0 &&
		    (list[j].number == 0 || list[j].number == had[i].number)) {
			i++;
			j++;
			continue;
		}
		if (order <= 0)
			ret->gone[ret->gone_count++] = had[i++].name;
		if (order >= 0)
			ret->fresh[ret->fresh_count++] = &list[j++];
	}
}

static int add_table(struct catalog *c, struct component_row *owner,
		     struct counters_row *counters,
		     const struct copy_table *table, struct cvx_err *err)
{
	struct table_row row = {.info = {.number = table->number}};
	int r = 0;

	if (owner->table_count >= TABLE_COUNT_MAX)
		return table_fail_too_many(err);
	if (table->number == 0)
		r = table_fresh_number(c, owner, &row.info.number, err);
	if (r < 0)
		return r;
	table_set_name(&row.info, table->name, strlen(table->name));
	row.info.revision = ++counters->revision;
	row.info.committed_ns = embedded_now_ns();
	return table_insert(c, owner, &row, err);
}

/* Those that go first: their numbers may be given anew. */
static int apply(struct deployment *d, const char *component,
		 const struct change *change, struct dropped *dropped,
		 struct runs_change *runs, struct cvx_err *err)
{
	struct counters_row counters;
	struct component_row owner;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < change->gone_count; i++)
		r = dropped_delete_one(dropped, d->writes, runs, component,
				       change->gone[i], err);
	if (r == 0)
		r = component_find(d->writes, component, &owner, err);
	if (r == 0)
		r = counters_get(d->writes, &counters, err);
	for (i = 0; r == 0 && i < change->fresh_count; i++)
		r = add_table(d->writes, &owner, &counters, change->fresh[i],
			      err);
	return r < 0 ? r : counters_put(d->writes, &counters, err);
}

static int find_change(struct deployment *d, const char *component,
		       const struct copy_table *list, size_t count,
		       struct change *ret, struct cvx_err *err)
{
	size_t had_count = 0;
	int r;

	change_fini(ret);
	r = deployment_list_tables(d, component, &ret->had, &had_count, err);
	if (r < 0)
		return r;
	ret->fresh = calloc(count + 1, sizeof(*ret->fresh));
	ret->gone = calloc(had_count + 1, sizeof(*ret->gone));
	if (!ret->fresh || !ret->gone)
		return cvx_fail_memory(err);
	compare(ret->had, had_count, list, count, ret);
	return ret->fresh_count + ret->gone_count > 0;
}

/* Another process may have made the same change meanwhile. */
static int apply_locked(struct deployment *d, const char *component,
			const struct copy_table *list, size_t count,
			struct change *change, struct cvx_err *err)
{
	struct runs_change runs = RUNS_CHANGE_INIT;
	struct dropped dropped = DROPPED_INIT;
	int r = embedded_begin(d, err);

	if (r < 0)
		return r;
	r = find_change(d, component, list, count, change, err);
	if (r == 1)
		r = apply(d, component, change, &dropped, &runs, err);
	return dropped_end(&dropped, &runs, d, r, err);
}

int copy_set_tables(struct deployment *d, const char *component,
		    const struct copy_table *list, size_t count,
		    struct cvx_err *err)
{
	struct change change = {.had = NULL};
	int r = find_change(d, component, list, count, &change, err);

	if (r == 1)
		r = apply_locked(d, component, list, count, &change, err);
	change_fini(&change);
	return r;
}

/* --- components ---------------------------------------------------------- */

static bool is_listed(const char *const *paths, size_t count, const char *path)
{
	size_t i, size = strlen(path);

	/* Itself, or one below it. */
	for (i = 0; i < count; i++)
		if (strncmp(paths[i], path, size) == 0 &&
		    (paths[i][size] == '\0' || paths[i][size] == '/'))
			return true;
	return false;
}

static int drop_unlisted(struct deployment *d, const char *parent,
			 const char *const *paths, size_t count,
			 struct cvx_err *err)
{
	char **list = NULL;
	size_t i, n = 0;
	int r = deployment_list_components(d, parent, &list, &n, err);

	for (i = 0; r == 0 && i < n; i++) {
		r = drop_unlisted(d, list[i], paths, count, err);
		if (r < 0 || is_listed(paths, count, list[i]))
			continue;
		r = copy_set_tables(d, list[i], NULL, 0, err);
		if (r == 0)
			r = copy_set_files(d, list[i], NULL, 0, err);
		if (r == 0)
			r = deployment_delete_component(d, list[i], err);
	}
	deployment_free_components(list);
	return r;
}

int copy_set_components(struct deployment *d, const char *const *paths,
			size_t count, struct cvx_err *err)
{
	size_t i;
	int r = drop_unlisted(d, "", paths, count, err);

	for (i = 0; r == 0 && i < count; i++)
		if (deployment_find_component(d, paths[i], NULL) < 0)
			r = deployment_create_component(d, paths[i], err);
	return r;
}
