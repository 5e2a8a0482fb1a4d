/* deployment_schema.h: indexes that are listed and read. */

#include "importer/deployment_schema.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/order_merge.h"
#include "importer/embedded/runs.h"
#include "importer/embedded/schemas.h"
#include "importer/embedded/segments.h"
#include "importer/embedded/tables.h"
#include "importer/schema/schema.h"

/* How often an index is looked up again that was changed while it was opened.
 * Each time, a whole commit has come in between. */
#define OPEN_TRIES 100

#define BY_ID "by_id"
#define BY_CREATION_TIME "by_creation_time"

struct index_reader {
	struct table_info info; /* with the revision of the index */
	struct table_reader *table;
	bool is_sorted;		 /* the table's own order is the index's */
	struct line_order order; /* else */
	uint64_t start;		 /* what the order's offsets count from */
};

CVX_DEFINE_CLEANUP(struct index_reader, index_reader_close)

static int compare_infos(const void *a, const void *b)
{
	return strcmp(((const struct index_info *)a)->name,
		      ((const struct index_info *)b)->name);
}

static void add_info(struct index_info *list, size_t *count, const char *name,
		     bool built_in)
{
	struct index_info *info = &list[(*count)++];

	memset(info, 0, sizeof(*info));
	info->built_in = built_in;
	memcpy(info->name, name, strnlen(name, NAME_MAX_SIZE));
}

/* The table in the component's schema; *ret_schema is to be unreferenced. */
static int find_in_schema(struct deployment *d, const char *component,
			  const char *table, struct active_schema **ret_schema,
			  const struct schema_table **ret, struct cvx_err *err)
{
	int r = schemas_get(d, embedded_lock_reads(d), component, ret_schema,
			    err);

	embedded_unlock_reads(d);
	*ret = r == 0 && *ret_schema
		       ? schema_find_table((*ret_schema)->schema, table)
		       : NULL;
	return r;
}

int deployment_list_indexes(struct deployment *d, const char *component,
			    const char *table, struct index_info **ret,
			    size_t *ret_count, struct cvx_err *err)
{
	const struct schema_table *t = NULL;
	struct active_schema *schema = NULL;
	struct table_info info;
	struct index_info *list;
	size_t count = 0, i, n;
	int r = deployment_stat_table(d, component, table, &info, err);

	if (r == 0)
		r = find_in_schema(d, component, table, &schema, &t, err);
	if (r < 0)
		return r;
	n = t ? schema_table_index_count(t) : 0;
	list = calloc(n + 2, sizeof(*list));
	for (i = 0; list && i < n; i++)
		if (index_is_kept(schema_table_index(t, i)))
			add_info(list, &count, schema_table_index(t, i)->name,
				 false);
	schemas_unref(d, schema);
	if (!list)
		return cvx_fail_memory(err);
	add_info(list, &count, BY_CREATION_TIME, true);
	add_info(list, &count, BY_ID, true);
	qsort(list, count, sizeof(*list), compare_infos);
	*ret = list;
	*ret_count = count;
	return 0;
}

/* The index while it is opened. */
struct opening {
	struct deployment *d;
	const char *component, *table, *index;
	struct index_reader *reader;
	struct active_schema *schema;
	struct index_order order;
	bool built_in;
	struct run_row *runs; /* of the index */
	size_t run_count;
	struct stretch_order *stretches;
	size_t stretch_count;
};

static void opening_fini(struct opening *o)
{
	size_t i;

	for (i = 0; i < o->stretch_count; i++)
		line_order_close(&o->stretches[i].order);
	free(o->stretches);
	free(o->runs);
	schemas_unref(o->d, o->schema);
	index_reader_close(o->reader);
}

/* How the index orders; -ENOENT if there is none of the name. */
static int find_index(struct opening *o, struct cvx_err *err)
{
	const struct schema_table *t;
	const struct schema_index *index;
	size_t i;
	int r = find_in_schema(o->d, o->component, o->table, &o->schema, &t,
			       err);

	o->built_in = true;
	o->order.by_id = strcmp(o->index, BY_ID) == 0;
	index_fields_init(&o->order.fields, NULL, 0);
	if (r < 0 || o->order.by_id || strcmp(o->index, BY_CREATION_TIME) == 0)
		return r;
	o->built_in = false;
	for (i = 0; t && i < schema_table_index_count(t); i++) {
		index = schema_table_index(t, i);
		if (!index_is_kept(index) || strcmp(index->name, o->index) != 0)
			continue;
		index_order_init(&o->order, index);
		return 0;
	}
	return cvx_fail(err, -ENOENT, "table %s has no index %s", o->table,
			o->index);
}

