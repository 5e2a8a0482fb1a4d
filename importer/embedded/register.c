/* _tables/documents.jsonl of a backup (import.md 6.7, 7.3). */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/archive/tables_list.h"
#include "importer/deployment.h"
#include "importer/embedded/component_rows.h"
#include "importer/embedded/counters.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/outlook.h"
#include "importer/embedded/table_numbers.h"
#include "importer/embedded/tables.h"
#include "importer/value/refusal.h"

struct entry {
	const struct listed_table *listed;
	bool found; /* the table exists */
	struct table_row table;
};

struct entries {
	struct entry *list;
	size_t count;
};

static bool is_listed(const struct entries *entries, const char *name)
{
	size_t i;

	for (i = 0; i < entries->count; i++)
		if (strcmp(entries->list[i].listed->name, name) == 0)
			return true;
	return false;
}

/* Whether the table may have the number, but for listed tables in its way. */
static int check_entry(struct catalog *c, const struct component_row *component,
		       const char *path, const struct entries *entries,
		       struct entry *entry, struct cvx_err *err)
{
	char owner[NAME_MAX_SIZE + 1];
	int r = table_find(c, path, entry->listed->name, &entry->table, err);

	if (r < 0)
		return r;
	entry->found = r == 1;
	if (entry->found && entry->table.info.number == entry->listed->number)
		return 0;
	if (entry->found && entry->table.info.document_count > 0)
		return refuse(err, "TableNumberConflict",
			      "row %u: table %s has documents under the number "
			      "%u, so it cannot get the number %u",
			      entry->listed->row, entry->listed->name,
			      entry->table.info.number, entry->listed->number);
	r = table_find_number(c, component, entry->listed->number, owner, err);
	if (r == 1 && !is_listed(entries, owner))
		return refuse(err, "TableConflict",
			      "row %u: the number %u of table %s belongs to "
			      "table %s",
			      entry->listed->row, entry->listed->number,
			      entry->listed->name, owner);
	return r < 0 ? r : 0;
}

static bool changes(const struct entry *entry)
{
	return entry->found &&
	       entry->table.info.number != entry->listed->number;
}

static bool never(const void *ctx __attribute__((unused)),
		  const char *table __attribute__((unused)))
{
	return false;
}

/* import.md 7.6.4: listed tables keep their documents, so none is exempt. */
static int check_foreign_ids(struct catalog *c, const struct schema *schema,
			     const char *path, const struct entry *entry,
			     struct cvx_err *err)
{
	const struct renumbered_table table = {
		.component = path,
		.name = entry->listed->name,
		.old_number = entry->table.info.number,
		.new_number = entry->listed->number,
		.is_exempt = never,
	};
	int r = 0;

	if (schema && changes(entry))
		r = foreign_ids_check(c, schema, &table, err);
	return r < 0 ? cvx_err_prefix(err, "row %u", entry->listed->row) : 0;
}

static int register_entry(struct catalog *c, struct component_row *component,
			  struct entry *entry, struct counters_row *counters,
			  struct cvx_err *err)
{
	struct table_row *table = &entry->table;
	uint32_t old_number = table->info.number;

	if (entry->found && !changes(entry))
		return 0;
	table->info.number = entry->listed->number;
	table->info.revision = ++counters->revision;
	table->info.committed_ns = embedded_now_ns();
	if (entry->found)
		return table_update(c, component, table, old_number, err);
	if (component->table_count >= TABLE_COUNT_MAX)
		return table_fail_too_many(err);
	memcpy(table->info.name, entry->listed->name, sizeof(table->info.name));
	return table_insert(c, component, table, err);
}

static int register_entries(struct catalog *c, const struct schema *schema,
			    const char *path, struct entries *entries,
			    struct cvx_err *err)
{
	struct component_row component;
	struct counters_row counters;
	size_t i;
	int r = component_find(c, path, &component, err);

	if (r == 0)
		r = counters_get(c, &counters, err);
	for (i = 0; r == 0 && i < entries->count; i++)
		r = check_entry(c, &component, path, entries, &entries->list[i],
				err);
	for (i = 0; r == 0 && i < entries->count; i++)
		r = check_foreign_ids(c, schema, path, &entries->list[i], err);
	/* Tables that exchange numbers must not meet half-way. */
	for (i = 0; r == 0 && i < entries->count; i++)
		if (changes(&entries->list[i]))
			r = table_set_aside(c, entries->list[i].table.id, err);
	for (i = 0; r == 0 && i < entries->count; i++)
		r = register_entry(c, &component, &entries->list[i], &counters,
				   err);
	return r < 0 ? r : counters_put(c, &counters, err);
}

int deployment_register_tables(struct deployment *d, const char *component,
			       const char *text, size_t size,
			       struct cvx_err *err)
{
	CVX_AUTO(tables_list_fini) struct tables_list list = TABLES_LIST_INIT;
	CVX_AUTO(cvx_freep) struct entry *entries = NULL;
	struct active_schema *active;
	struct entries all;
	bool in_doubt;
	size_t i;
	int r = tables_list_read(text, size, &list, err);

	if (r < 0)
		return r;
	entries = calloc(list.count + 1, sizeof(*entries));
	if (!entries)
		return cvx_fail_memory(err);
	for (i = 0; i < list.count; i++)
		entries[i].listed = &list.tables[i];
	all = (struct entries){entries, list.count};
	r = embedded_begin(d, err);
	if (r < 0)
		return r;
	r = schemas_get(d, d->writes, component, &active, err);
	if (r == 0)
		r = register_entries(d->writes, active ? active->schema : NULL,
				     component, &all, err);
	schemas_unref(d, active);
	if (r == 0)
		return embedded_commit(d, &in_doubt, err);
	embedded_rollback(d);
	return r;
}
