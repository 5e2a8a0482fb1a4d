/*
 * restore: a backup becomes tables and stored files, all of them in one step
 * (import.md 6.5 to 7.6).
 *
 * The bytes stay with the caller and are read through a source. A ZIP begins
 * at its end, so work starts with restore_commit(): entries are inflated,
 * converted by several threads and kept aside one after the other, then
 * committed together. Every mode is all or nothing, append too (F-1).
 *
 *   restore_new -> restore_commit -> restore_free
 *
 * A commit that fails leaves the deployment exactly as before and records the
 * import as failed; its text lists up to 10 places (restore_print_error).
 *
 * Memory:  the directory of the archive, some 100 bytes a table, and for the
 *          large table under way, or up to four small ones, what an import
 *          needs; some 200 bytes a stored file. Tables of old exports also
 *          take the size of their generated_schema.jsonl.
 * Threads: calls are the owner's to serialise, but for restore_cancel and
 *          restore_get_progress. The source is read from several threads, by
 *          one at a time.
 */
#ifndef CVX_IMPORTER_RESTORE_H
#define CVX_IMPORTER_RESTORE_H

#include <stdint.h>

#include "importer/import.h"

struct restore;

struct restore_target {
	const char *component; /* into which it goes; made if it is missing */
	const char *path;      /* for the record and messages: "backup.zip" */
	enum import_mode mode;
};

struct restore_result {
	uint64_t document_count; /* written by it */
	uint64_t file_count;	 /* stored files, likewise */
	uint64_t table_count;	 /* that it mentions, without storages */
};

/* Copies target and source. Touches no disk. */
int restore_new(struct deployment *d, const struct restore_target *target,
		const struct import_source *source, struct restore **ret,
		struct cvx_err *err);

/* Cancels what runs. NULL is allowed. */
void restore_free(struct restore *r);

/*
 * Reads and converts the archive of size bytes and tells what committing it
 * would do (preview.h). May be called once, and only restore_commit(), with
 * the same size, restore_cancel() or restore_free() may follow. *ret is to be
 * ended with preview_fini() if this returns 0. A failure is that of a restore:
 * it is recorded, and nothing can be committed any more.
 */
int restore_preview(struct restore *r, uint64_t size, struct preview *ret,
		    struct cvx_err *err);

/*
 * Restores the archive of size bytes. May be called once. -ECANCELED after
 * restore_cancel, unless the commit came first.
 */
int restore_commit(struct restore *r, uint64_t size, struct restore_result *ret,
		   struct cvx_err *err);

void restore_cancel(struct restore *r);

void restore_get_progress(struct restore *r, struct import_progress *ret);
/* Before its commit. It brings a copy of another deployment up to date
 * (mirror.h): tables that hold the same rows already stay as they are, with
 * their revision, and it is not in the list of imports. */
void restore_set_copy(struct restore *r);

/* As import_set_job(). */
void restore_set_job(struct restore *r, int64_t job);

/* After a failed commit: every known place of fault, a line each. */
int restore_print_error(struct restore *r, struct cvx_buf *out);

/* Records a restore that failed before it could start. */
int restore_record_failure(struct deployment *d,
			   const struct restore_target *target,
			   const struct cvx_err *cause);

#endif
