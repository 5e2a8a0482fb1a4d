/*
 * dotenv: the names and values of an env file (protocol.md SEL-4).
 *
 *   # a comment
 *   export NAME=value # the value ends before this
 *   NAME: 'text of
 *   several lines'
 *
 * Values may be secrets: they are wiped in the end and stand in no message.
 *
 * Limits:  DOTENV_SIZE_MAX bytes.
 * Threads: fixed after init.
 */
#ifndef CVX_IMPORTER_REMOTE_DOTENV_H
#define CVX_IMPORTER_REMOTE_DOTENV_H

#include <stdbool.h>
#include <stddef.h>

struct cvx_err;

#define DOTENV_SIZE_MAX ((size_t)1 << 20)

struct dotenv {
	struct dotenv_pair {
		char *name;
		char *value;
	} * pairs;
	size_t pair_count;
};

#define DOTENV_INIT                                                            \
	{                                                                      \
		0, 0                                                           \
	}

/* Lines of another form are passed over, as the official client does. */
int dotenv_read_text(struct dotenv *ret, const char *text, size_t size,
		     struct cvx_err *err);

/* The file, below the folder dir. -ENOENT if there is none. */
int dotenv_read_file(struct dotenv *ret, int dir_fd, const char *path,
		     struct cvx_err *err);

void dotenv_fini(struct dotenv *d);

/* The last value of the name; NULL if there is none. As long as d. */
const char *dotenv_find(const struct dotenv *d, const char *name);

#endif
