#include "importer/embedded/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "cache/spool.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/numbered_files.h"
#include "importer/embedded/sql.h"
#include "importer/embedded/statement.h"

/* Number of the system table _snapshot_imports (import.md 2.4). */
#define IMPORTS_TABLE_NUMBER 541
#define JOB_COUNT_MAX 10000

const char *job_state_name(enum job_state state)
{
	switch (state) {
	case JOB_UPLOADED:
		return "uploaded";
	case JOB_WAITING:
		return "waiting_for_confirmation";
	case JOB_IN_PROGRESS:
		return "in_progress";
	case JOB_COMPLETED:
		return "completed";
	case JOB_FAILED:
		return "failed";
	}
	return "";
}

void job_fini(struct job *job)
{
	free(job->component);
	free(job->table);
	free(job->format);
	free(job->mode);
	free(job->extents);
	free(job->message);
	free(job->checkpoints);
	free(job->progress);
	free(job->progress_list);
	free(job->error_text);
	*job = (struct job){.number = 0};
}

void jobs_free(struct job *list, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		job_fini(&list[i]);
	free(list);
}

/* --- files --------------------------------------------------------------- */

static const struct numbered_files uploads = {"uploads", ""};

int job_open_uploads(struct deployment *d, int *ret_fd, struct cvx_err *err)
{
	return numbered_files_folder(d, &uploads, ret_fd, err);
}

int job_open_upload(struct deployment *d, int64_t number, int *ret_fd,
		    struct cvx_err *err)
{
	return numbered_files_open(d, &uploads, number, O_RDONLY, ret_fd, err);
}

/* Whether the catalog has a job that may still read its file. */
static int needs_upload(struct deployment *d, int64_t number, bool *ret,
			struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	int r = catalog_query(d->writes, SQL_JOB_STATE, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, number);
	r = catalog_next(q, err);
	*ret = r == 1 && catalog_int(q, 0) < JOB_COMPLETED;
	return r < 0 ? r : 0;
}

/* Under the write lock, as files are named under it. */
int job_sweep_uploads(struct deployment *d, struct cvx_err *err)
{
	int r = embedded_begin(d, err);

	if (r < 0)
		return r;
	r = numbered_files_sweep(d, &uploads, needs_upload, err);
	embedded_rollback(d);
	return r;
}

/* --- making one ---------------------------------------------------------- */

int job_make_id(uint32_t table_number, char id[ID_TEXT_MAX + 1],
		struct cvx_err *err)
{
	struct internal_id internal;

	if (getrandom(&internal, sizeof(internal), 0) != sizeof(internal))
		return cvx_fail(err, -EIO, "no random numbers are to be had");
	id[id_encode(table_number, &internal, id)] = '\0';
	return 0;
}

static int prune(struct catalog *c, int64_t newest, struct cvx_err *err)
{
	struct catalog_query *q;
	int r;

	if (newest <= JOB_COUNT_MAX)
		return 0;
	r = catalog_query(c, SQL_PRUNE_JOBS, &q, err);
	if (r < 0)
		return r;
	catalog_bind_int(q, 1, newest - JOB_COUNT_MAX);
	return catalog_run(q, err);
}

static int insert_row(struct catalog *c, struct job *job, struct cvx_err *err)
{
	struct catalog_query *q;
	int r = catalog_query(c, SQL_INSERT_JOB, &q, err);

	if (r < 0)
		return r;
	catalog_bind_text(q, 1, job->id);
	catalog_bind_real(q, 2, job->created_ms);
	catalog_bind_text(q, 3, job->component);
	catalog_bind_text(q, 4, job->table);
	catalog_bind_text(q, 5, job->format);
	catalog_bind_text(q, 6, job->mode);
	catalog_bind_int(q, 7, job->confirms_itself);
	catalog_bind_int(q, 8, (int64_t)job->size);
	catalog_bind_bytes(q, 9, job->extents ? (void *)job->extents : "",
			   job->extent_count * sizeof(*job->extents));
	r = catalog_run(q, err);
	if (r < 0)
		return r;
	job->number = catalog_last_id(c);
	return prune(c, job->number, err);
}

