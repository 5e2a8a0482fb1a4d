#include "importer/embedded/listing.h"

#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/sql.h"

void listing_fini(struct listing *l)
{
	size_t i;

	for (i = 0; i < l->component_count; i++)
		free(l->components[i]);
	free(l->components);
	free(l->tables);
	*l = (struct listing)LISTING_INIT;
}

/* The path of the row, which stands once for all of its tables. */
static int find_component(struct listing *l, struct catalog_query *q,
			  const char **ret, struct cvx_err *err)
{
	size_t size;
	const char *path = catalog_bytes(q, 0, &size);
	char *last = l->component_count > 0
			     ? l->components[l->component_count - 1]
			     : NULL;
	char **more;

	if (size == 0)
		path = "";
	if (!last || strlen(last) != size || memcmp(last, path, size) != 0) {
		if (l->component_count == l->component_capacity) {
			l->component_capacity = l->component_capacity * 2 + 4;
			more = reallocarray(l->components,
					    l->component_capacity,
					    sizeof(*more));
			if (!more)
				return cvx_fail_memory(err);
			l->components = more;
		}
		last = strndup(path, size);
		if (!last)
			return cvx_fail_memory(err);
		l->components[l->component_count++] = last;
	}
	*ret = last;
	return 0;
}

static int add(struct listing *l, struct catalog_query *q, struct cvx_err *err)
{
	struct listed_table *more, *table;
	const char *name;
	size_t size;

	if (l->count == l->capacity) {
		l->capacity = l->capacity * 2 + 16;
		more = reallocarray(l->tables, l->capacity, sizeof(*more));
		if (!more)
			return cvx_fail_memory(err);
		l->tables = more;
	}
	table = &l->tables[l->count];
	*table = (struct listed_table){
		.revision = (uint64_t)catalog_int(q, 4),
		.committed_ns = catalog_int(q, 5),
	};
	name = catalog_bytes(q, 1, &size);
	if (size > NAME_MAX_SIZE)
		size = NAME_MAX_SIZE;
	memcpy(table->name, name, size);
	l->count++;
	return find_component(l, q, &table->component, err);
}

static int read_rows(struct listing *l, struct catalog *c, struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	int r = catalog_query(c, SQL_LIST_ALL_TABLES, &q, err);

	while (r == 0 && (r = catalog_next(q, err)) == 1)
		r = add(l, q, err);
	return r;
}

int listing_read(struct listing *l, struct deployment *d, struct cvx_err *err)
{
	int r = read_rows(l, embedded_lock_reads(d), err);

	embedded_unlock_reads(d);
	return r;
}
