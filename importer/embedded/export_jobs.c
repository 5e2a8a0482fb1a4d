#include "importer/embedded/export_jobs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "cache/catalog.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/sql.h"
#include "importer/value/refusal.h"

/* Number of the system table _exports (import.md 2.4). */
#define EXPORTS_TABLE_NUMBER 516
#define EXPORT_COUNT_MAX 1000
#define EXPORT_NAME_SIZE 32

void export_job_fini(struct export_job *job)
{
	free(job->component);
	free(job->progress);
}

/* --- files --------------------------------------------------------------- */

static int open_folder(struct deployment *d, int *ret_fd, struct cvx_err *err)
{
	if (mkdirat(d->dir_fd, "exports", 0700) < 0 && errno != EEXIST)
		return cvx_fail(err, -errno, "cannot make %s/exports: %s",
				d->dir, strerror(errno));
	*ret_fd = openat(d->dir_fd, "exports",
			 O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_fd < 0)
		return cvx_fail(err, -errno, "cannot open %s/exports: %s",
				d->dir, strerror(errno));
	return 0;
}

static int open_file(struct deployment *d, int64_t number, int flags,
		     int *ret_fd, struct cvx_err *err)
{
	CVX_AUTO(cvx_closep) int dir_fd = -1;
	char name[EXPORT_NAME_SIZE];
	int r = open_folder(d, &dir_fd, err);

	if (r < 0)
		return r;
	(void)snprintf(name, sizeof(name), "%" PRId64 ".zip", number);
	*ret_fd = openat(dir_fd, name, flags | O_CLOEXEC, 0600);
	if (*ret_fd < 0)
		return cvx_fail(err, -errno, "cannot open %s/exports/%s: %s",
				d->dir, name, strerror(errno));
	return 0;
}

int export_job_make_file(struct deployment *d, int64_t number, int *ret_fd,
			 struct cvx_err *err)
{
	return open_file(d, number, O_RDWR | O_CREAT | O_TRUNC, ret_fd, err);
}

int export_job_open_file(struct deployment *d, int64_t number, int *ret_fd,
			 struct cvx_err *err)
{
	return open_file(d, number, O_RDONLY, ret_fd, err);
}

/* Whether the file is one of a completed export that has not expired. */
static int is_needed(struct catalog *c, int64_t number, bool *ret,
		     struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	int r = catalog_query(c, SQL_EXPORT_EXPIRATION, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, number);
	r = catalog_next(q, err);
	*ret = r == 1 && catalog_int(q, 0) > embedded_now_ns();
	return r < 0 ? r : 0;
}

static int sweep(struct deployment *d, DIR *dir, int fd, struct cvx_err *err)
{
	const struct dirent *entry;
	int64_t number;
	bool needed;
	char *end;
	int r = 0;

	while (r == 0 && (entry = readdir(dir))) {
		number = strtoll(entry->d_name, &end, 10);
		if (number <= 0 || strcmp(end, ".zip") != 0)
			continue;
		r = is_needed(embedded_lock_reads(d), number, &needed, err);
		embedded_unlock_reads(d);
		if (r == 0 && !needed && unlinkat(fd, entry->d_name, 0) < 0)
			log_warning("cannot remove %s/exports/%s: %s", d->dir,
				    entry->d_name, strerror(errno));
	}
	return r;
}

int export_job_sweep(struct deployment *d, struct cvx_err *err)
{
	CVX_AUTO(cvx_closep) int fd = -1;
	DIR *dir;
	int copy, r = open_folder(d, &fd, err);

	if (r < 0)
		return r;
	copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = copy < 0 ? NULL : fdopendir(copy);
	if (!dir) {
		r = -errno;
		cvx_closep(&copy);
		return cvx_fail(err, r, "cannot list %s/exports: %s", d->dir,
				strerror(-r));
	}
	r = sweep(d, dir, fd, err);
	(void)closedir(dir);
	return r;
}

/* --- rows ---------------------------------------------------------------- */

static int take_text(struct catalog_query *q, int column, char **ret)
{
	size_t size;
	const char *text = catalog_bytes(q, column, &size);

	*ret = strndup(text ? text : "", text ? size : 0);
	return *ret ? 0 : -ENOMEM;
}

/* A row of the EXPORT_COLUMNS in sql.c. */
static int take_row(struct catalog_query *q, struct export_job *ret,
		    struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *id = NULL;
	struct export_job job = {.number = catalog_int(q, 0)};
	int r = take_text(q, 1, &id);

	job.created_ms = catalog_real(q, 2);
	if (r == 0)
		r = take_text(q, 3, &job.component);
	job.has_storage = catalog_int(q, 4);
	job.state = (enum export_state)catalog_int(q, 5);
	if (r == 0)
		r = take_text(q, 6, &job.progress);
	job.start_ns = catalog_int(q, 7);
	job.finished_ns = catalog_int(q, 8);
	job.expiration_ns = catalog_int(q, 9);
	job.size = (uint64_t)catalog_int(q, 10);
	if (r < 0) {
		export_job_fini(&job);
		return cvx_fail_memory(err);
	}
	(void)snprintf(job.id, sizeof(job.id), "%s", id);
	*ret = job;
	return 1;
}

