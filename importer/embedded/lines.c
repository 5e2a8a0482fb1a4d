#include "importer/embedded/lines.h"

#include <errno.h>
#include <string.h>

#include "cache/base/err.h"
#include "cache/base/file.h"
#include "importer/deployment.h"
#include "importer/value/document.h"

#define READ_SIZE ((size_t)256 << 10)

/* A document holds 1 MiB at most, and its text a few times that. */
#define LINE_MAX_SIZE ((size_t)64 << 20)

void lines_init(struct lines *l, const struct lines_place *place)
{
	l->place = *place;
	l->off = 0;
	l->buf_off = 0;
	cvx_buf_init(&l->buf, LINE_MAX_SIZE);
}

void lines_fini(struct lines *l)
{
	cvx_buf_fini(&l->buf);
}

static int fail_damaged(const struct lines *l, struct cvx_err *err)
{
	return cvx_fail(err, -EIO, "stored rows are damaged at byte %llu",
			(unsigned long long)l->off);
}

static int read_place(const struct lines_place *place, uint64_t off, char *buf,
		      size_t size, size_t *ret_n)
{
	return place->table ? table_reader_read(place->table, off, buf, size,
						ret_n, NULL)
			    : file_pread(place->fd, buf, size, off, ret_n);
}

/* Reads on behind buf, or anew at off if that is not in buf. */
static int read_more(struct lines *l, struct cvx_err *err)
{
	uint64_t end = l->buf_off + l->buf.size, left;
	size_t keep, want, n;
	int r;

	if (l->off < l->buf_off || l->off > end)
		l->buf.size = 0;
	else if (l->off > l->buf_off) {
		keep = (size_t)(end - l->off);
		memmove(l->buf.data, l->buf.data + (l->buf.size - keep), keep);
		l->buf.size = keep;
	}
	l->buf_off = l->off;
	end = l->buf_off + l->buf.size;
	left = l->place.size - end;
	/* A line longer than the buffer doubles it. */
	want = l->buf.size > READ_SIZE ? l->buf.size : READ_SIZE;
	if (want > left)
		want = (size_t)left;
	r = want == 0 ? -EIO : cvx_buf_reserve(&l->buf, want);
	if (r == -ENOMEM)
		return cvx_fail_memory(err);
	if (r == 0)
		r = read_place(&l->place, end, l->buf.data + l->buf.size, want,
			       &n);
	if (r < 0 || n != want)
		return fail_damaged(l, err);
	l->buf.size += n;
	return 0;
}

int lines_next(struct lines *l, const char **ret_line, size_t *ret_size,
	       uint64_t *ret_off, struct cvx_err *err)
{
	const char *start, *end;
	size_t size = 0, seen = 0;
	int r;

	if (l->off >= l->place.size)
		return 0;
	for (;;) {
		if (l->place.text) {
			start = l->place.text + l->off;
			size = (size_t)(l->place.size - l->off);
		} else if (l->off >= l->buf_off &&
			   l->off < l->buf_off + l->buf.size) {
			start = l->buf.data + (l->off - l->buf_off);
			size = l->buf.size - (size_t)(l->off - l->buf_off);
		} else {
			start = NULL;
			size = 0;
		}
		end = size > seen ? memchr(start + seen, '\n', size - seen)
				  : NULL;
		if (end)
			break;
		if (l->place.text)
			return fail_damaged(l, err);
		seen = size;
		r = read_more(l, err);
		if (r < 0)
			return r;
	}
	*ret_line = start;
	*ret_size = (size_t)(end - start);
	*ret_off = l->off;
	l->off += *ret_size + 1;
	return 1;
}

int lines_next_id(struct lines *l, struct internal_id *ret_id,
		  uint64_t *ret_off, struct cvx_err *err)
{
	const char *line;
	size_t size;
	int r = lines_next(l, &line, &size, ret_off, err);

	if (r == 1 && document_line_id(line, size, ret_id) < 0) {
		l->off = *ret_off;
		return fail_damaged(l, err);
	}
	return r;
}

int lines_seek(struct lines *l, uint64_t off, struct cvx_err *err)
{
	const char *line;
	uint64_t line_off;
	size_t size;
	int r;

	l->off = off;
	if (off == 0 || off >= l->place.size)
		return 0;
	/* The line that holds the byte before off ends at off or behind. */
	l->off = off - 1;
	r = lines_next(l, &line, &size, &line_off, err);
	return r < 0 ? r : 0;
}
