/* What a snapshot lists: one transaction of the catalog. */
#include "importer/embedded/snapshot_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/files.h"
#include "importer/embedded/segments.h"
#include "importer/embedded/sql.h"

void snapshot_clear(struct snapshot *s)
{
	size_t i;

	for (i = 0; i < s->component_count; i++)
		free(s->components[i].path);
	for (i = 0; i < s->segment_count; i++) {
		cvx_closep(&s->segments[i].rows_fd);
		cvx_closep(&s->segments[i].keys_fd);
	}
	for (i = 0; i < s->file_count; i++) {
		cvx_closep(&s->files[i].fd);
		stored_file_fini(&s->files[i].file);
	}
	s->component_count = s->table_count = 0;
	s->segment_count = s->file_count = 0;
}

/* Room for one more in an array that grows. */
static int reserve(void **list, size_t count, size_t *capacity, size_t size,
		   struct cvx_err *err)
{
	void *more;

	if (count < *capacity)
		return 0;
	*capacity = *capacity * 2 + 16;
	more = reallocarray(*list, *capacity, size);
	if (!more)
		return cvx_fail_memory(err);
	*list = more;
	return 0;
}

static void note_commit(struct snapshot *s, int64_t committed_ns)
{
	if (committed_ns > s->committed_ns)
		s->committed_ns = committed_ns;
}

static int read_components(struct snapshot *s, struct catalog *c,
			   struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	struct snapshot_component *component;
	const char *bytes;
	size_t size;
	int r = catalog_query(c, SQL_SNAPSHOT_COMPONENTS, &q, err);

	if (r == 0)
		catalog_bind_text(q, 1, s->component);
	while (r == 0 && (r = catalog_next(q, err)) == 1) {
		r = reserve((void **)&s->components, s->component_count,
			    &s->component_capacity, sizeof(*s->components),
			    err);
		if (r < 0)
			return r;
		component = &s->components[s->component_count];
		bytes = catalog_bytes(q, 1, &size);
		*component = (struct snapshot_component){
			.path = strndup(bytes, size),
			.id = catalog_int(q, 0),
		};
		if (!component->path)
			return cvx_fail_memory(err);
		s->component_count++;
	}
	if (r == 0 && s->component_count == 0)
		return cvx_fail(err, -EIO, "component %s was just removed",
				s->component);
	return r;
}

static int read_segments(struct snapshot *s, struct catalog *c,
			 int64_t table_id, size_t *ret_count,
			 struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct segment_row *rows = NULL;
	size_t count = 0, i;
	int r = segments_list(c, table_id, &rows, &count, err);

	for (i = 0; r == 0 && i < count; i++) {
		r = reserve((void **)&s->segments, s->segment_count,
			    &s->segment_capacity, sizeof(*s->segments), err);
		if (r == 0)
			s->segments[s->segment_count++] =
				(struct kept_segment){rows[i], -1, -1};
	}
	*ret_count = count;
	return r;
}

static int read_table(struct snapshot *s, struct catalog *c,
		      struct catalog_query *q, size_t component,
		      struct cvx_err *err)
{
	struct snapshot_table *table;
	const char *name;
	size_t size;
	int r = reserve((void **)&s->tables, s->table_count, &s->table_capacity,
			sizeof(*s->tables), err);

	if (r < 0)
		return r;
	table = &s->tables[s->table_count];
	*table = (struct snapshot_table){
		.component = component,
		.segment_first = s->segment_count,
		.info =
			{
				.number = (uint32_t)catalog_int(q, 3),
				.revision = (uint64_t)catalog_int(q, 4),
				.committed_ns = catalog_int(q, 5),
				.document_count = (uint64_t)catalog_int(q, 6),
				.size = (uint64_t)catalog_int(q, 7),
			},
	};
	name = catalog_bytes(q, 2, &size);
	if (size > NAME_MAX_SIZE)
		size = NAME_MAX_SIZE;
	memcpy(table->info.name, name, size);
	note_commit(s, table->info.committed_ns);
	s->components[component].table_count++;
	s->table_count++;
	return read_segments(s, c, catalog_int(q, 1), &table->segment_count,
			     err);
}

/* Both lists are in the order of the components' ids. */
static int read_tables(struct snapshot *s, struct catalog *c,
		       struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	size_t component = 0;
	int r = catalog_query(c, SQL_SNAPSHOT_TABLES, &q, err);

	if (r == 0)
		catalog_bind_text(q, 1, s->component);
	while (r == 0 && (r = catalog_next(q, err)) == 1) {
		while (component < s->component_count &&
		       s->components[component].id != catalog_int(q, 0)) {
			component++;
			if (component < s->component_count)
				s->components[component].table_first =
					s->table_count;
		}
		if (component == s->component_count)
			return cvx_fail(err, -EIO,
					"the catalog is damaged: a table has "
					"no component");
		r = read_table(s, c, q, component, err);
	}
	while (r == 0 && ++component < s->component_count)
		s->components[component].table_first = s->table_count;
	return r;
}

static int read_files_of(struct snapshot *s, struct catalog *c,
			 size_t component, struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	struct snapshot_component *owner = &s->components[component];
	struct file_row row;
	int r = files_begin(c, owner->path, &q, err);

	owner->file_first = s->file_count;
	while (r == 0 && (r = files_next(q, &row, err)) == 1) {
		r = reserve((void **)&s->files, s->file_count,
			    &s->file_capacity, sizeof(*s->files), err);
		if (r < 0) {
			stored_file_fini(&row.file);
			return r;
		}
		s->files[s->file_count++] =
			(struct snapshot_file){component, row.file, row.id, -1};
	}
	owner->file_count = s->file_count - owner->file_first;
	return r;
}

static int read_files(struct snapshot *s, struct catalog *c,
		      struct cvx_err *err)
{
	struct storage_info info;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < s->component_count; i++) {
		r = storage_find(c, s->components[i].id, &info, err);
		if (r == 0) {
			note_commit(s, info.committed_ns);
			r = read_files_of(s, c, i, err);
		}
	}
	return r;
}

int snapshot_read(struct snapshot *s, struct catalog *c, struct cvx_err *err)
{
	int r;

	snapshot_clear(s);
	s->committed_ns = 0;
	r = read_components(s, c, err);
	if (r == 0)
		r = read_tables(s, c, err);
	if (r == 0 && s->with_files)
		r = read_files(s, c, err);
	/* A clock that went back must not tell of what was not yet there. */
	s->taken_ns = embedded_now_ns();
	if (s->taken_ns < s->committed_ns)
		s->taken_ns = s->committed_ns;
	return r;
}
