/*
 * export_command: `convexfs export`.
 *
 * Threads: for a process that does nothing else.
 */
#ifndef CVX_FS_EXPORT_COMMAND_H
#define CVX_FS_EXPORT_COMMAND_H

#include "fs/exit_status.h"

/* argv[0] is "export". */
enum exit_status export_command(int argc, char *const argv[]);

#endif
