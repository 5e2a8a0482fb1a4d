#include "importer/archive/entry_lines.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/archive/archive.h"
#include "importer/value/refusal.h"

/* Entries are read in pieces of this size. */
#define PIECE_SIZE ((size_t)64 << 10)

struct reader {
	const struct entry_lines_hooks *hooks;
	const char *name; /* of the entry */
	uint64_t *row;
	struct cvx_buf line; /* the piece of a line at the end */
};

CVX_DEFINE_CLEANUP(struct archive_stream, archive_stream_free)

static int end_line(struct reader *rd, const char *line, size_t size,
		    struct cvx_err *err)
{
	int r;

	++*rd->row;
	r = rd->hooks->line(rd->hooks->ctx, line, size, err);
	if (r < 0 && err && err->name)
		(void)cvx_err_prefix(err, "%.200s: row %" PRIu64, rd->name,
				     *rd->row);
	cvx_buf_clear(&rd->line);
	return r;
}

/* Puts a piece of a line behind those before. */
static int add_piece(struct reader *rd, const char *bytes, size_t size,
		     struct cvx_err *err)
{
	int r = cvx_buf_append(&rd->line, bytes, size);

	if (r == -EFBIG)
		return refuse(err, "ValueTooLargeError",
			      "%.200s: row %" PRIu64
			      ": it has more than %zu bytes",
			      rd->name, *rd->row + 1, rd->line.limit);
	return r < 0 ? cvx_fail_memory(err) : 0;
}

static int add_bytes(struct reader *rd, const char *bytes, size_t size,
		     struct cvx_err *err)
{
	const char *at = bytes, *end = bytes + size, *lf;
	int r = 0;

	while (r == 0 && (lf = memchr(at, '\n', (size_t)(end - at)))) {
		if (rd->line.size == 0) {
			r = end_line(rd, at, (size_t)(lf - at), err);
		} else {
			r = add_piece(rd, at, (size_t)(lf - at), err);
			if (r == 0)
				r = end_line(rd, rd->line.data, rd->line.size,
					     err);
		}
		at = lf + 1;
	}
	return r < 0 || at == end ? r
				  : add_piece(rd, at, (size_t)(end - at), err);
}

static int read_all(struct reader *rd, struct archive *a, uint64_t index,
		    struct cvx_err *err)
{
	CVX_AUTO(archive_stream_freep) struct archive_stream *stream = NULL;
	CVX_AUTO(cvx_freep) char *piece = malloc(PIECE_SIZE);
	size_t n = 1;
	int r;

	if (!piece)
		return cvx_fail_memory(err);
	r = archive_stream_new(a, index, &stream, err);
	while (r == 0) {
		r = archive_stream_read(stream, piece, PIECE_SIZE, &n, err);
		if (r < 0 || n == 0)
			break;
		r = add_bytes(rd, piece, n, err);
		if (r == 0)
			r = rd->hooks->progress(rd->hooks->ctx, n, err);
	}
	return r < 0 || rd->line.size == 0
		       ? r
		       : end_line(rd, rd->line.data, rd->line.size, err);
}

int entry_lines_read(struct archive *a, uint64_t index, size_t line_max,
		     const struct entry_lines_hooks *hooks, uint64_t *row,
		     struct cvx_err *err)
{
	struct archive_entry entry;
	struct reader rd = {
		.hooks = hooks, .row = row, .line = CVX_BUF_INIT(line_max)};
	int r = archive_entry(a, index, &entry, err);

	if (r < 0)
		return r;
	rd.name = entry.name;
	r = read_all(&rd, a, index, err);
	cvx_buf_fini(&rd.line);
	return r;
}
