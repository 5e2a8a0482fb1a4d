#include <string.h>

#include "importer/embedded/plan_group.h"
#include "importer/embedded/table_numbers.h"
#include "importer/embedded/tables.h"
#include "importer/import.h"
#include "importer/value/refusal.h"

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

/* The item that has the number, or NULL. */
static const struct plan_item *find_number(const struct plan_group *g,
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
static struct plan_item *next_in_order(const struct plan_group *g,
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
static int assign_numbers(struct plan_group *g, struct plan_item **ret_failed,
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

/*
 * Of an unpacked backup the files come one by one, in any order, and mkdir has
 * given a table the next number before its rows come (M-5). So an empty table
 * makes room for rows that a view or a backup has written.
 */
static int make_room(struct plan_group *g, struct plan_item *item,
		     const char *owner, struct cvx_err *err)
{
	struct plan *plan = &item->plan;
	int r;

	if (owner[0] == '_' || plan_choose_encoding(item) != DOCUMENT_UNIFORM)
		return fail_conflict(item, owner, err);
	r = table_find(g->c, g->component, owner, &plan->moved, err);
	if (r < 0)
		return r;
	if (plan->moved.info.document_count > 0)
		return fail_conflict(item, owner, err);
	return table_fresh_number(g->c, &g->row, &plan->moved_number, err);
}

/* import.md 7.3.5, and what 7.4 says of tables that survive. */
static int check_owner(struct plan_group *g, struct plan_item *item,
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
	    plan_has_table(g, owner))
		return r < 0 ? r : 0;
	return make_room(g, item, owner, err);
}

/* The smallest number that no table has, nor an item before this one. */
static int find_fresh_number(struct plan_group *g, size_t nth, uint32_t *ret,
			     struct cvx_err *err)
{
	struct plan_group before = {.items = g->items, .count = nth};
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
static int prepare(struct plan_group *g, size_t nth, struct cvx_err *err)
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
static int check_fresh_numbers(const struct plan_group *g,
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

static int check_count(const struct plan_group *g, struct cvx_err *err)
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

int plan_give_numbers(struct plan_group *g, struct plan_item **ret_failed,
		      struct cvx_err *err)
{
	size_t i;
	int r = check_count(g, err);

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
	return r < 0 ? r : check_fresh_numbers(g, ret_failed, err);
}
