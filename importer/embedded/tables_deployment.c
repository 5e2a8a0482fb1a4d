#include "importer/deployment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/embedded/component_rows.h"
#include "importer/embedded/counters.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/schemas.h"
#include "importer/embedded/sql.h"
#include "importer/embedded/table_numbers.h"
#include "importer/embedded/tables.h"
#include "importer/schema/schema.h"

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
		table_set_name(info, bytes, size);
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
	table_set_name(&row.info, table, strlen(table));
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
	int r;

	if (d->origin_url) /* a copy follows what was decided elsewhere */
		return 0;
	r = schemas_get(d, d->writes, component, &active, err);
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
