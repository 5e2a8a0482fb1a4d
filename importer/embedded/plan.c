#include "importer/embedded/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/err.h"
#include "importer/embedded/embedded.h"
#include "importer/import.h"
#include "importer/value/refusal.h"

/* id.h: a counter starts below this. */
#define COUNTER_START_MAX (UINT64_C(1) << 63)

/* The items of one component. */
struct group {
	struct catalog *c;
	const char *component;
	struct component_row row; /* free_number goes on as numbers are taken */
	struct plan_item *items;
	size_t count;
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
		if (g->items[i].plan.stamp.table_number == number)
			return &g->items[i];
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
		item = &g->items[i];
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
		if (g->items[i].facts.is_listed)
			g->items[i].plan.stamp.table_number =
				g->items[i].facts.listed_number;
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
		item = &g->items[i];
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
	return strcmp(name, ((const struct plan_item *)item)->target->table);
}

/* import.md 7.3.5, and what 7.4 says of tables that survive. */
static int check_owner(const struct group *g, const struct plan_item *item,
		       struct cvx_err *err)
{
	char owner[NAME_MAX_SIZE + 1];
	int r;

	if (item->plan.stamp.table_number == 0)
		return 0;
	r = table_find_number(g->c, &g->row, item->plan.stamp.table_number,
			      owner, err);
	if (r <= 0 ||
	    (owner[0] != '_' && (item->target->mode == IMPORT_REPLACE_ALL ||
				 bsearch(owner, g->items, g->count,
					 sizeof(*g->items), compare_to_item))))
		return r < 0 ? r : 0;
	return fail_conflict(item, owner, err);
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
	struct plan_item *item = &g->items[nth];
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
	if (g->row.table_count >= TABLE_COUNT_MAX)
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
		other = find_number(g, g->items[i].plan.stamp.table_number);
		*ret_failed = &g->items[i];
		if (other != &g->items[i])
			return refuse(err, "TableNumberConflict",
				      "%s the table number %u, which table %s "
				      "of the same archive has got",
				      giver(&g->items[i]),
				      g->items[i].plan.stamp.table_number,
				      other->target->table);
	}
	return 0;
}

static int check_count(const struct group *g, struct cvx_err *err)
{
	size_t made_count = 0, i;

	for (i = 0; i < g->count; i++)
		made_count += !g->items[i].plan.table_found;
	if (g->count > TABLE_COUNT_MAX ||
	    (g->items[0].target->mode != IMPORT_REPLACE_ALL &&
	     made_count + (size_t)g->row.table_count > TABLE_COUNT_MAX))
		return table_fail_too_many(err);
	return 0;
}

static int plan_group(struct group *g, struct plan_item **ret_failed,
		      struct cvx_err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < g->count; i++) {
		*ret_failed = &g->items[i];
		r = find_table(g, &g->items[i], err);
	}
	if (r == 0)
		r = check_count(g, err);
	if (r == 0)
		r = assign_numbers(g, ret_failed, err);
	for (i = 0; r == 0 && i < g->count; i++) {
		*ret_failed = &g->items[i];
		r = check_owner(g, &g->items[i], err);
	}
	for (i = 0; r == 0 && i < g->count; i++) {
		*ret_failed = &g->items[i];
		r = prepare(g, i, err);
	}
	return r < 0 ? r : check_fresh_numbers(g, ret_failed, err);
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

	if (!g->items[0].makes_component)
		return component_find(g->c, g->component, &g->row, err);
	memset(&g->row, 0, sizeof(g->row));
	r = component_look(g->c, g->component, &g->row, err);
	return r < 0 ? r : 0;
}

static size_t group_size(const struct plan_item *items, size_t count)
{
	size_t n = 1;

	while (n < count && strcmp(items[n].target->component,
				   items[0].target->component) == 0)
		n++;
	return n;
}

int plan_make(struct catalog *c, struct plan_item *items, size_t count,
	      const struct plan_item **ret_failed, struct cvx_err *err)
{
	struct counters_row counters;
	struct document_stamp stamp = {.table_number = 0};
	struct plan_item *failed = NULL;
	struct group g = {.c = c};
	uint32_t number;
	size_t i;
	int r = counters_get(c, &counters, err);

	for (i = 0; r == 0 && i < count; i += g.count) {
		g.items = &items[i];
		g.count = group_size(g.items, count - i);
		g.component = g.items[0].target->component;
		failed = g.items;
		r = find_component(&g, err);
		if (r == 0)
			r = plan_group(&g, &failed, err);
	}
	*ret_failed = r < 0 ? failed : NULL;
	if (r < 0)
		return r;
	plan_choose_stamp(&counters.last, &stamp);
	for (i = 0; i < count; i++) {
		number = items[i].plan.stamp.table_number;
		items[i].plan.encoding = choose_encoding(&items[i]);
		items[i].plan.stamp = stamp;
		items[i].plan.stamp.table_number = number;
	}
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
	    old->stamp.table_number != now->stamp.table_number)
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
