#include "importer/remote/remote_tables.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/remote/listing.h"
#include "importer/remote/removal.h"
#include "importer/value/name.h"

static int is_there(struct http *http, const char *component, const char *table,
		    const struct halt *halt, bool *ret, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct remote_table *list = NULL;
	size_t count = 0, i;
	int r = remote_list_tables(http, component, halt, &list, &count, err);

	*ret = false;
	for (i = 0; r == 0 && i < count; i++)
		*ret |= strcmp(list[i].name, table) == 0;
	return r;
}

/* 1: it is there, and empty. 0: it is not there. */
static int look(struct http *http, const char *component, const char *table,
		const struct halt *halt, struct cvx_err *err)
{
	uint64_t count = 0;
	bool yes;
	int r = is_there(http, component, table, halt, &yes, err);

	if (r < 0 || !yes)
		return r;
	r = remote_count_documents(http, component, table, halt, &count, err);
	if (r < 0)
		return r;
	if (count > 0)
		return cvx_fail(err, -ENOTEMPTY,
				"table %s has documents; empty it first",
				table);
	return 1;
}

/* {"tableNames":[…],"componentId":…}; NULL without memory. */
static char *print_body(const char *component, const char *table)
{
	cJSON *body = cJSON_CreateObject();
	cJSON *list = cJSON_AddArrayToObject(body, "tableNames");
	cJSON *name = cJSON_CreateString(table);
	char *text = NULL;

	if (!cJSON_AddItemToArray(list, name))
		cJSON_Delete(name);
	else if (!component ||
		 cJSON_AddStringToObject(body, "componentId", component))
		text = cJSON_PrintUnformatted(body);
	cJSON_Delete(body);
	return text;
}

/* The table of a removal. */
struct doomed {
	struct http *http;
	const char *component;
	const char *table;
	const struct halt *halt;
};

static int look_at(const void *ctx, struct cvx_err *err)
{
	const struct doomed *d = ctx;

	return look(d->http, d->component, d->table, d->halt, err);
}

int remote_delete_table(struct http *http, const char *component,
			const char *table, const struct halt *halt,
			struct cvx_err *err)
{
	const struct doomed doomed = {http, component, table, halt};
	CVX_AUTO(cvx_freep) char *body = NULL;
	struct removal removal = {.http = http,
				  .halt = halt,
				  .kind = "table",
				  .name = table,
				  .path = "/api/delete_tables",
				  .look = look_at,
				  .ctx = &doomed};

	/* The deployment would take another name for it (SCH-8). */
	if (!name_is_user_table(table, strlen(table)))
		return cvx_fail(err, -EINVAL,
				"%s is not the name of a table that can be "
				"deleted",
				table);
	removal.body = body = print_body(component, table);
	return removal_run(&removal, err);
}
