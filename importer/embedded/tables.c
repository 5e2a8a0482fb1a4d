#include "importer/embedded/tables.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/files.h"
#include "importer/embedded/schemas.h"
#include "importer/embedded/sql.h"
#include "importer/schema/schema.h"
#include "importer/value/refusal.h"

#define FIRST_USER_NUMBER 10001

/* The numbers of system tables that every deployment has, whether or not this
 * one has the tables, so that the same numbers conflict (import.md 2.4). That
 * of _storage is in the catalog, since imports move it. */
static const struct {
	uint16_t number;
	bool in_child; /* also in components below the root */
	const char *name;
} reserved_numbers[] = {
	{513, false, "_tables"},
	{514, false, "_index"},
	{516, false, "_exports"},
	{517, false, "_backend_info"},
	{518, true, "_udf_config"},
	{519, false, "_auth"},
	{520, false, "_db"},
	{521, true, "_modules"},
	{524, true, "_source_packages"},
	{525, false, "_environment_variables"},
	{526, false, "_aws_lambda_versions"},
	{527, false, "_deployment_audit_log"},
	{529, false, "_client_request_log"},
	{531, true, "_cron_jobs"},
	{532, true, "_schemas"},
	{533, true, "_cron_job_logs"},
	{535, false, "_log_sinks"},
	{536, false, "_backend_state"},
	{537, false, "_external_deps_packages"},
	{539, true, "_scheduled_jobs"},
	{541, false, "_snapshot_imports"},
	{542, false, "_index_worker_metadata"},
	{543, false, "_component_definitions"},
	{544, false, "_components"},
	{545, false, "_function_handles"},
	{546, false, "_canonical_urls"},
	{547, true, "_cron_next_run"},
	{548, false, "_index_backfills"},
	{549, true, "_schema_validation_progress"},
	{550, true, "_scheduled_job_args"},
	{551, false, "_audit_log_config"},
	{552, false, "_usage_limits"},
	{553, false, "_data_sync_progress"},
};

#define ROOT_COMPONENT 1

struct last_stamp last_stamp_max(struct last_stamp a, struct last_stamp b)
{
	struct last_stamp last = a;

	if (b.ms > a.ms || (b.ms == a.ms && b.counter > a.counter)) {
		last.ms = b.ms;
		last.counter = b.counter;
	}
	if (b.time > a.time)
		last.time = b.time;
	return last;
}

int component_look(struct catalog *c, const char *path,
		   struct component_row *ret, struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	int r = catalog_query(c, SQL_FIND_COMPONENT, &q, err);

	if (r < 0)
		return r;
	catalog_bind_text(q, 1, path);
	r = catalog_next(q, err);
	if (r <= 0)
		return r;
	ret->id = catalog_int(q, 0);
	ret->table_count = catalog_int(q, 1);
	ret->free_number = (uint32_t)catalog_int(q, 2);
	return 1;
}

int component_find(struct catalog *c, const char *path,
		   struct component_row *ret, struct cvx_err *err)
{
	int r = component_look(c, path, ret, err);

	if (r == 0)
		return cvx_fail(err, -ENOENT, "there is no component %s", path);
	return r < 0 ? r : 0;
}

static int component_insert(struct catalog *c, const char *path,
			    struct cvx_err *err)
{
	struct component_row row;
	struct catalog_query *q;
	int r = component_look(c, path, &row, err);

	if (r != 0)
		return r < 0 ? r : 0;
	r = catalog_query(c, SQL_INSERT_COMPONENT, &q, err);
	if (r < 0)
		return r;
	catalog_bind_text(q, 1, path);
	return catalog_run(q, err);
}

int component_make(struct catalog *c, const char *path, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *copy = strdup(path);
	char *slash = copy;
	int r = 0;

	if (!copy)
		return cvx_fail_memory(err);
	while (r == 0 && slash && (slash = strchr(slash, '/'))) {
		*slash = '\0';
		r = component_insert(c, copy, err);
		*slash++ = '/';
	}
	return r < 0 ? r : component_insert(c, path, err);
}

static int component_update(struct catalog *c, const struct component_row *row,
			    struct cvx_err *err)
{
	struct catalog_query *q;
	int r = catalog_query(c, SQL_UPDATE_COMPONENT, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, row->id);
	catalog_bind_int(q, 2, row->table_count);
	catalog_bind_int(q, 3, row->free_number);
	return catalog_run(q, err);
}

/* Nothing has the number any more. */
static void free_number(struct component_row *component, uint32_t number)
{
	if (number >= FIRST_USER_NUMBER && number < component->free_number)
		component->free_number = number;
}

