/*
 * small_file: a whole file of settings in memory, which may hold secrets.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_REMOTE_SMALL_FILE_H
#define CVX_IMPORTER_REMOTE_SMALL_FILE_H

#include <stddef.h>

struct cvx_err;

/*
 * The bytes of a regular file, ended by NUL, which *ret_size does not count;
 * secret_free() them. -ENOENT (also where a folder of the path is missing),
 * -EINVAL for what is no file, -EFBIG above limit bytes; the message names the
 * path.
 */
int small_file_read(int dir_fd, const char *path, size_t limit, char **ret,
		    size_t *ret_size, struct cvx_err *err);

#endif
