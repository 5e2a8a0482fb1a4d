/*
 * status_command: `convexfs status`: which mounts of ours there are, and what
 * they are doing, read from their .convex/ folders.
 *
 * Threads: for a process that does nothing else.
 */
#ifndef CVX_FS_STATUS_COMMAND_H
#define CVX_FS_STATUS_COMMAND_H

#include "fs/exit_status.h"

/* argv[0] is "status". */
enum exit_status status_command(int argc, char *const argv[]);

#endif
