#include "importer/archive/tables_list.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/value/document.h"
#include "importer/value/refusal.h"

/* A line that is read: a name and a number fit many times. */
#define LINE_MAX_SIZE ((size_t)1 << 20)

CVX_DEFINE_CLEANUP(struct document_reader, document_reader_free)

void tables_list_fini(struct tables_list *list)
{
	free(list->tables);
}

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

static int read_table(const cJSON *row, struct listed_table *table,
		      struct cvx_err *err)
{
	const cJSON *name = cJSON_GetObjectItemCaseSensitive(row, "name");
	const cJSON *id = cJSON_GetObjectItemCaseSensitive(row, "id");

	if (!cJSON_IsString(name))
		return refuse(err, "InvalidConvexValue",
			      "a table needs a \"name\", which is a string");
	table->number = number_of(id);
	if (table->number == 0)
		return refuse(err, "InvalidConvexValue",
			      "table %s needs an \"id\", which is a number "
			      "above 0",
			      name->valuestring);
	if (!name_is_identifier(name->valuestring, strlen(name->valuestring)))
		return refuse(err, "InvalidName", "\"%s\" is not a table name",
			      name->valuestring);
	(void)snprintf(table->name, sizeof(table->name), "%s",
		       name->valuestring);
	if (table->name[0] == '_')
		return refuse(err, "InvalidTableName",
			      "table %s: names that begin with _ belong to the "
			      "system",
			      table->name);
	return 0;
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
		     const char *line, size_t size, struct listed_table *table,
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
	return row ? read_table(row, table, err) : cvx_fail_memory(err);
}

static int push(struct tables_list *list, const struct listed_table *table,
		struct cvx_err *err)
{
	struct listed_table *more;
	size_t i;

	for (i = 0; i < list->count; i++) {
		if (strcmp(list->tables[i].name, table->name) == 0)
			return refuse(err, "DuplicateTableName",
				      "table %s stands in row %u already",
				      table->name, list->tables[i].row);
		if (list->tables[i].number == table->number)
			return refuse(err, "InvalidId",
				      "the number %u is that of table %s in "
				      "row %u already",
				      table->number, list->tables[i].name,
				      list->tables[i].row);
	}
	if (list->count == TABLES_LIST_MAX)
		return refuse(err, "TooManyTables",
			      "more than %d tables are listed",
			      TABLES_LIST_MAX);
	if (list->count == list->capacity) {
		list->capacity = list->capacity * 2 + 16;
		more = reallocarray(list->tables, list->capacity,
				    sizeof(*more));
		if (!more)
			return cvx_fail_memory(err);
		list->tables = more;
	}
	list->tables[list->count++] = *table;
	return 0;
}

int tables_list_read(const char *text, size_t size, struct tables_list *ret,
		     struct cvx_err *err)
{
	CVX_AUTO(document_reader_freep) struct document_reader *reader = NULL;
	struct document_stamp stamp = {.table_number = 1, .creation_time = 1};
	struct cvx_buf buf = CVX_BUF_INIT(LINE_MAX_SIZE);
	struct listed_table table = {.row = 0};
	const char *lf, *end = text + size;
	size_t line_size;
	int r = document_reader_new(DOCUMENT_PLAIN, &stamp, &reader, err);

	for (; r == 0 && text < end; text += line_size + 1) {
		lf = memchr(text, '\n', (size_t)(end - text));
		line_size = (size_t)((lf ? lf : end) - text);
		table.row++;
		r = read_line(reader, &buf, text, line_size, &table, err);
		if (r == 0)
			r = push(ret, &table, err);
		if (r < 0 && err->name)
			(void)cvx_err_prefix(err, "row %u", table.row);
		if (line_size >= (size_t)(end - text))
			break;
	}
	cvx_buf_fini(&buf);
	return r;
}
