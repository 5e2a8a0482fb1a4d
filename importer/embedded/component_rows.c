#include "importer/embedded/component_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/embedded/sql.h"
#include "importer/embedded/table_numbers.h"

int component_look(struct catalog *c, const char *path,
		   struct component_row *ret, struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	int r = catalog_query(c, SQL_FIND_COMPONENT, &q, err);

	if (r < 0)
		return r;
	catalog_bind_text(q, 1, path);
	r = catalog_next(q, err);
	if (r <= 0)
		return r;
	ret->id = catalog_int(q, 0);
	ret->table_count = catalog_int(q, 1);
	ret->free_number = (uint32_t)catalog_int(q, 2);
	return 1;
}

int component_find(struct catalog *c, const char *path,
		   struct component_row *ret, struct cvx_err *err)
{
	int r = component_look(c, path, ret, err);

	if (r == 0)
		return cvx_fail(err, -ENOENT, "there is no component %s", path);
	return r < 0 ? r : 0;
}

static int component_insert(struct catalog *c, const char *path,
			    struct cvx_err *err)
{
	struct component_row row;
	struct catalog_query *q;
	int r = component_look(c, path, &row, err);

	if (r != 0)
		return r < 0 ? r : 0;
	r = catalog_query(c, SQL_INSERT_COMPONENT, &q, err);
	if (r < 0)
		return r;
	catalog_bind_text(q, 1, path);
	return catalog_run(q, err);
}

int component_make(struct catalog *c, const char *path, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *copy = strdup(path);
	char *slash = copy;
	int r = 0;

	if (!copy)
		return cvx_fail_memory(err);
	while (r == 0 && slash && (slash = strchr(slash, '/'))) {
		*slash = '\0';
		r = component_insert(c, copy, err);
		*slash++ = '/';
	}
	return r < 0 ? r : component_insert(c, path, err);
}

int component_update(struct catalog *c, const struct component_row *row,
		     struct cvx_err *err)
{
	struct catalog_query *q;
	int r = catalog_query(c, SQL_UPDATE_COMPONENT, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, row->id);
	catalog_bind_int(q, 2, row->table_count);
	catalog_bind_int(q, 3, row->free_number);
	return catalog_run(q, err);
}

/* Nothing has the number any more. */
static void free_number(struct component_row *component, uint32_t number)
{
	if (number >= FIRST_USER_NUMBER && number < component->free_number)
		component->free_number = number;
}

int component_release_number(struct catalog *c, struct component_row *component,
			     uint32_t number, struct cvx_err *err)
{
	free_number(component, number);
	return component_update(c, component, err);
}
