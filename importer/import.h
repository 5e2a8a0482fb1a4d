/*
 * import: one file becomes documents of one table, atomically (import.md 6, 7).
 *
 * The bytes stay with the caller and are read through a source. Work follows
 * the writer: import_available() tells how many bytes are there to stay, and
 * workers convert them in blocks while more arrive. import_commit() converts
 * the rest and makes all of it visible in one step, or nothing.
 *
 *   import_new -> import_available* -> import_commit -> import_free
 *
 * What workers have done is a guess: bytes that change, an id or a table
 * number that another commit took, make the import read its source again.
 *
 * A commit that fails leaves the table exactly as before (F-1) and records the
 * import as failed; its text lists up to 10 places (import_print_error).
 *
 * Memory:  a few blocks of 256 KiB for each worker, FORMAT_ROW_MAX for long
 *          rows, 24 bytes a row where ids are given.
 * Threads: calls are the owner's to serialise, but for import_cancel,
 *          import_get_progress and import_check, which any thread may call
 *          while another works. The source is read from worker threads,
 *          several at once.
 */
#ifndef CVX_IMPORTER_IMPORT_H
#define CVX_IMPORTER_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/deployment.h"
#include "importer/format/format.h"
#include "importer/source.h"

struct cvx_buf;
struct cvx_err;
struct import;
struct preview;

enum import_mode {
	IMPORT_REQUIRE_EMPTY,
	IMPORT_APPEND,
	IMPORT_REPLACE,
	IMPORT_REPLACE_ALL, /* also removes all other tables (import.md 7.1) */
};

/* "require-empty", "append", "replace", "replace-all". */
const char *import_mode_name(enum import_mode mode);

struct import_target {
	const char *component;
	const char *table; /* made if it is not there */
	const char *path;  /* for the record and messages: "users/data.jsonl" */
	enum format_kind format;
	enum import_mode mode;
	bool makes_component; /* if it is not there; else that is -ENOENT */
	/* The file is the table's own documents.jsonl: uniform encoding where
	 * M-7 says so. */
	bool canonical;
	/* It is begun before anybody has asked for it, so nobody sees it run
	 * before import_set_job(). */
	bool is_early;
	/* The rows are documents.jsonl of the deployment that this one is a
	 * copy of (origin.h): of uniform encoding, not checked, and the import
	 * is in no list. A table that holds the same stays as it is. */
	bool is_copy;
	int64_t committed_ns; /* of a copy: when that was, Unix time; 0: now */
	/* If not 0, the commit fails with -ESTALE unless the table is still at
	 * this revision (W-8). */
	uint64_t base_revision;
};

/* How far an import is. */
struct import_progress {
	uint64_t consumed_size; /* bytes of the file that have been read */
	uint64_t row_count;	/* rows that have been converted */
};

struct import_result {
	uint64_t document_count; /* written by this import */
	uint64_t revision;	 /* of the table after it */
};

/* Copies target and source. Touches no disk. */
int import_new(struct deployment *d, const struct import_target *target,
	       const struct import_source *source, struct import **ret,
	       struct cvx_err *err);

/* Cancels what runs. NULL is allowed. */
void import_free(struct import *imp);

/*
 * The bytes [0, size) are there and will not change, as far as is known.
 * Starts workers once a block is full. A caller far ahead of them converts a
 * block himself, so that the last close finds little left to do.
 */
void import_available(struct import *imp, uint64_t size);

/* How many bytes have been read from the source. */
uint64_t import_consumed(struct import *imp);

/*
 * Bytes that were read have changed: forgets all work, and waits for the
 * workers to let go of the source.
 */
void import_restart(struct import *imp);

/*
 * What is known so far: 0, or the first refusal. With size the bytes [0, size)
 * are taken for all of the file and checked to the end, which is what a close
 * does that may not be the last (fuse-facts.md c.3); UINT64_MAX only looks.
 */
int import_check(struct import *imp, uint64_t size, struct cvx_err *err);

/*
 * Converts the file of size bytes and tells what committing it would do
 * (preview.h). May be called once, and only import_commit(), with the same
 * size, import_cancel() or import_free() may follow. *ret is to be ended with
 * preview_fini() if this returns 0. A failure is that of an import: it is
 * recorded, and nothing can be committed any more.
 */
int import_preview(struct import *imp, uint64_t size, struct preview *ret,
		   struct cvx_err *err);

/*
 * Commits the file of size bytes. May be called once. -ECANCELED after
 * import_cancel, unless the commit came first.
 */
int import_commit(struct import *imp, uint64_t size, struct import_result *ret,
		  struct cvx_err *err);

void import_cancel(struct import *imp);

void import_get_progress(struct import *imp, struct import_progress *ret);
/* The commit completes this job of the server (embedded/jobs.h), or fails with
 * -ECANCELED because the job was canceled. */
void import_set_job(struct import *imp, int64_t job);

/* After a failed commit: every known place of fault, a line each. */
int import_print_error(struct import *imp, struct cvx_buf *out);

/* Records an import of the target that failed before it could start. */
int import_record_failure(struct deployment *d,
			  const struct import_target *target,
			  const struct cvx_err *cause);

#endif
