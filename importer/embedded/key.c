#include "importer/deployment_key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/sql.h"

static int read_secret(struct deployment *d, struct catalog *c, char **ret,
		       struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	CVX_AUTO(cvx_freep) char *key = NULL;
	const char *bytes;
	size_t size, i;
	int r = catalog_query(c, SQL_GET_META, &q, err), n;

	if (r < 0)
		return r;
	catalog_bind_text(q, 1, "secret");
	r = catalog_next(q, err);
	if (r < 0)
		return r;
	bytes = r ? catalog_bytes(q, 0, &size) : NULL;
	if (!bytes || size == 0)
		return cvx_fail(err, -EIO, "the deployment in %s has no secret",
				d->dir);
	n = asprintf(&key, "%s|%*s", d->name, (int)(2 * size), "");
	if (n < 0) {
		key = NULL; /* undefined otherwise */
		return cvx_fail_memory(err);
	}
	for (i = 0; i < size; i++)
		(void)snprintf(key + (size_t)n - 2 * (size - i), 3, "%02x",
			       (unsigned char)bytes[i]);
	*ret = CVX_TAKE(key);
	return 0;
}

int deployment_admin_key(struct deployment *d, char **ret, struct cvx_err *err)
{
	int r = read_secret(d, embedded_lock_reads(d), ret, err);

	embedded_unlock_reads(d);
	return r;
}
