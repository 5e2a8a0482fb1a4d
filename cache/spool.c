#include "cache/spool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"

#define COPY_SIZE ((size_t)1 << 20)

/*
 * Invariants, all under the lock:
 *
 * 1. Bytes lie in memory while fd < 0, and in the file from then on. The step
 *    is taken once and never back.
 * 2. Memory and file hold zeros from size on, up to their own end, so that a
 *    gap left by a later write reads as zeros.
 * 3. A file that has a name (saved) is somebody else's: it is copied before
 *    it is changed.
 */
struct spool {
	int dir_fd;
	/* Guards everything below. Held shared by reads, and by writes to the
	 * file, which the kernel orders among themselves. */
	pthread_rwlock_t lock;
	char *memory;
	size_t capacity; /* of memory */
	int fd;
	bool saved;
	_Atomic uint64_t size; /* grows under the shared lock */
};

int spool_new(int dir_fd, struct spool **ret, struct cvx_err *err)
{
	struct spool *s = calloc(1, sizeof(*s));

	if (!s)
		return cvx_fail_memory(err);
	s->dir_fd = dir_fd;
	s->fd = -1;
	if (pthread_rwlock_init(&s->lock, NULL) != 0) {
		free(s);
		return cvx_fail_memory(err);
	}
	*ret = s;
	return 0;
}

void spool_free(struct spool *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		(void)close(s->fd); /* nameless: there is nothing to lose */
	free(s->memory);
	(void)pthread_rwlock_destroy(&s->lock);
	free(s);
}

static int fail_write(struct cvx_err *err, int code)
{
	if (code == -ENOSPC)
		return cvx_fail(err, code,
				"no room left on the disk of the spool folder");
	return cvx_fail(err, code, "cannot write to the spool: %s",
			strerror(-code));
}

static int copy_through_buffer(int from, int to, uint64_t off, uint64_t size)
{
	CVX_AUTO(cvx_freep) char *buf = malloc(COPY_SIZE);
	size_t n;
	int r;

	if (!buf)
		return -ENOMEM;
	while (off < size) {
		n = size - off < COPY_SIZE ? (size_t)(size - off) : COPY_SIZE;
		r = file_pread(from, buf, n, off, &n);
		if (r == 0 && n == 0)
			r = -EIO;
		if (r == 0)
			r = file_pwrite(to, buf, n, off);
		if (r < 0)
			return r;
		off += n;
	}
	return 0;
}

/* Copies the first size bytes of one file to the same place in another. */
static int copy_file(int from, int to, uint64_t size)
{
	off_t in = 0, out = 0;
	uint64_t left = size;

	while (left > 0) {
		ssize_t n =
			copy_file_range(from, &in, to, &out, (size_t)left, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOSPC)
			return -ENOSPC;
		if (n <= 0) /* not between these two: by hand */
			return copy_through_buffer(from, to, size - left, size);
		left -= (uint64_t)n;
	}
	return 0;
}

/* Fills an empty file with the spool's bytes. */
static int copy_out(struct spool *s, int fd)
{
	return s->fd < 0 ? file_pwrite(fd, s->memory, s->size, 0)
			 : copy_file(s->fd, fd, s->size);
}

/* Goes on in a fresh unnamed file (invariants 1 and 3). */
static int move_to_new_file(struct spool *s)
{
	int fd = file_open_unnamed(s->dir_fd), r;

	if (fd < 0)
		return fd;
	r = copy_out(s, fd);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	if (s->fd >= 0)
		(void)close(s->fd); /* synced when it was saved */
	s->fd = fd;
	s->saved = false;
	free(CVX_TAKE(s->memory));
	s->capacity = 0;
	return 0;
}

/* Makes memory reach to end, zeros behind size. */
static int grow_memory(struct spool *s, size_t end)
{
	size_t capacity = s->capacity ? s->capacity : 4096;
	char *memory;

	if (end <= s->capacity)
		return 0;
	while (capacity < end)
		capacity *= 2;
	memory = realloc(s->memory, capacity);
	if (!memory)
		return -ENOMEM;
	memset(memory + s->capacity, 0, capacity - s->capacity);
	s->memory = memory;
	s->capacity = capacity;
	return 0;
}

static void raise_size(struct spool *s, uint64_t end)
{
	uint64_t size = s->size;

	while (size < end &&
	       !atomic_compare_exchange_weak(&s->size, &size, end))
		;
}

/*
 * Prepares a change of the bytes up to end, with the lock held exclusively.
 * *ret_in_memory tells where they are to go.
 */
static int prepare_change(struct spool *s, uint64_t end, bool *ret_in_memory)
{
	int r = 0;

	if (s->fd < 0 && end <= SPOOL_MEMORY_MAX)
		r = grow_memory(s, (size_t)end);
	else if (s->fd < 0 || s->saved)
		r = move_to_new_file(s);
	*ret_in_memory = s->fd < 0;
	return r;
}

/* A write that failed half-way may have lengthened the file (invariant 2). */
static void cut_back(struct spool *s)
{
	int ignored = 0;

	(void)pthread_rwlock_wrlock(&s->lock);
	if (s->fd >= 0)
		ignored = ftruncate(s->fd, (off_t)s->size);
	(void)pthread_rwlock_unlock(&s->lock);
	(void)ignored; /* the write's own failure is what gets told */
}

int spool_write(struct spool *s, uint64_t off, const void *bytes, size_t size,
		struct cvx_err *err)
{
	bool in_memory = false;
	uint64_t end;
	int r = 0;

