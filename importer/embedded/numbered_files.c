#include "importer/embedded/numbered_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/base/log.h"
#include "importer/embedded/embedded.h"

void numbered_files_name(const struct numbered_files *files, int64_t number,
			 char name[NUMBERED_NAME_SIZE])
{
	(void)snprintf(name, NUMBERED_NAME_SIZE, "%" PRId64 "%s", number,
		       files->suffix);
}

static int fail(struct deployment *d, const struct numbered_files *files,
		const char *what, int code, struct cvx_err *err)
{
	return cvx_fail(err, code, "cannot %s %s/%s: %s", what, d->dir,
			files->folder, strerror(-code));
}

int numbered_files_folder(struct deployment *d,
			  const struct numbered_files *files, int *ret_fd,
			  struct cvx_err *err)
{
	int r = mkdirat(d->dir_fd, files->folder, 0700) < 0 ? -errno : 0;

	if (r == 0)
		r = file_sync_dir(d->dir_fd);
	if (r < 0 && r != -EEXIST)
		return fail(d, files, "make", r, err);
	*ret_fd = openat(d->dir_fd, files->folder,
			 O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? fail(d, files, "open", -errno, err) : 0;
}

int numbered_files_open(struct deployment *d,
			const struct numbered_files *files, int64_t number,
			int flags, int *ret_fd, struct cvx_err *err)
{
	CVX_AUTO(cvx_closep) int dir_fd = -1;
	char name[NUMBERED_NAME_SIZE];
	int r = numbered_files_folder(d, files, &dir_fd, err);

	if (r < 0)
		return r;
	numbered_files_name(files, number, name);
	*ret_fd = openat(dir_fd, name, flags | O_CLOEXEC, 0600);
	if (*ret_fd < 0)
		return cvx_fail(err, -errno, "cannot open %s/%s/%s: %s", d->dir,
				files->folder, name, strerror(errno));
	return 0;
}

int numbered_files_sync(struct deployment *d,
			const struct numbered_files *files, struct cvx_err *err)
{
	CVX_AUTO(cvx_closep) int fd = -1;
	int r = numbered_files_folder(d, files, &fd, err);

	if (r < 0)
		return r;
	r = file_sync_dir(fd);
	return r < 0 ? fail(d, files, "sync", r, err) : 0;
}

/* Whether the name is one of the files'. */
static bool read_name(const struct numbered_files *files, const char *name,
		      int64_t *ret)
{
	char again[NUMBERED_NAME_SIZE];

	*ret = strtoll(name, NULL, 10);
	numbered_files_name(files, *ret, again);
	return *ret > 0 && strcmp(name, again) == 0;
}

int numbered_files_sweep(struct deployment *d,
			 const struct numbered_files *files,
			 int (*is_needed)(struct deployment *d, int64_t number,
					  bool *ret, struct cvx_err *err),
			 struct cvx_err *err)
{
	const struct dirent *entry;
	int64_t number;
	bool needed;
	DIR *dir;
	int fd, r = numbered_files_folder(d, files, &fd, err);

	if (r < 0)
		return r;
	dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		cvx_closep(&fd);
		return fail(d, files, "list", r, err);
	}
	while (r == 0 && (entry = readdir(dir))) {
		if (!read_name(files, entry->d_name, &number))
			continue;
		r = is_needed(d, number, &needed, err);
		if (r == 0 && !needed && unlinkat(fd, entry->d_name, 0) < 0)
			log_warning("cannot remove %s/%s/%s: %s", d->dir,
				    files->folder, entry->d_name,
				    strerror(errno));
	}
	(void)closedir(dir);
	return r;
}
