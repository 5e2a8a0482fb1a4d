#include "importer/embedded/held.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/embedded/component_rows.h"
#include "importer/embedded/counters.h"
#include "importer/embedded/dropped.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/runs.h"
#include "importer/embedded/sql.h"
#include "importer/embedded/tables.h"

void held_fini(struct held *h)
{
	free(CVX_TAKE(h->cursor));
}

static char *copy_column(struct catalog_query *q, int column)
{
	size_t size;
	const char *bytes = catalog_bytes(q, column, &size);

	return strndup(bytes ? bytes : "", size);
}

/* 1: there is a row, of whatever revision. */
static int find_row(struct catalog *c, int64_t table_id, struct held *ret,
		    struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	int r = catalog_query(c, SQL_FIND_HELD, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, table_id);
	r = catalog_next(q, err);
	if (r <= 0)
		return r;
	*ret = (struct held){
		.revision = (uint64_t)catalog_int(q, 0),
		.way = (int)catalog_int(q, 1),
		.cursor = copy_column(q, 2),
		.used_ns = catalog_int(q, 3),
	};
	return ret->cursor ? 1 : cvx_fail_memory(err);
}

/* The row first: a table that is committed to in between is not held. */
static int find(struct catalog *c, const char *component, const char *table,
		struct held *ret, struct cvx_err *err)
{
	struct table_row row;
	int r = table_find(c, component, table, &row, err);

	if (r == 0)
		return table_fail_missing(c, component, table, err);
	if (r == 1)
		r = find_row(c, row.id, ret, err);
	if (r == 1 && ret->revision != row.info.revision) {
		held_fini(ret);
		r = 0;
	}
	return r;
}

int held_find(struct deployment *d, const char *component, const char *table,
	      struct held *ret, struct cvx_err *err)
{
	int r = find(embedded_lock_reads(d), component, table, ret, err);

	embedded_unlock_reads(d);
	return r;
}

int held_check(const struct deployment *d, struct catalog *c,
	       const char *component, const char *table, uint64_t revision,
	       struct cvx_err *err)
{
	struct held held = {.revision = 0};
	int r;

	if (!d->origin)
		return 0;
	r = find(c, component, table, &held, err);
	held_fini(&held);
	if (r < 0)
		return r;
	if (r == 1 && held.revision == revision)
		return 0;
	return cvx_fail(err, -EAGAIN,
			"the documents of table %s are not here any more",
			table);
}

static int put(struct catalog *c, const char *component, const char *table,
	       const struct held *h, struct cvx_err *err)
{
	struct catalog_query *q;
	struct table_row row;
	int r = table_find(c, component, table, &row, err);

	if (r <= 0 || row.info.revision != h->revision)
		return r < 0 ? r : 0;
	r = catalog_query(c, SQL_PUT_HELD, &q, err);
	if (r < 0)
		return r;
	catalog_bind_int(q, 1, row.id);
	catalog_bind_int(q, 2, (int64_t)h->revision);
	catalog_bind_int(q, 3, h->way);
	catalog_bind_text(q, 4, h->cursor);
	catalog_bind_int(q, 5, h->used_ns);
	return catalog_run(q, err);
}

int held_put(struct deployment *d, const char *component, const char *table,
	     const struct held *h, struct cvx_err *err)
{
	bool in_doubt;
	int r = embedded_begin(d, err);

	if (r < 0)
		return r;
	r = put(d->writes, component, table, h, err);
	if (r == 0)
		return embedded_commit(d, &in_doubt, err);
	embedded_rollback(d);
	return r;
}

static int use(struct catalog *c, const char *component, const char *table,
	       int64_t used_ns, struct cvx_err *err)
{
	struct catalog_query *q;
	struct table_row row;
	int r = table_find(c, component, table, &row, err);

	if (r <= 0)
		return r;
	r = catalog_query(c, SQL_USE_HELD, &q, err);
	if (r < 0)
		return r;
	catalog_bind_int(q, 1, row.id);
	catalog_bind_int(q, 2, used_ns);
	return catalog_run(q, err);
}

int held_use(struct deployment *d, const char *component, const char *table,
	     int64_t used_ns, struct cvx_err *err)
{
	bool in_doubt;
	int r = embedded_begin(d, err);

	if (r < 0)
		return r;
	r = use(d->writes, component, table, used_ns, err);
	if (r == 0)
		return embedded_commit(d, &in_doubt, err);
	embedded_rollback(d);
	return r;
}

/* The table again, empty, under its number. */
static int make_empty(struct deployment *d, const struct table_row *was,
		      const char *component, struct cvx_err *err)
{
	struct table_row row = {
		.info = {.number = was->info.number,
			 .committed_ns = was->info.committed_ns}};
	struct component_row owner;
	struct counters_row counters;
	int r = component_find(d->writes, component, &owner, err);

	if (r == 0)
		r = counters_get(d->writes, &counters, err);
	if (r < 0)
		return r;
	memcpy(row.info.name, was->info.name, sizeof(row.info.name));
	row.info.revision = ++counters.revision;
	r = counters_put(d->writes, &counters, err);
	return r < 0 ? r : table_insert(d->writes, &owner, &row, err);
}

int held_drop(struct deployment *d, const char *component, const char *table,
	      struct cvx_err *err)
{
	struct runs_change runs = RUNS_CHANGE_INIT;
	struct dropped dropped = DROPPED_INIT;
	struct table_row row;
	int r = embedded_begin(d, err);

	if (r < 0)
		return r;
	r = table_find(d->writes, component, table, &row, err);
	if (r == 1)
		r = dropped_delete_one(&dropped, d->writes, &runs, component,
				       table, err);
	if (r == 0 && dropped.count > 0)
		r = make_empty(d, &row, component, err);
	return dropped_end(&dropped, &runs, d, r, err);
}

static int list(struct catalog *c, struct held_table **ret, size_t *count,
		struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	struct held_table *more, *t;
	const char *name;
	size_t capacity = 0, size;
	int r = catalog_query(c, SQL_LIST_HELD, &q, err);

	while (r == 0 && (r = catalog_next(q, err)) == 1) {
		if (*count == capacity) {
			capacity = capacity * 2 + 16;
			more = reallocarray(*ret, capacity, sizeof(*more));
			if (!more)
				return cvx_fail_memory(err);
			*ret = more;
		}
		t = &(*ret)[*count];
		*t = (struct held_table){
			.component = copy_column(q, 0),
			.size = (uint64_t)catalog_int(q, 2),
			.used_ns = catalog_int(q, 3),
		};
		if (!t->component)
			return cvx_fail_memory(err);
		name = catalog_bytes(q, 1, &size);
		memcpy(t->name, name,
		       size < NAME_MAX_SIZE ? size : NAME_MAX_SIZE);
		(*count)++;
		r = 0;
	}
	return r;
}

int held_list(struct deployment *d, struct held_table **ret, size_t *ret_count,
	      struct cvx_err *err)
{
	struct held_table *all = NULL;
	size_t count = 0;
	int r = list(embedded_lock_reads(d), &all, &count, err);

	embedded_unlock_reads(d);
	if (r < 0) {
		held_list_free(all, count);
		return r;
	}
	*ret = all;
	*ret_count = count;
	return 0;
}

void held_list_free(struct held_table *all, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		free(all[i].component);
	free(all);
}
