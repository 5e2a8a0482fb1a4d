/* Tables and their documents: protocol.md 9, and the like of 5.2. */

#include <errno.h>
#include <math.h>
#include <stdio.h>
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
#include "importer/server/inside.h"
#include "importer/server/pages.h"
#include "importer/server/reply.h"
#include "importer/server/stored_pages.h"

#define MAPPING_MAX 1000
#define SCHEDULED_TABLE_NUMBER 539
#define FILES_TABLE_NUMBER 540

/* --- the list of tables (DAT-3) ------------------------------------------ */

static int print_names(const struct table_info *tables, size_t count,
		       struct cvx_buf *out)
{
	size_t i;
	int r = cvx_buf_puts(out, "{\"continueCursor\":\"end\",\"isDone\":true,"
				  "\"page\":[");

	for (i = 0; r == 0 && i < count; i++)
		r = cvx_buf_printf(out, "%s{\"name\":\"%s\"}", i ? "," : "",
				   tables[i].name);
	return r < 0 ? r : cvx_buf_puts(out, "]}");
}

static int list_tables(const struct function_call *call, struct cvx_buf *out,
		       struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct table_info *tables = NULL;
	size_t count;
	int r = deployment_list_tables(call->server->d, call->component,
				       &tables, &count, err);

	return r < 0 ? r
		     : compose_fail_append(print_names(tables, count, out),
					   err);
}

/* {"TABLENUMBER":"name"} */
static int get_table_mapping(const struct function_call *call,
			     struct cvx_buf *out, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct table_info *tables = NULL;
	CVX_AUTO(cvx_freep) char *component = NULL;
	size_t count, i;
	int r = function_component(call, "componentId", &component, err);

	if (r == 0)
		r = deployment_list_tables(call->server->d, component, &tables,
					   &count, err);
	if (r < 0)
		return r;
	r = cvx_buf_printf(out,
			   "{\"%d\":\"_scheduled_jobs\","
			   "\"%d\":\"_file_storage\"",
			   SCHEDULED_TABLE_NUMBER, FILES_TABLE_NUMBER);
	for (i = 0; r == 0 && i < count && i < MAPPING_MAX - 2; i++)
		r = cvx_buf_printf(out, ",\"%u\":\"%s\"", tables[i].number,
				   tables[i].name);
	if (r == 0)
		r = cvx_buf_puts(out, "}");
	return compose_fail_append(r, err);
}

static int table_size(const struct function_call *call, struct cvx_buf *out,
		      struct cvx_err *err)
{
	struct function_table t = {.component = NULL};
	int r = function_find_table(call, &t, err);

	free(t.component);
	if (r < 0)
		return r;
	return compose_fail_append(
		cvx_buf_printf(out, "%.1f", (double)t.info.document_count),
		err);
}

/* --- documents (DAT-4) --------------------------------------------------- */

static int read_page_request(const cJSON *args, struct page_request *request,
			     struct cvx_err *err)
{
	const cJSON *options =
		cJSON_GetObjectItemCaseSensitive(args, "paginationOpts");
	const cJSON *count =
		cJSON_GetObjectItemCaseSensitive(options, "numItems");

	request->table = reply_member(args, "table");
	request->cursor = reply_member(options, "cursor");
	if (!request->table)
		return function_fail_argument("table", "a string", err);
	if (!cJSON_IsNumber(count) || !(count->valuedouble >= 1))
		return function_fail_argument("paginationOpts.numItems",
					      "a number above 0", err);
	request->count = count->valuedouble < PAGE_ROWS_MAX
				 ? (uint64_t)count->valuedouble
				 : PAGE_ROWS_MAX;
	return 0;
}

/* DAT-4: system tables are not for everybody, and most are not there. */
static int print_page(const struct function_call *call,
		      const struct page_request *request, struct cvx_buf *out,
		      struct cvx_err *err)
{
	const struct stored_view all = {NULL, -INFINITY, INFINITY};

	if (strcmp(request->table, "_storage") == 0)
		return stored_pages_print(call->server->d, request, &all, out,
					  err);
	return pages_print(call->server->pages, request, out, err);
}

static int table_data(const struct function_call *call, struct cvx_buf *out,
		      struct cvx_err *err)
{
	const char *order = reply_member(call->args, "order");
	struct page_request request = {.component = call->component};
	int r = read_page_request(call->args, &request, err);

	if (r < 0)
		return r;
	if (!order || (strcmp(order, "asc") != 0 && strcmp(order, "desc") != 0))
		return function_fail_argument("order", "asc or desc", err);
	request.descending = strcmp(order, "desc") == 0;
	return print_page(call, &request, out, err);
}

static int paginated_documents(const struct function_call *call,
			       struct cvx_buf *out, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *component = NULL;
	struct page_request request = {.descending = true};
	const cJSON *filters =
		cJSON_GetObjectItemCaseSensitive(call->args, "filters");
	int r = read_page_request(call->args, &request, err);

	if (r == 0 && filters && !cJSON_IsNull(filters))
		r = function_fail_argument("filters", "null", err);
	if (r == 0)
		r = function_component(call, "componentId", &component, err);
	if (r < 0)
		return r;
	request.component = component;
	return print_page(call, &request, out, err);
}

/* --- components (SCH-7) -------------------------------------------------- */

static cJSON *component_json(const char *path)
{
	cJSON *object = cJSON_CreateObject();
	const char *slash = strrchr(path, '/');
	char id[ID_TEXT_MAX + 1];

	component_id_make(path, id);
	if (object && compose_add_raw(object, "args", "{}") &&
	    cJSON_AddNullToObject(object, "httpPrefix") &&
	    cJSON_AddStringToObject(object, "id", id) &&
	    compose_add_text_or_null(object, "name",
				     slash ? slash + 1 : path) &&
	    cJSON_AddStringToObject(object, "path", path) &&
	    cJSON_AddStringToObject(object, "state",
				    path[0] ? "unmounted" : "active"))
		return object;
	cJSON_Delete(object);
	return NULL;
}

static int list_components(const struct function_call *call,
			   struct cvx_buf *out, struct cvx_err *err)
{
	char **paths = NULL;
	size_t count = 0, i;
	int r = component_id_list(call->server->d, &paths, &count, err);

	if (r == 0)
		r = compose_fail_append(cvx_buf_puts(out, "["), err);
	for (i = 0; r == 0 && i < count; i++) {
		if (i > 0)
			r = compose_fail_append(cvx_buf_puts(out, ","), err);
		if (r == 0)
			r = compose_print(component_json(paths[i]), out, err);
	}
	deployment_free_components(paths);
	return r < 0 ? r : compose_fail_append(cvx_buf_puts(out, "]"), err);
}

const struct function table_functions[] = {
	{"_system/cli/tables:default", false, list_tables},
	{"_system/cli/tableData:default", false, table_data},
	{"_system/cli/tableSize:default", false, table_size},
	{"_system/frontend/tableSize:default", false, table_size},
	{"_system/frontend/getTableMapping:default", false, get_table_mapping},
	{"_system/frontend/paginatedTableDocuments:default", false,
	 paginated_documents},
	{"_system/frontend/components:list", false, list_components},
	{NULL, false, NULL},
};
