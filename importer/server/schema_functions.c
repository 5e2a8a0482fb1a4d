/* Schemas and their indexes: protocol.md 11.1, 11.2. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/deployment.h"
#include "importer/deployment_schema.h"
#include "importer/server/component_id.h"
#include "importer/server/compose.h"
#include "importer/server/function_table.h"
#include "importer/server/http.h"
#include "importer/server/inside.h"
#include "importer/server/reply.h"
#include "importer/server/routes.h"

/* The text of the active schema without its LF; empty: there is none. */
static int read_schema(struct server *s, const char *component,
		       struct cvx_buf *out, struct cvx_err *err)
{
	int r = deployment_print_schema(s->d, component, out, err);

	while (r == 0 && out->size > 0 && out->data[out->size - 1] == '\n')
		out->size--;
	if (r == 0)
		r = compose_fail_append(cvx_buf_append(out, "", 1), err);
	if (r == 0)
		out->size--; /* a NUL behind it */
	return r;
}

static int get_schemas(const struct function_call *call, struct cvx_buf *out,
		       struct cvx_err *err)
{
	struct cvx_buf text = CVX_BUF_INIT(DEPLOYMENT_SCHEMA_MAX * 8);
	CVX_AUTO(cvx_freep) char *component = NULL;
	cJSON *object;
	int r = function_component(call, "componentId", &component, err);

	if (r == 0)
		r = read_schema(call->server, component, &text, err);
	if (r == 0) {
		object = cJSON_CreateObject();
		if (object && text.size > 0 &&
		    !cJSON_AddStringToObject(object, "active", text.data)) {
			cJSON_Delete(object);
			object = NULL;
		}
		r = compose_print(object, out, err);
	}
	cvx_buf_fini(&text);
	return r;
}

/* --- indexes ------------------------------------------------------------- */

/* The lists of a schema's table, in the order of getSchemas. */
static const struct list {
	const char *name;
	bool is_staged;
} lists[] = {
	{"indexes", false},	  {"stagedDbIndexes", true},
	{"searchIndexes", false}, {"stagedSearchIndexes", true},
	{"vectorIndexes", false}, {"stagedVectorIndexes", true},
};

static bool add_copy(cJSON *object, const char *key, const cJSON *value)
{
	cJSON *copy = cJSON_Duplicate(value, true);

	if (copy && cJSON_AddItemToObject(object, key, copy))
		return true;
	cJSON_Delete(copy);
	return false;
}

/* F of protocol.md 11.2. */
static bool add_fields(cJSON *object, const cJSON *index)
{
	static const char *const keys[] = {"dimensions", "filterFields",
					   "searchField", "vectorField"};
	const cJSON *fields = cJSON_GetObjectItemCaseSensitive(index, "fields");
	cJSON *made;
	size_t i;

	if (fields)
		return add_copy(object, "fields", fields);
	made = cJSON_AddObjectToObject(object, "fields");
	for (i = 0; made && i < sizeof(keys) / sizeof(*keys); i++) {
		const cJSON *value =
			cJSON_GetObjectItemCaseSensitive(index, keys[i]);

		if (value && !add_copy(made, keys[i], value))
			return false;
	}
	return made;
}

/* table NULL: it is not told. */
static cJSON *index_json(const cJSON *index, const char *table, bool is_staged)
{
	const char *name = reply_member(index, "indexDescriptor");
	cJSON *object = cJSON_CreateObject(), *backfill = NULL;

	if (object && name &&
	    (backfill = cJSON_AddObjectToObject(object, "backfill")) &&
	    cJSON_AddStringToObject(backfill, "state", "done") &&
	    add_fields(object, index) &&
	    cJSON_AddStringToObject(object, "name", name) &&
	    cJSON_AddBoolToObject(object, "staged", is_staged) &&
	    (!table || cJSON_AddStringToObject(object, "table", table)))
		return object;
	cJSON_Delete(object);
	return NULL;
}

/* All indexes of the schema's table. */
static bool add_indexes(cJSON *array, const cJSON *table, const char *name)
{
	const cJSON *index;
	size_t i;

	for (i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		cJSON_ArrayForEach(index, cJSON_GetObjectItemCaseSensitive(
						  table, lists[i].name))
		{
			cJSON *item =
				index_json(index, name, lists[i].is_staged);

			if (!item || !cJSON_AddItemToArray(array, item)) {
				cJSON_Delete(item);
				return false;
			}
		}
	}
	return true;
}

