/* embedded_check(): what must be true of everything that is stored. */

#include "importer/embedded/check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "cache/segment.h"
#include "importer/deployment.h"
#include "importer/embedded/check_runs.h"
#include "importer/embedded/duplicates.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/segments.h"
#include "importer/embedded/sql.h"
#include "importer/embedded/tables.h"
#include "importer/value/document.h"

/* The text of a document is a few times its size, which is 1 MiB at most. */
#define LINE_MAX_SIZE ((size_t)64 << 20)

/* One segment of the table under check. */
struct subject {
	struct deployment *d;
	const struct table_row *table;
	const struct segment_row *segment;
	struct lines_place place;
	struct document_reader *reader;
	struct cvx_buf *buf;
};

CVX_DEFINE_CLEANUP(struct document_reader, document_reader_free)

static int check_catalog(struct catalog *c, struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	const char *text;
	size_t size;
	int r = catalog_query(c, SQL_CHECK, &q, err);

	if (r == 0)
		r = catalog_next(q, err);
	if (r < 0)
		return r;
	text = catalog_bytes(q, 0, &size);
	if (r == 1 && size == 2 && memcmp(text, "ok", 2) == 0)
		return 0;
	return cvx_fail(err, -EIO, "the catalog is damaged: %.*s", (int)size,
			text);
}

static int fail(const struct subject *s, const char *what, struct cvx_err *err)
{
	return cvx_fail(err, -EIO, "table %s, segment %" PRIu64 ": %s",
			s->table->info.name, s->segment->id, what);
}

/* Whether a view prints the line as it stands, and its id is the table's. */
static int check_line(const struct subject *s, const char *line, size_t size,
		      struct internal_id *ret_id, struct cvx_err *err)
{
	struct cvx_err cause = CVX_ERR_INIT;
	struct document document;

	cvx_buf_clear(s->buf);
	/* Its table number is the reader's, or it is refused. */
	if (document_read(s->reader, line, size, 0, s->buf, &document, &cause) <
	    0)
		return fail(s, cause.msg, err);
	if (s->buf->size != size + 1 || memcmp(s->buf->data, line, size) != 0 ||
	    !document.id_given)
		return fail(s, "a line is not canonical", err);
	if (document.beyond_plain && !s->segment->beyond_plain)
		return fail(s, "a line is beyond plain encoding", err);
	if (document_line_id(line, size, ret_id) < 0 ||
	    id_compare(ret_id, &document.id) != 0)
		return fail(s, "a line's _id is not found", err);
	return 0;
}

/* The ids go to keys in the order of the lines. */
static int check_lines(const struct subject *s, struct segment_key *keys,
		       struct cvx_err *err)
{
	struct internal_id id, last = {{0}};
	const char *line;
	struct lines lines;
	uint64_t off, n = 0;
	size_t size;
	int r;

	lines_init(&lines, &s->place);
	while ((r = lines_next(&lines, &line, &size, &off, err)) == 1) {
		r = check_line(s, line, size, &id, err);
		if (r == 0 && n > 0 && s->segment->ascending &&
		    id_compare(&last, &id) >= 0)
			r = fail(s, "ids do not ascend", err);
		if (r == 0 && n == s->segment->row_count)
			r = fail(s, "there are more rows than counted", err);
		if (r < 0)
			break;
		memcpy(keys[n].bytes, id.bytes, ID_SIZE);
		keys[n++].off = off;
		last = id;
	}
	if (r == 0 && n != s->segment->row_count)
		r = fail(s, "there are fewer rows than counted", err);
	lines_fini(&lines);
	return r;
}

/* Reads the lines with a strict reader of its own. */
static int check_rows(struct subject *s, struct segment_key *keys,
		      struct cvx_err *err)
{
	CVX_AUTO(document_reader_freep) struct document_reader *reader = NULL;
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf buf = CVX_BUF_INIT(LINE_MAX_SIZE);
	struct document_stamp stamp = {.table_number = s->table->info.number,
				       .creation_time = 1};
	int r = document_reader_new(DOCUMENT_UNIFORM, &stamp, &reader, err);

	s->reader = reader;
	s->buf = &buf;
	return r < 0 ? r : check_lines(s, keys, err);
}

