#include "importer/embedded/counters.h"

#include <errno.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/embedded/sql.h"

struct last_stamp last_stamp_max(struct last_stamp a, struct last_stamp b)
{
	struct last_stamp last = a;

	if (b.ms > a.ms || (b.ms == a.ms && b.counter > a.counter)) {
		last.ms = b.ms;
		last.counter = b.counter;
	}
	if (b.time > a.time)
		last.time = b.time;
	return last;
}

int counters_get(struct catalog *c, struct counters_row *ret,
		 struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	int r = catalog_query(c, SQL_GET_COUNTERS, &q, err);

	if (r == 0)
		r = catalog_next(q, err);
	if (r < 0)
		return r;
	if (r == 0)
		return cvx_fail(err, -EIO,
				"the catalog is damaged: its counters are "
				"missing");
	ret->revision = (uint64_t)catalog_int(q, 0);
	ret->segment = (uint64_t)catalog_int(q, 1);
	ret->last.ms = (uint64_t)catalog_int(q, 2);
	ret->last.counter = (uint64_t)catalog_int(q, 3);
	ret->last.time = catalog_real(q, 4);
	return 0;
}

int counters_put(struct catalog *c, const struct counters_row *row,
		 struct cvx_err *err)
{
	struct catalog_query *q;
	int r = catalog_query(c, SQL_PUT_COUNTERS, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, (int64_t)row->revision);
	catalog_bind_int(q, 2, (int64_t)row->segment);
	catalog_bind_int(q, 3, (int64_t)row->last.ms);
	catalog_bind_int(q, 4, (int64_t)row->last.counter);
	catalog_bind_real(q, 5, row->last.time);
	return catalog_run(q, err);
}
