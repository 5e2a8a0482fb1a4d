/*
 * remote_import: a file becomes documents of a deployment behind a URL, by the
 * requests of the official client (protocol.md 7), and with its guarantees:
 * what replaces is atomic, append is as atomic as the deployment makes it
 * (IMP-18).
 *
 *   remote_import_new -> remote_import_available* -> remote_import_prepare
 *     -> remote_import_perform -> remote_import_free
 *
 * Parts are uploaded while the file is being written. Only what is confirmed
 * can change the deployment; of several imports that a lost answer may have
 * made, one is confirmed. An error leaves the deployment as it was, but for
 * one: named REMOTE_IMPORT_UNKNOWN, when the connection was lost behind the
 * confirmation. remote_import_id() then tells what to look for.
 *
 * Threads: calls are the owner's to serialise, but for remote_import_cancel().
 *          The callbacks come from any thread, one at a time.
 */
#ifndef CVX_IMPORTER_REMOTE_REMOTE_IMPORT_H
#define CVX_IMPORTER_REMOTE_REMOTE_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "importer/intake.h"

struct halt;
struct http;
struct remote_import;

/* cvx_err.name of an outcome that is not known; the code is -EINPROGRESS. */
#define REMOTE_IMPORT_UNKNOWN INTAKE_UNKNOWN

enum remote_format {
	REMOTE_CSV,
	REMOTE_JSON_LINES,
	REMOTE_JSON_ARRAY,
	REMOTE_ZIP,
};

struct remote_import_target {
	const char *component; /* "": the root */
	const char *table;     /* NULL for REMOTE_ZIP */
	enum remote_format format;
	enum import_mode mode;
};

struct remote_import_settings {
	uint64_t part_size; /* 0: UPLOAD_PART_SIZE */
	/* With keeps_records an upload that another process died in the middle
	 * of is gone on with (upload.h); the folder, of this deployment alone,
	 * outlives the import. */
	bool keeps_records;
	int record_dir_fd;
	uint64_t poll_ms; /* 0: 1; the first pause between two looks */
	/* Another import is under way (IMP-3): false gives up. NULL: go on. */
	bool (*may_join)(void *ctx);
	/* A line of progress as the deployment words it; final: of a table that
	 * is done. NULL: nobody wants to know. */
	void (*report)(void *ctx, const char *message, bool final);
	void *ctx;
};

/* Copies all but http, which must live as long. No request is made yet. */
int remote_import_new(struct http *http,
		      const struct remote_import_target *target,
		      const struct import_source *source,
		      const struct remote_import_settings *settings,
		      struct remote_import **ret, struct cvx_err *err);

/* Interrupts what runs; cancels an import that was not performed. NULL is
 * allowed. */
void remote_import_free(struct remote_import *imp);

/* As import_available() and the others of import.h. */
void remote_import_available(struct remote_import *imp, uint64_t size);
uint64_t remote_import_consumed(struct remote_import *imp);
void remote_import_restart(struct remote_import *imp);

/* What the deployment says that an import would do. */
struct remote_plan {
	const char *message; /* "" if it says nothing; as long as imp */
	bool asks;	     /* somebody should be asked: documents would go */
};

/* Uploads the rest of the file of size bytes, and waits until the deployment
 * has looked through it. Once. After a failure nothing is left to do. */
int remote_import_prepare(struct remote_import *imp, uint64_t size,
			  struct remote_plan *ret, struct cvx_err *err);

/* After remote_import_prepare(): confirms, and waits for the end. *ret_count is
 * how many documents the deployment says it has written; UINT64_MAX: it does
 * not say. */
int remote_import_perform(struct remote_import *imp, uint64_t *ret_count,
			  struct cvx_err *err);

/* Both, for who asks nobody. */
int remote_import_commit(struct remote_import *imp, uint64_t size,
			 uint64_t *ret_count, struct cvx_err *err);
void remote_import_cancel(struct remote_import *imp);

/* Nothing more is read of its source, which may go. */
void remote_import_detach(struct remote_import *imp);

enum remote_outcome {
	REMOTE_OPEN,	 /* it is under way */
	REMOTE_IMPORTED, /* it is done */
	REMOTE_NOTHING,	 /* nothing came of it, and nothing will */
};

/*
 * After a commit with REMOTE_IMPORT_UNKNOWN, by http: what came of it. One that
 * still waits to be confirmed is canceled, so that nothing comes of it later.
 * *ret_count as remote_import_perform() has it.
 */
int remote_import_look_up(struct remote_import *imp, struct http *http,
			  const struct halt *halt, enum remote_outcome *ret,
			  uint64_t *ret_count, struct cvx_err *err);

/* Of the parts that have arrived. */
uint64_t remote_import_sent_size(struct remote_import *imp);

/* The deployment's id of the import; NULL: it has none yet. As long as imp. */
const char *remote_import_id(const struct remote_import *imp);

/* After a commit that the deployment refused: its text in full; or NULL. */
const char *remote_import_error(const struct remote_import *imp);

#endif
