/*
 * replica: a deployment behind a URL as its copy on this machine shows it, and
 * what is written goes there.
 *
 * The copy is an embedded deployment in a folder of its own, so that all that
 * is read of it is as fast, as true to the last byte and as steady as there.
 * It holds what was read before, and brings what is read up to date first
 * (origin.h): names when a folder is looked at (lister.h), documents when a
 * table is (holder.h), the bytes of a stored file when it is opened
 * (file_keeper.h). Several processes may use one folder.
 *
 * A file that is imported travels by the deployment's own imports
 * (remote_import.h): parts are uploaded while it is written, and what it does
 * is as atomic as the deployment makes it. When it is over, nothing that was
 * asked before holds any more. The deployment refuses in its own words;
 * nothing is refused by what the copy shows, but for a table that was changed
 * since it was opened (W-8), after a look at the deployment.
 *
 * Tables go, and stored files come and go, by the calls that there are for
 * it; numbers of tables and files of a backup come by small archives of our own
 * (remote_register.h, remote_restore.h). What neither can change is -EROFS
 * (changes.h). Imports are in the copy's list of
 * imports, with their outcome. One that may or may not have become visible is
 * named REMOTE_IMPORT_UNKNOWN.
 *
 * Threads: locked inside.
 */
#ifndef CVX_IMPORTER_REMOTE_REPLICA_H
#define CVX_IMPORTER_REMOTE_REPLICA_H

#include <stdbool.h>
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
	/* How long what the deployment has told holds; 0: each look asks. */
	uint64_t ttl_ms;
	uint64_t size_max; /* of what the copy holds; 0: any */
	/* While the deployment is away, what the copy holds is shown as it was;
	 * else, and for what it was never told about, that is an error. */
	bool offline_reads;
	/* With keeps_uploads an upload that a process died in the middle of is
	 * gone on with (upload.h): the folder for records, of this deployment
	 * alone, outlives the replica. */
	bool keeps_uploads;
	int uploads_fd;
};

/* Asks the deployment once; an error if it does not answer, unless
 * offline_reads is set and the copy was told what there is. */
int replica_open(const struct replica_settings *settings, struct replica **ret,
		 struct cvx_err *err);

/* Its intakes must be gone. NULL is allowed. */
void replica_close(struct replica *r);

/* The copy, to read from; both live as long as the replica. */
struct deployment *replica_deployment(const struct replica *r);
struct changes replica_changes(struct replica *r);

#endif
