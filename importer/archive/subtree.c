#include "importer/archive/subtree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/archive/archive.h"
#include "importer/archive/writer.h"

/* "_components/…/" of any path that a mount can have. */
#define FOLDER_MAX ((size_t)64 << 10)

int subtree_print_folder(const char *component, struct cvx_buf *out)
{
	size_t size;
	int r = 0;

	while (r == 0 && *component) {
		size = strcspn(component, "/");
		r = cvx_buf_printf(out, "_components/%.*s/", (int)size,
				   component);
		component += size + (component[size] == '/');
	}
	return r;
}

struct subtree {
	struct archive *from;
	struct archive_writer *to;
	uint64_t *entries; /* of from, in the order of to */
	size_t count;
	size_t own_count; /* of them those of the component */
	struct archive_stream *stream;
};

static void subtree_fini(struct subtree *s)
{
	archive_stream_free(s->stream);
	archive_writer_free(s->to);
	archive_free(s->from);
	free(s->entries);
}

/* Its name in the part; NULL: it does not belong there. */
static const char *name_in(const char *name, const char *folder)
{
	size_t size = strlen(folder);

	if (strcmp(name, "README.md") == 0)
		return name;
	return strncmp(name, folder, size) == 0 ? name + size : NULL;
}

static int choose(struct subtree *s, const char *folder, struct cvx_err *err)
{
	const uint64_t count = archive_entry_count(s->from);
	struct archive_entry entry;
	const char *name;
	uint64_t i;
	int r = 0;

	s->entries = calloc((size_t)count + 1, sizeof(*s->entries));
	if (!s->entries)
		return cvx_fail_memory(err);
	for (i = 0; r == 0 && i < count; i++) {
		r = archive_entry(s->from, i, &entry, err);
		name = r == 0 ? name_in(entry.name, folder) : NULL;
		if (!name)
			continue;
		s->entries[s->count++] = i;
		s->own_count += name != entry.name;
		r = archive_writer_add(s->to, name, entry.size, err);
	}
	return r;
}

static int feed_open(void *ctx, size_t entry, struct cvx_err *err)
{
	struct subtree *s = ctx;

	archive_stream_free(CVX_TAKE(s->stream));
	return archive_stream_new(s->from, s->entries[entry], &s->stream, err);
}

static int feed_read(void *ctx, void *buf, size_t size, size_t *ret_n,
		     struct cvx_err *err)
{
	struct subtree *s = ctx;

	return archive_stream_read(s->stream, buf, size, ret_n, err);
}

static int print_folder(const char *component, struct cvx_buf *folder,
			struct cvx_err *err)
{
	int r = subtree_print_folder(component, folder);

	if (r == 0)
		r = cvx_buf_append(folder, "", 1);
	return r < 0 ? cvx_fail(err, r, "the path of component %s: %s",
				component, strerror(-r))
		     : 0;
}

int subtree_write(const struct import_source *source, uint64_t size,
		  const char *component, int fd,
		  const struct archive_watcher *watcher, uint64_t *ret_size,
		  struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini) struct cvx_buf folder = CVX_BUF_INIT(FOLDER_MAX);
	CVX_AUTO(subtree_fini) struct subtree s = {.from = NULL};
	const struct deflate_feed feed = {&s, feed_open, feed_read};
	int r = print_folder(component, &folder, err);

	if (r == 0)
		r = archive_open(source, size, &s.from, err);
	if (r == 0)
		r = archive_writer_new(time(NULL), &s.to, err);
	if (r == 0)
		r = choose(&s, folder.data, err);
	if (r < 0)
		return r;
	if (s.own_count == 0)
		return cvx_fail(err, -ENOENT,
				"component %s is not in the backup", component);
	return archive_writer_run(s.to, fd, &feed, watcher, ret_size, err);
}
