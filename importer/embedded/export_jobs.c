#include "importer/embedded/export_jobs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/jobs.h"
#include "importer/embedded/numbered_files.h"
#include "importer/embedded/sql.h"
#include "importer/embedded/statement.h"
#include "importer/value/refusal.h"

/* Number of the system table _exports (import.md 2.4). */
#define EXPORTS_TABLE_NUMBER 516
#define EXPORT_COUNT_MAX 1000

void export_job_fini(struct export_job *job)
{
	free(job->component);
	free(job->progress);
}

/* --- files --------------------------------------------------------------- */

static const struct numbered_files archives = {"exports", ".zip"};

int export_job_make_file(struct deployment *d, int64_t number, int *ret_fd,
			 struct cvx_err *err)
{
	return numbered_files_open(d, &archives, number,
				   O_RDWR | O_CREAT | O_TRUNC, ret_fd, err);
}

int export_job_open_file(struct deployment *d, int64_t number, int *ret_fd,
			 struct cvx_err *err)
{
	return numbered_files_open(d, &archives, number, O_RDONLY, ret_fd, err);
}

static int take_expiration(struct catalog_query *q, void *ret,
			   struct cvx_err *err __attribute__((unused)))
{
	*(int64_t *)ret = catalog_int(q, 0);
	return 1;
}

/* Whether the file is one of a completed export that has not expired. */
static int is_needed(struct deployment *d, int64_t number, bool *ret,
		     struct cvx_err *err)
{
	int64_t expiration_ns = 0;
	int r = statement_find(d, SQL_EXPORT_EXPIRATION, NULL, number,
			       take_expiration, &expiration_ns, err);

	*ret = expiration_ns > embedded_now_ns();
	return r < 0 ? r : 0;
}

int export_job_sweep(struct deployment *d, struct cvx_err *err)
{
	return numbered_files_sweep(d, &archives, is_needed, err);
}

/* --- rows ---------------------------------------------------------------- */

/* A row of the EXPORT_COLUMNS in sql.c. */
static int take_row(struct catalog_query *q, void *ret, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *id = NULL;
	struct export_job job = {.number = catalog_int(q, 0)};
	int r = statement_text(q, 1, &id);

	job.created_ms = catalog_real(q, 2);
	if (r == 0)
		r = statement_text(q, 3, &job.component);
	job.has_storage = catalog_int(q, 4);
	job.state = (enum export_state)catalog_int(q, 5);
	if (r == 0)
		r = statement_text(q, 6, &job.progress);
	job.start_ns = catalog_int(q, 7);
	job.finished_ns = catalog_int(q, 8);
	job.expiration_ns = catalog_int(q, 9);
	job.size = (uint64_t)catalog_int(q, 10);
	if (r < 0) {
		export_job_fini(&job);
		return cvx_fail_memory(err);
	}
	(void)snprintf(job.id, sizeof(job.id), "%s", id);
	memcpy(ret, &job, sizeof(job));
	return 1;
}

int export_job_latest(struct deployment *d, struct export_job *ret,
		      struct cvx_err *err)
{
	return statement_find(d, SQL_LATEST_EXPORT, NULL, 0, take_row, ret,
			      err);
}

int export_job_find(struct deployment *d, const char *id,
		    struct export_job *ret, struct cvx_err *err)
{
	return statement_find(d, SQL_FIND_EXPORT, id, 0, take_row, ret, err);
}

int export_job_find_start(struct deployment *d, int64_t start_ns,
			  struct export_job *ret, struct cvx_err *err)
{
	return statement_find(d, SQL_FIND_EXPORT_START, NULL, start_ns,
			      take_row, ret, err);
}

int export_job_next(struct deployment *d, struct export_job *ret,
		    struct cvx_err *err)
{
	return statement_find(d, SQL_NEXT_EXPORT, NULL, 0, take_row, ret, err);
}

/* --- changing ------------------------------------------------------------ */

int export_job_insert(struct deployment *d, bool has_storage,
		      const char *component, int64_t expiration_ns,
		      struct cvx_err *err)
{
	char id[ID_TEXT_MAX + 1];
	struct catalog_query *q;
	bool happened;
	int r = job_make_id(EXPORTS_TABLE_NUMBER, id, err);

	if (r == 0)
		r = statement_begin(d, SQL_INSERT_EXPORT, has_storage, &q, err);
	if (r < 0)
		return r;
	catalog_bind_text(q, 2, id);
	catalog_bind_real(q, 3, (double)embedded_now_ns() / 1e6);
	catalog_bind_text(q, 4, component);
	catalog_bind_int(q, 5, expiration_ns);
	r = statement_run(d, q, &happened, err);
	if (r == 0 && !happened)
		r = refuse(err, "ExportInProgress",
			   "an export is requested or in progress already; "
			   "only one can run at a time");
	if (r < 0)
		return r;
	r = statement_begin(d, SQL_PRUNE_EXPORTS, EXPORT_COUNT_MAX, &q, err);
	return r < 0 ? r : statement_run(d, q, &happened, err);
}

int export_job_begin(struct deployment *d, int64_t number, int64_t start_ns,
		     bool *ret_happened, struct cvx_err *err)
{
	struct catalog_query *q;
	int r = statement_begin(d, SQL_EXPORT_BEGUN, number, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 2, start_ns);
	return statement_run(d, q, ret_happened, err);
}

int export_job_progress(struct deployment *d, int64_t number, const char *text,
			bool *ret_happened, struct cvx_err *err)
{
	struct catalog_query *q;
	int r = statement_begin(d, SQL_EXPORT_PROGRESS, number, &q, err);

	if (r < 0)
		return r;
	catalog_bind_text(q, 2, text);
	return statement_run(d, q, ret_happened, err);
}

int export_job_complete(struct deployment *d, int64_t number, uint64_t size,
			bool *ret_happened, struct cvx_err *err)
{
	struct catalog_query *q;
	int r = numbered_files_sync(d, &archives, err);

	if (r == 0)
		r = statement_begin(d, SQL_EXPORT_COMPLETED, number, &q, err);
	if (r < 0)
		return r;
	catalog_bind_int(q, 2, (int64_t)size);
	catalog_bind_int(q, 3, embedded_now_ns());
	return statement_run(d, q, ret_happened, err);
}

int export_job_end(struct deployment *d, int64_t number,
		   enum export_state state, bool *ret_happened,
		   struct cvx_err *err)
{
	struct catalog_query *q;
	int r = statement_begin(d, SQL_EXPORT_ENDED, number, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 2, state);
	catalog_bind_int(q, 3, embedded_now_ns());
	return statement_run(d, q, ret_happened, err);
}

int export_job_set_expiration(struct deployment *d, int64_t number,
			      int64_t expiration_ns, bool *ret_happened,
			      struct cvx_err *err)
{
	struct catalog_query *q;
	int r = statement_begin(d, SQL_EXPORT_EXPIRES, number, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 2, expiration_ns);
	return statement_run(d, q, ret_happened, err);
}