int component_release_number(struct catalog *c, struct component_row *component,
			     uint32_t number, struct cvx_err *err)
{
	free_number(component, number);
	return component_update(c, component, err);
}

int table_fail_too_many(struct cvx_err *err)
{
	return refuse(err, "TooManyTables",
		      "there are %d tables, which is the most that can be",
		      TABLE_COUNT_MAX);
}

static void set_name(struct table_info *info, const char *name, size_t size)
{
	if (size > NAME_MAX_SIZE)
		size = NAME_MAX_SIZE;
	memcpy(info->name, name, size);
	info->name[size] = '\0';
}

int table_find(struct catalog *c, const char *component, const char *name,
	       struct table_row *ret, struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	int r = catalog_query(c, SQL_FIND_TABLE, &q, err);

	if (r < 0)
		return r;
	catalog_bind_text(q, 1, component);
	catalog_bind_text(q, 2, name);
	r = catalog_next(q, err);
	if (r <= 0)
		return r;
	memset(ret, 0, sizeof(*ret));
	ret->id = catalog_int(q, 0);
	set_name(&ret->info, name, strlen(name));
	ret->info.number = (uint32_t)catalog_int(q, 1);
	ret->info.revision = (uint64_t)catalog_int(q, 2);
	ret->info.committed_ns = catalog_int(q, 3);
	ret->info.document_count = (uint64_t)catalog_int(q, 4);
	ret->info.size = (uint64_t)catalog_int(q, 5);
	ret->beyond_plain = catalog_int(q, 6) != 0;
	ret->last.ms = (uint64_t)catalog_int(q, 7);
	ret->last.counter = (uint64_t)catalog_int(q, 8);
	ret->last.time = catalog_real(q, 9);
	return 1;
}

int table_fail_missing(struct catalog *c, const char *component,
		       const char *name, struct cvx_err *err)
{
	struct component_row row;
	int r = component_find(c, component, &row, err);

	return r < 0 ? r : cvx_fail(err, -ENOENT, "there is no table %s", name);
}

int table_check_name(const char *name, struct cvx_err *err)
{
	size_t size = strlen(name);

	if (size > NAME_MAX_SIZE)
		return cvx_fail_named(err, -ENAMETOOLONG, "InvalidTableName",
				      "a table name has at most %d bytes, this "
				      "one has %zu",
				      NAME_MAX_SIZE, size);
	if (name[0] == '_' && name_is_identifier(name, size))
		return refuse(err, "InvalidTableName",
			      "table %s: names that begin with _ belong to the "
			      "system",
			      name);
	if (!name_is_user_table(name, size))
		return refuse(err, "InvalidTableName",
			      "\"%s\" is not a table name: use letters, digits "
			      "and _, and begin with a letter",
			      name);
	return 0;
}

int table_find_user_number(struct catalog *c, int64_t component,
			   uint32_t number, char name[NAME_MAX_SIZE + 1],
			   struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	struct table_info info;
	const char *bytes;
	size_t size;
	int r = catalog_query(c, SQL_FIND_NUMBER, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, component);
	catalog_bind_int(q, 2, number);
	r = catalog_next(q, err);
	if (r <= 0)
		return r;
	bytes = catalog_bytes(q, 0, &size);
	set_name(&info, bytes, size);
	memcpy(name, info.name, sizeof(info.name));
	return 1;
}

int table_fresh_number(struct catalog *c, struct component_row *component,
		       uint32_t *ret, struct cvx_err *err)
{
	char name[NAME_MAX_SIZE + 1];
	uint32_t number = component->free_number;
	struct storage_info storage;
	int r = storage_find(c, component->id, &storage, err);

	if (r < 0)
		return r;
	if (number < FIRST_USER_NUMBER)
		number = FIRST_USER_NUMBER;
	/* As many steps as there are tables, at most. */
	for (;; number++) {
		if (number == storage.number)
			continue;
		r = table_find_user_number(c, component->id, number, name, err);
		if (r <= 0)
			break;
	}
	if (r == 0)
		*ret = component->free_number = number;
	return r;
}

const char *table_reserved_name(uint32_t number, bool in_root)
{
	size_t i;

	for (i = 0; i < sizeof(reserved_numbers) / sizeof(*reserved_numbers);
	     i++)
		if (reserved_numbers[i].number == number &&
		    (in_root || reserved_numbers[i].in_child))
			return reserved_numbers[i].name;
	return NULL;
}

