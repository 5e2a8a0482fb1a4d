#include "importer/embedded/segments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/embedded/sql.h"

static int read_key(struct catalog_query *q, int column,
		    struct internal_id *ret, struct cvx_err *err)
{
	size_t size;
	const char *bytes = catalog_bytes(q, column, &size);

	if (size != ID_SIZE)
		return cvx_fail(err, -EIO,
				"the catalog is damaged: a key has %zu bytes",
				size);
	memcpy(ret->bytes, bytes, ID_SIZE);
	return 0;
}

static int read_segment(struct catalog_query *q, struct segment_row *ret,
			struct cvx_err *err)
{
	int r;

	ret->id = (uint64_t)catalog_int(q, 0);
	ret->position = catalog_int(q, 1);
	ret->size = (uint64_t)catalog_int(q, 2);
	ret->row_count = (uint64_t)catalog_int(q, 3);
	r = read_key(q, 4, &ret->first, err);
	if (r == 0)
		r = read_key(q, 5, &ret->last, err);
	ret->ascending = catalog_int(q, 6) != 0;
	ret->beyond_plain = catalog_int(q, 7) != 0;
	return r;
}

int segments_list(struct catalog *c, int64_t table_id, struct segment_row **ret,
		  size_t *ret_count, struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	CVX_AUTO(cvx_freep) struct segment_row *rows = NULL;
	size_t count = 0, capacity = 0;
	int r = catalog_query(c, SQL_LIST_SEGMENTS, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, table_id);
	while ((r = catalog_next(q, err)) == 1) {
		if (count == capacity) {
			struct segment_row *more;

			capacity = capacity * 2 + 4;
			more = reallocarray(rows, capacity, sizeof(*rows));
			if (!more)
				return cvx_fail_memory(err);
			rows = more;
		}
		r = read_segment(q, &rows[count], err);
		if (r < 0)
			return r;
		count++;
	}
	if (r < 0)
		return r;
	*ret = CVX_TAKE(rows);
	*ret_count = count;
	return 0;
}

int segment_insert(struct catalog *c, int64_t table_id,
		   const struct segment_row *row, struct cvx_err *err)
{
	struct catalog_query *q;
	int r = catalog_query(c, SQL_INSERT_SEGMENT, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, (int64_t)row->id);
	catalog_bind_int(q, 2, table_id);
	catalog_bind_int(q, 3, row->position);
	catalog_bind_int(q, 4, (int64_t)row->size);
	catalog_bind_int(q, 5, (int64_t)row->row_count);
	catalog_bind_bytes(q, 6, row->first.bytes, ID_SIZE);
	catalog_bind_bytes(q, 7, row->last.bytes, ID_SIZE);
	catalog_bind_int(q, 8, row->ascending);
	catalog_bind_int(q, 9, row->beyond_plain);
	return catalog_run(q, err);
}

int segment_grow(struct catalog *c, const struct segment_row *row,
		 struct cvx_err *err)
{
	struct catalog_query *q;
	int r = catalog_query(c, SQL_GROW_SEGMENT, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, (int64_t)row->id);
	catalog_bind_int(q, 2, (int64_t)row->size);
	catalog_bind_int(q, 3, (int64_t)row->row_count);
	catalog_bind_bytes(q, 4, row->last.bytes, ID_SIZE);
	catalog_bind_int(q, 5, row->beyond_plain);
	return catalog_run(q, err);
}

int segment_delete(struct catalog *c, uint64_t id, struct cvx_err *err)
{
	struct catalog_query *q;
	int r = catalog_query(c, SQL_DELETE_SEGMENT, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, (int64_t)id);
	return catalog_run(q, err);
}
