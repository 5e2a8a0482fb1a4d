/*
 * mountpoint: whether a folder can be mounted on.
 *
 * Threads: any.
 */
#ifndef CVX_FS_MOUNTPOINT_H
#define CVX_FS_MOUNTPOINT_H

#include "fs/exit_status.h"

struct cvx_err;

/*
 * Checks that path is a folder, not a mount left dead by a crash (C-8), and
 * not a mount of ours already. A folder that is not empty is fine. *ret is the
 * path without symbolic links, the caller's to free.
 */
enum exit_status mountpoint_check(const char *path, char **ret,
				  struct cvx_err *err);

/* C-4: whether the system lets this user give allow_other. */
enum exit_status mountpoint_check_allow_other(struct cvx_err *err);

#endif
