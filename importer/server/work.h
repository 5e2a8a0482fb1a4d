/*
 * work: one uploaded file on its way into the deployment, an import of one
 * table or a restore of an archive.
 *
 *   work_new -> work_parse -> work_commit -> work_free
 *
 * work_parse() may be left out. After a failure only work_error() and
 * work_free() may follow.
 *
 * Threads: not locked, but for work_cancel().
 */
#ifndef CVX_IMPORTER_SERVER_WORK_H
#define CVX_IMPORTER_SERVER_WORK_H

#include <stdbool.h>
#include <stdint.h>

struct cvx_err;
struct deployment;
struct job;
struct job_extent;
struct work;

/* Opens the upload of the job. */
int work_new(struct deployment *d, const struct job *job, struct work **ret,
	     struct cvx_err *err);

/*
 * The same before there is a job, and before all bytes are there: those of the
 * extents that are added, in their order, in the file of the descriptor, which
 * is copied. Reads component, table, format and mode of the target. Rows are
 * made of what is there.
 */
int work_new_early(struct deployment *d, const struct job *target, int fd,
		   struct work **ret, struct cvx_err *err);
void work_add(struct work *w, const struct job_extent *extent);

/* Whether it has read exactly what the job's extents say. */
bool work_is_of(const struct work *w, const struct job *job);

/* From now on it is as work_new() would have made it. */
void work_adopt(struct work *w, const struct job *job);

/* NULL is allowed. */
void work_free(struct work *w);

int64_t work_number(const struct work *w);

/* From any thread: what it does ends with -ECANCELED. */
void work_cancel(struct work *w);

/* What is asked before anything changes (import.md 10.3). */
struct work_summary {
	char *message;
	bool needs_confirmation;
	char *checkpoints; /* JSON (import.md 10.2) */
};

#define WORK_SUMMARY_INIT                                                      \
	{                                                                      \
		NULL, false, NULL                                              \
	}

void work_summary_fini(struct work_summary *s);

int work_parse(struct work *w, struct work_summary *ret, struct cvx_err *err);

/* What is about to be written: a line, and a JSON array of lines for what is
 * ready. Both are the caller's. */
int work_describe(struct work *w, char **ret_progress, char **ret_list,
		  struct cvx_err *err);

/* Everything becomes visible, and the job is completed, in one step. */
int work_commit(struct work *w, struct cvx_err *err);

/* After a failure: every place of a fault that is known, or NULL; the
 * caller's. */
char *work_error(const struct work *w);

#endif
