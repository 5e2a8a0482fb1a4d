#include "importer/archive/entry_source.h"

#include <errno.h>
#include <stdlib.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/archive/archive.h"

struct entry_source {
	struct archive *a;
	uint64_t index;
	struct archive_entry entry;
	struct archive_stream *stream; /* NULL: not open */
	uint64_t off;		       /* what it unpacks next */
	struct cvx_err failure;	       /* of it; code 0: none */
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
	s->off = 0;
	s->failure.code = 0;
	return archive_stream_new(s->a, s->index, &s->stream, err);
}

/*
 * Unpacks size bytes, of which there are so many. At the end the stream is
 * asked for more, which makes it verify what it gave.
 */
static int unpack(struct entry_source *s, char *buf, size_t size,
		  struct cvx_err *err)
{
	size_t n, none;
	char byte;
	int r = archive_stream_read(s->stream, buf, size, &n, err);

	if (r < 0)
		return r;
	s->off += n;
	if (s->off == s->entry.size)
		r = archive_stream_read(s->stream, &byte, 1, &none, err);
	return r;
}

static int read_source(void *ctx, uint64_t off, void *buf, size_t size,
		       size_t *ret_n, struct cvx_err *err)
{
	struct entry_source *s = ctx;
	int r = 0;

	if (!s->stream || off == 0)
		r = start_over(s, err);
	if (r == 0 && off != s->off && s->failure.code == 0)
		r = cvx_fail(err, -ESPIPE, "%.200s: a part was not read",
			     s->entry.name);
	if (r < 0)
		return r;
	if (size > s->entry.size - s->off)
		size = (size_t)(s->entry.size - s->off);
	if (s->failure.code == 0)
		(void)unpack(s, buf, size, &s->failure);
	if (s->failure.code < 0) {
		if (err)
			*err = s->failure;
		return s->failure.code;
	}
	*ret_n = size;
	return 0;
}

struct import_source entry_source_get(struct entry_source *s)
{
	return (struct import_source){.ctx = s, .read = read_source};
}
