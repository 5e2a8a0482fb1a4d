/*
 * export_jobs: the catalog's rows about exports that a server was asked for
 * (protocol.md 8).
 *
 * One at a time is requested or in progress, whichever process asks. The
 * archive lies in exports/N.zip, N being the export's number, as long as it is
 * completed and not expired.
 *
 * Threads: locked inside.
 */
#ifndef CVX_IMPORTER_EMBEDDED_EXPORT_JOBS_H
#define CVX_IMPORTER_EMBEDDED_EXPORT_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/value/id.h"

struct cvx_err;
struct deployment;

enum export_state {
	EXPORT_REQUESTED,
	EXPORT_IN_PROGRESS,
	EXPORT_COMPLETED,
	EXPORT_FAILED,
	EXPORT_CANCELED,
};

/* Texts are never NULL. */
struct export_job {
	int64_t number;
	char id[ID_TEXT_MAX + 1];
	double created_ms;
	char *component; /* an id that was given with the request; or "" */
	bool has_storage;
	enum export_state state;
	char *progress;
	int64_t start_ns;    /* 0: it has not begun */
	int64_t finished_ns; /* completed, failed or canceled */
	int64_t expiration_ns;
	uint64_t size;
};

void export_job_fini(struct export_job *job);

/* A new request, that expires some time. ExportInProgress. */
int export_job_insert(struct deployment *d, bool has_storage,
		      const char *component, int64_t expiration_ns,
		      struct cvx_err *err);

/* 1: found; 0: there is none; or a failure. */
int export_job_latest(struct deployment *d, struct export_job *ret,
		      struct cvx_err *err);
int export_job_find(struct deployment *d, const char *id,
		    struct export_job *ret, struct cvx_err *err);
/* A completed one, by its start. */
int export_job_find_start(struct deployment *d, int64_t start_ns,
			  struct export_job *ret, struct cvx_err *err);
/* The one to work on; also one that somebody began and did not end. */
int export_job_next(struct deployment *d, struct export_job *ret,
		    struct cvx_err *err);

/* What happens to an export. *ret_happened tells whether the state allowed it.
 */
int export_job_begin(struct deployment *d, int64_t number, int64_t start_ns,
		     bool *ret_happened, struct cvx_err *err);
int export_job_progress(struct deployment *d, int64_t number, const char *text,
			bool *ret_happened, struct cvx_err *err);
int export_job_complete(struct deployment *d, int64_t number, uint64_t size,
			bool *ret_happened, struct cvx_err *err);
/* EXPORT_FAILED or EXPORT_CANCELED. */
int export_job_end(struct deployment *d, int64_t number,
		   enum export_state state, bool *ret_happened,
		   struct cvx_err *err);
int export_job_set_expiration(struct deployment *d, int64_t number,
			      int64_t expiration_ns, bool *ret_happened,
			      struct cvx_err *err);

/* The file of an export: made anew for writing, or for reading, -ENOENT if it
 * is gone. */
int export_job_make_file(struct deployment *d, int64_t number, int *ret_fd,
			 struct cvx_err *err);
int export_job_open_file(struct deployment *d, int64_t number, int *ret_fd,
			 struct cvx_err *err);

/* Removes the files of exports that are expired, or were not completed. Not
 * while one is being written. */
int export_job_sweep(struct deployment *d, struct cvx_err *err);

#endif
