#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "cache/base/err.h"
#include "importer/embedded/plan_group.h"
#include "importer/embedded/schemas.h"
#include "importer/import.h"
#include "importer/schema/schema.h"

/* Tables that a replace-all keeps, while they are collected. */
struct keeper {
	struct plan_set *set;
	size_t capacity;
};

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
		order = plan_compare_items(&keys[1], &keys[0]);
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

int plan_keep_schema_tables(struct plan_set *set, struct catalog *c,
			    struct cvx_err *err)
{
	struct keeper k = {.set = set};
	struct outlook *o = &set->outlook;
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
			if (!is_item(set, oc->path, name))
				r = keep_table(&k, oc->path, name, err);
		}
	}
	deployment_free_components(paths);
	return r;
}
