/*
 * mount: the command `convexfs mount`, and mount.convexfs for mount(8).
 *
 * They print on standard error what is wrong, and return when the mount
 * answers; with -f when it has ended.
 *
 * Threads: for a process that does nothing else.
 */
#ifndef CVX_FS_MOUNT_H
#define CVX_FS_MOUNT_H

#include "fs/exit_status.h"

/* argv[0] is "mount". */
enum exit_status mount_command(int argc, char *const argv[]);

/* argv[0] is the name of the helper. */
enum exit_status mount_helper(int argc, char *const argv[]);

#endif
