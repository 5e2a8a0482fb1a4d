/*
 * serve: the command `convexfs serve`.
 *
 * It prints the URL when clients may come, and ends, with status 0, by SIGINT,
 * SIGTERM or SIGHUP; what runs is taken up again when the deployment is served
 * the next time.
 *
 * Threads: for a process that does nothing else.
 */
#ifndef CVX_FS_SERVE_H
#define CVX_FS_SERVE_H

#include "fs/exit_status.h"

/* argv[0] is "serve". */
enum exit_status serve_command(int argc, char *const argv[]);

#endif
