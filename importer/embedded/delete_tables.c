/* What is removed with its documents: tables, several in one step, or emptied;
 * components with all that they hold. */

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/deployment.h"
#include "importer/embedded/component_rows.h"
#include "importer/embedded/counters.h"
#include "importer/embedded/dropped.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/files.h"
#include "importer/embedded/publish.h"
#include "importer/embedded/runs.h"
#include "importer/embedded/tables.h"

/* One transaction that removes. */
struct removal {
	struct deployment *d;
	struct runs_change runs;
	struct dropped dropped;
	uint64_t *files; /* stored ones */
	size_t file_count;
};

static int begin(struct removal *m, struct deployment *d, struct cvx_err *err)
{
	*m = (struct removal){
		.d = d,
		.runs = RUNS_CHANGE_INIT,
		.dropped = DROPPED_INIT,
	};
	return embedded_begin(d, err);
}

/* Commits, or if r is a failure undoes all of it, which it returns. */
static int end(struct removal *m, int r, struct cvx_err *err)
{
	size_t i;

	r = dropped_end(&m->dropped, &m->runs, m->d, r, err);
	for (i = 0; r == 0 && i < m->file_count; i++)
		publish_remove_file(m->d, m->files[i]); /* I4 */
	free(m->files);
	return r;
}

int deployment_delete_tables(struct deployment *d, const char *component,
			     const char *const *tables, size_t count,
			     struct cvx_err *err)
{
	struct removal m;
	size_t i;
	int r = begin(&m, d, err);

	if (r < 0)
		return r;
	for (i = 0; r == 0 && i < count; i++) {
		r = table_check_deletion(d, component, tables[i], err);
		if (r == 0)
			r = dropped_delete_one(&m.dropped, d->writes, &m.runs,
					       component, tables[i], err);
	}
	return end(&m, r, err);
}

int deployment_clear_tables(struct deployment *d, const char *component,
			    const char *const *tables, size_t count,
			    struct cvx_err *err)
{
	struct counters_row counters;
	struct removal m;
	size_t i;
	int r = begin(&m, d, err);

	if (r < 0)
		return r;
	r = counters_get(d->writes, &counters, err);
	for (i = 0; r == 0 && i < count; i++) {
		r = dropped_empty_one(&m.dropped, d->writes, &m.runs, &counters,
				      component, tables[i], err);
		if (r == -ENOENT)
			r = 0;
	}
	if (r == 0)
		r = counters_put(d->writes, &counters, err);
	return end(&m, r, err);
}

/* What is committed is all there is: nobody else can change it now. */
static int drop_tables(struct removal *m, const char *component,
		       struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct table_info *tables = NULL;
	size_t count = 0, i;
	int r = deployment_list_tables(m->d, component, &tables, &count, err);

	for (i = 0; r == 0 && i < count; i++)
		r = dropped_delete_one(&m->dropped, m->d->writes, &m->runs,
				       component, tables[i].name, err);
	return r;
}

static int drop_files(struct removal *m, const char *component,
		      struct cvx_err *err)
{
	struct catalog *c = m->d->writes;
	struct component_row row;
	struct storage_info info;
	int r = component_find(c, component, &row, err);

	if (r == 0)
		r = files_list_ids(c, row.id, &m->files, &m->file_count, err);
	if (r == 0)
		r = files_delete_all(c, row.id, err);
	if (r == 0)
		r = storage_find(c, row.id, &info, err);
	if (r < 0 || info.file_count == 0)
		return r;
	info.file_count = info.size = info.documents_size = 0;
	return storage_put(c, row.id, &info, err);
}

int deployment_drop_component(struct deployment *d, const char *component,
			      struct cvx_err *err)
{
	struct removal m;
	int r = begin(&m, d, err);

	if (r < 0)
		return r;
	r = drop_tables(&m, component, err);
	if (r == 0)
		r = drop_files(&m, component, err);
	if (r == 0)
		r = component_delete(d->writes, component, err);
	return end(&m, r, err);
}
