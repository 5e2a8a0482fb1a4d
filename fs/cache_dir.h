/*
 * cache_dir: where bytes wait on this machine: those that are written, and
 * those of imports that come from a pipe. A deployment has a folder of its own
 * in it, for its user alone.
 *
 * Threads: any, as long as nobody changes the environment.
 */
#ifndef CVX_FS_CACHE_DIR_H
#define CVX_FS_CACHE_DIR_H

#include <stdint.h>

struct cvx_err;

/* Stands for a long text in the name of a file. */
uint64_t cache_dir_hash(const char *text);

/* given, or if that is NULL what the XDG rules say; resolved, the caller's to
 * free. */
int cache_dir_resolve(const char *given, char **ret, struct cvx_err *err);

/* The folder of the embedded deployment that lies in state_dir; the caller's
 * to free. Both paths are resolved. */
int cache_dir_path(const char *cache_dir, const char *state_dir, char **ret,
		   struct cvx_err *err);

/* Opens the folder, made if it is not there. What waits in it is not for
 * others' eyes: it must belong to the user, and is closed to others. */
int cache_dir_open(const char *path, int *ret_fd, struct cvx_err *err);

/* Likewise the folder for records of uploads (upload_record.h) to the
 * deployment at origin. */
int cache_dir_open_uploads(const char *cache_dir, const char *origin,
			   int *ret_fd, struct cvx_err *err);

#endif
