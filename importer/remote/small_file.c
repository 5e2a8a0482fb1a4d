#include "importer/remote/small_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "importer/remote/secret.h"

int small_file_read(int dir_fd, const char *path, size_t limit, char **ret,
		    size_t *ret_size, struct cvx_err *err)
{
	CVX_AUTO(cvx_closep) int fd = -1;
	CVX_AUTO(secret_freep) char *text = NULL;
	struct stat st;
	size_t size;
	int r;

	fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		r = errno == ENOTDIR ? -ENOENT : -errno;
		return cvx_fail(err, r, "%s: %s", path, strerror(-r));
	}
	if (fstat(fd, &st) < 0)
		return cvx_fail(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return cvx_fail(err, -EINVAL, "%s: not a file", path);
	if ((uint64_t)st.st_size > limit)
		return cvx_fail(err, -EFBIG, "%s: larger than %zu bytes", path,
				limit);
	size = (size_t)st.st_size;
	text = calloc(1, size + 1);
	if (!text)
		return cvx_fail_memory(err);
	r = file_pread(fd, text, size, 0, &size);
	if (r < 0)
		return cvx_fail(err, r, "%s: %s", path, strerror(-r));
	text[size] = '\0';
	*ret_size = size;
	*ret = CVX_TAKE(text);
	return 0;
}
