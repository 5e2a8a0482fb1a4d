/*
 * mountinfo: the mounts of ours that this process can see.
 *
 * Threads: any.
 */
#ifndef CVX_FS_MOUNTINFO_H
#define CVX_FS_MOUNTINFO_H

#include <stddef.h>

struct cvx_err;

struct mounted {
	char *dir;    /* where, without symbolic links */
	char *source; /* "local:/srv/data" */
};

/* Those that lie on top where they are mounted, in the order of mounting. Free
 * with mountinfo_free(). Without any, *ret is NULL. */
int mountinfo_list(struct mounted **ret, size_t *ret_count,
		   struct cvx_err *err);
void mountinfo_free(struct mounted *list, size_t count);

/* The source of the mount of ours that is topmost at the resolved path, the
 * caller's to free; NULL if another file system is, or none. */
char *mountinfo_find_source(const char *path);

#endif