	if (__builtin_add_overflow(off, size, &end) || end > INT64_MAX)
		return cvx_fail(err, -EFBIG, "the file would become too large");
	if (size == 0)
		return 0;
	(void)pthread_rwlock_rdlock(&s->lock);
	if (s->fd < 0 || s->saved) {
		(void)pthread_rwlock_unlock(&s->lock);
		(void)pthread_rwlock_wrlock(&s->lock);
		r = prepare_change(s, end, &in_memory);
	}
	if (r == 0 && in_memory)
		memcpy(s->memory + off, bytes, size);
	else if (r == 0)
		r = file_pwrite(s->fd, bytes, size, off);
	if (r == 0)
		raise_size(s, end);
	(void)pthread_rwlock_unlock(&s->lock);
	if (r == 0)
		return 0;
	cut_back(s);
	return fail_write(err, r);
}

int spool_read(struct spool *s, uint64_t off, void *buf, size_t size,
	       size_t *ret_n, struct cvx_err *err)
{
	uint64_t end;
	size_t n = 0;
	int r = 0;

	(void)pthread_rwlock_rdlock(&s->lock);
	end = s->size;
	if (off < end)
		n = end - off < size ? (size_t)(end - off) : size;
	if (n > 0 && s->fd < 0)
		memcpy(buf, s->memory + off, n);
	else if (n > 0)
		r = file_pread(s->fd, buf, n, off, &n);
	(void)pthread_rwlock_unlock(&s->lock);
	if (r < 0)
		return cvx_fail(err, r, "cannot read from the spool: %s",
				strerror(-r));
	*ret_n = n;
	return 0;
}

static int truncate_locked(struct spool *s, uint64_t size)
{
	bool in_memory;
	int r = prepare_change(s, size, &in_memory);

	if (r < 0)
		return r;
	if (!in_memory && ftruncate(s->fd, (off_t)size) < 0)
		return -errno;
	if (in_memory && size < s->size)
		memset(s->memory + size, 0, (size_t)(s->size - size));
	s->size = size;
	return 0;
}

int spool_truncate(struct spool *s, uint64_t size, struct cvx_err *err)
{
	int r;

	if (size > INT64_MAX)
		return cvx_fail(err, -EFBIG, "the file would become too large");
	(void)pthread_rwlock_wrlock(&s->lock);
	r = truncate_locked(s, size);
	(void)pthread_rwlock_unlock(&s->lock);
	return r < 0 ? fail_write(err, r) : 0;
}

uint64_t spool_size(struct spool *s)
{
	return s->size;
}

void spool_discard(struct spool *s, uint64_t off, uint64_t size)
{
	(void)pthread_rwlock_rdlock(&s->lock);
	if (s->fd >= 0 && !s->saved && size > 0 && off <= INT64_MAX - size)
		(void)fallocate(s->fd,
				FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(off_t)off, (off_t)size);
	(void)pthread_rwlock_unlock(&s->lock);
}

int spool_sync(struct spool *s, struct cvx_err *err)
{
	int r = 0;

	/* A crash takes an unnamed file as it takes memory (W-13), so only the
	 * file's late write errors are worth asking for. */
	(void)pthread_rwlock_rdlock(&s->lock);
	if (s->fd >= 0)
		r = file_sync(s->fd);
	(void)pthread_rwlock_unlock(&s->lock);
	return r < 0 ? fail_write(err, r) : 0;
}

void spool_sync_early(struct spool *s, uint64_t off, uint64_t size)
{
	(void)pthread_rwlock_rdlock(&s->lock);
	if (s->fd >= 0 && size > 0)
		file_sync_early(s->fd, off, size);
	(void)pthread_rwlock_unlock(&s->lock);
}

int spool_descriptor(struct spool *s, int *ret_fd, struct cvx_err *err)
{
	int r = 0;

	(void)pthread_rwlock_wrlock(&s->lock);
	if (s->fd < 0)
		r = move_to_new_file(s);
	*ret_fd = s->fd;
	(void)pthread_rwlock_unlock(&s->lock);
	return r < 0 ? fail_write(err, r) : 0;
}

/* Gives the spool's own file a name: no copy, and no room needed. */
static int link_file(struct spool *s, int dir_fd, const char *name)
{
	char path[64];

	if (s->fd < 0)
		return -ENOENT;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", s->fd);
	if (linkat(AT_FDCWD, path, dir_fd, name, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	s->saved = true;
	return 0;
}

static int copy_to_name(struct spool *s, int dir_fd, const char *name)
{
	CVX_AUTO(cvx_closep) int fd = -1;
	int r;

	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return -errno;
	r = copy_out(s, fd);
	if (r == 0)
		r = file_sync(fd);
	if (r < 0)
		(void)unlinkat(dir_fd, name, 0); /* half of it is worse */
	return r;
}

static int save_locked(struct spool *s, int dir_fd, const char *name)
{
	int r = link_file(s, dir_fd, name);

	if (r == 0)
		return file_sync(s->fd);
	if (r == -EEXIST)
		return r;
	/* In memory, on another disk, without /proc, or a file that had a name
	 * once and lost it. */
	return copy_to_name(s, dir_fd, name);
}

int spool_save(struct spool *s, int dir_fd, const char *name,
	       struct cvx_err *err)
{
	int r;

	(void)pthread_rwlock_wrlock(&s->lock);
	r = save_locked(s, dir_fd, name);
	(void)pthread_rwlock_unlock(&s->lock);
	if (r == 0)
		r = file_sync_dir(dir_fd);
	if (r == 0)
		return 0;
	return cvx_fail(err, r, "cannot keep the bytes as %s: %s", name,
			strerror(-r));
}