int table_find_number(struct catalog *c, const struct component_row *component,
		      uint32_t number, char name[NAME_MAX_SIZE + 1],
		      struct cvx_err *err)
{
	const char *reserved =
		table_reserved_name(number, component->id == ROOT_COMPONENT);
	struct storage_info storage;
	int r = storage_find(c, component->id, &storage, err);

	if (r < 0)
		return r;
	if (number == storage.number)
		reserved = STORAGE_NAME;
	if (!reserved)
		return table_find_user_number(c, component->id, number, name,
					      err);
	(void)snprintf(name, NAME_MAX_SIZE + 1, "%s", reserved);
	return 1;
}

int table_insert(struct catalog *c, struct component_row *component,
		 struct table_row *row, struct cvx_err *err)
{
	struct catalog_query *q;
	int r = catalog_query(c, SQL_INSERT_TABLE, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, component->id);
	catalog_bind_text(q, 2, row->info.name);
	catalog_bind_int(q, 3, row->info.number);
	catalog_bind_int(q, 4, (int64_t)row->info.revision);
	catalog_bind_int(q, 5, row->info.committed_ns);
	r = catalog_run(q, err);
	if (r < 0)
		return r;
	row->id = catalog_last_id(c);
	component->table_count++;
	if (row->info.number == component->free_number)
		component->free_number++;
	return component_update(c, component, err);
}

int table_update(struct catalog *c, struct component_row *component,
		 const struct table_row *row, uint32_t old_number,
		 struct cvx_err *err)
{
	struct catalog_query *q;
	int r = catalog_query(c, SQL_UPDATE_TABLE, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, row->id);
	catalog_bind_int(q, 2, row->info.number);
	catalog_bind_int(q, 3, (int64_t)row->info.revision);
	catalog_bind_int(q, 4, row->info.committed_ns);
	catalog_bind_int(q, 5, (int64_t)row->info.document_count);
	catalog_bind_int(q, 6, (int64_t)row->info.size);
	catalog_bind_int(q, 7, row->beyond_plain);
	catalog_bind_int(q, 8, (int64_t)row->last.ms);
	catalog_bind_int(q, 9, (int64_t)row->last.counter);
	catalog_bind_real(q, 10, row->last.time);
	r = catalog_run(q, err);
	if (r < 0 || row->info.number == old_number)
		return r;
	assert(component);
	free_number(component, old_number);
	return component_update(c, component, err);
}

int table_set_aside(struct catalog *c, int64_t id, struct cvx_err *err)
{
	struct catalog_query *q;
	int r = catalog_query(c, SQL_SET_ASIDE, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, id);
	return catalog_run(q, err);
}

int table_delete(struct catalog *c, const char *component, int64_t id,
		 uint32_t number, struct cvx_err *err)
{
	struct component_row owner;
	struct catalog_query *q;
	int r = component_find(c, component, &owner, err);

	if (r == 0)
		r = catalog_query(c, SQL_DELETE_TABLE, &q, err);
	if (r < 0)
		return r;
	catalog_bind_int(q, 1, id);
	r = catalog_run(q, err);
	owner.table_count--;
	free_number(&owner, number);
	return r < 0 ? r : component_update(c, &owner, err);
}

int counters_get(struct catalog *c, struct counters_row *ret,
		 struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	int r = catalog_query(c, SQL_GET_COUNTERS, &q, err);

	if (r == 0)
		r = catalog_next(q, err);
	if (r < 0)
		return r;
	if (r == 0)
		return cvx_fail(err, -EIO,
				"the catalog is damaged: its counters are "
				"missing");
	ret->revision = (uint64_t)catalog_int(q, 0);
	ret->segment = (uint64_t)catalog_int(q, 1);
	ret->last.ms = (uint64_t)catalog_int(q, 2);
	ret->last.counter = (uint64_t)catalog_int(q, 3);
	ret->last.time = catalog_real(q, 4);
	return 0;
}

int counters_put(struct catalog *c, const struct counters_row *row,
		 struct cvx_err *err)
{
	struct catalog_query *q;
	int r = catalog_query(c, SQL_PUT_COUNTERS, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, (int64_t)row->revision);
	catalog_bind_int(q, 2, (int64_t)row->segment);
	catalog_bind_int(q, 3, (int64_t)row->last.ms);
	catalog_bind_int(q, 4, (int64_t)row->last.counter);
	catalog_bind_real(q, 5, row->last.time);
	return catalog_run(q, err);
}

static int read_key(struct catalog_query *q, int column,
		    struct internal_id *ret, struct cvx_err *err)
{
	size_t size;
	const char *bytes = catalog_bytes(q, column, &size);

