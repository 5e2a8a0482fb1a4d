#include "importer/embedded/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/archive/contents.h"
#include "importer/embedded/component_rows.h"
#include "importer/embedded/counters.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/files.h"
#include "importer/embedded/table_numbers.h"
#include "importer/embedded/tables.h"
#include "importer/import.h"
#include "importer/schema/schema.h"
#include "importer/value/refusal.h"

/* id.h: a counter starts below this. */
#define COUNTER_START_MAX (UINT64_C(1) << 63)

/* The items of one component. */
struct group {
	struct catalog *c;
	const char *component;
	struct component_row row; /* free_number goes on as numbers are taken */
	struct plan_item **items;
	size_t count;
	struct outlook_component *outlook; /* NULL: it has no schema */
};

/* "row 1: its _id has", or who else gives the table its number. */
static const char *giver(const struct plan_item *item)
{
	return item->facts.is_listed ? "_tables gives it"
				     : "row 1: its _id has";
}

static int fail_conflict(const struct plan_item *item, const char *owner,
			 struct cvx_err *err)
{
	uint32_t number = item->plan.stamp.table_number;

	if (owner[0] == '_')
		return refuse(err, "TableConflict",
			      "%s the table number %u, which belongs to the "
			      "system table %s",
			      giver(item), number, owner);
	if (item->facts.is_listed)
		return refuse(err, "TableConflict",
			      "%s the table number %u, which belongs to table "
			      "%s; replace-all removes that table",
			      giver(item), number, owner);
	return refuse(err, "TableConflict",
		      "%s the table number %u, which belongs to table %s; "
		      "import it there, or remove _id from the rows to give "
		      "them new ids in %s",
		      giver(item), number, owner, item->target->table);
}

