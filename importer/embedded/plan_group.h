/*
 * plan_group: the inside of plan.c and the plan_*.c beside it: the tables of
 * one component.
 *
 * Threads: the caller's connection, so the caller's lock.
 */
#ifndef CVX_IMPORTER_EMBEDDED_PLAN_GROUP_H
#define CVX_IMPORTER_EMBEDDED_PLAN_GROUP_H

#include <stdbool.h>
#include <stddef.h>

#include "importer/embedded/component_rows.h"
#include "importer/embedded/plan.h"

struct catalog;
struct cvx_err;
struct outlook_component;

/* The items of one component, by table. */
struct plan_group {
	struct catalog *c;
	const char *component;
	struct component_row row; /* free_number goes on as numbers are taken */
	struct plan_item **items;
	size_t count;
	struct outlook_component *outlook; /* NULL: it has no schema */
};

/* Whether the group has a table of the name. */
bool plan_has_table(const struct plan_group *g, const char *name);

/* Compares two of struct plan_item *, by component and table, for qsort(). */
int plan_compare_items(const void *a, const void *b);

/* M-7. The item's table has been looked for. */
enum document_encoding plan_choose_encoding(const struct plan_item *item);

/* The number of each table (import.md 7.3, 7.4). *ret_failed is the item to
 * blame. */
int plan_give_numbers(struct plan_group *g, struct plan_item **ret_failed,
		      struct cvx_err *err);

/* What the component's schema says about the import (import.md 7.6).
 * *ret_failed is the item to blame, or NULL. */
int plan_hold_to_schema(struct plan_group *g, struct plan_item **ret_failed,
			struct cvx_err *err);

/* import.md 7.3.4: the tables of all active schemas that are none of the set's
 * items are added to those it keeps. */
int plan_keep_schema_tables(struct plan_set *set, struct catalog *c,
			    struct cvx_err *err);

#endif
