#include "importer/embedded/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/archive/contents.h"
#include "importer/embedded/component_rows.h"
#include "importer/embedded/counters.h"
#include "importer/embedded/files.h"
#include "importer/embedded/plan_group.h"
#include "importer/embedded/tables.h"
#include "importer/import.h"
#include "importer/value/refusal.h"

/* A component's storage is always there. */
static int find_storage(struct plan_group *g, struct plan_item *item,
			struct cvx_err *err)
{
	struct plan *plan = &item->plan;
	struct storage_info info;
	int r = storage_find(g->c, g->row.id, &info, err);

	memset(plan, 0, sizeof(*plan));
	if (r < 0)
		return r;
	plan->table_found = true;
	plan->table.info.number = info.number;
	plan->table.info.revision = info.revision;
	plan->table.info.document_count = info.file_count;
	if (item->target->mode == IMPORT_REQUIRE_EMPTY && info.file_count > 0)
		return refuse(err, "TableExists",
			      "there are stored files already; append to them "
			      "or replace them");
	return 0;
}

/* Finds the table and looks whether the mode lets anything be done to it. */
static int find_table(struct plan_group *g, struct plan_item *item,
		      struct cvx_err *err)
{
	const struct import_target *target = item->target;
	struct plan *plan = &item->plan;
	int r = table_check_name(target->table, err);

	memset(plan, 0, sizeof(*plan));
	if (r == 0)
		r = table_find(g->c, g->component, target->table, &plan->table,
			       err);
	if (r < 0)
		return r;
	plan->table_found = r == 1;
	if (target->base_revision != 0 &&
	    (!plan->table_found ||
	     plan->table.info.revision != target->base_revision))
		return cvx_fail(err, -ESTALE,
				"table %s was changed by someone else since "
				"it was opened; open it again and repeat the "
				"edit",
				target->table);
	if (target->mode == IMPORT_REQUIRE_EMPTY && plan->table_found &&
	    plan->table.info.document_count > 0)
		return refuse(err, "TableExists",
			      "table %s has documents already; append to it "
			      "or replace it",
			      target->table);
	return 0;
}

static int compare_to_item(const void *name, const void *item)
{
	return strcmp(name,
		      (*(const struct plan_item *const *)item)->target->table);
}

bool plan_has_table(const struct plan_group *g, const char *name)
{
	return bsearch(name, g->items, g->count, sizeof(*g->items),
		       compare_to_item) != NULL;
}

enum document_encoding plan_choose_encoding(const struct plan_item *item)
{
	const struct import_target *target = item->target;
	const struct plan *plan = &item->plan;

	if (target->is_copy)
		return DOCUMENT_UNIFORM;
	if (target->canonical && target->format == FORMAT_JSONL &&
	    item->facts.is_export_line &&
	    (!plan->table_found || plan->table.info.document_count == 0 ||
	     plan->table.beyond_plain))
		return DOCUMENT_UNIFORM;
	return DOCUMENT_PLAIN;
}

int plan_compare_items(const void *a, const void *b)
{
	const struct import_target *x =
		(*(const struct plan_item *const *)a)->target;
	const struct import_target *y =
		(*(const struct plan_item *const *)b)->target;

	return contents_compare(x->component, x->table, y->component, y->table);
}

static int plan_component(struct plan_group *g, struct plan_item **ret_failed,
			  struct cvx_err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < g->count; i++) {
		*ret_failed = g->items[i];
		r = g->items[i]->is_storage ? find_storage(g, g->items[i], err)
					    : find_table(g, g->items[i], err);
	}
	if (r == 0)
		r = plan_give_numbers(g, ret_failed, err);
	return r < 0 ? r : plan_hold_to_schema(g, ret_failed, err);
}

/* One that is to be made is an empty one. */
static int find_component(struct plan_group *g, struct cvx_err *err)
{
	int r;

	if (!g->items[0]->makes_component)
		return component_find(g->c, g->component, &g->row, err);
	memset(&g->row, 0, sizeof(g->row));
	r = component_look(g->c, g->component, &g->row, err);
	return r < 0 ? r : 0;
}