static int check_keys_file(const struct subject *s,
			   const struct segment_key *keys, struct cvx_err *err)
{
	uint64_t count = s->segment->row_count, i;
	CVX_AUTO(cvx_closep) int fd = -1;
	char name[SEGMENT_NAME_SIZE];
	struct segment_key key;

	segment_keys_name(s->segment->id, name);
	if (s->segment->ascending)
		return faccessat(s->d->segments_fd, name, F_OK, 0) < 0
			       ? 0
			       : fail(s, "there is a needless keys file", err);
	if (segment_open_keys(s->d->segments_fd, name, count, &fd) < 0)
		return fail(s, "its keys file is missing or damaged", err);
	for (i = 0; i < count; i++)
		if (segment_read_keys(fd, i, &key, 1) < 0 ||
		    segment_key_compare(&key, &keys[i]) != 0 ||
		    key.off != keys[i].off)
			return fail(s, "its keys are not those of its lines",
				    err);
	return 0;
}

/* Adds the ids of the segment to keys. */
static int check_segment(struct deployment *d, const struct table_row *table,
			 const struct segment_row *segment,
			 struct segment_key *keys, struct cvx_err *err)
{
	struct subject s = {.d = d, .table = table, .segment = segment};
	CVX_AUTO(cvx_closep) int fd = -1;
	char name[SEGMENT_NAME_SIZE];
	struct stat st;
	int r;

	segment_rows_name(segment->id, name);
	fd = openat(d->segments_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(&s, "its file is missing", err);
	if ((uint64_t)st.st_size < segment->size)
		return fail(&s, "its file is too short", err);
	s.place = (struct lines_place){.fd = fd, .size = segment->size};
	r = check_rows(&s, keys, err);
	if (r < 0)
		return r;
	segment_sort_keys(keys, segment->row_count);
	if (segment->row_count == 0 ||
	    memcmp(keys[0].bytes, segment->first.bytes, ID_SIZE) != 0 ||
	    memcmp(keys[segment->row_count - 1].bytes, segment->last.bytes,
		   ID_SIZE) != 0)
		return fail(&s, "its first or last id is not as noted", err);
	return check_keys_file(&s, keys, err);
}

static int check_totals(const struct table_row *table,
			const struct segment_row *segments, size_t count,
			struct cvx_err *err)
{
	uint64_t row_count = 0, size = 0;
	bool beyond_plain = false;
	size_t i;

	for (i = 0; i < count; i++) {
		row_count += segments[i].row_count;
		size += segments[i].size;
		beyond_plain |= segments[i].beyond_plain;
	}
	if (row_count == table->info.document_count &&
	    size == table->info.size && beyond_plain == table->beyond_plain)
		return 0;
	return cvx_fail(err, -EIO, "table %s: its totals are wrong",
			table->info.name);
}

static int check_table(struct deployment *d, const char *component,
		       const char *name, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct segment_row *segments = NULL;
	CVX_AUTO(cvx_freep) struct segment_key *keys = NULL;
	size_t count = 0, i, n = 0;
	struct table_row table;
	int r = table_find(d->writes, component, name, &table, err);

	if (r == 1)
		r = segments_list(d->writes, table.id, &segments, &count, err);
	if (r == 0)
		r = check_totals(&table, segments, count, err);
	if (r < 0)
		return r;
	keys = reallocarray(NULL, table.info.document_count + 1, sizeof(*keys));
	if (!keys)
		return cvx_fail_memory(err);
	for (i = 0; i < count; i++) {
		r = check_segment(d, &table, &segments[i], keys + n, err);
		if (r < 0)
			return r;
		n += segments[i].row_count;
	}
	segment_sort_keys(keys, n);
	for (i = 1; i < n; i++)
		if (segment_key_compare(&keys[i - 1], &keys[i]) == 0)
			return cvx_fail(err, -EIO,
					"table %s: two rows have the same _id",
					name);
	return 0;
}

static int check_component(struct deployment *d, const char *component,
			   struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct table_info *tables = NULL;
	char **below = NULL;
	size_t count = 0, below_count = 0, i;
	int r = deployment_list_tables(d, component, &tables, &count, err);

	for (i = 0; r == 0 && i < count; i++) {
		r = check_table(d, component, tables[i].name, err);
		if (r == 0)
			r = check_runs(d, component, tables[i].name, err);
	}
	if (r == 0)
		r = check_storage(d, component, err);
	if (r == 0)
		r = deployment_list_components(d, component, &below,
					       &below_count, err);
	/* As deep as paths are long. */
	for (i = 0; r == 0 && i < below_count; i++)
		r = check_component(d, below[i], err);
	deployment_free_components(below);
	return r;
}

int embedded_check(struct deployment *d, struct cvx_err *err)
{
	int r;

	/* Under the write lock nothing goes away while it is looked at. */
	r = embedded_begin(d, err);
	if (r < 0)
		return r;
	r = check_catalog(d->writes, err);
	if (r == 0)
		r = check_component(d, "", err);
	embedded_rollback(d);
	return r;
}
