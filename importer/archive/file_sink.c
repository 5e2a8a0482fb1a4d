#include "importer/archive/file_sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/file.h"

int file_sink_init(struct file_sink *s, int fd, struct cvx_err *err)
{
	*s = (struct file_sink){.fd = fd, .buf = malloc(FILE_SINK_BUFFER)};
	zip_error_init(&s->zip_error);
	return s->buf ? 0 : cvx_fail_memory(err);
}

void file_sink_fini(struct file_sink *s)
{
	zip_error_fini(&s->zip_error);
	free(s->buf);
}

static int flush(struct file_sink *s)
{
	uint64_t end = s->buf_off + s->buf_size;
	int r = file_pwrite(s->fd, s->buf, s->buf_size, s->buf_off);

	if (r < 0) {
		(void)cvx_fail(&s->failure, r, "cannot write the archive: %s",
			       strerror(-r));
		zip_error_set(&s->zip_error, ZIP_ER_WRITE, -r);
		return -1;
	}
	s->buf_off = end;
	s->buf_size = 0;
	s->settled = s->complete < end ? s->complete : end;
	return 0;
}

static zip_int64_t write_bytes(struct file_sink *s, const char *bytes,
			       uint64_t size)
{
	uint64_t left = size;
	size_t at, n;

	while (left > 0) {
		if ((s->pos < s->buf_off || s->pos > s->buf_off + s->buf_size ||
		     s->pos == s->buf_off + FILE_SINK_BUFFER)) {
			if (flush(s) < 0)
				return -1;
			s->buf_off = s->pos;
		}
		at = (size_t)(s->pos - s->buf_off);
		n = FILE_SINK_BUFFER - at;
		if (n > left)
			n = (size_t)left;
		memcpy(s->buf + at, bytes, n);
		if (at + n > s->buf_size)
			s->buf_size = at + n;
		s->pos += n;
		bytes += n;
		left -= n;
	}
	if (s->pos > s->end)
		s->end = s->pos;
	return (zip_int64_t)size;
}

static zip_int64_t seek(struct file_sink *s, void *args, uint64_t size)
{
	zip_int64_t pos = zip_source_seek_compute_offset(s->pos, s->end, args,
							 size, &s->zip_error);

	if (pos < 0)
		return -1;
	s->pos = (uint64_t)pos;
	/* Back at the end: the entry's head has been written again. */
	if (s->pos == s->end)
		s->complete = s->end;
	return 0;
}

static zip_int64_t commit(struct file_sink *s)
{
	s->complete = s->end;
	return flush(s);
}

/* There is no archive yet, and no reading of it. */
static zip_int64_t refuse_reading(struct file_sink *s)
{
	zip_error_set(&s->zip_error, ZIP_ER_READ, ENOENT);
	return -1;
}

static zip_int64_t command(void *ctx, void *bytes, zip_uint64_t size,
			   zip_source_cmd_t cmd)
{
	struct file_sink *s = ctx;

	switch (cmd) {
	case ZIP_SOURCE_SUPPORTS:
		return ZIP_SOURCE_SUPPORTS_WRITABLE;
	case ZIP_SOURCE_WRITE:
		return write_bytes(s, bytes, size);
	case ZIP_SOURCE_SEEK_WRITE:
		return seek(s, bytes, size);
	case ZIP_SOURCE_TELL_WRITE:
		return (zip_int64_t)s->pos;
	case ZIP_SOURCE_COMMIT_WRITE:
		return commit(s);
	case ZIP_SOURCE_ERROR:
		return zip_error_to_data(&s->zip_error, bytes, size);
	case ZIP_SOURCE_BEGIN_WRITE:
	case ZIP_SOURCE_ROLLBACK_WRITE:
	case ZIP_SOURCE_REMOVE:
	case ZIP_SOURCE_FREE:
		return 0;
	default: /* libzip's commands grow with its versions */
		return refuse_reading(s);
	}
}

zip_source_t *file_sink_source(struct file_sink *s)
{
	return zip_source_function_create(command, s, NULL);
}
