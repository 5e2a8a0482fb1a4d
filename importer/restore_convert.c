#include <stdlib.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/archive/archive.h"
#include "importer/archive/contents.h"
#include "importer/embedded/commit.h"
#include "importer/restore_inside.h"
#include "importer/restore_storage.h"
#include "importer/restore_tables.h"

/* What messages call the rows of the table. */
static const char *path_of(struct restore *r, const struct contents_table *t)
{
	struct archive_entry entry = {.name = t->table};

	if (t->document_count > 0)
		(void)archive_entry(r->archive, t->documents[0], &entry, NULL);
	return entry.name;
}

static void describe_table(struct restore *r, size_t i)
{
	const struct contents_table *t = &r->contents->tables[i];

	r->tables[i].contents = t;
	r->tables[i].target = (struct import_target){
		.component = t->component,
		.table = t->table,
		.path = path_of(r, t),
		.format = FORMAT_JSONL,
		.mode = r->mode,
	};
	r->items[i] = (struct plan_item){
		.target = &r->tables[i].target,
		.facts = {.has_number = t->has_first_number,
			  .number = t->first_number,
			  .is_listed = t->is_listed,
			  .listed_number = t->number},
		.is_storage = t->is_storage,
		.order = t->document_count > 0 ? t->documents[0] : UINT64_MAX,
		.makes_component = true,
	};
}

int restore_look_inside(struct restore *r, struct cvx_err *err)
{
	size_t i;
	int result = archive_open(&r->source, r->size, &r->archive, err);

	if (result == 0)
		result = contents_read(r->archive, r->component,
				       &r->is_canceled, &r->contents, err);
	if (result < 0)
		return result;
	r->count = r->contents->table_count;
	r->tables = calloc(r->count + 1, sizeof(*r->tables));
	r->items = calloc(r->count + 1, sizeof(*r->items));
	r->parts = calloc(r->count + 1, sizeof(*r->parts));
	r->files = calloc(r->count + 1, sizeof(*r->files));
	if (!r->tables || !r->items || !r->parts || !r->files)
		return cvx_fail_memory(err);
	for (i = 0; i < r->count; i++)
		describe_table(r, i);
	r->work.d = r->d;
	r->work.a = r->archive;
	r->work.shelf = &r->shelf;
	r->work.canceled = &r->is_canceled;
	r->work.running = &r->running;
	r->work.archive_size = r->size;
	return 0;
}

static int compare_orders(const void *a, const void *b)
{
	const struct plan_item *const *x = a, *const *y = b;

	return ((*x)->order > (*y)->order) - ((*x)->order < (*y)->order);
}

/* Converts all tables, in the order of their rows in the archive. */
static int convert_all(struct restore *r, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep)
	const struct plan_item **items = calloc(r->count + 1, sizeof(*items));
	CVX_AUTO(cvx_freep)
	struct restore_order *orders = calloc(r->count + 1, sizeof(*orders));
	size_t i;

	if (!items || !orders)
		return cvx_fail_memory(err);
	for (i = 0; i < r->count; i++)
		items[i] = &r->items[i];
	qsort(items, r->count, sizeof(*items), compare_orders);
	r->work.total_size = 0;
	for (i = 0; i < r->count; i++) {
		orders[i].table = &r->tables[items[i] - r->items];
		orders[i].plan = &items[i]->plan;
		r->work.total_size +=
			restore_table_size(&r->work, orders[i].table);
	}
	return restore_tables_convert(&r->work, orders, r->count, err);
}

int restore_convert_stale(struct restore *r, struct cvx_err *err)
{
	struct restore_table *t;
	size_t i;
	int result = 0;

	for (i = 0; result == 0 && i < r->count; i++) {
		t = &r->tables[i];
		if (t->contents->is_storage)
			result = restore_storage_replan(&r->work, t,
							&r->items[i].plan, err);
		else if (t->contents->document_count == 0)
			t->plan = r->items[i].plan;
		else if (plan_is_stale(&t->plan, &r->items[i].plan, &t->target))
			result = restore_table_convert(&r->work, t,
						       &r->items[i].plan,
						       &r->work.places, err);
	}
	return result;
}

struct plan_set restore_set(const struct restore *r)
{
	return (struct plan_set){
		.items = r->items,
		.count = r->count,
		.drops_rest = r->mode == IMPORT_REPLACE_ALL,
	};
}

int restore_fail_plan(const struct plan_item *failed, int result,
		      struct cvx_err *err)
{
	if (failed && err->name)
		(void)cvx_err_prefix(err, "%.200s", failed->target->path);
	return result;
}

int restore_convert(struct restore *r, struct cvx_err *err)
{
	int result;

	r->set = restore_set(r);
	result = commit_plan(r->d, &r->set, err);
	if (result < 0)
		return restore_fail_plan(r->set.failed, result, err);
	result = contents_check_files(r->archive, r->contents, err);
	return result < 0 ? result : convert_all(r, err);
}
