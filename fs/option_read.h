/*
 * option_read: a command line becomes the fields of a struct, as a table says.
 *
 * Failures are -EINVAL and a sentence that names the word; never with a value
 * that could be a secret.
 *
 * Threads: getopt has state of its own; only one thread may read a command
 * line at a time.
 */
#ifndef CVX_FS_OPTION_READ_H
#define CVX_FS_OPTION_READ_H

#include "fs/option_table.h"

struct cvx_err;

/*
 * Reads the words behind the command's name, argv[0]; options is the struct
 * that the table's offsets mean. add_word gets each word that is no option.
 * Returns 1 when help is asked for: then the rest has not been looked at. A
 * word that is refused is the failure, but the rest is read all the same: it
 * says how the failure is to be told (--json).
 */
int options_read(const struct command_options *command, void *options, int argc,
		 char *const argv[],
		 int (*add_word)(void *options, const char *word,
				 struct cvx_err *err),
		 struct cvx_err *err);

/* The text of -o: words between commas; "\\," is a comma of a value. */
int options_read_words(void *options, const char *text, struct cvx_err *err);

/* Frees the texts that the table names, and clears them. */
void options_free(const struct command_options *command, void *options);

/* Sets a text field, which the options own. */
int options_set_text(char **field, const char *value, struct cvx_err *err);

#endif
