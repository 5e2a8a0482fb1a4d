#include "importer/embedded/runs_compact.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/base/log.h"
#include "cache/segment.h"
#include "importer/embedded/commit.h"
#include "importer/embedded/counters.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/order_merge.h"
#include "importer/embedded/publish.h"
#include "importer/embedded/runs.h"
#include "importer/embedded/schemas.h"
#include "importer/embedded/tables.h"
#include "importer/schema/schema.h"

/* The runs of one index, and what they become. */
struct join {
	struct deployment *d;
	const char *component, *table;
	const struct schema_index *index;
	int64_t table_id;
	struct run_row *runs;
	size_t count;
	struct run_row made;
	struct segment_stage *stage;
};

static void join_finip(struct join *j)
{
	free(j->runs);
	segment_stage_free(j->stage);
}

/* Leaves those at the end that are, together, not half as large as the one
 * before. */
static void choose(struct join *j)
{
	uint64_t behind = 0;
	size_t first = j->count, i;

	for (i = j->count; i > 0; i--) {
		if (j->runs[i - 1].size / 2 <= behind ||
		    j->count - i < RUN_COUNT_MAX / 2)
			first = i - 1;
		behind += j->runs[i - 1].size;
	}
	memmove(j->runs, j->runs + first,
		(j->count - first) * sizeof(*j->runs));
	j->count -= first;
}

/* The runs of the index only. */
static int list_runs(const struct join *j, struct catalog *c,
		     struct run_row **ret, size_t *ret_count,
		     struct cvx_err *err)
{
	size_t count = 0, n = 0, i;
	int r = runs_list(c, j->table_id, ret, &count, err);

	for (i = 0; r == 0 && i < count; i++)
		if (strcmp((*ret)[i].index, j->index->name) == 0)
			(*ret)[n++] = (*ret)[i];
	*ret_count = n;
	return r;
}

static int open_order(struct join *j, const struct run_row *run,
		      struct stretch_order *ret, struct cvx_err *err)
{
	char name[STORED_FILE_NAME_SIZE];
	CVX_AUTO(cvx_closep) int fd = -1;

	stored_file_name(run->id, name);
	fd = openat(j->d->indexes_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cvx_fail(err, -errno, "cannot open indexes/%s: %s", name,
				strerror(errno));
	ret->start = run->start;
	return line_order_open(fd, &ret->order, err);
}

static int merge(struct join *j, struct table_reader *reader,
		 struct stretch_order *orders, struct cvx_err *err)
{
	struct index_order order;
	size_t i, opened = 0;
	int r = 0, fd;

	index_order_init(&order, j->index);
	j->made = j->runs[0];
	j->made.size = j->made.row_count = 0;
	for (i = 0; r == 0 && i < j->count; i++) {
		r = open_order(j, &j->runs[i], &orders[i], err);
		opened += r == 0;
		j->made.size += j->runs[i].size;
		j->made.row_count += j->runs[i].row_count;
	}
	if (r == 0)
		r = commit_new_stage(j->d, &j->stage, err);
	if (r < 0) {
		for (i = 0; i < opened; i++)
			line_order_close(&orders[i].order);
		return r;
	}
	fd = segment_stage_fd(j->stage);
	r = order_merge(j->d, reader, &order, orders, j->count, j->made.start,
			fd, err);
	if (r < 0)
		return r;
	r = file_sync(fd);
	return r < 0 ? cvx_fail(err, r, "cannot store an index: %s",
				strerror(-r))
		     : 0;
}

/* Whether all the runs that were merged are there still. 1 or 0. */
static int is_unchanged(struct join *j, struct catalog *c, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct run_row *now = NULL;
	size_t count = 0, found = 0, i, k;
	int r = list_runs(j, c, &now, &count, err);

	if (r < 0)
		return r;
	for (i = 0; i < j->count; i++)
		for (k = 0; k < count; k++)
			found += now[k].id == j->runs[i].id;
	return found == j->count;
}

/* Puts the merged run in place of the others; ends the transaction. */
static int exchange(struct join *j, struct cvx_err *err)
{
	struct runs_change change = RUNS_CHANGE_INIT;
	struct catalog *c = j->d->writes;
	struct counters_row counters;
	bool in_doubt = false;
	size_t i;
	int r = is_unchanged(j, c, err);

	if (r <= 0) {
		embedded_rollback(j->d);
		return r;
	}
	r = counters_get(c, &counters, err);
	for (i = 0; r == 0 && i < j->count; i++)
		r = runs_drop_one(&change, c, &j->runs[i], err);
	if (r == 0)
		r = runs_publish(&change, j->d, c, &counters, j->table_id,
				 &j->made, j->stage, err);
	if (r == 0)
		r = runs_change_sync(&change, j->d, err);
	if (r == 0)
		r = counters_put(c, &counters, err);
	if (r == 0)
		r = embedded_commit(j->d, &in_doubt, err);
	else
		embedded_rollback(j->d);
	runs_change_end(&change, j->d, r == 0, in_doubt);
	runs_change_fini(&change);
	return r;
}

static int join_index(struct join *j, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct stretch_order *orders = NULL;
	struct table_reader *reader = NULL;
	int r = list_runs(j, embedded_lock_reads(j->d), &j->runs, &j->count,
			  err);

	embedded_unlock_reads(j->d);
	if (r < 0 || j->count <= RUN_COUNT_MAX)
		return r;
	choose(j);
	orders = calloc(j->count, sizeof(*orders));
	if (!orders)
		return cvx_fail_memory(err);
	r = deployment_open_table(j->d, j->component, j->table, &reader, err);
	if (r == 0)
		r = merge(j, reader, orders, err);
	table_reader_close(reader);
	if (r == 0)
		r = embedded_begin(j->d, err);
	return r < 0 ? r : exchange(j, err);
}

void runs_compact(struct deployment *d, const char *component,
		  const char *table)
{
	struct active_schema *schema = NULL;
	const struct schema_table *t = NULL;
	struct catalog *c = embedded_lock_reads(d);
	struct cvx_err err = CVX_ERR_INIT;
	struct table_row row = {.id = 0};
	size_t i;
	int r = schemas_get(d, c, component, &schema, &err);

	if (r == 0)
		r = table_find(c, component, table, &row, &err);
	embedded_unlock_reads(d);
	if (r == 1 && schema)
		t = schema_find_table(schema->schema, table);
	for (i = 0; t && i < schema_table_index_count(t); i++) {
		CVX_AUTO(join_finip)
		struct join join = {
			.d = d,
			.component = component,
			.table = table,
			.index = schema_table_index(t, i),
			.table_id = row.id,
		};

		if (!index_is_kept(join.index))
			continue;
		r = join_index(&join, &err);
		if (r < 0)
			log_info("table %s: cannot join the runs of index %s: "
				 "%s",
				 table, join.index->name, err.msg);
	}
	schemas_unref(d, schema);
}
