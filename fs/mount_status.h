/*
 * mount_status: what one mount tells of itself.
 *
 * Threads: not locked.
 */
#ifndef CVX_FS_MOUNT_STATUS_H
#define CVX_FS_MOUNT_STATUS_H

#include <stdio.h>

#include "cache/base/buf.h"

struct json_out;
struct mounted;

struct mount_status {
	const struct mounted *mounted; /* borrowed */
	int failure; /* negative errno: why it tells nothing; -ENOTCONN: its
			program is gone */
	struct cvx_buf deployment, staged, imports; /* as in .convex/ */
};

/* Asks the mount; what goes wrong is in ret->failure. */
void mount_status_read(const struct mounted *mounted, struct mount_status *ret);
void mount_status_fini(struct mount_status *s);

/* A paragraph for people. */
void mount_status_print(const struct mount_status *s, FILE *out);

/* An object of an array. */
void mount_status_add(const struct mount_status *s, struct json_out *j);

#endif
