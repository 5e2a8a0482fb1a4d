/*
 * mirror: all tables of a deployment at once, from a snapshot that it takes
 * itself. For deployments that let us have documents in no other way.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_REMOTE_MIRROR_H
#define CVX_IMPORTER_REMOTE_MIRROR_H

#include <stdint.h>

struct cvx_err;
struct deployment;
struct halt;
struct http;

struct mirror_settings {
	struct http *http;
	struct deployment *copy; /* to be written */
	int dir_fd;		 /* for the archive */
	uint64_t poll_ms;	 /* 0: as remote_export.h says */
	uint64_t patience_ms;	 /* with another snapshot that is under way */
	const struct halt *halt; /* or NULL */
};

/* The copy holds all tables; a table that holds the same already stays as it
 * is. After a failure the copy is what it was. */
int mirror_fetch(const struct mirror_settings *settings, struct cvx_err *err);

#endif
