#include "cache/stage_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/segment.h"

#define NAME_SIZE sizeof(SEGMENT_STAGE_PREFIX "0123456789abcdef")
#define TRIES 100

struct stage_folder {
	int dir_fd;
	int fd;
	char name[NAME_SIZE];
};

CVX_DEFINE_CLEANUP(struct stage_folder, stage_folder_free)

/* A sweep of another process may take the folder for an orphan before it is
 * locked: then it has no name any more. */
static int create_locked(struct stage_folder *s)
{
	struct stat st;
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	(void)snprintf(s->name, sizeof(s->name),
		       SEGMENT_STAGE_PREFIX "%016" PRIx64, random);
	if (mkdirat(s->dir_fd, s->name, 0700) < 0)
		return -errno;
	s->fd = openat(s->dir_fd, s->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->fd < 0) {
		int r = errno == ENOENT ? -EEXIST : -errno;

		(void)unlinkat(s->dir_fd, s->name, AT_REMOVEDIR);
		return r;
	}
	while (flock(s->fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return -errno;
	if (fstat(s->fd, &st) < 0)
		return -errno;
	return st.st_nlink > 0 ? 0 : -EEXIST;
}

int stage_folder_new(int stage_dir_fd, struct stage_folder **ret,
		     struct cvx_err *err)
{
	CVX_AUTO(stage_folder_freep)
	struct stage_folder *s = calloc(1, sizeof(*s));
	int r = -EEXIST, tries;

	if (!s)
		return cvx_fail_memory(err);
	s->dir_fd = stage_dir_fd;
	s->fd = -1;
	for (tries = 0; r == -EEXIST && tries < TRIES; tries++) {
		cvx_closep(&s->fd);
		s->fd = -1;
		r = create_locked(s);
	}
	if (r < 0)
		return cvx_fail(err, r, "cannot create a staged folder: %s",
				strerror(-r));
	*ret = CVX_TAKE(s);
	return 0;
}

/* Removes the files in the folder. What cannot be removed stays. */
static void empty(int fd)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	const struct dirent *entry;

	if (!dir) {
		cvx_closep(&own);
		return;
	}
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			(void)unlinkat(fd, entry->d_name, 0);
	(void)closedir(dir);
}

void stage_folder_free(struct stage_folder *s)
{
	if (!s)
		return;
	/* What cannot be removed now, a sweep removes. */
	if (s->fd >= 0) {
		empty(s->fd);
		(void)unlinkat(s->dir_fd, s->name, AT_REMOVEDIR);
		(void)close(s->fd);
	}
	free(s);
}

int stage_folder_fd(const struct stage_folder *s)
{
	return s->fd;
}

bool stage_folder_sweep(int stage_dir_fd, const char *name)
{
	int fd = openat(stage_dir_fd, name,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	bool orphan;

	if (fd < 0)
		return false;
	orphan = flock(fd, LOCK_EX | LOCK_NB) == 0;
	if (orphan) {
		empty(fd);
		orphan = unlinkat(stage_dir_fd, name, AT_REMOVEDIR) == 0;
	}
	(void)close(fd);
	return orphan;
}
