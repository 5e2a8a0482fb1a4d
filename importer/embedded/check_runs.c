/* embedded_check(): the runs of indexes. */

#include "importer/embedded/check_runs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/line_order.h"
#include "importer/embedded/runs.h"
#include "importer/embedded/schemas.h"
#include "importer/embedded/tables.h"
#include "importer/schema/schema.h"

CVX_DEFINE_CLEANUP(struct table_reader, table_reader_close)

struct subject {
	struct deployment *d;
	const char *table;
	struct table_reader *reader;
	const struct schema_table *schema; /* NULL: none */
};

static int fail(const struct subject *s, const struct run_row *run,
		const char *what, struct cvx_err *err)
{
	return cvx_fail(err, -EIO, "table %s, index %s, run %" PRIu64 ": %s",
			s->table, run->index, run->id, what);
}

/* Keys that ascend strictly, and bytes that add up, are those of all lines. */
static int check_lines(const struct subject *s, const struct run_row *run,
		       const struct index_order *index,
		       const struct line_order *order, struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf last = CVX_BUF_INIT(INDEX_KEY_ROOM);
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf key = CVX_BUF_INIT(INDEX_KEY_ROOM);
	CVX_AUTO(cvx_freep) char *line = malloc((size_t)1 << LINE_SIZE_BITS);
	uint64_t i, sum = 0;
	struct cvx_buf old;
	line_entry entry;
	size_t size, n;
	int r;

	if (!line)
		return cvx_fail_memory(err);
	for (i = 0; i < order->count; i++) {
		entry = line_order_at(order, i);
		size = line_entry_size(entry);
		sum += size;
		if (line_entry_off(entry) + size > run->size)
			return fail(s, run, "a line is beyond its end", err);
		r = table_reader_read(s->reader,
				      run->start + line_entry_off(entry), line,
				      size, &n, err);
		if (r < 0)
			return r;
		if (size == 0 || memchr(line, '\n', size) != line + size - 1)
			return fail(s, run, "an entry is no line", err);
		cvx_buf_clear(&key);
		if (index_order_key(index, line, size - 1, &key, NULL) < 0)
			return fail(s, run, "a line has no key", err);
		n = last.size < key.size ? last.size : key.size;
		r = n == 0 ? -1 : memcmp(last.data, key.data, n);
		if (r > 0 || (r == 0 && last.size >= key.size))
			return fail(s, run, "keys do not ascend", err);
		old = last;
		last = key;
		key = old;
	}
	return sum == run->size ? 0 : fail(s, run, "it lacks some lines", err);
}

static int check_run(const struct subject *s, const struct run_row *run,
		     const struct schema_index *index, struct cvx_err *err)
{
	CVX_AUTO(cvx_closep) int fd = -1;
	char name[STORED_FILE_NAME_SIZE];
	struct index_order order;
	struct line_order lines;
	int r;

	stored_file_name(run->id, name);
	fd = openat(s->d->indexes_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(s, run, "its file is missing", err);
	if (line_order_open(fd, &lines, NULL) < 0)
		return fail(s, run, "its file is damaged", err);
	index_order_init(&order, index);
	if (lines.count != run->row_count || lines.text_size != run->size)
		r = fail(s, run, "its counts are wrong", err);
	else
		r = check_lines(s, run, &order, &lines, err);
	line_order_close(&lines);
	return r;
}

/* Those of one index follow each other, and leave a short tail. */
static int check_index(const struct subject *s, const struct run_row *runs,
		       size_t count, const struct schema_index *index,
		       size_t *seen, struct cvx_err *err)
{
	uint64_t size = table_reader_info(s->reader)->size, end = 0;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < count; i++) {
		if (strcmp(runs[i].index, index->name) != 0)
			continue;
		(*seen)++;
		if (runs[i].start != end)
			return fail(s, &runs[i], "there is a gap before it",
				    err);
		end += runs[i].size;
		if (end > size)
			return fail(s, &runs[i], "it is beyond the table", err);
		r = check_run(s, &runs[i], index, err);
	}
	if (r == 0 && size - end > RUN_TAIL_MAX)
		return cvx_fail(err, -EIO,
				"table %s, index %s: too much has no run",
				s->table, index->name);
	return r;
}

static int check_all(const struct subject *s, const struct run_row *runs,
		     size_t count, struct cvx_err *err)
{
	size_t n = s->schema ? schema_table_index_count(s->schema) : 0, i;
	const struct schema_index *index;
	size_t seen = 0;
	int r = 0;

	for (i = 0; r == 0 && i < n; i++) {
		index = schema_table_index(s->schema, i);
		if (index_is_kept(index))
			r = check_index(s, runs, count, index, &seen, err);
	}
	if (r == 0 && seen != count)
		return cvx_fail(err, -EIO,
				"table %s: there are runs of no index",
				s->table);
	return r;
}

int check_runs(struct deployment *d, const char *component, const char *table,
	       struct cvx_err *err)
{
	CVX_AUTO(table_reader_closep) struct table_reader *reader = NULL;
	CVX_AUTO(cvx_freep) struct run_row *runs = NULL;
	struct active_schema *schema = NULL;
	struct subject s = {.d = d, .table = table};
	struct table_row row;
	size_t count = 0;
	int r = table_find(d->writes, component, table, &row, err);

	if (r == 1)
		r = runs_list(d->writes, row.id, &runs, &count, err);
	if (r == 0)
		r = deployment_open_table(d, component, table, &reader, err);
	if (r == 0)
		r = schemas_get(d, d->writes, component, &schema, err);
	s.reader = reader;
	if (r == 0 && schema)
		s.schema = schema_find_table(schema->schema, table);
	if (r == 0)
		r = check_all(&s, runs, count, err);
	schemas_unref(d, schema);
	return r;
}
