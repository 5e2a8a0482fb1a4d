/* Clearing and deleting tables: protocol.md 11.4. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/deployment.h"
#include "importer/import.h"
#include "importer/server/component_id.h"
#include "importer/server/compose.h"
#include "importer/server/function_table.h"
#include "importer/server/http.h"
#include "importer/server/inside.h"
#include "importer/server/reply.h"
#include "importer/server/routes.h"
#include "importer/value/name.h"

static int read_nothing(void *ctx, uint64_t off, void *buf, size_t size,
			size_t *ret_n, struct cvx_err *err)
{
	(void)ctx;
	(void)off;
	(void)buf;
	(void)size;
	(void)err;
	*ret_n = 0;
	return 0;
}

/* Replaces the documents by none. */
static int clear(struct deployment *d, const char *component, const char *table,
		 struct cvx_err *err)
{
	const struct import_target target = {
		.component = component,
		.table = table,
		.path = table,
		.format = FORMAT_JSONL,
		.mode = IMPORT_REPLACE,
	};
	const struct import_source source = {NULL, read_nothing};
	struct import_result result;
	struct import *imp;
	int r = import_new(d, &target, &source, &imp, err);

	if (r < 0)
		return r;
	r = import_commit(imp, 0, &result, err);
	import_free(imp);
	return r;
}

/* The one page that there is holds all documents: they go in one step. */
static int clear_page(const struct function_call *call, struct cvx_buf *out,
		      struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *component = NULL;
	const char *table = reply_member(call->args, "tableName");
	struct table_info info = {.document_count = 0};
	int r;

	if (!table)
		return function_fail_argument("tableName", "a string", err);
	r = function_component(call, "componentId", &component, err);
	if (r == 0)
		r = deployment_stat_table(call->server->d, component, table,
					  &info, err);
	if (r == 0 && info.document_count > 0)
		r = clear(call->server->d, component, table, err);
	if (r < 0 && r != -ENOENT)
		return r;
	return compose_fail_append(
		cvx_buf_printf(out,
			       "{\"continueCursor\":\"end\",\"deleted\":"
			       "%" PRIu64 ".0,\"hasMore\":false}",
			       info.document_count),
		err);
}

const struct function clear_functions[] = {
	{"_system/frontend/clearTablePage:default", true, clear_page},
	{NULL, false, NULL},
};

/* --- routes -------------------------------------------------------------- */

static int fail_body(struct cvx_err *err, const char *text)
{
	return cvx_fail_named(err, -EINVAL, "BadJsonBody", "%s", text);
}

/* The names that are there, which live as long as the array. */
static int read_names(struct server *s, const char *component,
		      const cJSON *array, const char **names, size_t *ret_count,
		      struct cvx_err *err)
{
	struct table_info info;
	const cJSON *item;
	const char *name;
	size_t n = 0;
	int r;

	cJSON_ArrayForEach(item, array)
	{
		name = cJSON_GetStringValue(item);
		if (!name)
			return fail_body(err,
					 "tableNames must hold strings only");
		if (!name_is_user_table(name, strlen(name)))
			return cvx_fail_named(err, -EINVAL, "InvalidTableName",
					      "\"%.100s\" is not the name of a "
					      "table that can be deleted",
					      name);
		r = deployment_stat_table(s->d, component, name, &info, err);
		if (r < 0 && r != -ENOENT)
			return r;
		if (r == 0)
			names[n++] = name;
	}
	*ret_count = n;
	return 0;
}

static int delete_named(struct server *s, const cJSON *body,
			struct cvx_err *err)
{
	const cJSON *array =
		cJSON_GetObjectItemCaseSensitive(body, "tableNames");
	CVX_AUTO(cvx_freep) const char **names = NULL;
	CVX_AUTO(cvx_freep) char *component = NULL;
	size_t count = 0;
	int r;

	if (!cJSON_IsArray(array))
		return fail_body(err, "tableNames must be an array");
	names = calloc((size_t)cJSON_GetArraySize(array) + 1, sizeof(*names));
	if (!names)
		return cvx_fail_memory(err);
	r = component_id_find(s->d, reply_member(body, "componentId"),
			      &component, err);
	if (r == 0)
		r = read_names(s, component, array, names, &count, err);
	return r < 0 ? r
		     : deployment_delete_tables(s->d, component, names, count,
						err);
}

/* SCH-8 */
static void delete_tables(struct server *s, struct http_exchange *x)
{
	struct cvx_err err = CVX_ERR_INIT;
	cJSON *body;

	if (reply_read_json(x, &body) < 0)
		return;
	if (delete_named(s, body, &err) < 0)
		reply_failure(x, &err);
	else
		reply_empty(x, 200);
	cJSON_Delete(body);
}

const struct route clear_routes[] = {
	{HTTP_POST, "/api/delete_tables", ROUTE_ADMIN, ROUTE_JSON_MAX, NULL,
	 delete_tables},
	{HTTP_OTHER, NULL, ROUTE_ADMIN, 0, NULL, NULL},
};