/* text NULL: number is the parameter, if the statement has one. */
static int find(struct deployment *d, unsigned statement, const char *text,
		int64_t number, struct export_job *ret, struct cvx_err *err)
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
		r = take_row(q, ret, err);
	catalog_end(CVX_TAKE(q));
	embedded_unlock_reads(d);
	return r;
}

int export_job_latest(struct deployment *d, struct export_job *ret,
		      struct cvx_err *err)
{
	return find(d, SQL_LATEST_EXPORT, NULL, 0, ret, err);
}

int export_job_find(struct deployment *d, const char *id,
		    struct export_job *ret, struct cvx_err *err)
{
	return find(d, SQL_FIND_EXPORT, id, 0, ret, err);
}

int export_job_find_start(struct deployment *d, int64_t start_ns,
			  struct export_job *ret, struct cvx_err *err)
{
	return find(d, SQL_FIND_EXPORT_START, NULL, start_ns, ret, err);
}

int export_job_next(struct deployment *d, struct export_job *ret,
		    struct cvx_err *err)
{
	return find(d, SQL_NEXT_EXPORT, NULL, 0, ret, err);
}

/* --- changing ------------------------------------------------------------ */

static int begin(struct deployment *d, unsigned statement, int64_t number,
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

static int run(struct deployment *d, struct catalog_query *q,
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

int export_job_insert(struct deployment *d, bool has_storage,
		      const char *component, int64_t expiration_ns,
		      struct cvx_err *err)
{
	struct internal_id internal;
	char id[ID_TEXT_MAX + 1];
	struct catalog_query *q;
	bool happened;
	int r;

	if (getrandom(&internal, sizeof(internal), 0) != sizeof(internal))
		return cvx_fail(err, -EIO, "no random numbers are to be had");
	id[id_encode(EXPORTS_TABLE_NUMBER, &internal, id)] = '\0';
	r = begin(d, SQL_INSERT_EXPORT, has_storage, &q, err);
	if (r < 0)
		return r;
	catalog_bind_text(q, 2, id);
	catalog_bind_real(q, 3, (double)embedded_now_ns() / 1e6);
	catalog_bind_text(q, 4, component);
	catalog_bind_int(q, 5, expiration_ns);
	r = run(d, q, &happened, err);
	if (r == 0 && !happened)
		r = refuse(err, "ExportInProgress",
			   "an export is requested or in progress already; "
			   "only one can run at a time");
	if (r < 0)
		return r;
	r = begin(d, SQL_PRUNE_EXPORTS, EXPORT_COUNT_MAX, &q, err);
	return r < 0 ? r : run(d, q, &happened, err);
}

int export_job_begin(struct deployment *d, int64_t number, int64_t start_ns,
		     bool *ret_happened, struct cvx_err *err)
{
	struct catalog_query *q;
	int r = begin(d, SQL_EXPORT_BEGUN, number, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 2, start_ns);
	return run(d, q, ret_happened, err);
}

int export_job_progress(struct deployment *d, int64_t number, const char *text,
			bool *ret_happened, struct cvx_err *err)
{
	struct catalog_query *q;
	int r = begin(d, SQL_EXPORT_PROGRESS, number, &q, err);

	if (r < 0)
		return r;
	catalog_bind_text(q, 2, text);
	return run(d, q, ret_happened, err);
}

int export_job_complete(struct deployment *d, int64_t number, uint64_t size,
			bool *ret_happened, struct cvx_err *err)
{
	struct catalog_query *q;
	int r = begin(d, SQL_EXPORT_COMPLETED, number, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 2, (int64_t)size);
	catalog_bind_int(q, 3, embedded_now_ns());
	return run(d, q, ret_happened, err);
}

int export_job_end(struct deployment *d, int64_t number,
		   enum export_state state, bool *ret_happened,
		   struct cvx_err *err)
{
	struct catalog_query *q;
	int r = begin(d, SQL_EXPORT_ENDED, number, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 2, state);
	catalog_bind_int(q, 3, embedded_now_ns());
	return run(d, q, ret_happened, err);
}

int export_job_set_expiration(struct deployment *d, int64_t number,
			      int64_t expiration_ns, bool *ret_happened,
			      struct cvx_err *err)
{
	struct catalog_query *q;
	int r = begin(d, SQL_EXPORT_EXPIRES, number, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 2, expiration_ns);
	return run(d, q, ret_happened, err);
}
