#include "importer/remote/parts_archive.h"

#include <time.h>

#include "cache/base/err.h"
#include "importer/archive/writer.h"

struct feed {
	const struct archive_part *parts;
	const struct import_source *source; /* of the part under way */
	uint64_t off;
};

static int feed_open(void *ctx, size_t entry,
		     struct cvx_err *err __attribute__((unused)))
{
	struct feed *f = ctx;

	f->source = &f->parts[entry].source;
	f->off = 0;
	return 0;
}

static int feed_read(void *ctx, void *buf, size_t size, size_t *ret_n,
		     struct cvx_err *err)
{
	struct feed *f = ctx;
	size_t n;
	int r = f->source->read(f->source->ctx, f->off, buf, size, &n, err);

	if (r < 0)
		return r;
	f->off += n;
	*ret_n = n;
	return 0;
}

int parts_archive_write(const struct archive_part *parts, size_t count, int fd,
			uint64_t *ret_size, struct cvx_err *err)
{
	struct feed f = {.parts = parts};
	const struct deflate_feed feed = {&f, feed_open, feed_read};
	struct archive_writer *w;
	size_t i;
	int r = archive_writer_new(time(NULL), &w, err);

	if (r < 0)
		return r;
	for (i = 0; r == 0 && i < count; i++)
		r = archive_writer_add(w, parts[i].name, parts[i].size, err);
	if (r == 0)
		r = archive_writer_run(w, fd, &feed, NULL, ret_size, err);
	archive_writer_free(w);
	return r;
}