int job_insert(struct deployment *d, struct job *job, struct spool *bytes,
	       bool *ret_in_doubt, struct cvx_err *err)
{
	CVX_AUTO(cvx_closep) int fd = -1;
	char name[NUMBERED_NAME_SIZE];
	int r = job_open_uploads(d, &fd, err);

	*ret_in_doubt = false;
	if (r == 0)
		r = job_make_id(IMPORTS_TABLE_NUMBER, job->id, err);
	if (r == 0)
		r = spool_sync(bytes,
			       err); /* what takes long, without a lock */
	if (r == 0)
		r = embedded_begin(d, err);
	if (r < 0)
		return r;
	job->created_ms = (double)embedded_now_ns() / 1e6;
	r = insert_row(d->writes, job, err);
	if (r == 0) {
		numbered_files_name(&uploads, job->number, name);
		r = spool_save(bytes, fd, name, err);
	}
	if (r < 0) {
		embedded_rollback(d);
		return r;
	}
	/* After a failure the file is one of no job, which is swept away. */
	return embedded_commit(d, ret_in_doubt, err);
}

/* --- reading ------------------------------------------------------------- */

static int take_extents(struct catalog_query *q, int column, struct job *job)
{
	size_t size;
	const char *bytes = catalog_bytes(q, column, &size);

	job->extent_count = size / sizeof(*job->extents);
	job->extents = malloc(size + 1);
	if (!job->extents)
		return -ENOMEM;
	if (size > 0)
		memcpy(job->extents, bytes, size);
	return 0;
}

/* A row of the JOB_COLUMNS in sql.c. */
static int take_row(struct catalog_query *q, void *ret, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *id = NULL;
	struct job job = {.number = catalog_int(q, 0)};
	int r = statement_text(q, 1, &id);

	job.created_ms = catalog_real(q, 2);
	if (r == 0)
		r = statement_text(q, 3, &job.component);
	if (r == 0)
		r = statement_text(q, 4, &job.table);
	if (r == 0)
		r = statement_text(q, 5, &job.format);
	if (r == 0)
		r = statement_text(q, 6, &job.mode);
	job.confirms_itself = catalog_int(q, 7);
	job.size = (uint64_t)catalog_int(q, 8);
	if (r == 0)
		r = take_extents(q, 9, &job);
	job.state = (enum job_state)catalog_int(q, 10);
	if (r == 0)
		r = statement_text(q, 11, &job.message);
	job.needs_confirmation = catalog_int(q, 12);
	if (r == 0)
		r = statement_text(q, 13, &job.checkpoints);
	if (r == 0)
		r = statement_text(q, 14, &job.progress);
	if (r == 0)
		r = statement_text(q, 15, &job.progress_list);
	job.row_count = (uint64_t)catalog_int(q, 16);
	job.finished_ns = catalog_int(q, 17);
	if (r == 0)
		r = statement_text(q, 18, &job.error_text);
	job.failure_count = (unsigned)catalog_int(q, 19);
	if (r < 0) {
		job_fini(&job);
		return cvx_fail_memory(err);
	}
	(void)snprintf(job.id, sizeof(job.id), "%s", id);
	memcpy(ret, &job, sizeof(job));
	return 1;
}

int job_find(struct deployment *d, const char *id, struct job *ret,
	     struct cvx_err *err)
{
	return statement_find(d, SQL_FIND_JOB, id, 0, take_row, ret, err);
}

int job_next(struct deployment *d, struct job *ret, struct cvx_err *err)
{
	return statement_find(d, SQL_NEXT_JOB, NULL, embedded_now_ns(),
			      take_row, ret, err);
}

#define LIST_COUNT 20

