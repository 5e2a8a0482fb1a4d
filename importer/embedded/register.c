/* _tables/documents.jsonl of a backup (import.md 6.7, 7.3). */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/deployment.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/sql.h"
#include "importer/embedded/tables.h"
#include "importer/format/format.h"
#include "importer/value/document.h"
#include "importer/value/refusal.h"

/* A line that is read: a name and a number fit many times. */
#define LINE_MAX_SIZE ((size_t)1 << 20)

struct entry {
	char name[NAME_MAX_SIZE + 1];
	uint32_t number;
	unsigned row;
	bool found; /* the table exists */
	struct table_row table;
};

struct entries {
	struct entry *list;
	size_t count, capacity;
};

static void entries_finip(struct entries *entries)
{
	free(entries->list);
}

CVX_DEFINE_CLEANUP(struct document_reader, document_reader_free)

static void delete_json(cJSON **json)
{
	cJSON_Delete(*json);
}

/* Truncated toward zero and clamped to 32 bits; 0 is no number. */
static uint32_t number_of(const cJSON *id)
{
	double value = cJSON_IsNumber(id) ? id->valuedouble : 0;

	if (!(value >= 1))
		return 0;
	return value >= (double)UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static int read_entry(const cJSON *row, struct entry *entry,
		      struct cvx_err *err)
{
	const cJSON *name = cJSON_GetObjectItemCaseSensitive(row, "name");
	const cJSON *id = cJSON_GetObjectItemCaseSensitive(row, "id");

	if (!cJSON_IsString(name))
		return refuse(err, "InvalidConvexValue",
			      "a table needs a \"name\", which is a string");
	entry->number = number_of(id);
	if (entry->number == 0)
		return refuse(err, "InvalidConvexValue",
			      "table %s needs an \"id\", which is a number "
			      "above 0",
			      name->valuestring);
	if (!name_is_identifier(name->valuestring, strlen(name->valuestring)))
		return refuse(err, "InvalidName", "\"%s\" is not a table name",
			      name->valuestring);
	(void)snprintf(entry->name, sizeof(entry->name), "%s",
		       name->valuestring);
	return table_check_name(entry->name, err);
}

static bool is_object(const char *line, size_t size)
{
	size_t i = 0;

	while (i < size && strchr(" \t\r\n", line[i]))
		i++;
	return i < size && line[i] == '{';
}

/*
 * Our own reader checks the line strictly and writes it canonically, which
 * cJSON then reads without a doubt.
 */
static int read_line(struct document_reader *reader, struct cvx_buf *buf,
		     const char *line, size_t size, struct entry *entry,
		     struct cvx_err *err)
{
	CVX_AUTO(delete_json) cJSON *row = NULL;
	struct document document;
	int r;

	cvx_buf_clear(buf);
	r = document_read(reader, line, size, 0, buf, &document, err);
	if (r < 0 && err->name && strcmp(err->name, "JsonInvalidRow") != 0 &&
	    !is_object(line, size))
		return refuse(err, "NotAnObject", "a table is a JSON object");
	if (r < 0)
		return r;
	row = cJSON_ParseWithLength(buf->data, buf->size);
	return row ? read_entry(row, entry, err) : cvx_fail_memory(err);
}

static int push(struct entries *entries, const struct entry *entry,
		struct cvx_err *err)
{
	struct entry *more;
	size_t i;

	for (i = 0; i < entries->count; i++) {
		if (strcmp(entries->list[i].name, entry->name) == 0)
			return refuse(err, "DuplicateTableName",
				      "table %s stands in row %u already",
				      entry->name, entries->list[i].row);
		if (entries->list[i].number == entry->number)
			return refuse(err, "InvalidId",
				      "the number %u is that of table %s in "
				      "row %u already",
				      entry->number, entries->list[i].name,
				      entries->list[i].row);
	}
	if (entries->count == TABLE_COUNT_MAX)
		return table_fail_too_many(err);
	if (entries->count == entries->capacity) {
		entries->capacity = entries->capacity * 2 + 16;
		more = reallocarray(entries->list, entries->capacity,
				    sizeof(*more));
		if (!more)
			return cvx_fail_memory(err);
		entries->list = more;
	}
	entries->list[entries->count++] = *entry;
	return 0;
}

static int read_entries(const char *text, size_t size, struct entries *entries,
			struct cvx_err *err)
{
	CVX_AUTO(document_reader_freep) struct document_reader *reader = NULL;
	struct document_stamp stamp = {.table_number = 1, .creation_time = 1};
	struct cvx_buf buf = CVX_BUF_INIT(LINE_MAX_SIZE);
	struct entry entry = {.row = 0};
	const char *lf, *end = text + size;
	size_t line_size;
	int r = document_reader_new(DOCUMENT_PLAIN, &stamp, &reader, err);

	for (; r == 0 && text < end; text += line_size + 1) {
		lf = memchr(text, '\n', (size_t)(end - text));
		line_size = (size_t)((lf ? lf : end) - text);
		entry.row++;
		r = read_line(reader, &buf, text, line_size, &entry, err);
		if (r == 0)
			r = push(entries, &entry, err);
		if (r < 0 && err->name)
			(void)cvx_err_prefix(err, "row %u", entry.row);
		if (line_size >= (size_t)(end - text))
			break;
	}
	cvx_buf_fini(&buf);
	return r;
}

static bool is_listed(const struct entries *entries, const char *name)
{
	size_t i;

	for (i = 0; i < entries->count; i++)
		if (strcmp(entries->list[i].name, name) == 0)
			return true;
	return false;
}

/* Whether the table may have the number, but for listed tables in its way. */
static int check_entry(struct catalog *c, const struct component_row *component,
		       const char *path, const struct entries *entries,
		       struct entry *entry, struct cvx_err *err)
{
	char owner[NAME_MAX_SIZE + 1];
	int r = table_find(c, path, entry->name, &entry->table, err);

	if (r < 0)
		return r;
	entry->found = r == 1;
	if (entry->found && entry->table.info.number == entry->number)
		return 0;
	if (entry->found && entry->table.info.document_count > 0)
		return refuse(err, "TableNumberConflict",
			      "row %u: table %s has documents under the number "
			      "%u, so it cannot get the number %u",
			      entry->row, entry->name, entry->table.info.number,
			      entry->number);
	r = table_find_number(c, component, entry->number, owner, err);
	if (r == 1 && !is_listed(entries, owner))
		return refuse(err, "TableConflict",
			      "row %u: the number %u of table %s belongs to "
			      "table %s",
			      entry->row, entry->number, entry->name, owner);
	return r < 0 ? r : 0;
}

/*
 * Tables that exchange numbers must not meet half-way, so every empty one that
 * changes first takes a number that nobody can have, its negative row id.
 */
static int set_aside(struct catalog *c, const struct entry *entry,
		     struct cvx_err *err)
{
	struct catalog_query *q;
	int r = catalog_query(c, SQL_SET_ASIDE, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, entry->table.id);
	return catalog_run(q, err);
}

static bool changes(const struct entry *entry)
{
	return entry->found && entry->table.info.number != entry->number;
}

static int register_entry(struct catalog *c, struct component_row *component,
			  struct entry *entry, struct counters_row *counters,
			  struct cvx_err *err)
{
	struct table_row *table = &entry->table;
	uint32_t old_number = table->info.number;

	if (entry->found && !changes(entry))
		return 0;
	table->info.number = entry->number;
	table->info.revision = ++counters->revision;
	table->info.committed_ns = embedded_now_ns();
	if (entry->found)
		return table_update(c, component, table, old_number, err);
	if (component->table_count >= TABLE_COUNT_MAX)
		return table_fail_too_many(err);
	memcpy(table->info.name, entry->name, sizeof(entry->name));
	return table_insert(c, component, table, err);
}

static int register_entries(struct catalog *c, const char *path,
			    struct entries *entries, struct cvx_err *err)
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
		if (changes(&entries->list[i]))
			r = set_aside(c, &entries->list[i], err);
	for (i = 0; r == 0 && i < entries->count; i++)
		r = register_entry(c, &component, &entries->list[i], &counters,
				   err);
	return r < 0 ? r : counters_put(c, &counters, err);
}

int deployment_register_tables(struct deployment *d, const char *component,
			       const char *text, size_t size,
			       struct cvx_err *err)
{
	CVX_AUTO(entries_finip) struct entries entries = {NULL, 0, 0};
	bool in_doubt;
	int r = read_entries(text, size, &entries, err);

	if (r == 0)
		r = embedded_begin(d, err);
	if (r < 0)
		return r;
	r = register_entries(d->writes, component, &entries, err);
	if (r == 0)
		return embedded_commit(d, &in_doubt, err);
	embedded_rollback(d);
	return r;
}
