#include "importer/archive/writer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/archive/deflate_block.h"
#include "importer/archive/file_sink.h"

/* libzip learns sizes below this one in advance, and then needs no ZIP64 for
 * the entry; packing can make bytes a little more. */
#define SIZE_TOLD_MAX ((uint64_t)0xf0000000)

struct member {
	struct archive_writer *w;
	size_t index;
	char *name;
	uint64_t size; /* that was promised */

	/* What has gone out. */
	struct deflated block;
	size_t block_done;
	uint64_t done;
	uint32_t checksum;
	bool is_complete;
};

struct archive_writer {
	int64_t time;
	struct member **members;
	size_t count, capacity;

	/* While it runs. */
	const struct deflate_feed *feed;
	const struct member *fed;
	struct deflater *deflater;
	struct file_sink sink;
	const struct archive_watcher *watcher;
	uint64_t done;
	struct cvx_err failure; /* code 0: none */
	zip_error_t zip_error;
};

CVX_DEFINE_CLEANUP(struct archive_writer, archive_writer_free)

int archive_writer_new(int64_t time, struct archive_writer **ret,
		       struct cvx_err *err)
{
	struct archive_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return cvx_fail_memory(err);
	w->time = time;
	*ret = w;
	return 0;
}

void archive_writer_free(struct archive_writer *w)
{
	size_t i;

	if (!w)
		return;
	for (i = 0; i < w->count; i++) {
		free(w->members[i]->name);
		free(w->members[i]);
	}
	free(w->members);
	free(w);
}

int archive_writer_add(struct archive_writer *w, const char *name,
		       uint64_t size, struct cvx_err *err)
{
	struct member **more, *m;

	if (w->count == w->capacity) {
		w->capacity = w->capacity * 2 + 16;
		more = reallocarray(w->members, w->capacity, sizeof(*more));
		if (!more)
			return cvx_fail_memory(err);
		w->members = more;
	}
	m = calloc(1, sizeof(*m));
	if (m)
		m->name = strdup(name);
	if (!m || !m->name) {
		free(m);
		return cvx_fail_memory(err);
	}
	m->w = w;
	m->index = w->count;
	m->size = size;
	w->members[w->count++] = m;
	return 0;
}

/* The failure that libzip is told of is ours. */
static zip_int64_t fail_member(struct archive_writer *w)
{
	zip_error_set(&w->zip_error, ZIP_ER_READ, -w->failure.code);
	return -1;
}

/* What is fed is ahead of what goes out, and the name is that of its own. */
static int name_failure(const struct archive_writer *w, int r,
			struct cvx_err *err)
{
	if (r < 0 && r != -ECANCELED && r != -ENOMEM)
		(void)cvx_err_prefix(err, "%.200s", w->fed->name);
	return r;
}

static int feed_open(void *ctx, size_t entry, struct cvx_err *err)
{
	struct archive_writer *w = ctx;

	w->fed = w->members[entry];
	return name_failure(w, w->feed->open(w->feed->ctx, entry, err), err);
}

static int feed_read(void *ctx, void *buf, size_t size, size_t *ret_n,
		     struct cvx_err *err)
{
	struct archive_writer *w = ctx;
	int r = w->feed->read(w->feed->ctx, buf, size, ret_n, err);

	return name_failure(w, r, err);
}

static int next_block(struct member *m, struct cvx_err *err)
{
	struct archive_writer *w = m->w;
	int r = deflater_next(w->deflater, m->index, &m->block, err);

	if (r < 0)
		return r;
	m->block_done = 0;
	m->checksum = deflate_join_checksums(m->checksum, m->block.checksum,
					     m->block.plain_size);
	m->done += m->block.plain_size;
	w->done += m->block.plain_size;
	if (m->done > m->size || (m->block.is_last && m->done < m->size))
		return cvx_fail(err, -EIO,
				"%.200s: it has not the size that it is said "
				"to have",
				m->name);
	return w->watcher ? w->watcher->report(w->watcher->ctx, w->done,
					       w->sink.settled, err)
			  : 0;
}

static zip_int64_t read_member(struct member *m, char *buf, uint64_t size)
{
	size_t done = 0, n;

	while (done < size && !m->is_complete) {
		if (!m->block.bytes && next_block(m, &m->w->failure) < 0)
			return fail_member(m->w);
		n = m->block.size - m->block_done;
		if (n > size - done)
			n = (size_t)(size - done);
		memcpy(buf + done, m->block.bytes + m->block_done, n);
		m->block_done += n;
		done += n;
		if (m->block_done == m->block.size) {
			m->is_complete = m->block.is_last;
			m->block.bytes = NULL;
		}
	}
	return (zip_int64_t)done;
}

