/*
 * stage_folder: files being written, any number of them, in a hidden folder
 * that its maker holds locked; so they need no descriptor each.
 *
 * The folder lies in a stage folder (segment.h), whose sweep removes it when
 * its maker has died.
 *
 * Threads: not locked, but stage_folder_fd() may be used from any.
 */
#ifndef CVX_CACHE_STAGE_FOLDER_H
#define CVX_CACHE_STAGE_FOLDER_H

#include <stdbool.h>

struct cvx_err;
struct stage_folder;

/* Creates an empty one in stage_dir_fd, which stays the caller's. */
int stage_folder_new(int stage_dir_fd, struct stage_folder **ret,
		     struct cvx_err *err);

/* Removes the folder and what is left in it. NULL is allowed. */
void stage_folder_free(struct stage_folder *s);

/* As long as the folder. It holds files, no folders. */
int stage_folder_fd(const struct stage_folder *s);

/* Removes the folder of the name if its maker is gone; whether it did. */
bool stage_folder_sweep(int stage_dir_fd, const char *name);

#endif
