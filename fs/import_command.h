/*
 * import_command: `convexfs import`.
 *
 * Threads: for a process that does nothing else.
 */
#ifndef CVX_FS_IMPORT_COMMAND_H
#define CVX_FS_IMPORT_COMMAND_H

#include "fs/command_options.h"
#include "fs/exit_status.h"
#include "importer/import.h"

struct cvx_err;

/* argv[0] is "import". */
enum exit_status import_command(int argc, char *const argv[]);

/*
 * Reads a command line and finds out what is missing: the format from the name
 * of the file (import.md 6.1). Fails with -EINVAL. *ret_warning is static or
 * NULL. options begins as zeros; options_free() ends it.
 */
int import_options_read(struct import_options *options, int argc,
			char *const argv[], const char **ret_warning,
			struct cvx_err *err);

enum import_mode import_options_mode(const struct import_options *options);

/* What the failure of an import is to the caller of the command (C-9). */
enum exit_status import_exit_status(const struct cvx_err *cause);

#endif
