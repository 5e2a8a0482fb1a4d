#include "fs/cache_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "fs/paths.h"

int cache_dir_resolve(const char *given, char **ret, struct cvx_err *err)
{
	return given ? path_resolve(given, ret, err)
		     : path_in_home("XDG_CACHE_HOME", ".cache", "", ret, err);
}

/* FNV-1a. */
uint64_t cache_dir_hash(const char *text)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3;
	return h;
}

int cache_dir_path(const char *cache_dir, const char *state_dir, char **ret,
		   struct cvx_err *err)
{
	if (asprintf(ret, "%s/local-%016" PRIx64, cache_dir,
		     cache_dir_hash(state_dir)) < 0)
		return cvx_fail_memory(err);
	return 0;
}

/* cache_dir may be a folder that others can write to. */
static int check_private(int fd, struct cvx_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return cvx_fail(err, -errno, "%s", strerror(errno));
	if (st.st_uid != geteuid())
		return cvx_fail(err, -EPERM, "belongs to another user");
	if ((st.st_mode & 077) && fchmod(fd, 0700) < 0)
		return cvx_fail(err, -errno, "%s", strerror(errno));
	return 0;
}

static int open_private(const char *path, int *ret_fd, struct cvx_err *err)
{
	CVX_AUTO(cvx_closep) int fd = -1;
	int r = file_make_dirs(path, 0700);

	if (r < 0)
		return cvx_fail(err, r, "%s", strerror(-r));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return cvx_fail(err, -errno, "%s", strerror(errno));
	r = check_private(fd, err);
	if (r < 0)
		return r;
	*ret_fd = CVX_TAKE_FD(fd);
	return 0;
}

int cache_dir_open(const char *path, int *ret_fd, struct cvx_err *err)
{
	int r = open_private(path, ret_fd, err);

	return r < 0 ? cvx_err_prefix(err, "cache folder %s", path) : 0;
}

int cache_dir_open_uploads(const char *cache_dir, const char *origin,
			   int *ret_fd, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *path = NULL;

	if (asprintf(&path, "%s/uploads-%016" PRIx64, cache_dir,
		     cache_dir_hash(origin)) < 0) {
		path = NULL;
		return cvx_fail_memory(err);
	}
	return cache_dir_open(path, ret_fd, err);
}