	if (size != ID_SIZE)
		return cvx_fail(err, -EIO,
				"the catalog is damaged: a key has %zu bytes",
				size);
	memcpy(ret->bytes, bytes, ID_SIZE);
	return 0;
}

static int read_segment(struct catalog_query *q, struct segment_row *ret,
			struct cvx_err *err)
{
	int r;

	ret->id = (uint64_t)catalog_int(q, 0);
	ret->position = catalog_int(q, 1);
	ret->size = (uint64_t)catalog_int(q, 2);
	ret->row_count = (uint64_t)catalog_int(q, 3);
	r = read_key(q, 4, &ret->first, err);
	if (r == 0)
		r = read_key(q, 5, &ret->last, err);
	ret->ascending = catalog_int(q, 6) != 0;
	ret->beyond_plain = catalog_int(q, 7) != 0;
	return r;
}

int segments_list(struct catalog *c, int64_t table_id, struct segment_row **ret,
		  size_t *ret_count, struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	CVX_AUTO(cvx_freep) struct segment_row *rows = NULL;
	size_t count = 0, capacity = 0;
	int r = catalog_query(c, SQL_LIST_SEGMENTS, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, table_id);
	while ((r = catalog_next(q, err)) == 1) {
		if (count == capacity) {
			struct segment_row *more;

			capacity = capacity * 2 + 4;
			more = reallocarray(rows, capacity, sizeof(*rows));
			if (!more)
				return cvx_fail_memory(err);
			rows = more;
		}
		r = read_segment(q, &rows[count], err);
		if (r < 0)
			return r;
		count++;
	}
	if (r < 0)
		return r;
	*ret = CVX_TAKE(rows);
	*ret_count = count;
	return 0;
}

int segment_insert(struct catalog *c, int64_t table_id,
		   const struct segment_row *row, struct cvx_err *err)
{
	struct catalog_query *q;
	int r = catalog_query(c, SQL_INSERT_SEGMENT, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, (int64_t)row->id);
	catalog_bind_int(q, 2, table_id);
	catalog_bind_int(q, 3, row->position);
	catalog_bind_int(q, 4, (int64_t)row->size);
	catalog_bind_int(q, 5, (int64_t)row->row_count);
	catalog_bind_bytes(q, 6, row->first.bytes, ID_SIZE);
	catalog_bind_bytes(q, 7, row->last.bytes, ID_SIZE);
	catalog_bind_int(q, 8, row->ascending);
	catalog_bind_int(q, 9, row->beyond_plain);
	return catalog_run(q, err);
}

int segment_grow(struct catalog *c, const struct segment_row *row,
		 struct cvx_err *err)
{
	struct catalog_query *q;
	int r = catalog_query(c, SQL_GROW_SEGMENT, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, (int64_t)row->id);
	catalog_bind_int(q, 2, (int64_t)row->size);
	catalog_bind_int(q, 3, (int64_t)row->row_count);
	catalog_bind_bytes(q, 4, row->last.bytes, ID_SIZE);
	catalog_bind_int(q, 5, row->beyond_plain);
	return catalog_run(q, err);
}

int segment_delete(struct catalog *c, uint64_t id, struct cvx_err *err)
{
	struct catalog_query *q;
	int r = catalog_query(c, SQL_DELETE_SEGMENT, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, (int64_t)id);
	return catalog_run(q, err);
}

/* deployment.h */

int deployment_find_component(struct deployment *d, const char *component,
			      struct cvx_err *err)
{
	struct component_row row;
	int r = component_find(embedded_lock_reads(d), component, &row, err);

	embedded_unlock_reads(d);
	return r;
}

int deployment_stat_table(struct deployment *d, const char *component,
			  const char *table, struct table_info *ret,
			  struct cvx_err *err)
{
	struct catalog *c = embedded_lock_reads(d);
	struct table_row row;
	int r = table_find(c, component, table, &row, err);

	if (r == 0)
		r = table_fail_missing(c, component, table, err);
	embedded_unlock_reads(d);
	if (r < 0)
		return r;
	*ret = row.info;
	return 0;
}

int deployment_takes_uniform(struct deployment *d, const char *component,
			     const char *table, bool *ret, struct cvx_err *err)
{
	struct table_row row;
	int r = table_find(embedded_lock_reads(d), component, table, &row, err);

	embedded_unlock_reads(d);
	if (r < 0)
		return r;
	*ret = r == 0 || row.info.document_count == 0 || row.beyond_plain;
	return 0;
}

