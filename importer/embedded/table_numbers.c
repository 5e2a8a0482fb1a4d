#include "importer/embedded/table_numbers.h"

#include <stdio.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/embedded/component_rows.h"
#include "importer/embedded/files.h"
#include "importer/embedded/sql.h"
#include "importer/embedded/tables.h"

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
	table_set_name(&info, bytes, size);
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
