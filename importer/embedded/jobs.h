/*
 * jobs: the catalog's rows about what the server was asked to do: imports of
 * uploaded files, which pass through the states of import.md 10, and exports.
 *
 * A state changes only as import.md 10.1 allows, whichever process asks. The
 * step to completed is part of the import's own commit (record_insert), so an
 * import that is on record as completed has happened, and happens once.
 *
 * The uploaded bytes lie in uploads/N, N being the job's number, until the job
 * is over.
 *
 * Threads: locked inside, but for job_complete().
 */
#ifndef CVX_IMPORTER_EMBEDDED_JOBS_H
#define CVX_IMPORTER_EMBEDDED_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/value/id.h"

struct catalog;
struct cvx_err;
struct deployment;
struct spool;

enum job_state {
	JOB_UPLOADED,
	JOB_WAITING, /* for confirmation */
	JOB_IN_PROGRESS,
	JOB_COMPLETED,
	JOB_FAILED,
};

/* "waiting_for_confirmation" and so on. */
const char *job_state_name(enum job_state state);

struct job_extent {
	uint64_t off, size; /* in the file of the upload */
};

/* Texts are never NULL. */
struct job {
	int64_t number;
	char id[ID_TEXT_MAX + 1];
	double created_ms;
	char *component, *table; /* table "": an archive */
	char *format, *mode;	 /* as import.md 11 names them */
	enum job_state state;
	bool confirms_itself;
	uint64_t size; /* of the file that the extents make */
	struct job_extent *extents;
	size_t extent_count;
	char *message; /* to confirm */
	bool needs_confirmation;
	char *checkpoints; /* JSON: an array, or null */
	char *progress;
	char *progress_list; /* JSON: the array of checkpoint messages */
	uint64_t row_count;
	int64_t finished_ns;
	char *error_text;
	unsigned failure_count; /* of the system, in a row */
};

void job_fini(struct job *job);
/* Of a list. */
void jobs_free(struct job *list, size_t count);

/*
 * A new job in state uploaded, durably; the spool's bytes become its file.
 * Reads component, table, format, mode, confirms_itself, size and extents,
 * sets the number and the id. *ret_in_doubt tells, after a failure, that the
 * job may be there all the same.
 */
int job_insert(struct deployment *d, struct job *job, struct spool *bytes,
	       bool *ret_in_doubt, struct cvx_err *err);

/* 1: found; 0: there is none; or a failure. */
int job_find(struct deployment *d, const char *id, struct job *ret,
	     struct cvx_err *err);

/* The newest 20, newest first. */
int job_list(struct deployment *d, struct job **ret, size_t *ret_count,
	     struct cvx_err *err);

/* The one to work on: the oldest uploaded one, else the oldest in progress,
 * of those that need not wait for another try. 1, 0 or a failure. */
int job_next(struct deployment *d, struct job *ret, struct cvx_err *err);

/* What happens to a job. *ret_happened tells whether the state allowed it. */
int job_parsed(struct deployment *d, int64_t number, const char *message,
	       bool needs_confirmation, const char *checkpoints,
	       bool *ret_happened, struct cvx_err *err);
int job_confirm(struct deployment *d, int64_t number, bool *ret_happened,
		struct cvx_err *err);
int job_progress(struct deployment *d, int64_t number, const char *progress,
		 const char *progress_list, bool *ret_happened,
		 struct cvx_err *err);
int job_fail(struct deployment *d, int64_t number, const char *error_text,
	     bool *ret_happened, struct cvx_err *err);
/* A failure of the system: the state stays, and the next try comes not before
 * retry_ns. */
int job_delay(struct deployment *d, int64_t number, int64_t retry_ns,
	      struct cvx_err *err);

/* Inside of the commit of an import: -ECANCELED if it is in progress no
 * more. */
int job_complete(struct catalog *c, int64_t number, uint64_t row_count,
		 struct cvx_err *err);

/* A fresh id of a document of the table. */
int job_make_id(uint32_t table_number, char id[ID_TEXT_MAX + 1],
		struct cvx_err *err);

/* The file of an upload, for reading. */
int job_open_upload(struct deployment *d, int64_t number, int *ret_fd,
		    struct cvx_err *err);

/* The folder of uploads, made if it is not there. */
int job_open_uploads(struct deployment *d, int *ret_fd, struct cvx_err *err);

/* Removes the files of jobs that are over, and those of none. */
int job_sweep_uploads(struct deployment *d, struct cvx_err *err);

/* Differs after each commit to the deployment, by whichever process. */
int deployment_change_count(struct deployment *d, int64_t *ret,
			    struct cvx_err *err);

#endif
