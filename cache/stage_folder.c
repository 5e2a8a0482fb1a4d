#include "cache/stage_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/stage_make.h"

struct stage_folder {
	int dir_fd;
	int fd;
	char name[STAGE_NAME_SIZE];
};

CVX_DEFINE_CLEANUP(struct stage_folder, stage_folder_free)

int stage_folder_new(int stage_dir_fd, struct stage_folder **ret,
		     struct cvx_err *err)
{
	CVX_AUTO(stage_folder_freep)
	struct stage_folder *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return cvx_fail_memory(err);
	s->dir_fd = stage_dir_fd;
	s->fd = -1;
	r = stage_make(stage_dir_fd, STAGE_FOLDER, s->name, &s->fd);
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
