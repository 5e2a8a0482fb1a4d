#include "importer/remote/take_in.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "importer/deployment.h"
#include "importer/embedded/lines.h"
#include "importer/import.h"
#include "importer/remote/fetch.h"
#include "importer/source.h"
#include "importer/value/document.h"

/* Lines are written together. */
#define BLOCK_SIZE ((size_t)1 << 20)
#define LINE_MAX_SIZE ((size_t)32 << 20)

CVX_DEFINE_CLEANUP(struct table_reader, table_reader_close)

/* --- into the copy ------------------------------------------------------- */

static int take(struct deployment *copy, const struct import_target *target,
		int fd, uint64_t size, uint64_t *ret_revision,
		struct cvx_err *err)
{
	const struct import_source source = source_of_fd(&fd);
	struct import_result result = {.revision = 0};
	struct import *imp;
	int r = import_new(copy, target, &source, &imp, err);

	if (r < 0)
		return r;
	r = import_commit(imp, size, &result, err);
	import_free(imp);
	if (r == 0)
		*ret_revision = result.revision;
	return r;
}

static struct import_target target_of(const char *component, const char *table,
				      enum import_mode mode)
{
	return (struct import_target){
		.component = component,
		.table = table,
		.path = table,
		.format = FORMAT_JSONL,
		.mode = mode,
		.is_copy = true,
	};
}

int take_in_all(struct deployment *copy, const char *component,
		const char *table, int fd, uint64_t size, int64_t committed_ns,
		uint64_t *ret_revision, struct cvx_err *err)
{
	struct import_target target =
		target_of(component, table, IMPORT_REPLACE);

	target.committed_ns = committed_ns;
	return take(copy, &target, fd, size, ret_revision, err);
}

/* --- changes ------------------------------------------------------------- */

/* Lines being written. */
struct out {
	int fd;
	struct cvx_buf buf;
	uint64_t size;
	struct cvx_err *err;
};

static int flush(struct out *o)
{
	int r = file_pwrite(o->fd, o->buf.data, o->buf.size,
			    o->size - o->buf.size);

	if (r < 0)
		return cvx_fail(o->err, r, "cannot write to the cache: %s",
				strerror(-r));
	cvx_buf_clear(&o->buf);
	return 0;
}

static int put(struct out *o, const char *bytes, size_t size)
{
	if (cvx_buf_append(&o->buf, bytes, size) < 0)
		return cvx_fail_memory(o->err);
	o->size += size;
	return o->buf.size >= BLOCK_SIZE ? flush(o) : 0;
}

/* The line of a change; nothing if the document has gone. */
static int put_change(struct out *o, const struct fetched_changes *changes,
		      size_t i)
{
	const struct fetched_line *line = &changes->lines[i];
	CVX_AUTO(cvx_freep) char *bytes = malloc(line->size + 1);
	size_t n = 0;
	int r;

	if (!bytes)
		return cvx_fail_memory(o->err);
	r = file_pread(changes->fd, bytes, line->size, line->off, &n);
	if (r == 0 && n < line->size)
		r = -EIO;
	if (r < 0)
		return cvx_fail(o->err, r, "cannot read what was fetched: %s",
				strerror(-r));
	return put(o, bytes, line->size);
}

/* Both are by ascending _id: a change takes the place of its document. */
static int merge(struct out *o, struct table_reader *reader,
		 const struct fetched_changes *changes)
{
	const struct lines_place place = {
		.table = reader, .size = table_reader_info(reader)->size};
	struct internal_id id;
	struct lines lines;
	const char *line;
	size_t i = 0, size;
	uint64_t off;
	int r, order;

	lines_init(&lines, &place);
	while ((r = lines_next(&lines, &line, &size, &off, o->err)) == 1) {
		r = document_line_id(line, size, &id);
		if (r < 0) {
			r = cvx_fail(o->err, -EIO,
				     "a line of the cache is damaged");
			break;
		}
		order = -1;
		while (r == 0 && i < changes->count &&
		       (order = id_compare(&changes->lines[i].id, &id)) < 0)
			r = put_change(o, changes, i++);
		if (i == changes->count)
			order = 1;
		/* The line stands with its LF in the reader's bytes. */
		if (r == 0 && order != 0)
			r = put(o, line, size);
		if (r == 0 && order != 0)
			r = put(o, "\n", 1);
		if (r < 0)
			break;
	}
	lines_fini(&lines);
	for (; r == 0 && i < changes->count; i++)
		r = put_change(o, changes, i);
	return r;
}

