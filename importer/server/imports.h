/*
 * imports: uploaded files become documents, step by step and on record
 * (import.md 10).
 *
 * One worker for a deployment, whichever processes serve it: it reads new
 * uploads first, then goes on with what is confirmed. What it does is kept in
 * the catalog (embedded/jobs.h); after a restart it goes on from there.
 *
 * Memory:  that of one import, and the staged rows of the few that wait to be
 *          confirmed, on disk.
 * Threads: locked inside.
 */
#ifndef CVX_IMPORTER_SERVER_IMPORTS_H
#define CVX_IMPORTER_SERVER_IMPORTS_H

#include <stdbool.h>
#include <stddef.h>

struct cvx_err;
struct deployment;
struct early;
struct imports;
struct job;
struct spool;
struct turn;

/* Called from any thread, without a lock, when a record may have changed. */
struct imports_hooks {
	void *ctx;
	void (*changed)(void *ctx);
};

int imports_start(struct deployment *d, struct turn *turn,
		  const struct imports_hooks *hooks, struct imports **ret,
		  struct cvx_err *err);

/* What runs is broken off, to be taken up again by whoever serves next, and
 * those who wait are told. Calls may still come. */
void imports_stop(struct imports *im);

/* After imports_stop(). NULL is allowed. */
void imports_free(struct imports *im);

/* Whether the names of a job may be: refused as in IMP-11. */
int imports_check(const struct job *job, struct cvx_err *err);

/* A new upload, as job_insert() has it, checked. early is what has been read of
 * it, or NULL; it is taken over. */
int imports_add(struct imports *im, struct job *job, struct spool *bytes,
		struct early *early, bool *ret_in_doubt, struct cvx_err *err);

/* ImportNotFound, InvalidImport, CannotCancelImport. */
int imports_confirm(struct imports *im, const char *id, struct cvx_err *err);
int imports_cancel(struct imports *im, const char *id, struct cvx_err *err);

/*
 * Waits until the import is over: 0 and its record, which the caller ends with
 * job_fini(); -ETIMEDOUT after so many seconds; -ESHUTDOWN when the server
 * stops.
 */
int imports_await(struct imports *im, const char *id, unsigned seconds,
		  struct job *ret, struct cvx_err *err);

#endif
