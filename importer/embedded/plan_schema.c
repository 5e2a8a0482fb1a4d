#include <string.h>

#include "importer/embedded/plan_group.h"
#include "importer/import.h"
#include "importer/schema/schema.h"

/* The tables of the component that the import leaves, or, with replace-all,
 * removes (import.md 7.6.2). */
static int look_at_others(const struct plan_group *g, struct numbers *others,
			  struct cvx_err *err)
{
	bool drops = g->items[0]->target->mode == IMPORT_REPLACE_ALL;
	size_t i, n = 0;
	int r = numbers_read(others, g->c, g->component, err);

	for (i = 0; r == 0 && i < others->count; i++) {
		if (plan_has_table(g, others->list[i].name))
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
	return plan_has_table(ctx, table);
}

/* import.md 7.6.4 */
static int check_foreign_ids(const struct plan_group *g, const char *name,
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

	if (table.old_number == table.new_number || g->outlook->is_trusted)
		return 0;
	return foreign_ids_check(g->c, g->outlook->schema->schema, &table, err);
}

/* The item's table, and the one that it moves, under their new numbers. */
static int renumber(const struct plan_group *g, const struct plan_item *item,
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
static bool needs_numbers(const struct plan_group *g)
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

int plan_hold_to_schema(struct plan_group *g, struct plan_item **ret_failed,
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
