#include "importer/remote/remote_register.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "importer/archive/tables_list.h"
#include "importer/embedded/table_numbers.h"
#include "importer/remote/archive_import.h"
#include "importer/remote/halt.h"
#include "importer/remote/listing.h"
#include "importer/remote/parts_archive.h"
#include "importer/value/refusal.h"

/* {"name":"…","id":4294967295} and its end of line */
#define LINE_MAX_SIZE ((size_t)NAME_MAX_SIZE + 40)

/* --- what is there ------------------------------------------------------- */

/* The tables of the component. */
struct register_now {
	struct remote_table *tables; /* by name */
	size_t count;
	const struct remote_table **by_number; /* those that tell theirs */
	size_t numbered_count;
	bool *is_listed; /* of each of the tables */
};

static void register_now_fini(struct register_now *now)
{
	free(now->tables);
	free(now->by_number);
	free(now->is_listed);
}

static int compare_numbers(const void *a, const void *b)
{
	const struct remote_table *x = *(const struct remote_table *const *)a;
	const struct remote_table *y = *(const struct remote_table *const *)b;

	return (x->number > y->number) - (x->number < y->number);
}

static int compare_names(const void *name, const void *table)
{
	return strcmp(name, ((const struct remote_table *)table)->name);
}

static int look(const struct archive_place *place, const struct halt *halt,
		struct register_now *ret, struct cvx_err *err)
{
	size_t i;
	int r = remote_list_tables(place->http, place->component, halt,
				   &ret->tables, &ret->count, err);

	if (r < 0)
		return r;
	ret->by_number = calloc(ret->count + 1, sizeof(*ret->by_number));
	ret->is_listed = calloc(ret->count + 1, sizeof(*ret->is_listed));
	if (!ret->by_number || !ret->is_listed)
		return cvx_fail_memory(err);
	for (i = 0; i < ret->count; i++)
		if (ret->tables[i].number != 0)
			ret->by_number[ret->numbered_count++] = &ret->tables[i];
	qsort(ret->by_number, ret->numbered_count, sizeof(*ret->by_number),
	      compare_numbers);
	return 0;
}

static const struct remote_table *find_name(const struct register_now *now,
					    const char *name)
{
	return now->count == 0 ? NULL
			       : bsearch(name, now->tables, now->count,
					 sizeof(*now->tables), compare_names);
}

static const struct remote_table *find_number(const struct register_now *now,
					      uint32_t number)
{
	const struct remote_table key = {.number = number}, *at = &key;
	const struct remote_table *const *found =
		bsearch(&at, now->by_number, now->numbered_count,
			sizeof(*now->by_number), compare_numbers);

	return found ? *found : NULL;
}

/* --- what is to be done -------------------------------------------------- */

static int fail_documents(const struct remote_table *table,
			  const struct listed_table *listed,
			  struct cvx_err *err)
{
	if (table->number == 0)
		return refuse(err, "TableNumberConflict",
			      "row %u: table %s has documents, and the "
			      "deployment does not say under which number, so "
			      "it cannot get the number %u; write the backup "
			      "as one .zip file",
			      listed->row, listed->name, listed->number);
	return refuse(err, "TableNumberConflict",
		      "row %u: table %s has documents under the number %u, so "
		      "it cannot get the number %u",
		      listed->row, listed->name, table->number, listed->number);
}

/* 1: the table must get its number; 0: it has it. */
static int check_entry(const struct archive_place *place,
		       const struct register_now *now,
		       const struct listed_table *listed,
		       const struct halt *halt, struct cvx_err *err)
{
	const struct remote_table *table = find_name(now, listed->name);
	const struct remote_table *owner;
	uint64_t count = 0;
	int r = 0;

	if (table && table->number == listed->number)
		return 0;
	if (table)
		r = remote_count_documents(place->http, place->component,
					   listed->name, halt, &count, err);
	if (r < 0)
		return r;
	if (count > 0)
		return fail_documents(table, listed, err);
	owner = find_number(now, listed->number);
	if (owner && !now->is_listed[owner - now->tables])
		return refuse(err, "TableConflict",
			      "row %u: the number %u of table %s belongs to "
			      "table %s",
			      listed->row, listed->number, listed->name,
			      owner->name);
	return 1;
}

