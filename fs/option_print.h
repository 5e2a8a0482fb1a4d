/*
 * option_print: what the tables of options look like to people.
 *
 * Threads: any.
 */
#ifndef CVX_FS_OPTION_PRINT_H
#define CVX_FS_OPTION_PRINT_H

#include <stdio.h>

#include "fs/option_table.h"

/* The text of --help, in lines of at most 100 columns. */
void options_print_help(const struct command_options *command, FILE *out);

#endif
