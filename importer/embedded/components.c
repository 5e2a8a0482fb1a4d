/* deployment.h: components. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/deployment.h"
#include "importer/embedded/component_rows.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/files.h"
#include "importer/embedded/sql.h"
#include "importer/value/refusal.h"

static bool is_below(const char *path, const char *parent)
{
	size_t size = strlen(parent);

	if (size == 0)
		return path[0] != '\0' && !strchr(path, '/');
	return strncmp(path, parent, size) == 0 && path[size] == '/' &&
	       !strchr(path + size + 1, '/');
}

static int add_path(char *path, char ***list, size_t *count, size_t *capacity,
		    struct cvx_err *err)
{
	char **more;

	/* Room for the one behind the last, which is NULL. */
	if (*count + 1 >= *capacity) {
		*capacity = *capacity * 2 + 8;
		more = reallocarray(*list, *capacity, sizeof(*more));
		if (!more) {
			free(path);
			return cvx_fail_memory(err);
		}
		*list = more;
	}
	(*list)[(*count)++] = path;
	(*list)[*count] = NULL;
	return 0;
}

void deployment_free_components(char **list)
{
	size_t i;

	for (i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

static int list_components(struct catalog *c, const char *parent, char ***list,
			   size_t *count, struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	struct component_row row;
	size_t capacity = 0, size;
	const char *bytes;
	char *path;
	int r = component_find(c, parent, &row, err);

	if (r == 0)
		r = catalog_query(c, SQL_LIST_COMPONENTS, &q, err);
	while (r == 0 && (r = catalog_next(q, err)) == 1) {
		bytes = catalog_bytes(q, 0, &size);
		path = strndup(bytes, size);
		if (!path)
			return cvx_fail_memory(err);
		r = 0;
		if (is_below(path, parent))
			r = add_path(path, list, count, &capacity, err);
		else
			free(path);
	}
	return r;
}

int deployment_list_components(struct deployment *d, const char *parent,
			       char ***ret, size_t *ret_count,
			       struct cvx_err *err)
{
	char **list = NULL;
	size_t count = 0;
	int r = list_components(embedded_lock_reads(d), parent, &list, &count,
				err);

	embedded_unlock_reads(d);
	if (r < 0) {
		deployment_free_components(list);
		return r;
	}
	*ret = list;
	*ret_count = count;
	return 0;
}

int deployment_create_component(struct deployment *d, const char *component,
				struct cvx_err *err)
{
	bool in_doubt;
	int r;

	if (!name_is_component_path(component, strlen(component)))
		return refuse(err, "InvalidComponentPath",
			      "\"%s\" cannot be the name of a component",
			      component);
	r = embedded_begin(d, err);
	if (r < 0)
		return r;
	r = component_make(d->writes, component, err);
	if (r == 0)
		return embedded_commit(d, &in_doubt, err);
	embedded_rollback(d);
	return r;
}

static int check_empty(struct catalog *c, const char *path,
		       const struct component_row *row, struct cvx_err *err)
{
	struct storage_info storage;
	char **below = NULL;
	size_t count = 0;
	int r = list_components(c, path, &below, &count, err);

	deployment_free_components(below);
	if (r == 0)
		r = storage_find(c, row->id, &storage, err);
	if (r < 0)
		return r;
	if (row->table_count == 0 && storage.file_count == 0 && count == 0)
		return 0;
	return cvx_fail(err, -ENOTEMPTY, "component %s has %s", path,
			row->table_count > 0	 ? "tables"
			: storage.file_count > 0 ? "stored files"
						 : "components");
}

int component_delete(struct catalog *c, const char *path, struct cvx_err *err)
{
	static const enum sql_statement statements[] = {
		SQL_DELETE_STORAGE,
		SQL_DELETE_SCHEMA,
		SQL_DELETE_COMPONENT,
	};
	struct component_row row;
	struct catalog_query *q;
	int r;

	if (path[0] == '\0')
		return cvx_fail(err, -EBUSY, "the root component stays");
	r = component_find(c, path, &row, err);
	if (r == 0)
		r = check_empty(c, path, &row, err);
	for (size_t i = 0; r == 0 && i < 3; i++) {
		r = catalog_query(c, statements[i], &q, err);
		if (r == 0) {
			catalog_bind_int(q, 1, row.id);
			r = catalog_run(q, err);
		}
	}
	return r;
}

int deployment_delete_component(struct deployment *d, const char *component,
				struct cvx_err *err)
{
	bool in_doubt;
	int r;

	r = embedded_begin(d, err);
	if (r < 0)
		return r;
	r = component_delete(d->writes, component, err);
	if (r == 0)
		return embedded_commit(d, &in_doubt, err);
	embedded_rollback(d);
	return r;
}
