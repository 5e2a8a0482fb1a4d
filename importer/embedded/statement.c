#include "importer/embedded/statement.h"

#include <errno.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/catalog.h"
#include "importer/embedded/embedded.h"

int statement_begin(struct deployment *d, unsigned statement, int64_t number,
		    struct catalog_query **ret, struct cvx_err *err)
{
	int r = embedded_begin(d, err);

	if (r < 0)
		return r;
	r = catalog_query(d->writes, statement, ret, err);
	if (r < 0) {
		embedded_rollback(d);
		return r;
	}
	catalog_bind_int(*ret, 1, number);
	return 0;
}

int statement_run(struct deployment *d, struct catalog_query *q,
		  bool *ret_happened, struct cvx_err *err)
{
	bool in_doubt;
	int r = catalog_run(q, err);

	if (r < 0) {
		embedded_rollback(d);
		return r;
	}
	*ret_happened = catalog_change_count(d->writes) > 0;
	return embedded_commit(d, &in_doubt, err);
}

int statement_find(struct deployment *d, unsigned statement, const char *text,
		   int64_t number, statement_take *take, void *ret,
		   struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	int r = catalog_query(embedded_lock_reads(d), statement, &q, err);

	if (r == 0 && text)
		catalog_bind_text(q, 1, text);
	else if (r == 0 && number)
		catalog_bind_int(q, 1, number);
	if (r == 0)
		r = catalog_next(q, err);
	if (r == 1)
		r = take(q, ret, err);
	catalog_end(CVX_TAKE(q));
	embedded_unlock_reads(d);
	return r;
}

int statement_text(struct catalog_query *q, int column, char **ret)
{
	size_t size;
	const char *text = catalog_bytes(q, column, &size);

	*ret = strndup(text ? text : "", text ? size : 0);
	return *ret ? 0 : -ENOMEM;
}
