#include "cache/stage_make.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/base/cleanup.h"

#define TRIES 100

/* -EEXIST: something of the name was there. */
static int make_folder(int dir_fd, const char *name)
{
	int fd, r;

	if (mkdirat(dir_fd, name, 0700) < 0)
		return -errno;
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	/* A sweep may have been faster. */
	r = errno == ENOENT ? -EEXIST : -errno;
	(void)unlinkat(dir_fd, name, AT_REMOVEDIR);
	return r;
}

static int make(int dir_fd, enum stage_kind kind, const char *name)
{
	int fd;

	if (kind == STAGE_FOLDER)
		return make_folder(dir_fd, name);
	fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

/* -EEXIST: a sweep of another process took it for an orphan before it was
 * locked, and it has no name any more. */
static int lock(int fd)
{
	struct stat st;

	/* Whoever has it already is a sweep: what it removes, it removes
	 * before it lets go. */
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_nlink > 0 ? 0 : -EEXIST;
}

static int make_locked(int dir_fd, enum stage_kind kind,
		       char name[STAGE_NAME_SIZE], int *ret_fd)
{
	CVX_AUTO(cvx_closep) int fd = -1;
	uint64_t random;
	int r;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	(void)snprintf(name, STAGE_NAME_SIZE,
		       SEGMENT_STAGE_PREFIX "%016" PRIx64, random);
	fd = make(dir_fd, kind, name);
	if (fd < 0)
		return fd;
	r = lock(fd);
	if (r < 0 && r != -EEXIST)
		(void)unlinkat(dir_fd, name,
			       kind == STAGE_FOLDER ? AT_REMOVEDIR : 0);
	if (r == 0)
		*ret_fd = CVX_TAKE_FD(fd);
	return r;
}

int stage_make(int dir_fd, enum stage_kind kind, char name[STAGE_NAME_SIZE],
	       int *ret_fd)
{
	int r = -EEXIST, tries;

	for (tries = 0; r == -EEXIST && tries < TRIES; tries++)
		r = make_locked(dir_fd, kind, name, ret_fd);
	return r;
}
