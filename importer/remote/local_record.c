#include "importer/remote/local_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/remote/secret.h"
#include "importer/remote/settings.h"
#include "importer/remote/small_file.h"

#define RECORD_SIZE_MAX ((size_t)1 << 20)
#define RECORD_HERE ".convex/local/default/config.json"

static const char *text_of(const cJSON *object, const char *key)
{
	return cJSON_GetStringValue(
		cJSON_GetObjectItemCaseSensitive(object, key));
}

/* A whole number of 1 to limit; 0 if it is none. */
static uint64_t number_of(const cJSON *object, const char *key, double limit)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
	double value = cJSON_IsNumber(item) ? item->valuedouble : 0;

	if (!(value >= 1 && value <= limit))
		return 0;
	return (double)(uint64_t)value == value ? (uint64_t)value : 0;
}

static int take(struct local_record *ret, const cJSON *json, const char *path,
		struct cvx_err *err)
{
	const cJSON *ports = cJSON_GetObjectItemCaseSensitive(json, "ports");
	uint64_t port = number_of(ports, "cloud", 65535);
	const char *key = text_of(json, "adminKey");
	const char *name = text_of(json, "deploymentName");

	if (port == 0 || !key || !key[0])
		return cvx_fail(err, -EINVAL,
				"%s: %s is missing; it is written by npx "
				"convex dev",
				path, port == 0 ? "ports.cloud" : "adminKey");
	ret->project_id = number_of(json, "cloudProjectId", 1e15);
	ret->key = secret_copy_text(key);
	if (asprintf(&ret->url, "http://127.0.0.1:%u", (unsigned)port) < 0)
		ret->url = NULL;
	if (name && name[0])
		ret->name = strdup(name);
	if (!ret->key || !ret->url || (name && name[0] && !ret->name))
		return cvx_fail_memory(err);
	return 0;
}

static int read_record(struct local_record *ret, int dir_fd, const char *path,
		       struct cvx_err *err)
{
	CVX_AUTO(secret_freep) char *text = NULL;
	struct local_record record = {NULL, NULL, NULL, 0};
	size_t size;
	cJSON *json;
	int r;

	r = small_file_read(dir_fd, path, RECORD_SIZE_MAX, &text, &size, err);
	if (r < 0)
		return r;
	json = cJSON_ParseWithLength(text, size);
	r = json ? take(&record, json, path, err)
		 : cvx_fail(err, -EINVAL, "%s: not JSON", path);
	secret_delete_json(json);
	if (r < 0)
		local_record_fini(&record);
	else
		*ret = record;
	return r;
}

/* The place of older clients. */
static int read_at_home(struct local_record *ret,
			const struct settings *settings, const char *name,
			bool anonymous, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *path = NULL;

	if (!settings->home || strchr(name, '/') || name[0] == '.')
		return cvx_fail(err, -ENOENT, "no record");
	if (asprintf(&path, "%s/%sconvex-backend-state/%s/config.json",
		     settings->home, anonymous ? "anonymous-" : "", name) < 0) {
		path = NULL;
		return cvx_fail_memory(err);
	}
	return read_record(ret, AT_FDCWD, path, err);
}

int local_record_find(struct local_record *ret, const struct settings *settings,
		      const char *name, bool anonymous, struct cvx_err *err)
{
	struct local_record record;
	int r;

	r = read_record(&record, settings->dir_fd, RECORD_HERE, err);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0) {
		if (!name || !record.name || strcmp(record.name, name) == 0) {
			*ret = record;
			return 0;
		}
		local_record_fini(&record);
	}
	r = name ? read_at_home(ret, settings, name, anonymous, err) : -ENOENT;
	if (r == -ENOENT)
		return cvx_fail(err, -ENOENT,
				"no record of a deployment on this machine%s%s "
				"in " RECORD_HERE
				"; start it once with: npx convex dev",
				name ? " called " : "", name ? name : "");
	return r;
}

void local_record_fini(struct local_record *r)
{
	free(r->url);
	secret_free(r->key);
	free(r->name);
	*r = (struct local_record){NULL, NULL, NULL, 0};
}