static int parse_schema(struct server *s, const char *component, cJSON **ret,
			struct cvx_err *err)
{
	struct cvx_buf text = CVX_BUF_INIT(DEPLOYMENT_SCHEMA_MAX * 8);
	int r = read_schema(s, component, &text, err);

	if (r == 0) {
		*ret = cJSON_Parse(text.size > 0 ? text.data : "{}");
		if (!*ret)
			r = cvx_fail_memory(err);
	}
	cvx_buf_fini(&text);
	return r;
}

static int indexes(const struct function_call *call, struct cvx_buf *out,
		   struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *component = NULL;
	const char *name = reply_member(call->args, "tableName");
	cJSON *schema = NULL, *array;
	struct table_info info;
	const cJSON *table;
	int r;

	if (!name)
		return function_fail_argument("tableName", "a string", err);
	r = function_component(call, "tableNamespace", &component, err);
	if (r == 0)
		r = deployment_stat_table(call->server->d, component, name,
					  &info, err);
	if (r == -ENOENT && component)
		return compose_print(cJSON_CreateNull(), out, err);
	if (r == 0)
		r = parse_schema(call->server, component, &schema, err);
	if (r < 0)
		return r;
	array = cJSON_CreateArray();
	cJSON_ArrayForEach(table,
			   cJSON_GetObjectItemCaseSensitive(schema, "tables"))
	{
		const char *other = reply_member(table, "tableName");

		if (array && other && strcmp(other, name) == 0 &&
		    !add_indexes(array, table, NULL)) {
			cJSON_Delete(array);
			array = NULL;
		}
	}
	cJSON_Delete(schema);
	return compose_print(array, out, err);
}

const struct function schema_functions[] = {
	{"_system/frontend/getSchemas:default", false, get_schemas},
	{"_system/frontend/indexes:default", false, indexes},
	{NULL, false, NULL},
};

/* --- routes -------------------------------------------------------------- */

/* SCH-4 */
static void get_indexes(struct server *s, struct http_exchange *x)
{
	CVX_AUTO(cvx_freep) char *component = NULL;
	struct cvx_err err = CVX_ERR_INIT;
	cJSON *schema = NULL, *object, *array;
	const cJSON *table;
	bool ok;
	int r = component_id_find(s->d, http_arg(x, "componentId"), &component,
				  &err);

	if (r == 0)
		r = parse_schema(s, component, &schema, &err);
	if (r < 0) {
		reply_failure(x, &err);
		return;
	}
	object = cJSON_CreateObject();
	array = object ? cJSON_AddArrayToObject(object, "indexes") : NULL;
	ok = array;
	cJSON_ArrayForEach(table,
			   cJSON_GetObjectItemCaseSensitive(schema, "tables"))
	{
		const char *name = reply_member(table, "tableName");

		ok = ok && name && add_indexes(array, table, name);
	}
	cJSON_Delete(schema);
	if (!ok) {
		cJSON_Delete(object);
		object = NULL;
	}
	reply_object(x, object);
}

/* SCH-3 */
static void get_schema(struct server *s, struct http_exchange *x)
{
	struct cvx_buf text = CVX_BUF_INIT(DEPLOYMENT_SCHEMA_MAX * 8);
	struct cvx_err err = CVX_ERR_INIT;
	int r = read_schema(s, "", &text, &err);

	if (r == 0 && text.size == 0)
		r = compose_fail_append(cvx_buf_puts(&text, "null"), &err);
	if (r < 0)
		reply_failure(x, &err);
	else
		reply_json(x, &text);
	cvx_buf_fini(&text);
}

const struct route schema_routes[] = {
	{HTTP_GET, "/api/get_indexes", ROUTE_ADMIN, 0, NULL, get_indexes},
	{HTTP_GET, "/api/streaming_import/get_schema", ROUTE_ADMIN, 0, NULL,
	 get_schema},
	{HTTP_OTHER, NULL, ROUTE_ADMIN, 0, NULL, NULL},
};
