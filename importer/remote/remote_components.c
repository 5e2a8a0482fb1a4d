#include "importer/remote/remote_components.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/remote/archive_import.h"
#include "importer/remote/listing.h"
#include "importer/remote/remote_register.h"
#include "importer/remote/removal.h"

int remote_find_component(struct http *http, const char *path,
			  const struct halt *halt, char **ret,
			  struct cvx_err *err)
{
	struct remote_component *list;
	size_t count, i;
	int r;

	*ret = NULL;
	if (!path[0])
		return 0;
	r = remote_list_components(http, halt, &list, &count, err);
	if (r < 0)
		return r;
	for (i = 0; i < count && !*ret; i++)
		if (strcmp(list[i].path, path) == 0)
			*ret = CVX_TAKE(list[i].id);
	remote_components_free(list, count);
	return *ret ? 0
		    : cvx_fail(err, -ENOENT, "there is no component %s", path);
}

/* The archive lists no table. */
int remote_create_component(struct http *http, const char *path, int dir_fd,
			    struct cvx_err *err)
{
	const struct archive_place place = {
		.http = http, .path = path, .dir_fd = dir_fd};

	return remote_make_component(&place, err);
}

/* --- deleting ------------------------------------------------------------ */

/* The component of a removal. */
struct doomed {
	struct http *http;
	const char *path;
	const char *id; /* another one by the path is not this one */
	const struct halt *halt;
};

static bool is_below(const char *path, const char *component)
{
	size_t size = strlen(component);

	return strncmp(path, component, size) == 0 && path[size] == '/';
}

static int find(const struct doomed *d, bool *ret_there, bool *ret_parent,
		struct cvx_err *err)
{
	struct remote_component *list;
	size_t count, i;
	int r = remote_list_components(d->http, d->halt, &list, &count, err);

	*ret_there = *ret_parent = false;
	if (r < 0)
		return r;
	for (i = 0; i < count; i++) {
		*ret_there |= strcmp(list[i].id, d->id) == 0;
		*ret_parent |= is_below(list[i].path, d->path);
	}
	remote_components_free(list, count);
	return 0;
}

static int look(const void *ctx, struct cvx_err *err)
{
	const struct doomed *d = ctx;
	CVX_AUTO(cvx_freep) struct remote_table *tables = NULL;
	bool is_there, is_parent;
	uint64_t file_count = 0;
	size_t table_count = 0;
	int r = find(d, &is_there, &is_parent, err);

	if (r < 0 || !is_there)
		return r;
	r = remote_list_tables(d->http, d->id, d->halt, &tables, &table_count,
			       err);
	if (r == 0)
		r = remote_count_files(d->http, d->id, d->halt, &file_count,
				       err);
	if (r < 0)
		return r;
	if (table_count == 0 && file_count == 0 && !is_parent)
		return 1;
	return cvx_fail(err, -ENOTEMPTY, "component %s has %s", d->path,
			table_count > 0	 ? "tables"
			: file_count > 0 ? "stored files"
					 : "components");
}

/* {"componentId":…}; NULL without memory. */
static char *print_body(const char *id)
{
	cJSON *body = cJSON_CreateObject();
	char *text = NULL;

	if (cJSON_AddStringToObject(body, "componentId", id))
		text = cJSON_PrintUnformatted(body);
	cJSON_Delete(body);
	return text;
}

int remote_delete_component(struct http *http, const char *path, const char *id,
			    const struct halt *halt, struct cvx_err *err)
{
	const struct doomed doomed = {http, path, id, halt};
	CVX_AUTO(cvx_freep) char *body = print_body(id);
	const struct removal removal = {.http = http,
					.halt = halt,
					.kind = "component",
					.name = path,
					.path = "/api/delete_component",
					.body = body,
					.look = look,
					.ctx = &doomed};

	return removal_run(&removal, err);
}