static int put_all(struct out *o, const struct fetched_changes *changes)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < changes->count; i++)
		r = put_change(o, changes, i);
	return r;
}

/* The id of the table's last line, which is the greatest; 0: there is none. */
static int last_id(struct table_reader *reader, struct internal_id *ret,
		   struct cvx_err *err)
{
	uint64_t end = table_reader_info(reader)->size;
	size_t want = 4096, n = 0, start;
	int r;

	if (end == 0)
		return 0;
	for (;; want *= 8) {
		CVX_AUTO(cvx_freep) char *tail = NULL;

		if (want > end)
			want = (size_t)end;
		tail = malloc(want);
		if (!tail)
			return cvx_fail_memory(err);
		r = table_reader_read(reader, end - want, tail, want, &n, err);
		if (r < 0)
			return r;
		start = n > 0 ? n - 1 : 0; /* of the last LF */
		while (start > 0 && tail[start - 1] != '\n')
			start--;
		if (n == want && (start > 0 || want == end) &&
		    document_line_id(tail + start, n - 1 - start, ret) == 0)
			return 1;
		if (want == end || want > LINE_MAX_SIZE)
			return cvx_fail(err, -EIO,
					"a line of the cache is damaged");
	}
}

/* Whether all that is new belongs behind all that is there. */
static int is_append(struct table_reader *reader,
		     const struct fetched_changes *changes, bool *ret,
		     struct cvx_err *err)
{
	struct internal_id last;
	size_t i;
	int r;

	*ret = false;
	for (i = 0; i < changes->count; i++)
		if (changes->lines[i].size == 0)
			return 0;
	if (changes->is_all_new || changes->count == 0)
		return 0;
	r = last_id(reader, &last, err);
	if (r == 1)
		*ret = id_compare(&changes->lines[0].id, &last) > 0;
	return r < 0 ? r : 0;
}

int take_in_changes(struct deployment *copy, const char *component,
		    const char *table, int dir_fd,
		    const struct fetched_changes *changes,
		    uint64_t *ret_revision, struct cvx_err *err)
{
	CVX_AUTO(table_reader_closep) struct table_reader *reader = NULL;
	CVX_AUTO(cvx_closep) int fd = file_open_unnamed(dir_fd);
	struct out out = {.fd = fd,
			  .buf = CVX_BUF_INIT(BLOCK_SIZE + LINE_MAX_SIZE),
			  .err = err};
	struct import_target target;
	bool appends = false;
	int r;

	if (fd < 0)
		return cvx_fail(err, fd, "cannot make a file in the cache");
	r = deployment_open_table(copy, component, table, &reader, err);
	if (r < 0)
		return r;
	if (table_reader_info(reader)->revision != *ret_revision)
		return -ESTALE;
	r = is_append(reader, changes, &appends, err);
	if (r == 0)
		r = appends || changes->is_all_new
			    ? put_all(&out, changes)
			    : merge(&out, reader, changes);
	if (r == 0)
		r = flush(&out);
	cvx_buf_fini(&out.buf);
	if (r < 0)
		return r;
	target = target_of(component, table,
			   appends ? IMPORT_APPEND : IMPORT_REPLACE);
	target.committed_ns = changes->committed_ns;
	target.base_revision = *ret_revision; /* else -ESTALE */
	return take(copy, &target, fd, out.size, ret_revision, err);
}
