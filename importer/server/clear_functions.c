/* Clearing and deleting: protocol.md 11.4. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/deployment.h"
#include "importer/server/component_id.h"
#include "importer/server/compose.h"
#include "importer/server/function_table.h"
#include "importer/server/http.h"
#include "importer/server/inside.h"
#include "importer/server/reply.h"
#include "importer/server/routes.h"
#include "importer/value/name.h"

/* The one page that there is holds all documents: they go in one step. */
static int clear_page(const struct function_call *call, struct cvx_buf *out,
		      struct cvx_err *err)
{
	struct function_table t = {.component = NULL};
	int r = function_find_table(call, &t, err);

	if (r == 0 && t.info.document_count > 0)
		r = deployment_clear_tables(call->server->d, t.component,
					    &t.name, 1, err);
	free(t.component);
	if (r < 0)
		return r;
	return compose_fail_append(
		cvx_buf_printf(out,
			       "{\"continueCursor\":\"end\",\"deleted\":"
			       "%" PRIu64 ".0,\"hasMore\":false}",
			       t.info.document_count),
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
					      "user's table",
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

/* What is done to tables that are named in a body. */
typedef int change_tables(struct deployment *d, const char *component,
			  const char *const *tables, size_t count,
			  struct cvx_err *err);

static int change_named(struct server *s, const cJSON *body,
			const char *component_id, change_tables *change,
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
	r = component_id_find(s->d, component_id, &component, err);
	if (r == 0)
		r = read_names(s, component, array, names, &count, err);
	return r < 0 ? r : change(s->d, component, names, count, err);
}

/* SCH-8 */
static int delete_tables(struct server *s, const cJSON *body,
			 struct cvx_err *err)
{
	return change_named(s, body, reply_member(body, "componentId"),
			    deployment_delete_tables, err);
}

/* SCH-10: of the root. */
static int clear_tables(struct server *s, const cJSON *body,
			struct cvx_err *err)
{
	return change_named(s, body, NULL, deployment_clear_tables, err);
}

/* SCH-9. All components but the root are such that nothing mounts. */
static int delete_component(struct server *s, const cJSON *body,
			    struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *component = NULL;
	const char *id = reply_member(body, "componentId");
	int r;

	if (!id)
		return fail_body(err, "componentId is needed");
	r = component_id_find(s->d, id, &component, err);
	if (r == 0)
		r = deployment_drop_component(s->d, component, err);
	if (r == -ENOTEMPTY || (r == -EBUSY && !component[0]))
		err->name = "CannotDeleteComponent";
	return r;
}

static void change(struct server *s, struct http_exchange *x,
		   int (*apply)(struct server *s, const cJSON *body,
				struct cvx_err *err))
{
	struct cvx_err err = CVX_ERR_INIT;
	cJSON *body;

	if (reply_read_json(x, &body) < 0)
		return;
	if (apply(s, body, &err) < 0)
		reply_failure(x, &err);
	else
		reply_empty(x, 200);
	cJSON_Delete(body);
}

static void post_delete_tables(struct server *s, struct http_exchange *x)
{
	change(s, x, delete_tables);
}

static void put_clear_tables(struct server *s, struct http_exchange *x)
{
	change(s, x, clear_tables);
}

static void post_delete_component(struct server *s, struct http_exchange *x)
{
	change(s, x, delete_component);
}

const struct route clear_routes[] = {
	{HTTP_POST, "/api/delete_tables", ROUTE_ADMIN, ROUTE_JSON_MAX, NULL,
	 post_delete_tables},
	{HTTP_PUT, "/api/streaming_import/clear_tables", ROUTE_ADMIN,
	 ROUTE_JSON_MAX, NULL, put_clear_tables},
	{HTTP_POST, "/api/delete_component", ROUTE_ADMIN, ROUTE_JSON_MAX, NULL,
	 post_delete_component},
	{HTTP_OTHER, NULL, ROUTE_ADMIN, 0, NULL, NULL},
};
