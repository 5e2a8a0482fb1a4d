#include "importer/embedded/tables.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/embedded/component_rows.h"
#include "importer/embedded/sql.h"
#include "importer/value/refusal.h"

int table_fail_too_many(struct cvx_err *err)
{
	return refuse(err, "TooManyTables",
		      "there are %d tables, which is the most that can be",
		      TABLE_COUNT_MAX);
}

void table_set_name(struct table_info *info, const char *name, size_t size)
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
	table_set_name(&ret->info, name, strlen(name));
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
	return component_release_number(c, component, old_number, err);
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
	return r < 0 ? r : component_release_number(c, &owner, number, err);
}
