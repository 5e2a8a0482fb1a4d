/* Tables are deleted with their documents, several in one step. */

#include <stdbool.h>

#include "importer/deployment.h"
#include "importer/embedded/dropped.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/runs.h"
#include "importer/embedded/tables.h"

static int delete_all(struct deployment *d, const char *component,
		      const char *const *tables, size_t count,
		      struct dropped *dropped, struct runs_change *runs,
		      struct cvx_err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < count; i++) {
		r = table_check_deletion(d, component, tables[i], err);
		if (r == 0)
			r = dropped_delete_one(dropped, d->writes, runs,
					       component, tables[i], err);
	}
	return r;
}

int deployment_delete_tables(struct deployment *d, const char *component,
			     const char *const *tables, size_t count,
			     struct cvx_err *err)
{
	struct runs_change runs = RUNS_CHANGE_INIT;
	struct dropped dropped = DROPPED_INIT;
	bool in_doubt = false;
	int r = embedded_begin(d, err);

	if (r < 0)
		return r;
	r = delete_all(d, component, tables, count, &dropped, &runs, err);
	if (r == 0)
		r = embedded_commit(d, &in_doubt, err);
	else
		embedded_rollback(d);
	runs_change_end(&runs, d, r == 0, in_doubt);
	if (r == 0)
		dropped_remove(&dropped, d);
	dropped_fini(&dropped);
	runs_change_fini(&runs);
	return r;
}
