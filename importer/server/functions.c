#include "importer/server/functions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "importer/deployment.h"
#include "importer/server/component_id.h"
#include "importer/server/compose.h"
#include "importer/server/export_document.h"
#include "importer/server/function_table.h"
#include "importer/server/import_document.h"
#include "importer/server/inside.h"
#include "importer/server/reply.h"

static int query_import(const struct function_call *call, struct cvx_buf *out,
			struct cvx_err *err)
{
	const char *id = reply_member(call->args, "importId");

	if (!id)
		return function_fail_argument("importId", "an id", err);
	return import_document_print(call->server->d, id, out, err);
}

static int list_imports(const struct function_call *call, struct cvx_buf *out,
			struct cvx_err *err)
{
	return import_document_print_list(call->server->d, out, err);
}

static int latest_export(const struct function_call *call, struct cvx_buf *out,
			 struct cvx_err *err)
{
	return export_document_print_latest(call->server->d, out, err);
}

static int cloud_url(const struct function_call *call, struct cvx_buf *out,
		     struct cvx_err *err)
{
	return compose_fail_append(compose_print_string(call->server->url, out),
				   err);
}

/* No function was ever deployed here. */
static int get_version(const struct function_call *call, struct cvx_buf *out,
		       struct cvx_err *err)
{
	(void)call;
	return compose_fail_append(cvx_buf_puts(out, "null"), err);
}

static const struct function own_functions[] = {
	{"_system/cli/queryImport:default", false, query_import},
	{"_system/cli/queryImport:list", false, list_imports},
	{"_system/frontend/snapshotImport:list", false, list_imports},
	{"_system/cli/exports:getLatest", false, latest_export},
	{"_system/frontend/latestExport:default", false, latest_export},
	{"_system/cli/convexUrl:cloudUrl", false, cloud_url},
	{"_system/frontend/getVersion:default", false, get_version},
	{NULL, false, NULL},
};

static const struct function *const tables[] = {
	own_functions,	 table_functions,  schema_functions,
	clear_functions, stored_functions,
};

int function_fail_argument(const char *key, const char *what,
			   struct cvx_err *err)
{
	return cvx_fail(err, -EINVAL, "ArgumentValidationError: %s must be %s",
			key, what);
}

int function_component(const struct function_call *call, const char *key,
		       char **ret, struct cvx_err *err)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(call->args, key);

	if (!item || cJSON_IsNull(item)) {
		*ret = strdup(call->component);
		return *ret ? 0 : cvx_fail_memory(err);
	}
	if (!cJSON_IsString(item))
		return function_fail_argument(key, "an id", err);
	return component_id_find(call->server->d, item->valuestring, ret, err);
}

int function_find_table(const struct function_call *call,
			struct function_table *ret, struct cvx_err *err)
{
	int r;

	*ret = (struct function_table){
		.name = reply_member(call->args, "tableName"),
	};
	if (!ret->name)
		return function_fail_argument("tableName", "a string", err);
	r = function_component(call, "componentId", &ret->component, err);
	if (r == 0)
		r = deployment_stat_table(call->server->d, ret->component,
					  ret->name, &ret->info, err);
	return r == -ENOENT ? 0 : r;
}

/* "module:export" of a path as it is given; false: it is too long. */
static bool normalize(const char *path, char *out, size_t size)
{
	const char *colon = strchr(path, ':');
	size_t module = colon ? (size_t)(colon - path) : strlen(path);
	int n;

	if (module > 3 && strncmp(path + module - 3, ".js", 3) == 0)
		module -= 3;
	n = snprintf(out, size, "%.*s%s", (int)module, path,
		     colon ? colon : ":default");
	return n > 0 && (size_t)n < size;
}

const struct function *function_find(const char *path)
{
	const struct function *f;
	char name[128];
	size_t i;

	if (!normalize(path, name, sizeof(name)))
		return NULL;
	for (i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		for (f = tables[i]; f->path; f++)
			if (strcmp(f->path, name) == 0)
				return f;
	return NULL;
}

bool function_is_mutation(const struct function *f)
{
	return f->is_mutation;
}

bool function_is_system(const char *path)
{
	return strncmp(path, "_system/", 8) == 0;
}

int function_run(const struct function *f, const struct function_call *call,
		 struct cvx_buf *out, struct cvx_err *err)
{
	if (call->component[0] &&
	    deployment_find_component(call->server->d, call->component, err) <
		    0)
		return cvx_fail_named(err, -ENOENT, "ComponentPathNotFound",
				      "there is no component %.200s",
				      call->component);
	return f->run(call, out, err);
}

const struct cJSON *function_args(const struct cJSON *args)
{
	if (cJSON_IsArray(args) && cJSON_GetArraySize(args) == 1)
		args = cJSON_GetArrayItem(args, 0);
	return cJSON_IsObject(args) ? args : NULL;
}