/* One counter gives both numbers, so of two states of table and schema the
 * later one has the greater maximum. */
static uint64_t index_revision(const struct opening *o,
			       const struct table_info *table)
{
	uint64_t schema = o->schema ? o->schema->revision : 0;

	return o->built_in || table->revision > schema ? table->revision
						       : schema;
}

int deployment_stat_index(struct deployment *d, const char *component,
			  const char *table, const char *index,
			  struct table_info *ret, struct cvx_err *err)
{
	struct opening o = {
		.d = d, .component = component, .table = table, .index = index};
	int r = deployment_stat_table(d, component, table, ret, err);

	if (r == 0)
		r = find_index(&o, err);
	if (r == 0)
		ret->revision = index_revision(&o, ret);
	opening_fini(&o);
	return r;
}

/* Segments that ascend one behind the other: the table is in order of _id. */
static int look_at_segments(struct catalog *c, const struct table_row *row,
			    bool *ret_ascending, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct segment_row *list = NULL;
	size_t count = 0, i;
	int r = segments_list(c, row->id, &list, &count, err);

	*ret_ascending = true;
	for (i = 0; r == 0 && i < count; i++)
		if (!list[i].ascending ||
		    (i > 0 &&
		     id_compare(&list[i - 1].last, &list[i].first) >= 0))
			*ret_ascending = false;
	return r;
}

/* What the catalog says now. 1: of another revision or schema than what was
 * opened. */
static int look_at_catalog(struct opening *o, struct catalog *c,
			   struct cvx_err *err)
{
	const struct table_info *info = table_reader_info(o->reader->table);
	struct active_schema *schema = NULL;
	struct table_row row;
	size_t i, n = 0;
	int r = table_find(c, o->component, o->table, &row, err);

	if (r <= 0)
		return r < 0 ? r : 1;
	r = runs_list(c, row.id, &o->runs, &o->run_count, err);
	for (i = 0; r == 0 && i < o->run_count; i++)
		if (!o->built_in && strcmp(o->runs[i].index, o->index) == 0)
			o->runs[n++] = o->runs[i];
	o->run_count = n;
	if (r == 0 && o->order.by_id)
		r = look_at_segments(c, &row, &o->reader->is_sorted, err);
	if (r == 0)
		r = schemas_get(o->d, c, o->component, &schema, err);
	/* The statements above may have seen different commits. */
	if (r == 0)
		r = table_find(c, o->component, o->table, &row, err);
	if (r == 1)
		r = row.info.revision != info->revision ||
		    (schema ? schema->revision : 0) !=
			    (o->schema ? o->schema->revision : 0);
	else if (r == 0)
		r = 1;
	schemas_unref(o->d, schema);
	return r;
}

/* 1: the file has gone. */
static int open_run(struct opening *o, const struct run_row *run,
		    struct cvx_err *err)
{
	CVX_AUTO(cvx_closep) int fd = -1;
	struct stretch_order *stretch = &o->stretches[o->stretch_count];
	char name[STORED_FILE_NAME_SIZE];
	int r;

	stored_file_name(run->id, name);
	fd = openat(o->d->indexes_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0)
		return cvx_fail(err, -errno, "cannot open %s/indexes/%s: %s",
				o->d->dir, name, strerror(errno));
	r = line_order_open(fd, &stretch->order, err);
	if (r < 0)
		return err ? cvx_err_prefix(err, "%s/indexes/%s", o->d->dir,
					    name)
			   : r;
	stretch->start = run->start;
	o->stretch_count++;
	if (stretch->order.text_size != run->size ||
	    stretch->order.count != run->row_count)
		return cvx_fail(err, -EIO, "%s/indexes/%s is damaged",
				o->d->dir, name);
	return 0;
}

/* What has no run is sorted now. */
static int sort_tail(struct opening *o, struct cvx_err *err)
{
	const struct lines_place place = {
		.table = o->reader->table,
		.size = table_reader_info(o->reader->table)->size,
	};
	struct stretch_order *stretch = &o->stretches[o->stretch_count];
	CVX_AUTO(cvx_closep) int fd = -1;
	int r;

	stretch->start = runs_end(o->runs, o->run_count, o->index);
	if (stretch->start >= place.size && o->stretch_count > 0)
		return 0;
	r = runs_temp_file(o->d, &fd, err);
	if (r == 0)
		r = index_order_sort(o->d, &o->order, &place, stretch->start,
				     fd, err);
	if (r == 0)
		r = line_order_open(fd, &stretch->order, err);
	if (r == 0)
		o->stretch_count++;
	return r;
}