static int list_tables(struct catalog *c, const char *component,
		       struct table_info **ret, size_t *ret_count,
		       struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	CVX_AUTO(cvx_freep) struct table_info *list = NULL;
	struct component_row row;
	struct table_info *info;
	const char *bytes;
	size_t count = 0, capacity, size;
	int r = component_find(c, component, &row, err);

	if (r == 0)
		r = catalog_query(c, SQL_LIST_TABLES, &q, err);
	if (r < 0)
		return r;
	capacity = (size_t)row.table_count + 1;
	list = calloc(capacity, sizeof(*list));
	if (!list)
		return cvx_fail_memory(err);
	catalog_bind_text(q, 1, component);
	while ((r = catalog_next(q, err)) == 1) {
		/* Another process may have added some in between. */
		if (count == capacity) {
			capacity *= 2;
			info = reallocarray(list, capacity, sizeof(*list));
			if (!info)
				return cvx_fail_memory(err);
			list = info;
		}
		info = &list[count++];
		bytes = catalog_bytes(q, 0, &size);
		set_name(info, bytes, size);
		info->number = (uint32_t)catalog_int(q, 1);
		info->revision = (uint64_t)catalog_int(q, 2);
		info->committed_ns = catalog_int(q, 3);
		info->document_count = (uint64_t)catalog_int(q, 4);
		info->size = (uint64_t)catalog_int(q, 5);
	}
	if (r < 0)
		return r;
	*ret = CVX_TAKE(list);
	*ret_count = count;
	return 0;
}

int deployment_list_tables(struct deployment *d, const char *component,
			   struct table_info **ret, size_t *ret_count,
			   struct cvx_err *err)
{
	int r = list_tables(embedded_lock_reads(d), component, ret, ret_count,
			    err);

	embedded_unlock_reads(d);
	return r;
}

static int create_table(struct catalog *c, const char *component,
			const char *table, struct cvx_err *err)
{
	struct table_row row = {0};
	struct component_row owner;
	struct counters_row counters;
	int r = table_find(c, component, table, &row, err);

	if (r != 0)
		return r;
	r = component_find(c, component, &owner, err);
	if (r == 0)
		r = counters_get(c, &counters, err);
	if (r == 0 && owner.table_count >= TABLE_COUNT_MAX)
		r = table_fail_too_many(err);
	if (r == 0)
		r = table_fresh_number(c, &owner, &row.info.number, err);
	if (r < 0)
		return r;
	set_name(&row.info, table, strlen(table));
	row.info.revision = ++counters.revision;
	row.info.committed_ns = embedded_now_ns();
	r = counters_put(c, &counters, err);
	return r < 0 ? r : table_insert(c, &owner, &row, err);
}

int deployment_create_table(struct deployment *d, const char *component,
			    const char *table, struct cvx_err *err)
{
	bool in_doubt;
	int r = table_check_name(table, err);

	if (r == 0)
		r = embedded_begin(d, err);
	if (r < 0)
		return r;
	r = create_table(d->writes, component, table, err);
	if (r == 0)
		return embedded_commit(d, &in_doubt, err);
	embedded_rollback(d);
	return r < 0 ? r : 0; /* 1: it was there */
}

int table_check_deletion(struct deployment *d, const char *component,
			 const char *table, struct cvx_err *err)
{
	struct active_schema *active;
	int r = schemas_get(d, d->writes, component, &active, err);

	if (r == 0 && active)
		r = schema_check_deletion(active->schema, table, err);
	schemas_unref(d, active);
	return r;
}

static int delete_table(struct deployment *d, const char *component,
			const char *table, struct cvx_err *err)
{
	struct catalog *c = d->writes;
	struct table_row row;
	int r = table_find(c, component, table, &row, err);

	if (r == 0)
		r = table_fail_missing(c, component, table, err);
	if (r < 0)
		return r;
	if (row.info.document_count > 0)
		return cvx_fail(err, -ENOTEMPTY,
				"table %s has documents; empty it first",
				table);
	r = table_check_deletion(d, component, table, err);
	return r < 0 ? r
		     : table_delete(c, component, row.id, row.info.number, err);
}

int deployment_delete_table(struct deployment *d, const char *component,
			    const char *table, struct cvx_err *err)
{
	bool in_doubt;
	int r = embedded_begin(d, err);

	if (r < 0)
		return r;
	r = delete_table(d, component, table, err);
	if (r == 0)
		return embedded_commit(d, &in_doubt, err);
	embedded_rollback(d);
	return r;
}
