/*
 * replica: a deployment behind a URL as its copy on this machine shows it
 * (mirror.h), and what is written goes there.
 *
 * A file that is imported travels by the deployment's own imports
 * (remote_import.h): parts are uploaded while it is written, and what it does
 * is as atomic as the deployment makes it. When it is over the copy is brought
 * up to date before its commit returns. The deployment refuses in its own
 * words; nothing is refused by what the copy shows, but for a table that was
 * changed since it was opened (W-8), after a look at the deployment.
 *
 * Tables go, and stored files come and go, by the calls that there are for
 * it; what has none is -EROFS (changes.h). Imports are in the copy's list of
 * imports, with their outcome. One that may or may not have become visible is
 * named REMOTE_IMPORT_UNKNOWN.
 *
 * Threads: locked inside.
 */
#ifndef CVX_IMPORTER_REMOTE_REPLICA_H
#define CVX_IMPORTER_REMOTE_REPLICA_H

#include <stdint.h>

#include "importer/changes.h"

struct cvx_err;
struct deployment;
struct remote_access;
struct replica;

struct replica_settings {
	const struct remote_access *access; /* outlives the replica */
	const char *dir;		    /* of the copy; likewise */
	uint64_t timeout_ms;		    /* F-5; 0: HTTP_IDLE_MS */
	/* How often the copy follows what others change, in a thread of its
	 * own; 0: only what is written through the replica. While the
	 * deployment is away the copy stays as it is, with a warning. */
	uint64_t follow_ms;
};

/* Makes the copy, or brings it up to date. */
int replica_open(const struct replica_settings *settings, struct replica **ret,
		 struct cvx_err *err);

/* Its intakes must be gone. NULL is allowed. */
void replica_close(struct replica *r);

/* The copy, to read from; both live as long as the replica. */
struct deployment *replica_deployment(const struct replica *r);
struct changes replica_changes(struct replica *r);

#endif
