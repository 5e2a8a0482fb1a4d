/*
 * stage_make: hidden files and folders of a stage folder, which their maker
 * holds locked, so that a sweep knows those of makers that are gone.
 *
 * Threads: any.
 */
#ifndef CVX_CACHE_STAGE_MAKE_H
#define CVX_CACHE_STAGE_MAKE_H

#include "cache/segment.h"

#define STAGE_NAME_SIZE sizeof(SEGMENT_STAGE_PREFIX "0123456789abcdef")

enum stage_kind {
	STAGE_FILE,   /* opened for reading and writing */
	STAGE_FOLDER, /* opened for reading */
};

/*
 * Makes an empty one of a fresh name and locks it until *ret_fd, which is the
 * caller's, is closed. A failure is a negative errno.
 */
int stage_make(int dir_fd, enum stage_kind kind, char name[STAGE_NAME_SIZE],
	       int *ret_fd);

#endif
