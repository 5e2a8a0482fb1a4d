#include "importer/archive/entry_source.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/archive/archive.h"

struct entry_source {
	struct archive *a;
	uint64_t index;
	struct archive_entry entry;
	struct archive_stream *stream; /* NULL: not open */
	uint64_t stream_off;	       /* of its next byte */
	bool is_verified;	       /* at its end */

	/* The bytes [start, stream_off). */
	char *bytes;
	size_t capacity;
	uint64_t start;
};

CVX_DEFINE_CLEANUP(struct entry_source, entry_source_free)

int entry_source_new(struct archive *a, uint64_t index,
		     struct entry_source **ret, struct cvx_err *err)
{
	CVX_AUTO(entry_source_freep)
	struct entry_source *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return cvx_fail_memory(err);
	s->a = a;
	s->index = index;
	r = archive_entry(a, index, &s->entry, err);
	if (r < 0)
		return r;
	*ret = CVX_TAKE(s);
	return 0;
}

void entry_source_free(struct entry_source *s)
{
	if (!s)
		return;
	archive_stream_free(s->stream);
	free(s->bytes);
	free(s);
}

uint64_t entry_source_size(const struct entry_source *s)
{
	return s->entry.size;
}

static int start_over(struct entry_source *s, struct cvx_err *err)
{
	archive_stream_free(s->stream);
	s->stream = NULL;
	s->start = s->stream_off = 0;
	s->is_verified = false;
	return archive_stream_new(s->a, s->index, &s->stream, err);
}

static int reserve(struct entry_source *s, size_t size, struct cvx_err *err)
{
	char *bytes;

	if (size <= s->capacity)
		return 0;
	bytes = realloc(s->bytes, size);
	if (!bytes)
		return cvx_fail_memory(err);
	s->bytes = bytes;
	s->capacity = size;
	return 0;
}

/* Drops what lies in front of off. */
static void forget(struct entry_source *s, uint64_t off)
{
	size_t size;

	if (off > s->stream_off)
		off = s->stream_off;
	size = (size_t)(s->stream_off - off);
	memmove(s->bytes, s->bytes + (off - s->start), size);
	s->start = off;
}

/* Lengthens the bytes from the stream; at the end it is asked for more, which
 * makes it verify what it gave. */
static int read_on(struct entry_source *s, size_t size, struct cvx_err *err)
{
	size_t have = (size_t)(s->stream_off - s->start), n = 0;
	char none;
	int r = 0;

	if (have < size) {
		r = reserve(s, size, err);
		if (r == 0)
			r = archive_stream_read(s->stream, s->bytes + have,
						size - have, &n, err);
		if (r < 0)
			return r;
		s->stream_off += n;
	}
	if (s->stream_off == s->entry.size && !s->is_verified) {
		r = archive_stream_read(s->stream, &none, 1, &n, err);
		s->is_verified = r == 0;
	}
	return r;
}

static int read_source(void *ctx, uint64_t off, void *buf, size_t size,
		       size_t *ret_n, struct cvx_err *err)
{
	struct entry_source *s = ctx;
	size_t n;
	int r = 0;

	if (off >= s->entry.size)
		size = 0;
	else if (size > s->entry.size - off)
		size = (size_t)(s->entry.size - off);
	if (!s->stream || off < s->start)
		r = start_over(s, err);
	if (r == 0 && off > s->stream_off)
		return cvx_fail(err, -ESPIPE, "%.200s: a part was not read",
				s->entry.name);
	if (r == 0 && s->bytes)
		forget(s, off);
	if (r == 0)
		r = read_on(s, size, err);
	if (r < 0)
		return r;
	n = (size_t)(s->stream_off - s->start);
	*ret_n = n < size ? n : size;
	if (*ret_n > 0)
		memcpy(buf, s->bytes, *ret_n);
	return 0;
}

struct import_source entry_source_get(struct entry_source *s)
{
	return (struct import_source){.ctx = s, .read = read_source};
}