/* Keeps in the list what must get its number. */
static int choose(const struct archive_place *place, struct tables_list *list,
		  const struct halt *halt, struct cvx_err *err)
{
	CVX_AUTO(register_now_fini) struct register_now now = {.tables = NULL};
	const struct remote_table *table;
	size_t i, n = 0;
	int r = look(place, halt, &now, err);

	for (i = 0; r == 0 && i < list->count; i++) {
		table = find_name(&now, list->tables[i].name);
		if (table)
			now.is_listed[table - now.tables] = true;
	}
	for (i = 0; r >= 0 && i < list->count; i++) {
		r = check_entry(place, &now, &list->tables[i], halt, err);
		if (r == 1)
			list->tables[n++] = list->tables[i];
	}
	if (r < 0)
		return r;
	list->count = n;
	return 0;
}

/* The table that is in the way, if it can make room: it is empty, and all
 * numbers are known, so that *ret_free is of no table. */
static int find_room(const struct archive_place *place, const char *table,
		     uint32_t number, const struct halt *halt,
		     char ret_owner[NAME_MAX_SIZE + 1], uint32_t *ret_free,
		     struct cvx_err *err)
{
	CVX_AUTO(register_now_fini) struct register_now now = {.tables = NULL};
	const struct remote_table *owner;
	uint64_t count;
	size_t i;
	int r = look(place, halt, &now, err);

	if (r < 0)
		return r;
	owner = find_number(&now, number);
	if (!owner || strcmp(owner->name, table) == 0 ||
	    now.numbered_count < now.count)
		return 0;
	r = remote_count_documents(place->http, place->component, owner->name,
				   halt, &count, err);
	if (r < 0 || count > 0)
		return r;
	*ret_free = FIRST_USER_NUMBER;
	for (i = 0; i < now.numbered_count; i++)
		if (now.by_number[i]->number == *ret_free)
			++*ret_free;
	memcpy(ret_owner, owner->name, sizeof(owner->name));
	return 1;
}

/* --- the archive --------------------------------------------------------- */

static int print_lines(const struct tables_list *list, struct cvx_buf *out,
		       struct cvx_err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < list->count; i++)
		r = cvx_buf_printf(
			out, "{\"name\":\"%s\",\"id\":%" PRIu32 "}\n",
			list->tables[i].name, list->tables[i].number);
	return r < 0 ? cvx_fail_memory(err) : 0;
}

static int write_archive(const struct tables_list *list, int fd,
			 uint64_t *ret_size, struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf lines = CVX_BUF_INIT(TABLES_LIST_MAX * LINE_MAX_SIZE);
	struct archive_part part = {.name = "_tables/documents.jsonl"};
	int r = print_lines(list, &lines, err);

	if (r < 0)
		return r;
	part.source = source_of_buf(&lines);
	part.size = lines.size;
	return parts_archive_write(&part, 1, fd, ret_size, err);
}

static int import(const struct archive_place *place,
		  const struct tables_list *list, struct cvx_err *err)
{
	const struct archive_import how = {
		.http = place->http,
		.component = place->path,
		.mode = IMPORT_REQUIRE_EMPTY,
	};
	CVX_AUTO(cvx_closep) int fd = file_open_unnamed(place->dir_fd);
	uint64_t size;
	int r;

	if (fd < 0)
		return cvx_fail(err, fd, "cannot keep what is to be sent: %s",
				strerror(-fd));
	r = write_archive(list, fd, &size, err);
	return r < 0 ? r : archive_import_run(&how, fd, size, err);
}

int remote_register_tables(const struct archive_place *place, const char *text,
			   size_t size, const struct halt *halt,
			   struct cvx_err *err)
{
	CVX_AUTO(tables_list_fini) struct tables_list list = TABLES_LIST_INIT;
	int r = tables_list_read(text, size, &list, err);

	if (r == 0)
		r = choose(place, &list, halt, err);
	return r < 0 || list.count == 0 ? r : import(place, &list, err);
}

int remote_make_room(const struct archive_place *place, const char *table,
		     uint32_t number, const struct halt *halt,
		     struct cvx_err *err)
{
	struct listed_table owner = {.row = 1};
	const struct tables_list list = {&owner, 1, 1};
	int r = find_room(place, table, number, halt, owner.name, &owner.number,
			  err);

	return r == 1 ? import(place, &list, err) : r;
}

int remote_make_component(const struct archive_place *place,
			  struct cvx_err *err)
{
	const struct tables_list none = TABLES_LIST_INIT;

	return import(place, &none, err);
}
