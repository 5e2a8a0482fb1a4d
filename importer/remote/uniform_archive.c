#include "importer/remote/uniform_archive.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cache/base/err.h"
#include "importer/archive/writer.h"
#include "importer/value/name.h"

static const char marker[] = "\"uniform\"\n";

#define MARKER_SIZE (sizeof(marker) - 1)

enum entry {
	ENTRY_MARKER,
	ENTRY_ROWS,
};

struct feed {
	const struct import_source *source;
	size_t entry;
	uint64_t off;
};

static int feed_open(void *ctx, size_t entry,
		     struct cvx_err *err __attribute__((unused)))
{
	struct feed *f = ctx;

	f->entry = entry;
	f->off = 0;
	return 0;
}

static int feed_read(void *ctx, void *buf, size_t size, size_t *ret_n,
		     struct cvx_err *err)
{
	struct feed *f = ctx;
	size_t n;
	int r = 0;

	if (f->entry == ENTRY_MARKER) {
		n = MARKER_SIZE - (size_t)f->off;
		if (n > size)
			n = size;
		memcpy(buf, marker + f->off, n);
	} else {
		r = f->source->read(f->source->ctx, f->off, buf, size, &n, err);
	}
	if (r < 0)
		return r;
	f->off += n;
	*ret_n = n;
	return 0;
}

static int add(struct archive_writer *w, const char *table, const char *file,
	       uint64_t size, struct cvx_err *err)
{
	char name[NAME_MAX_SIZE + 32];

	(void)snprintf(name, sizeof(name), "%s/%s", table, file);
	return archive_writer_add(w, name, size, err);
}

int uniform_archive_write(const char *table, const struct import_source *source,
			  uint64_t size, int fd, uint64_t *ret_size,
			  struct cvx_err *err)
{
	struct feed f = {.source = source};
	const struct deflate_feed feed = {&f, feed_open, feed_read};
	struct archive_writer *w;
	int r = archive_writer_new(time(NULL), &w, err);

	if (r < 0)
		return r;
	r = add(w, table, "generated_schema.jsonl", MARKER_SIZE, err);
	if (r == 0)
		r = add(w, table, "documents.jsonl", size, err);
	if (r == 0)
		r = archive_writer_run(w, fd, &feed, NULL, ret_size, err);
	archive_writer_free(w);
	return r;
}
