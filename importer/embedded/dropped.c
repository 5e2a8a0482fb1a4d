#include "importer/embedded/dropped.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/archive/contents.h"
#include "importer/embedded/counters.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/publish.h"
#include "importer/embedded/runs.h"
#include "importer/embedded/segments.h"
#include "importer/embedded/sql.h"
#include "importer/embedded/tables.h"
#include "importer/import.h"

struct dropped_table {
	char *component;
	int64_t id;
	uint32_t number;
	struct segment_row *segments;
	size_t segment_count;
};

void dropped_fini(struct dropped *d)
{
	size_t i;

	for (i = 0; i < d->count; i++) {
		free(d->tables[i].component);
		free(d->tables[i].segments);
	}
	free(d->tables);
}

struct place {
	const char *component, *table;
};

static int compare_to_target(const void *key, const void *element)
{
	const struct place *place = key;
	const struct import_target *target =
		*(const struct import_target *const *)element;

	return contents_compare(place->component, place->table,
				target->component, target->table);
}

static char *copy_column(struct catalog_query *q, int column)
{
	size_t size;
	const char *bytes = catalog_bytes(q, column, &size);

	return strndup(bytes, size);
}

/* Takes over the component's text if it returns 1. */
static int add(struct dropped *d, char *component, int64_t id, uint32_t number,
	       struct cvx_err *err)
{
	struct dropped_table *more;

	if (d->count == d->capacity) {
		d->capacity = d->capacity * 2 + 16;
		more = reallocarray(d->tables, d->capacity, sizeof(*more));
		if (!more)
			return cvx_fail_memory(err);
		d->tables = more;
	}
	d->tables[d->count++] = (struct dropped_table){
		.component = component,
		.id = id,
		.number = number,
	};
	return 1;
}

/* 1: the row's table is dropped, and its component text taken over. */
static int look_at(struct dropped *d, struct catalog_query *q, char *component,
		   const struct import_target *const *stay, size_t count,
		   struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *table = copy_column(q, 1);
	struct place place = {component, table};

	if (!component || !table)
		return cvx_fail_memory(err);
	if (count > 0 &&
	    bsearch(&place, stay, count, sizeof(*stay), compare_to_target))
		return 0;
	return add(d, component, catalog_int(q, 2), (uint32_t)catalog_int(q, 3),
		   err);
}

static int find(struct dropped *d, struct catalog *c,
		const struct import_target *const *stay, size_t count,
		struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	char *component;
	int r = catalog_query(c, SQL_LIST_ALL_TABLES, &q, err);

	while (r == 0 && (r = catalog_next(q, err)) == 1) {
		component = copy_column(q, 0);
		r = look_at(d, q, component, stay, count, err);
		if (r != 1)
			free(component);
		if (r > 0)
			r = 0;
	}
	return r;
}

static int delete_rows(struct dropped_table *t, struct catalog *c,
		       struct runs_change *runs, struct cvx_err *err)
{
	size_t i;
	int r = segments_list(c, t->id, &t->segments, &t->segment_count, err);

	for (i = 0; r == 0 && i < t->segment_count; i++)
		r = segment_delete(c, t->segments[i].id, err);
	if (r == 0)
		r = runs_drop(runs, c, t->id, NULL, err);
	return r;
}

static int delete_table(struct dropped_table *t, struct catalog *c,
			struct runs_change *runs, struct cvx_err *err)
{
	int r = delete_rows(t, c, runs, err);

	return r < 0 ? r : table_delete(c, t->component, t->id, t->number, err);
}

int dropped_delete(struct dropped *d, struct catalog *c,
		   struct runs_change *runs,
		   const struct import_target *const *stay, size_t count,
		   struct cvx_err *err)
{
	size_t i;
	int r = find(d, c, stay, count, err);

	for (i = 0; r == 0 && i < d->count; i++)
		r = delete_table(&d->tables[i], c, runs, err);
	return r;
}

static int add_row(struct dropped *d, const char *component,
		   const struct table_row *row, struct cvx_err *err)
{
	char *copy = strdup(component);
	int r;

	if (!copy)
		return cvx_fail_memory(err);
	r = add(d, copy, row->id, row->info.number, err);
	if (r < 0) {
		free(copy);
		return r;
	}
	return 0;
}

int dropped_delete_one(struct dropped *d, struct catalog *c,
		       struct runs_change *runs, const char *component,
		       const char *table, struct cvx_err *err)
{
	struct table_row row;
	int r = table_find(c, component, table, &row, err);

	if (r == 0)
		return table_fail_missing(c, component, table, err);
	if (r > 0)
		r = add_row(d, component, &row, err);
	return r < 0 ? r : delete_table(&d->tables[d->count - 1], c, runs, err);
}

int dropped_empty_one(struct dropped *d, struct catalog *c,
		      struct runs_change *runs, struct counters_row *counters,
		      const char *component, const char *table,
		      struct cvx_err *err)
{
	struct table_row row;
	struct table_info *info = &row.info;
	int64_t now_ns = embedded_now_ns();
	int r = table_find(c, component, table, &row, err);

	if (r == 0)
		return -ENOENT;
	if (r > 0)
		r = add_row(d, component, &row, err);
	if (r == 0)
		r = delete_rows(&d->tables[d->count - 1], c, runs, err);
	if (r < 0)
		return r;
	info->document_count = 0;
	info->size = 0;
	row.beyond_plain = false;
	info->revision = ++counters->revision;
	/* As with an import: the clock may have gone back. */
	info->committed_ns =
		now_ns > info->committed_ns ? now_ns : info->committed_ns + 1;
	return table_update(c, NULL, &row, info->number, err);
}

void dropped_remove(const struct dropped *dropped, struct deployment *d)
{
	const struct dropped_table *t;
	size_t i, j;

	for (i = 0; i < dropped->count; i++) {
		t = &dropped->tables[i];
		for (j = 0; j < t->segment_count; j++)
			publish_remove(d, t->segments[j].id);
	}
}

int dropped_end(struct dropped *dropped, struct runs_change *runs,
		struct deployment *d, int r, struct cvx_err *err)
{
	bool in_doubt = false;

	if (r == 0)
		r = embedded_commit(d, &in_doubt, err);
	else
		embedded_rollback(d);
	runs_change_end(runs, d, r == 0, in_doubt);
	if (r == 0)
		dropped_remove(dropped, d);
	dropped_fini(dropped);
	runs_change_fini(runs);
	return r;
}
