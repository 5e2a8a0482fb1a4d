/*
 * archive_import: an archive that was made here is imported by a deployment
 * behind a URL.
 *
 * Threads: any. It is given up as its thread is (cancel.h).
 */
#ifndef CVX_IMPORTER_REMOTE_ARCHIVE_IMPORT_H
#define CVX_IMPORTER_REMOTE_ARCHIVE_IMPORT_H

#include <stdint.h>

#include "importer/import.h"

struct cvx_err;
struct http;

/* A deployment, or a component of it, for which archives are made. */
struct archive_place {
	struct http *http;
	const char *path;      /* of the component; "": the root */
	const char *component; /* its id; NULL: the root */
	int dir_fd;	       /* where the archive is kept, without a name */
};

struct archive_import {
	struct http *http;
	const char *component; /* its path; "": the root */
	enum import_mode mode;
	/* Called between the upload, which the deployment has looked through,
	 * and the confirmation; a failure ends the import, which has changed
	 * nothing. NULL: there is nothing to do. */
	int (*confirm)(void *ctx, struct cvx_err *err);
	void *ctx;
};

/* The archive is in the file, from its start. Errors as of remote_import.h. */
int archive_import_run(const struct archive_import *how, int fd, uint64_t size,
		       struct cvx_err *err);

#endif
