/*
 * paths: names of folders as the rest of the program wants them: absolute, so
 * that they still hold in the background, and where the XDG rules put them.
 *
 * The results are the caller's to free.
 *
 * Threads: any, as long as nobody changes the environment.
 */
#ifndef CVX_FS_PATHS_H
#define CVX_FS_PATHS_H

#include <stdbool.h>

struct cvx_err;

/* Absolute and without symbolic links, as far as the path exists; the rest is
 * added as it stands. -ENOENT if that has a "." or "..". */
int path_resolve(const char *path, char **ret, struct cvx_err *err);

/* $VARIABLE/convexfs/name if the variable holds an absolute path, else
 * ~/fallback/convexfs/name. name may be "". */
int path_in_home(const char *variable, const char *fallback, const char *name,
		 char **ret, struct cvx_err *err);

/* Whether a resolved path is the resolved folder or lies below it. */
bool path_is_inside(const char *path, const char *dir);

#endif
