#include "fs/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/spool.h"

#define PIECE_SIZE ((size_t)256 << 10)
#define MARK "\xef\xbb\xbf"
#define MARK_SIZE 3

static int fail(const struct input *in, int code, struct cvx_err *err)
{
	return cvx_fail(err, code, "cannot read %s: %s", in->name,
			strerror(-code));
}

/* A file from where it stands, which for one that is opened is its start. */
static int look_at_file(struct input *in, const struct stat *st,
			struct cvx_err *err)
{
	off_t at = lseek(in->fd, 0, SEEK_CUR);
	char mark[MARK_SIZE];
	size_t n;
	int r;

	if (at < 0)
		return fail(in, -errno, err);
	in->base = (uint64_t)at;
	if (st->st_size > at)
		in->size = (uint64_t)(st->st_size - at);
	r = file_pread(in->fd, mark, sizeof(mark), in->base, &n);
	if (r < 0)
		return fail(in, r, err);
	if (n == MARK_SIZE && in->size >= n && memcmp(mark, MARK, n) == 0) {
		in->base += n;
		in->size -= n;
	}
	return 0;
}

int input_open(const char *path, struct input *ret, struct cvx_err *err)
{
	bool is_stdin = strcmp(path, "-") == 0;
	struct stat st;

	*ret = (struct input){
		.name = is_stdin ? "standard input" : path,
		.spool_dir_fd = -1,
	};
	ret->fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
			   : open(path, O_RDONLY | O_CLOEXEC);
	if (ret->fd < 0 || fstat(ret->fd, &st) < 0)
		return fail(ret, -errno, err);
	if (S_ISDIR(st.st_mode))
		return fail(ret, -EISDIR, err);
	ret->is_stream = !S_ISREG(st.st_mode);
	return ret->is_stream ? 0 : look_at_file(ret, &st, err);
}

void input_fini(struct input *in)
{
	spool_free(in->spool);
	if (in->fd >= 0)
		(void)close(in->fd);
}

/* Reads as soon as there is something: at most size bytes, 0 at the end. */
static int read_piece(const struct input *in, int stop_fd, char *bytes,
		      size_t size, size_t *ret_n, struct cvx_err *err)
{
	struct pollfd fds[2] = {{in->fd, POLLIN, 0}, {stop_fd, POLLIN, 0}};
	ssize_t n;

	do {
		n = -1;
		if (poll(fds, 2, -1) < 0) {
			if (errno != EINTR)
				return fail(in, -errno, err);
			continue;
		}
		if (fds[1].revents)
			return cvx_fail(err, -ECANCELED,
					"the import was canceled");
		n = read(in->fd, bytes, size);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n < 0)
		return fail(in, -errno, err);
	*ret_n = (size_t)n;
	return 0;
}

/* The first bytes, without the mark: the first *ret_n of the buffer. */
static int read_start(const struct input *in, int stop_fd, char *bytes,
		      size_t *ret_n, struct cvx_err *err)
{
	size_t have = 0, n = 1;
	int r = 0;

	while (r == 0 && n > 0 && have < MARK_SIZE) {
		r = read_piece(in, stop_fd, bytes + have, PIECE_SIZE - have, &n,
			       err);
		if (r == 0)
			have += n;
	}
	if (have >= MARK_SIZE && memcmp(bytes, MARK, MARK_SIZE) == 0) {
		have -= MARK_SIZE;
		memmove(bytes, bytes + MARK_SIZE, have);
	}
	*ret_n = have;
	return r;
}

static int fill(struct input *in, int stop_fd, char *bytes,
		void (*more)(void *ctx, uint64_t size), void *ctx,
		struct cvx_err *err)
{
	size_t n;
	int r = read_start(in, stop_fd, bytes, &n, err);

	while (r == 0 && n > 0) {
		r = spool_write(in->spool, in->size, bytes, n, err);
		if (r < 0)
			return cvx_err_prefix(err, "cannot keep %s", in->name);
		in->size += n;
		more(ctx, in->size);
		r = read_piece(in, stop_fd, bytes, PIECE_SIZE, &n, err);
	}
	return r;
}

int input_fill(struct input *in, int spool_dir_fd, int stop_fd,
	       void (*more)(void *ctx, uint64_t size), void *ctx,
	       struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *bytes = NULL;
	int r;

	if (!in->is_stream) {
		more(ctx, in->size);
		return 0;
	}
	bytes = malloc(PIECE_SIZE);
	if (!bytes)
		return cvx_fail_memory(err);
	r = spool_new(spool_dir_fd, &in->spool, err);
	return r < 0 ? r : fill(in, stop_fd, bytes, more, ctx, err);
}

static int read_input(void *ctx, uint64_t off, void *buf, size_t size,
		      size_t *ret_n, struct cvx_err *err)
{
	struct input *in = ctx;
	uint64_t end;
	int r;

	if (in->is_stream)
		return spool_read(in->spool, off, buf, size, ret_n, err);
	/* What is written behind the end meanwhile is not part of it. */
	end = off < in->size ? in->size - off : 0;
	if (size > end)
		size = (size_t)end;
	r = file_pread(in->fd, buf, size, in->base + off, ret_n);
	if (r < 0)
		return fail(in, r, err);
	if (*ret_n < size)
		return cvx_fail(err, -EIO,
				"%s became shorter while it was read",
				in->name);
	return 0;
}

struct import_source input_source(struct input *in)
{
	return (struct import_source){.ctx = in, .read = read_input};
}
