/*
 * source: which deployment a mount shows (filesystem.md C-1).
 *
 * Only embedded deployments can be mounted so far. When the command line or
 * the environment selects another, that is an error: nobody who works on a
 * deployment elsewhere is given an empty one on this machine instead.
 *
 * Threads: any, as long as nobody changes the environment.
 */
#ifndef CVX_FS_SOURCE_H
#define CVX_FS_SOURCE_H

struct cvx_err;

/*
 * The folder of the embedded deployment, resolved; the caller frees it.
 * source is the word of the command line; NULL: the environment, .env.local
 * and .env of the current folder decide, or env_file alone if it is not NULL.
 * -ENOTSUP: that is not an embedded deployment.
 */
int source_find(const char *source, const char *env_file, char **ret_dir,
		struct cvx_err *err);

#endif