/* A component's storage is always there. */
static int find_storage(struct group *g, struct plan_item *item,
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
static int find_table(struct group *g, struct plan_item *item,
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

/* The item that has the number, or NULL. */
static const struct plan_item *find_number(const struct group *g,
					   uint32_t number)
{
	size_t i;

	for (i = 0; i < g->count; i++)
		if (g->items[i]->plan.stamp.table_number == number)
			return g->items[i];
	return NULL;
}

/* The item behind the last one in the order of the file that wants the number
 * of its first row; NULL: there is none. */
static struct plan_item *next_in_order(const struct group *g,
				       const struct plan_item *last)
{
	struct plan_item *next = NULL, *item;
	size_t i;

	for (i = 0; i < g->count; i++) {
		item = g->items[i];
		if (!item->facts.is_listed && item->facts.has_number &&
		    (!last || item->order > last->order) &&
		    (!next || item->order < next->order))
			next = item;
	}
	return next;
}

/* import.md 7.3, 1 to 3. A number of 0 is still to be found. */
static int assign_numbers(struct group *g, struct plan_item **ret_failed,
			  struct cvx_err *err)
{
	struct plan_item *item = NULL;
	const struct plan_item *other;
	size_t i;

	for (i = 0; i < g->count; i++)
		if (g->items[i]->facts.is_listed)
			g->items[i]->plan.stamp.table_number =
				g->items[i]->facts.listed_number;
	while ((item = next_in_order(g, item))) {
		other = find_number(g, item->facts.number);
		*ret_failed = item;
		if (other)
			return refuse(err, "InvalidId",
				      "%s the table number %u, which is that "
				      "of table %s in the same archive",
				      giver(item), item->facts.number,
				      other->target->table);
		item->plan.stamp.table_number = item->facts.number;
	}
	for (i = 0; i < g->count; i++) {
		item = g->items[i];
		if (item->plan.stamp.table_number == 0 &&
		    item->plan.table_found &&
		    !find_number(g, item->plan.table.info.number))
			item->plan.stamp.table_number =
				item->plan.table.info.number;
	}
	return 0;
}

static int compare_to_item(const void *name, const void *item)
{
	return strcmp(name,
		      (*(const struct plan_item *const *)item)->target->table);
}

static enum document_encoding choose_encoding(const struct plan_item *item)
{
	const struct import_target *target = item->target;
	const struct plan *plan = &item->plan;

	if (target->canonical && target->format == FORMAT_JSONL &&
	    item->facts.is_export_line &&
	    (!plan->table_found || plan->table.info.document_count == 0 ||
	     plan->table.beyond_plain))
		return DOCUMENT_UNIFORM;
	return DOCUMENT_PLAIN;
}

/*
 * Of an unpacked backup the files come one by one, in any order, and mkdir has
 * given a table the next number before its rows come (M-5). So an empty table
 * makes room for rows that a view or a backup has written.
 */
static int make_room(struct group *g, struct plan_item *item, const char *owner,
		     struct cvx_err *err)
{
	struct plan *plan = &item->plan;
	int r;

	if (owner[0] == '_' || choose_encoding(item) != DOCUMENT_UNIFORM)
		return fail_conflict(item, owner, err);
	r = table_find(g->c, g->component, owner, &plan->moved, err);
	if (r < 0)
		return r;
	if (plan->moved.info.document_count > 0)
		return fail_conflict(item, owner, err);
	return table_fresh_number(g->c, &g->row, &plan->moved_number, err);
}

/* import.md 7.3.5, and what 7.4 says of tables that survive. */
static int check_owner(struct group *g, struct plan_item *item,
		       struct cvx_err *err)
{
	char owner[NAME_MAX_SIZE + 1];
	int r;

	if (item->plan.stamp.table_number == 0)
		return 0;
	r = table_find_number(g->c, &g->row, item->plan.stamp.table_number,
			      owner, err);
	/* Of the system tables only _storage can be an item. */
	if (r <= 0 ||
	    (owner[0] != '_' && item->target->mode == IMPORT_REPLACE_ALL) ||
	    bsearch(owner, g->items, g->count, sizeof(*g->items),
		    compare_to_item))
		return r < 0 ? r : 0;
	return make_room(g, item, owner, err);
}

/* The smallest number that no table has, nor an item before this one. */
static int find_fresh_number(struct group *g, size_t nth, uint32_t *ret,
			     struct cvx_err *err)
{
	struct group before = {.items = g->items, .count = nth};
	int r;

	/* As many steps as there are items, at most. */
	do {
		r = table_fresh_number(g->c, &g->row, ret, err);
		if (r < 0)
			return r;
		g->row.free_number = *ret + 1;
	} while (find_number(&before, *ret));
	return 0;
}

/* import.md 7.4 for the nth item, in the order of names. */
static int prepare(struct group *g, size_t nth, struct cvx_err *err)
{
	struct plan_item *item = g->items[nth];
	struct plan *plan = &item->plan;
	const struct table_info *info = &plan->table.info;
	uint32_t number = plan->stamp.table_number;

	if (item->target->mode == IMPORT_APPEND && plan->table_found) {
		if (number == info->number)
			return 0;
		if (number == 0)
			return refuse(err, "TableNumberConflict",
				      "table %s has the number %u, which "
				      "another table of the archive takes",
				      item->target->table, info->number);
		return refuse(err, "TableNumberConflict",
			      "%s the table number %u, but table %s has the "
			      "number %u",
			      giver(item), number, item->target->table,
			      info->number);
	}
	if (g->row.table_count >= TABLE_COUNT_MAX && !item->is_storage)
		return table_fail_too_many(err);
	if (number != 0)
		return 0;
	return find_fresh_number(g, nth, &plan->stamp.table_number, err);
}

/* A fresh number may be one that comes later by name (import.md 7.4). */
static int check_fresh_numbers(const struct group *g,
			       struct plan_item **ret_failed,
			       struct cvx_err *err)
{
	const struct plan_item *other;
	size_t i;

	for (i = 0; i < g->count; i++) {
		other = find_number(g, g->items[i]->plan.stamp.table_number);
		*ret_failed = g->items[i];
		if (other != g->items[i])
			return refuse(err, "TableNumberConflict",
				      "%s the table number %u, which table %s "
				      "of the same archive has got",
				      giver(g->items[i]),
				      g->items[i]->plan.stamp.table_number,
				      other->target->table);
	}
	return 0;
}

static int check_count(const struct group *g, struct cvx_err *err)
{
	size_t made_count = 0, storage_count = 0, i;

	for (i = 0; i < g->count; i++) {
		made_count += !g->items[i]->plan.table_found;
		storage_count += g->items[i]->is_storage;
	}
	if (g->count - storage_count > TABLE_COUNT_MAX ||
	    (g->items[0]->target->mode != IMPORT_REPLACE_ALL &&
	     made_count + (size_t)g->row.table_count > TABLE_COUNT_MAX))
		return table_fail_too_many(err);
	return 0;
}

/* Whether the group has a table of the name. */
static bool has_table(const struct group *g, const char *name)
{
	return bsearch(name, g->items, g->count, sizeof(*g->items),
		       compare_to_item) != NULL;
}

/* The tables of the component that the import leaves, or, with replace-all,
 * removes (import.md 7.6.2). */
static int look_at_others(const struct group *g, struct numbers *others,
			  struct cvx_err *err)
{
	bool drops = g->items[0]->target->mode == IMPORT_REPLACE_ALL;
	size_t i, n = 0;
	int r = numbers_read(others, g->c, g->component, err);

	for (i = 0; r == 0 && i < others->count; i++) {
		if (has_table(g, others->list[i].name))
			continue;
		if (drops && others->list[i].name[0] != '_')
			r = schema_check_deletion(g->outlook->schema->schema,
						  others->list[i].name, err);
		else
			others->list[n++] = others->list[i];
	}
	others->count = n;
	return r;
}

/* For foreign_ids_check(): whether the table is one of the group. */
static bool is_in_group(const void *ctx, const char *table)
{
	return has_table(ctx, table);
}

/* import.md 7.6.4 */
static int check_foreign_ids(const struct group *g, const char *name,
			     uint32_t old_number, uint32_t new_number,
			     struct cvx_err *err)
{
	const struct renumbered_table table = {
		.component = g->component,
		.name = name,
		.old_number = old_number,
		.new_number = new_number,
		.ctx = g,
		.is_exempt = is_in_group,
	};

	if (table.old_number == table.new_number)
		return 0;
	return foreign_ids_check(g->c, g->outlook->schema->schema, &table, err);
}

/* The item's table, and the one that it moves, under their new numbers. */
static int renumber(const struct group *g, const struct plan_item *item,
		    struct numbers *numbers, struct cvx_err *err)
{
	const struct plan *plan = &item->plan;
	const struct table_info *moved = &plan->moved.info;
	uint32_t number = plan->stamp.table_number;
	size_t i;
	int r = 0;

	if (plan->table_found)
		r = check_foreign_ids(g, item->target->table,
				      plan->table.info.number, number, err);
	if (r == 0 && plan->moved.id != 0)
		r = check_foreign_ids(g, moved->name, moved->number,
				      plan->moved_number, err);
	for (i = 0; plan->moved.id != 0 && i < numbers->count; i++)
		if (strcmp(numbers->list[i].name, moved->name) == 0)
			numbers->list[i].number = plan->moved_number;
	return r < 0 ? r
		     : numbers_add(numbers, item->target->table, number, err);
}

/* Whether rows of the group have ids to look up, or tables are removed. */
static bool needs_numbers(const struct group *g)
{
	bool needs = g->items[0]->target->mode == IMPORT_REPLACE_ALL;
	const struct validator *validator;
	size_t i;

	for (i = 0; i < g->count && !needs; i++) {
		validator = g->items[i]->plan.rules.validator;
		needs = validator && validator_reference_count(validator) > 0;
	}
	return needs;
}

/* What the component's schema says about the import. */
static int hold_to_schema(struct group *g, struct plan_item **ret_failed,
			  struct cvx_err *err)
{
	struct numbers *numbers;
	size_t i;
	int r;

	for (i = 0; i < g->count; i++)
		g->items[i]->plan.rules =
			outlook_rules(g->outlook, g->items[i]->target->table);
	if (!g->outlook)
		return 0;
	numbers = &g->outlook->numbers;
	*ret_failed = NULL;
	r = needs_numbers(g) ? look_at_others(g, numbers, err) : 0;
	for (i = 0; r == 0 && i < g->count; i++) {
		*ret_failed = g->items[i];
		r = renumber(g, g->items[i], numbers, err);
	}
	numbers_sort(numbers);
	return r;
}

static int plan_group(struct group *g, struct plan_item **ret_failed,
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
		r = check_count(g, err);
	if (r == 0)
		r = assign_numbers(g, ret_failed, err);
	for (i = 0; r == 0 && i < g->count; i++) {
		*ret_failed = g->items[i];
		r = check_owner(g, g->items[i], err);
	}
	for (i = 0; r == 0 && i < g->count; i++) {
		*ret_failed = g->items[i];
		r = prepare(g, i, err);
	}
	if (r == 0)
		r = check_fresh_numbers(g, ret_failed, err);
	return r < 0 ? r : hold_to_schema(g, ret_failed, err);
}

/* The n-th double above; the bits of positive doubles count up as they do. */
static double double_above(double value, uint64_t n)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	bits += n;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

void plan_choose_stamp(const struct last_stamp *last,
		       struct document_stamp *stamp)
{
	int64_t now_ns = embedded_now_ns();
	uint64_t now_ms = (uint64_t)(now_ns / 1000000);
	double time;

	id_stamp_init(&stamp->id, now_ms);
	if (last->ms > now_ms ||
	    (last->ms == now_ms && last->counter >= stamp->id.counter)) {
		stamp->id.ms = last->ms;
		if (last->counter + 1 < COUNTER_START_MAX)
			stamp->id.counter = last->counter + 1;
		else
			stamp->id.ms++;
	}
	time = (double)now_ms + (double)(now_ns % 1000000) * 1e-6;
	if (time <= last->time)
		time = double_above(last->time, 1);
	stamp->creation_time = time;
}

/* One that is to be made is an empty one. */
static int find_component(struct group *g, struct cvx_err *err)
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

/* Tables that a replace-all keeps, while they are collected. */
struct keeper {
	struct plan_set *set;
	size_t capacity;
};

static int compare_items(const void *a, const void *b)
{
	const struct import_target *x =
		(*(const struct plan_item *const *)a)->target;
	const struct import_target *y =
		(*(const struct plan_item *const *)b)->target;

	return contents_compare(x->component, x->table, y->component, y->table);
}

static bool is_item(const struct plan_set *set, const char *component,
		    const char *table)
{
	const struct import_target target = {.component = component,
					     .table = table};
	const struct plan_item key = {.target = &target};
	size_t low = 0, high = set->count, middle;
	const struct plan_item *keys[2] = {&key, NULL};
	int order;

	while (low < high) {
		middle = low + (high - low) / 2;
		keys[1] = &set->items[middle];
		order = compare_items(&keys[1], &keys[0]);
		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static int keep_table(struct keeper *k, const char *component,
		      const char *table, struct cvx_err *err)
{
	struct plan_set *set = k->set;
	struct import_target *target = calloc(1, sizeof(*target));
	struct plan_item *more = set->kept;

	if (target && set->kept_count == k->capacity) {
		k->capacity = k->capacity * 2 + 16;
		more = reallocarray(set->kept, k->capacity, sizeof(*more));
		if (more)
			set->kept = more;
	}
	if (!target || !more) {
		free(target);
		return cvx_fail_memory(err);
	}
	*target = (struct import_target){
		.component = component,
		.table = table,
		.path = table,
		.format = FORMAT_JSONL,
		.mode = IMPORT_REPLACE_ALL,
	};
	set->kept[set->kept_count++] = (struct plan_item){
		.target = target,
		.order = UINT64_MAX,
	};
	return 0;
}

/* import.md 7.3.4: the tables of all active schemas. */
static int keep_schema_tables(struct keeper *k, struct catalog *c,
			      struct cvx_err *err)
{
	struct outlook *o = &k->set->outlook;
	struct outlook_component *oc;
	const char *name;
	char **paths = NULL;
	size_t count = 0, i, j;
	int r = schemas_list(c, &paths, &count, err);

	for (i = 0; r == 0 && i < count; i++) {
		r = outlook_add(o, c, paths[i], &oc, err);
		for (j = 0;
		     r == 0 && oc && j < schema_table_count(oc->schema->schema);
		     j++) {
			name = schema_table_name(
				schema_table_at(oc->schema->schema, j));
			if (!is_item(k->set, oc->path, name))
				r = keep_table(k, oc->path, name, err);
		}
	}
	deployment_free_components(paths);
	return r;
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
static int find_outlook(struct plan_set *set, struct group *g,
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
	struct group g = {.c = c};
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
			r = plan_group(&g, ret_failed, err);
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
		all[i]->plan.encoding = choose_encoding(all[i]);
		all[i]->plan.stamp = stamp;
		all[i]->plan.stamp.table_number = number;
	}
}

int plan_make(struct deployment *d, struct catalog *c, struct plan_set *set,
	      struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct plan_item **all = NULL;
	struct keeper keeper = {.set = set};
	struct plan_item *failed = NULL;
	struct counters_row counters;
	size_t count, i;
	int r = outlook_init(&set->outlook, d, c, err);

	set->failed = NULL;
	if (r == 0)
		r = counters_get(c, &counters, err);
	if (r == 0 && set->drops_rest)
		r = keep_schema_tables(&keeper, c, err);
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
		qsort(all, count, sizeof(*all), compare_items);
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

struct last_stamp plan_last_stamp(const struct document_stamp *stamp,
				  uint64_t count)
{
	struct last_stamp last = {stamp->id.ms, stamp->id.counter,
				  stamp->creation_time};

	if (count > 0) {
		last.counter += count - 1;
		last.time = double_above(last.time, count - 1);
	}
	return last;
}
