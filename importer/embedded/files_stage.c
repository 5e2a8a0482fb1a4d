#include "importer/embedded/files_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cache/base/cancel.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/segment.h"
#include "importer/embedded/embedded.h"
#include "importer/value/sha256.h"

/* A file is copied in pieces of this size. */
#define PIECE_SIZE ((size_t)256 << 10)

struct file_writer {
	int fd;
	uint64_t size;
	struct sha256 *hash;
};

CVX_DEFINE_CLEANUP(struct file_writer, file_writer_free)

int files_stage_new(struct deployment *d, struct stage_folder **ret,
		    struct cvx_err *err)
{
	if (d->read_only)
		return embedded_fail_read_only(d, err);
	return stage_folder_new(d->stage_fd, ret, err);
}

void files_stage_name(uint64_t nth, char name[32])
{
	(void)snprintf(name, 32, "%" PRIu64, nth);
}

int file_writer_new(struct stage_folder *stage, uint64_t nth,
		    struct file_writer **ret, struct cvx_err *err)
{
	CVX_AUTO(file_writer_freep)
	struct file_writer *w = calloc(1, sizeof(*w));
	char name[32];
	int r;

	if (!w)
		return cvx_fail_memory(err);
	files_stage_name(nth, name);
	w->fd = openat(stage_folder_fd(stage), name,
		       O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (w->fd < 0)
		return cvx_fail(err, -errno, "cannot create a staged file: %s",
				strerror(errno));
	r = sha256_new(&w->hash, err);
	if (r < 0)
		return r;
	*ret = CVX_TAKE(w);
	return 0;
}

void file_writer_free(struct file_writer *w)
{
	if (!w)
		return;
	cvx_closep(&w->fd);
	sha256_free(w->hash);
	free(w);
}

int file_writer_add(struct file_writer *w, const void *bytes, size_t size,
		    struct cvx_err *err)
{
	int r = file_pwrite(w->fd, bytes, size, w->size);

	if (r < 0)
		return cvx_fail(err, r, "cannot store the file: %s",
				strerror(-r));
	w->size += size;
	sha256_add(w->hash, bytes, size);
	return 0;
}

void file_writer_finish(struct file_writer *w, struct stored_file *ret)
{
	/* Begins to write what files_stage_sync() will wait for. */
	file_sync_early(w->fd, 0, 0);
	ret->size = w->size;
	sha256_finish(w->hash, ret->sha256);
}

static int sync_nth(const struct stage_folder *stage, uint64_t nth)
{
	CVX_AUTO(cvx_closep) int fd = -1;
	char name[32];

	files_stage_name(nth, name);
	fd = openat(stage_folder_fd(stage), name, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : file_sync(fd);
}

int files_stage_sync(const struct stage_folder *stage, uint64_t count,
		     struct cvx_err *err)
{
	uint64_t i;
	int r = 0;

	for (i = 0; r == 0 && i < count; i++)
		r = sync_nth(stage, i);
	if (r < 0)
		return cvx_fail(err, r, "cannot store the files: %s",
				strerror(-r));
	return 0;
}

/* Gives the bytes [0, size) of the descriptor to add. */
static int read_pieces(int fd, uint64_t size,
		       int (*add)(void *ctx, const void *bytes, size_t size,
				  struct cvx_err *err),
		       void *ctx, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *piece = malloc(PIECE_SIZE);
	uint64_t off = 0;
	size_t n;
	int r = 0;

	if (!piece)
		return cvx_fail_memory(err);
	for (; r == 0 && off < size; off += n) {
		if (cancel_is_asked())
			return cvx_fail(err, -ECANCELED,
					"canceled while the file was stored");
		n = size - off < PIECE_SIZE ? (size_t)(size - off) : PIECE_SIZE;
		r = file_pread(fd, piece, n, off, &n);
		if (r == 0 && n == 0)
			r = -EIO; /* shorter than it was said to be */
		if (r < 0)
			return cvx_fail(err, r, "cannot read the file: %s",
					strerror(-r));
		r = add(ctx, piece, n, err);
	}
	return r;
}

static int add_to_writer(void *ctx, const void *bytes, size_t size,
			 struct cvx_err *err)
{
	return file_writer_add(ctx, bytes, size, err);
}

int file_copy_in(struct stage_folder *stage, int fd, uint64_t size,
		 struct stored_file *ret, struct cvx_err *err)
{
	CVX_AUTO(file_writer_freep) struct file_writer *w = NULL;
	int r = file_writer_new(stage, 0, &w, err);

	if (r == 0)
		r = read_pieces(fd, size, add_to_writer, w, err);
	if (r < 0)
		return r;
	file_writer_finish(w, ret);
	return files_stage_sync(stage, 1, err);
}

static int add_to_hash(void *ctx, const void *bytes, size_t size,
		       struct cvx_err *err __attribute__((unused)))
{
	sha256_add(ctx, bytes, size);
	return 0;
}

int file_hash(int fd, uint64_t size, struct stored_file *ret,
	      struct cvx_err *err)
{
	struct sha256 *hash;
	int r = sha256_new(&hash, err);

	if (r < 0)
		return r;
	r = read_pieces(fd, size, add_to_hash, hash, err);
	if (r == 0) {
		ret->size = size;
		sha256_finish(hash, ret->sha256);
	}
	sha256_free(hash);
	return r;
}

int file_make_uuid(char text[STORED_FILE_UUID_SIZE + 1], struct cvx_err *err)
{
	uint8_t b[16];
	size_t i, n = 0;

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		return cvx_fail(err, -EIO, "no random numbers are to be had");
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* version 4 */
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80); /* of RFC 4122 */
	for (i = 0; i < sizeof(b); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[n++] = '-';
		(void)snprintf(text + n, 3, "%02x", b[i]);
		n += 2;
	}
	return 0;
}