int job_list(struct deployment *d, struct job **ret, size_t *ret_count,
	     struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	struct job *list = calloc(LIST_COUNT, sizeof(*list));
	size_t count = 0;
	int r;

	if (!list)
		return cvx_fail_memory(err);
	r = catalog_query(embedded_lock_reads(d), SQL_LIST_JOBS, &q, err);
	if (r == 0)
		catalog_bind_int(q, 1, LIST_COUNT);
	while (r >= 0 && count < LIST_COUNT && (r = catalog_next(q, err)) == 1)
		r = take_row(q, &list[count], err), count += r == 1;
	catalog_end(CVX_TAKE(q));
	embedded_unlock_reads(d);
	if (r < 0) {
		jobs_free(list, count);
		return r;
	}
	*ret = list;
	*ret_count = count;
	return 0;
}

int deployment_change_count(struct deployment *d, int64_t *ret,
			    struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	int r = catalog_query(embedded_lock_reads(d), SQL_DATA_VERSION, &q,
			      err);

	if (r == 0)
		r = catalog_next(q, err);
	if (r == 1)
		*ret = catalog_int(q, 0);
	catalog_end(CVX_TAKE(q));
	embedded_unlock_reads(d);
	return r < 0 ? r : 0;
}

/* --- changing ------------------------------------------------------------ */

int job_parsed(struct deployment *d, int64_t number, const char *message,
	       bool needs_confirmation, const char *checkpoints,
	       bool *ret_happened, struct cvx_err *err)
{
	struct catalog_query *q;
	int r = statement_begin(d, SQL_JOB_PARSED, number, &q, err);

	if (r < 0)
		return r;
	catalog_bind_text(q, 2, message);
	catalog_bind_int(q, 3, needs_confirmation);
	catalog_bind_text(q, 4, checkpoints);
	return statement_run(d, q, ret_happened, err);
}

int job_confirm(struct deployment *d, int64_t number, bool *ret_happened,
		struct cvx_err *err)
{
	struct catalog_query *q;
	int r = statement_begin(d, SQL_JOB_CONFIRMED, number, &q, err);

	return r < 0 ? r : statement_run(d, q, ret_happened, err);
}

int job_progress(struct deployment *d, int64_t number, const char *progress,
		 const char *progress_list, bool *ret_happened,
		 struct cvx_err *err)
{
	struct catalog_query *q;
	int r = statement_begin(d, SQL_JOB_PROGRESS, number, &q, err);

	if (r < 0)
		return r;
	catalog_bind_text(q, 2, progress);
	catalog_bind_text(q, 3, progress_list);
	return statement_run(d, q, ret_happened, err);
}

int job_fail(struct deployment *d, int64_t number, const char *error_text,
	     bool *ret_happened, struct cvx_err *err)
{
	struct catalog_query *q;
	int r = statement_begin(d, SQL_JOB_FAILED, number, &q, err);

	if (r < 0)
		return r;
	catalog_bind_text(q, 2, error_text);
	catalog_bind_int(q, 3, embedded_now_ns());
	return statement_run(d, q, ret_happened, err);
}

int job_delay(struct deployment *d, int64_t number, int64_t retry_ns,
	      struct cvx_err *err)
{
	struct catalog_query *q;
	bool happened;
	int r = statement_begin(d, SQL_JOB_DELAYED, number, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 2, retry_ns);
	return statement_run(d, q, &happened, err);
}

int job_complete(struct catalog *c, int64_t number, uint64_t row_count,
		 struct cvx_err *err)
{
	struct catalog_query *q;
	int r = catalog_query(c, SQL_JOB_COMPLETED, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, number);
	catalog_bind_int(q, 2, (int64_t)row_count);
	catalog_bind_int(q, 3, embedded_now_ns());
	r = catalog_run(q, err);
	if (r == 0 && catalog_change_count(c) == 0)
		r = cvx_fail(err, -ECANCELED, "the import was canceled");
	return r;
}
