/*
 * import_command-private: the inside of `convexfs import`, for
 * import_command.c, which does it, and import_outcome.c, which tells what has
 * become of it.
 *
 * Threads: as job.h has them: the work is in a thread of its own, and what it
 *          sets is looked at when that has ended.
 */
#ifndef CVX_FS_IMPORT_COMMAND_PRIVATE_H
#define CVX_FS_IMPORT_COMMAND_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/exit_status.h"
#include "fs/input.h"
#include "fs/job.h"
#include "fs/progress.h"
#include "importer/preview.h"
#include "importer/remote/remote_import.h"

struct cvx_err;
struct deployment;
struct http;
struct import;
struct import_options;
struct restore;

/* Ten places, or a change table. */
#define IMPORT_TEXT_MAX ((size_t)16 << 20)

/* One import on its way. One of imp, restore and remote, once the work has
 * begun. */
struct import_run {
	const struct import_options *options;
	struct stop stop;
	struct input input;
	struct deployment *deployment;
	int spool_dir_fd;
	int uploads_fd; /* of records of uploads; -1: none */
	struct import *imp;
	struct restore *restore;
	struct http *http;  /* of a deployment elsewhere; NULL: it is here */
	uint64_t part_size; /* of uploads to it; 0: as usual */
	struct remote_import *remote;
	struct remote_plan plan; /* of it */
	_Atomic uint64_t available_size;
	struct preview preview;
	bool has_preview;
	uint64_t document_count;
	struct progress progress;
};

/* What the failure of its preview or commit is to the caller (C-9). */
enum exit_status import_failure_status(const struct import_run *c,
				       const struct cvx_err *cause);

/* Tells people or, with --json, programs how it ended; what the command is to
 * end with. A call that is wrong has begun nothing, and is told as well. */
enum exit_status import_tell(const struct import_run *c,
			     enum exit_status status,
			     const struct cvx_err *cause);

#endif
