/*
 * input: the bytes that a command imports: a file, or a stream such as
 * standard input, which is kept on disk, because an import may read its bytes
 * twice. A byte order mark at the start is no part of them (import.md 6.1).
 *
 * Threads: input_fill() in one; the source may be read from several at once,
 *          as far as input_fill() has got.
 */
#ifndef CVX_FS_INPUT_H
#define CVX_FS_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "importer/source.h"

struct cvx_err;
struct spool;

struct input {
	const char *name; /* for messages; borrowed */
	int fd;
	bool is_stream;
	uint64_t base; /* where in the file the bytes begin */
	uint64_t size; /* of them; of a stream, once it is filled */
	struct spool *spool;
	int spool_dir_fd; /* borrowed */
};

/*
 * Opens the file; "-" is standard input. Fails for folders and for what is not
 * there. input_fini() ends it, also after a failure.
 */
int input_open(const char *path, struct input *ret, struct cvx_err *err);
void input_fini(struct input *in);

/*
 * Reads a stream to its end and keeps it in spool_dir_fd; of a file nothing
 * needs to be read. more is called again and again with the size of what is
 * there by then, and in the end with all of it. When stop_fd can be read from,
 * that is -ECANCELED.
 */
int input_fill(struct input *in, int spool_dir_fd, int stop_fd,
	       void (*more)(void *ctx, uint64_t size), void *ctx,
	       struct cvx_err *err);

struct import_source input_source(struct input *in);

#endif
