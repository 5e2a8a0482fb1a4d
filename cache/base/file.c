#include "cache/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_TRIES 16

int file_write(int fd, const void *bytes, size_t size)
{
	const char *p = bytes;
	ssize_t n;

	while (size > 0) {
		n = write(fd, p, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int file_pwrite(int fd, const void *bytes, size_t size, uint64_t off)
{
	const char *p = bytes;
	ssize_t n;

	while (size > 0) {
		n = pwrite(fd, p, size, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= (size_t)n;
		off += (uint64_t)n;
	}
	return 0;
}

int file_pread(int fd, void *bytes, size_t size, uint64_t off, size_t *ret_n)
{
	char *p = bytes;
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = pread(fd, p + done, size - done, (off_t)(off + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*ret_n = done;
	return 0;
}

int file_sync(int fd)
{
	return fdatasync(fd) < 0 ? -errno : 0;
}

void file_sync_early(int fd, uint64_t off, uint64_t size)
{
	(void)sync_file_range(fd, (off_t)off, (off_t)size,
			      SYNC_FILE_RANGE_WRITE);
}

int file_sync_dir(int dir_fd)
{
	return fsync(dir_fd) < 0 ? -errno : 0;
}

int file_make_dirs(const char *path, mode_t mode)
{
	char part[PATH_MAX];
	size_t size = strlen(path), i;
	struct stat st;

	if (size == 0 || size >= sizeof(part))
		return size == 0 ? -ENOENT : -ENAMETOOLONG;
	for (i = 1; i <= size; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, mode) == 0)
			continue;
		if (errno != EEXIST)
			return -errno;
		if (stat(part, &st) < 0)
			return -errno;
		if (!S_ISDIR(st.st_mode))
			return -ENOTDIR;
	}
	return 0;
}

/* For file systems without O_TMPFILE. */
static int create_and_unlink(int dir_fd)
{
	char name[64];
	uint64_t tag;
	int fd, i;

	for (i = 0; i < NAME_TRIES; i++) {
		if (getrandom(&tag, sizeof(tag), 0) != sizeof(tag))
			return -EIO;
		(void)snprintf(name, sizeof(name), ".unnamed-%016" PRIx64, tag);
		fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
			    0600);
		if (fd >= 0 && unlinkat(dir_fd, name, 0) == 0)
			return fd;
		if (fd >= 0) {
			int r = -errno;

			(void)close(fd);
			return r;
		}
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

int file_open_unnamed(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	/* EISDIR: a kernel or file system that does not know the flag. */
	if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)
		return create_and_unlink(dir_fd);
	return -errno;
}