/* Packed by deflate already: so libzip copies it as it is. */
static zip_int64_t stat_member(const struct member *m, zip_stat_t *st)
{
	zip_stat_init(st);
	st->valid = ZIP_STAT_COMP_METHOD | ZIP_STAT_MTIME;
	st->comp_method = ZIP_CM_DEFLATE;
	st->mtime = (time_t)m->w->time;
	if (m->is_complete || m->size <= SIZE_TOLD_MAX) {
		st->valid |= ZIP_STAT_SIZE;
		st->size = m->size;
	}
	if (m->is_complete) {
		st->valid |= ZIP_STAT_CRC;
		st->crc = m->checksum;
	}
	return sizeof(*st);
}

static zip_int64_t command(void *ctx, void *bytes, zip_uint64_t size,
			   zip_source_cmd_t cmd)
{
	struct member *m = ctx;

	switch (cmd) {
	case ZIP_SOURCE_OPEN:
	case ZIP_SOURCE_CLOSE:
	case ZIP_SOURCE_FREE:
		return 0;
	case ZIP_SOURCE_READ:
		return read_member(m, bytes, size);
	case ZIP_SOURCE_STAT:
		return stat_member(m, bytes);
	case ZIP_SOURCE_ERROR:
		return zip_error_to_data(&m->w->zip_error, bytes, size);
	case ZIP_SOURCE_SUPPORTS:
		return zip_source_make_command_bitmap(
			ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE,
			ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE, -1);
	default: /* libzip's commands grow with its versions */
		zip_error_set(&m->w->zip_error, ZIP_ER_OPNOTSUPP, 0);
		return -1;
	}
}

/* The failure of the entry or of the file, or else libzip's own. */
static int fail_zip(const struct archive_writer *w, const zip_error_t *error,
		    struct cvx_err *err)
{
	const struct cvx_err *cause =
		w->failure.code != 0 ? &w->failure : &w->sink.failure;

	if (cause->code != 0) {
		if (err)
			*err = *cause;
		return cause->code;
	}
	if (zip_error_code_zip(error) == ZIP_ER_MEMORY)
		return cvx_fail_memory(err);
	return cvx_fail(err, -EIO, "cannot make the archive: %s",
			zip_error_strerror((zip_error_t *)error));
}

static int add_member(struct archive_writer *w, zip_t *zip, struct member *m,
		      struct cvx_err *err)
{
	const zip_uint32_t mode = (zip_uint32_t)(S_IFREG | 0644) << 16;
	zip_source_t *source = zip_source_function_create(command, m, NULL);
	zip_int64_t index;

	if (!source)
		return cvx_fail_memory(err);
	index = zip_file_add(zip, m->name, source, ZIP_FL_ENC_UTF_8);
	if (index < 0) {
		zip_source_free(source);
		return fail_zip(w, zip_get_error(zip), err);
	}
	if (zip_file_set_external_attributes(zip, (zip_uint64_t)index, 0,
					     ZIP_OPSYS_UNIX, mode) < 0)
		return fail_zip(w, zip_get_error(zip), err);
	return 0;
}

static int write_zip(struct archive_writer *w, zip_t *zip, struct cvx_err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < w->count; i++)
		r = add_member(w, zip, w->members[i], err);
	if (r == 0 && zip_close(zip) == 0)
		return 0;
	if (r == 0)
		r = fail_zip(w, zip_get_error(zip), err);
	zip_discard(zip);
	return r;
}

static int run(struct archive_writer *w, struct cvx_err *err)
{
	zip_source_t *source = file_sink_source(&w->sink);
	zip_error_t error;
	zip_t *zip;
	int r;

	if (!source)
		return cvx_fail_memory(err);
	zip_error_init(&error);
	zip = zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, &error);
	if (!zip) {
		zip_source_free(source);
		r = fail_zip(w, &error, err);
	} else {
		r = write_zip(w, zip, err);
	}
	zip_error_fini(&error);
	return r;
}

int archive_writer_run(struct archive_writer *w, int fd,
		       const struct deflate_feed *feed,
		       const struct archive_watcher *watcher,
		       uint64_t *ret_size, struct cvx_err *err)
{
	const struct deflate_feed named = {w, feed_open, feed_read};
	int r = file_sink_init(&w->sink, fd, err);

	assert(w->count > 0);
	w->feed = feed;
	zip_error_init(&w->zip_error);
	w->watcher = watcher;
	if (r == 0)
		r = deflater_new(&named, w->count, &w->deflater, err);
	if (r == 0)
		r = run(w, err);
	if (r == 0 && watcher)
		r = watcher->report(watcher->ctx, w->done, w->sink.settled,
				    err);
	if (r == 0)
		*ret_size = w->sink.end;
	deflater_free(CVX_TAKE(w->deflater));
	file_sink_fini(&w->sink);
	zip_error_fini(&w->zip_error);
	return r;
}
