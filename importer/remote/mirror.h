/*
 * mirror: a copy on this machine of a deployment behind a URL, to read from.
 *
 * The copy is an embedded deployment in a folder of its own, so that all that
 * is read of it is as fast, as true to the last byte and as steady as there.
 * It is made from a snapshot that the deployment itself takes: all of it is of
 * one moment, and becomes visible in one step.
 *
 * Whoever reads the copy meanwhile keeps what he opened.
 *
 * Threads: any; several processes may use one folder.
 */
#ifndef CVX_IMPORTER_REMOTE_MIRROR_H
#define CVX_IMPORTER_REMOTE_MIRROR_H

#include <stdint.h>

struct cvx_err;
struct halt;
struct remote_access;

struct mirror_settings {
	const struct remote_access *access;
	const char *dir;	 /* made if it is not there */
	uint64_t idle_ms;	 /* 0: HTTP_IDLE_MS */
	uint64_t backoff_ms;	 /* 0: as http.h says */
	uint64_t poll_ms;	 /* 0: as remote_export.h says */
	const struct halt *halt; /* or NULL */
};

/*
 * Makes the copy, or brings it up to date. *ret_snapshot_ns is the moment that
 * it shows. After a failure it is what it was, but for
 * its schemas. A schema that this program does
 * not understand is left out, with a warning in the log.
 */
int mirror_refresh(const struct mirror_settings *settings,
		   int64_t *ret_snapshot_ns, struct cvx_err *err);

#endif
