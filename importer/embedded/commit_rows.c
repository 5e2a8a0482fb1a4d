#include "importer/embedded/commit.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/segment.h"
#include "importer/embedded/publish.h"
#include "importer/embedded/runs.h"
#include "importer/schema/schema.h"

void commit_rows_fini(struct commit_rows *rows)
{
	segment_stage_free(CVX_TAKE(rows->keys_stage));
	if (rows->runs)
		made_runs_fini(rows->runs);
	free(CVX_TAKE(rows->runs));
}

/* Runs of the table's indexes, of which small rows need none. */
static int prepare_runs(struct deployment *d, struct commit_rows *rows,
			const struct row_rules *rules, struct cvx_err *err)
{
	const struct lines_place place = {.fd = segment_stage_fd(rows->stage),
					  .size = rows->size};

	if (!rules->table || schema_table_index_count(rules->table) == 0)
		return 0;
	rows->runs = calloc(1, sizeof(*rows->runs));
	if (!rows->runs)
		return cvx_fail_memory(err);
	return runs_make(d, rules->table, &place, 0, rows->runs, err);
}

int commit_prepare(struct deployment *d, struct commit_rows *rows,
		   const struct row_rules *rules, struct cvx_err *err)
{
	int r;

	assert(!rows->keys_stage);
	if (!rows->stage)
		return 0;
	r = file_sync(segment_stage_fd(rows->stage));
	if (r < 0)
		return cvx_fail(err, r, "cannot store the rows: %s",
				strerror(-r));
	r = prepare_runs(d, rows, rules, err);
	if (r < 0 || rows->ascending)
		return r;
	return publish_stage_keys(d, rows->keys, (size_t)rows->document_count,
				  &rows->keys_stage, err);
}