static int merge_stretches(struct opening *o, struct cvx_err *err)
{
	struct index_reader *ir = o->reader;
	CVX_AUTO(cvx_closep) int fd = -1;
	int r;

	if (o->stretch_count == 1) {
		ir->order = o->stretches[0].order;
		ir->start = o->stretches[0].start;
		o->stretch_count = 0;
		return 0;
	}
	r = runs_temp_file(o->d, &fd, err);
	if (r < 0)
		return r;
	r = order_merge(o->d, ir->table, &o->order, o->stretches,
			o->stretch_count, 0, fd, err);
	o->stretch_count = 0;
	return r < 0 ? r : line_order_open(fd, &ir->order, err);
}

/* 1: it was changed meanwhile. */
static int open_once(struct opening *o, struct cvx_err *err)
{
	size_t i;
	int r = find_index(o, err);

	o->reader = r < 0 ? NULL : calloc(1, sizeof(*o->reader));
	if (!o->reader)
		return r < 0 ? r : cvx_fail_memory(err);
	r = deployment_open_table(o->d, o->component, o->table,
				  &o->reader->table, err);
	if (r < 0)
		return r;
	o->reader->info = *table_reader_info(o->reader->table);
	o->reader->info.revision = index_revision(o, &o->reader->info);
	r = look_at_catalog(o, embedded_lock_reads(o->d), err);
	embedded_unlock_reads(o->d);
	if (r != 0 || o->reader->is_sorted)
		return r;
	o->stretches = calloc(o->run_count + 1, sizeof(*o->stretches));
	if (!o->stretches)
		return cvx_fail_memory(err);
	for (i = 0; r == 0 && i < o->run_count; i++)
		r = open_run(o, &o->runs[i], err);
	if (r == 0)
		r = sort_tail(o, err);
	return r != 0 ? r : merge_stretches(o, err);
}

int deployment_open_index(struct deployment *d, const char *component,
			  const char *table, const char *index,
			  struct index_reader **ret, struct cvx_err *err)
{
	int r = 1, tries;

	for (tries = 0; r == 1 && tries < OPEN_TRIES; tries++) {
		struct opening o = {.d = d,
				    .component = component,
				    .table = table,
				    .index = index};

		r = open_once(&o, err);
		if (r == 0)
			*ret = CVX_TAKE(o.reader);
		opening_fini(&o);
	}
	if (r == 1)
		return cvx_fail(err, -EIO,
				"index %s of table %s is damaged: a file that "
				"the catalog names is missing in %s/indexes; "
				"set the schema without it, and again",
				index, table, d->dir);
	return r;
}

const struct table_info *index_reader_info(const struct index_reader *ir)
{
	return &ir->info;
}

void index_reader_close(struct index_reader *ir)
{
	if (!ir)
		return;
	line_order_close(&ir->order);
	table_reader_close(ir->table);
	free(ir);
}

/* Bytes of the nth line from the offset on, and of those that lie right behind
 * it in the table as well as in the index: where they are, and how many. */
static size_t find_piece(const struct index_reader *ir, uint64_t *nth,
			 size_t inside, size_t size, uint64_t *ret_off)
{
	line_entry entry = line_order_at(&ir->order, *nth);
	uint64_t off = ir->start + line_entry_off(entry), end;
	size_t n = line_entry_size(entry);

	n = inside < n ? n - inside : 0;
	*ret_off = off + inside;
	end = off + line_entry_size(entry);
	for (++*nth; n < size && *nth < ir->order.count; ++*nth) {
		entry = line_order_at(&ir->order, *nth);
		if (ir->start + line_entry_off(entry) != end)
			break;
		end += line_entry_size(entry);
		n += line_entry_size(entry);
	}
	return n < size ? n : size;
}

int index_reader_read(struct index_reader *ir, uint64_t off, void *buf,
		      size_t size, size_t *ret_n, struct cvx_err *err)
{
	uint64_t nth, before, table_off;
	size_t done = 0, want, n, inside;
	int r;

	if (ir->is_sorted)
		return table_reader_read(ir->table, off, buf, size, ret_n, err);
	*ret_n = 0;
	if (off >= ir->order.text_size)
		return 0;
	nth = line_order_find(&ir->order, off, &before);
	inside = (size_t)(off - before);
	for (; done < size && nth < ir->order.count; inside = 0) {
		want = find_piece(ir, &nth, inside, size - done, &table_off);
		r = table_reader_read(ir->table, table_off, (char *)buf + done,
				      want, &n, err);
		if (r == 0 && n != want)
			r = cvx_fail(err, -EIO,
				     "the file of an index is damaged");
		if (r < 0)
			return r;
		done += n;
	}
	*ret_n = done;
	return 0;
}
