#include "importer/embedded/listed.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/embedded/component_rows.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/sql.h"

#define KEY_SIZE 64

/* By id, which no other component ever gets. */
static int print_key(struct catalog *c, const char *component, enum listed what,
		     char ret[KEY_SIZE], struct cvx_err *err)
{
	struct component_row row;
	int r = component_find(c, component, &row, err);

	if (r < 0)
		return r;
	(void)snprintf(ret, KEY_SIZE, "listed %s %" PRId64,
		       what == LISTED_FILES ? "files" : "names", row.id);
	return 0;
}

static int find(struct catalog *c, const char *component, enum listed what,
		struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	char key[KEY_SIZE];
	int r = print_key(c, component, what, key, err);

	if (r == 0)
		r = catalog_query(c, SQL_GET_META, &q, err);
	if (r < 0)
		return r;
	catalog_bind_text(q, 1, key);
	return catalog_next(q, err);
}

int listed_find(struct deployment *d, const char *component, enum listed what,
		struct cvx_err *err)
{
	int r = find(embedded_lock_reads(d), component, what, err);

	embedded_unlock_reads(d);
	return r;
}

static int put(struct catalog *c, const char *component, enum listed what,
	       struct cvx_err *err)
{
	struct catalog_query *q;
	char key[KEY_SIZE];
	int r = print_key(c, component, what, key, err);

	if (r == 0)
		r = catalog_query(c, SQL_PUT_META, &q, err);
	if (r < 0)
		return r;
	catalog_bind_text(q, 1, key);
	catalog_bind_bytes(q, 2, "", 0);
	return catalog_run(q, err);
}

int listed_put(struct deployment *d, const char *component, enum listed what,
	       struct cvx_err *err)
{
	bool in_doubt;
	int r = listed_find(d, component, what, err);

	if (r != 0)
		return r < 0 ? r : 0;
	r = embedded_begin(d, err);
	if (r < 0)
		return r;
	r = put(d->writes, component, what, err);
	if (r == 0)
		return embedded_commit(d, &in_doubt, err);
	embedded_rollback(d);
	return r;
}
