/*
 * session: one mount, from mounting to unmounting, in this process.
 *
 *   session_new    mounts: from here on the kernel queues requests
 *   session_run    answers them until unmounted or stopped
 *   session_free   waits for commits that have begun, unmounts (W-13)
 *
 * Start threads only after the process has gone to the background:
 * session_new starts none.
 *
 * Threads: session_stop may be called from a signal handler.
 */
#ifndef CVX_FS_SESSION_H
#define CVX_FS_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "importer/import.h"

struct cvx_err;
struct deployment;
struct changes;
struct rejects;
struct session;

struct session_settings {
	const char *mountpoint;
	struct deployment *deployment; /* the caller's, outlives the session */
	const struct changes
		*changes;	 /* likewise; what is written goes there */
	const char *component;	 /* shown at the root of the mount */
	struct rejects *rejects; /* the caller's */
	int spool_dir_fd;	 /* the caller's; staged bytes go there */
	enum import_mode mode;	 /* of drops whose name tells none (M-4) */
	bool read_only;
	bool allow_delete; /* W-10 */
	bool allow_other;
	uid_t uid; /* owner of everything shown */
	gid_t gid;
	mode_t umask;
	bool debug;	    /* libfuse's own trace of requests */
	const char *source; /* first column of /proc/mounts: "convexfs:local" */
	const char *const *options; /* pairs for .convex/deployment.json */
	size_t option_count;
};

int session_new(const struct session_settings *settings, struct session **ret,
		struct cvx_err *err);

/* Returns when unmounted or stopped: 0, or why it could not go on. */
int session_run(struct session *s, struct cvx_err *err);

void session_stop(struct session *s);
void session_free(struct session *s);

#endif
