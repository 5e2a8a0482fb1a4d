/*
 * components: the paths of components that the mount has come across, each
 * kept once, so that a place can name its component by a pointer.
 *
 * A path is kept for as long as the mount lasts. Only those of components that
 * exist are, so there are few.
 *
 * Threads: locked inside.
 */
#ifndef CVX_FS_COMPONENTS_H
#define CVX_FS_COMPONENTS_H

struct components;
struct cvx_err;

int components_new(struct components **ret, struct cvx_err *err);
void components_free(struct components *cs);

/* The kept copy of the path, which lives as long as cs. */
int components_keep(struct components *cs, const char *path, const char **ret,
		    struct cvx_err *err);

#endif
