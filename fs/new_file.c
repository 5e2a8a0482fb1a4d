#include "fs/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"

#define MODE 0666 /* less the umask */

static int fail(const struct new_file *f, int code, struct cvx_err *err)
{
	if (code == -EEXIST)
		return cvx_fail(err, code, "%s is there already", f->path);
	return cvx_fail(err, code, "cannot make %s: %s", f->path,
			strerror(-code));
}

static int open_folder(struct new_file *f)
{
	CVX_AUTO(cvx_freep) char *dir = strdup(f->path);
	char *slash = dir ? strrchr(dir, '/') : NULL;

	if (!dir)
		return -ENOMEM;
	f->name = slash ? f->path + (slash + 1 - dir) : f->path;
	if (slash)
		slash[slash == dir] = '\0';
	f->dir_fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return f->dir_fd < 0 ? -errno : 0;
}

static int open_named(struct new_file *f)
{
	if (asprintf(&f->temp, ".%s.%ld.part", f->name, (long)getpid()) < 0) {
		f->temp = NULL;
		return -ENOMEM;
	}
	f->fd = openat(f->dir_fd, f->temp,
		       O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, MODE);
	if (f->fd >= 0)
		return 0;
	free(CVX_TAKE(f->temp)); /* it is somebody else's */
	return -errno;
}

static int open_file(struct new_file *f)
{
	int r = open_folder(f);

	if (r < 0)
		return r;
	if (!*f->name)
		return -ENOENT; /* a folder that is not there */
	if (faccessat(f->dir_fd, f->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	f->fd = openat(f->dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, MODE);
	if (f->fd >= 0)
		return 0;
	/* EISDIR: a kernel or file system that does not know the flag. */
	if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)
		return open_named(f);
	return -errno;
}

int new_file_create(const char *path, struct new_file *ret, struct cvx_err *err)
{
	struct new_file f = {.fd = -1, .dir_fd = -1, .path = strdup(path)};
	int r;

	if (!f.path)
		return cvx_fail_memory(err);
	r = open_file(&f);
	if (r < 0) {
		(void)fail(&f, r, err);
		new_file_fini(&f);
		return r;
	}
	*ret = f;
	return 0;
}

/* In no case over a file that is there. */
static int give_name(struct new_file *f)
{
	char proc[64];
	int r;

	if (!f->temp) {
		(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", f->fd);
		r = linkat(AT_FDCWD, proc, f->dir_fd, f->name,
			   AT_SYMLINK_FOLLOW);
		return r < 0 ? -errno : 0;
	}
	r = renameat2(f->dir_fd, f->temp, f->dir_fd, f->name, RENAME_NOREPLACE);
	if (r < 0 && errno == EINVAL) /* the file system does not know it */
		r = faccessat(f->dir_fd, f->name, F_OK, AT_SYMLINK_NOFOLLOW) ==
				    0
			    ? (errno = EEXIST, -1)
			    : renameat(f->dir_fd, f->temp, f->dir_fd, f->name);
	if (r < 0)
		return -errno;
	free(CVX_TAKE(f->temp));
	return 0;
}

int new_file_publish(struct new_file *f, struct cvx_err *err)
{
	int r = file_sync(f->fd);

	if (r == 0)
		r = give_name(f);
	if (r == 0)
		r = file_sync_dir(f->dir_fd);
	return r < 0 ? fail(f, r, err) : 0;
}

void new_file_fini(struct new_file *f)
{
	if (f->temp)
		(void)unlinkat(f->dir_fd, f->temp, 0);
	if (f->fd >= 0)
		(void)close(f->fd);
	if (f->path && f->dir_fd >= 0)
		(void)close(f->dir_fd);
	free(f->temp);
	free(f->path);
	*f = (struct new_file){.fd = -1, .dir_fd = -1};
}