static size_t group_size(struct plan_item *const *items, size_t count)
{
	size_t n = 1;

	while (n < count && strcmp(items[n]->target->component,
				   items[0]->target->component) == 0)
		n++;
	return n;
}

void plan_set_fini(struct plan_set *set)
{
	size_t i;

	for (i = 0; i < set->kept_count; i++)
		free((void *)(uintptr_t)set->kept[i].target);
	free(set->kept);
	set->kept = NULL;
	set->kept_count = 0;
	outlook_fini(&set->outlook);
}

/* The outlook of the group's component, if it has a schema. */
static int find_outlook(struct plan_set *set, struct plan_group *g,
			struct cvx_err *err)
{
	size_t i;

	g->outlook = NULL;
	if (!set->drops_rest)
		return outlook_add(&set->outlook, g->c, g->component,
				   &g->outlook, err);
	for (i = 0; i < set->outlook.count; i++)
		if (strcmp(set->outlook.components[i]->path, g->component) == 0)
			g->outlook = set->outlook.components[i];
	return 0;
}

/* All items, those that are kept too, by component and table. */
static int plan_all(struct plan_set *set, struct catalog *c,
		    struct plan_item **all, size_t count,
		    struct plan_item **ret_failed, struct cvx_err *err)
{
	struct plan_group g = {.c = c};
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < count; i += g.count) {
		g.items = &all[i];
		g.count = group_size(g.items, count - i);
		g.component = g.items[0]->target->component;
		*ret_failed = g.items[0];
		r = find_component(&g, err);
		if (r == 0)
			r = find_outlook(set, &g, err);
		if (r == 0)
			r = plan_component(&g, ret_failed, err);
	}
	return r;
}

static void stamp_all(struct plan_item **all, size_t count,
		      const struct last_stamp *last)
{
	struct document_stamp stamp = {.table_number = 0};
	uint32_t number;
	size_t i;

	plan_choose_stamp(last, &stamp);
	for (i = 0; i < count; i++) {
		number = all[i]->plan.stamp.table_number;
		all[i]->plan.encoding = plan_choose_encoding(all[i]);
		all[i]->plan.stamp = stamp;
		all[i]->plan.stamp.table_number = number;
	}
}

int plan_make(struct deployment *d, struct catalog *c, struct plan_set *set,
	      struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct plan_item **all = NULL;
	struct plan_item *failed = NULL;
	struct counters_row counters;
	size_t count, i;
	int r = outlook_init(&set->outlook, d, c, err);

	set->failed = NULL;
	if (r == 0)
		r = counters_get(c, &counters, err);
	if (r == 0 && set->drops_rest)
		r = plan_keep_schema_tables(set, c, err);
	if (r < 0)
		return r;
	count = set->count + set->kept_count;
	all = reallocarray(NULL, count + 1, sizeof(*all));
	if (!all)
		return cvx_fail_memory(err);
	for (i = 0; i < set->count; i++)
		all[i] = &set->items[i];
	for (i = 0; i < set->kept_count; i++)
		all[set->count + i] = &set->kept[i];
	if (set->kept_count > 0)
		qsort(all, count, sizeof(*all), plan_compare_items);
	r = plan_all(set, c, all, count, &failed, err);
	if (r < 0) {
		set->failed = failed;
		return r;
	}
	stamp_all(all, count, &counters.last);
	return 0;
}

/* Whether rows with the stamp come behind everything up to last. */
static bool is_behind(const struct document_stamp *stamp,
		      const struct last_stamp *last)
{
	return stamp->creation_time > last->time &&
	       (stamp->id.ms > last->ms || (stamp->id.ms == last->ms &&
					    stamp->id.counter > last->counter));
}

bool plan_is_stale(const struct plan *old, const struct plan *now,
		   const struct import_target *target)
{
	if (old->encoding != now->encoding ||
	    old->stamp.table_number != now->stamp.table_number ||
	    !row_rules_agree(&old->rules, &now->rules))
		return true;
	return target->mode == IMPORT_APPEND && now->table_found &&
	       !is_behind(&old->stamp, &now->table.last);
}
