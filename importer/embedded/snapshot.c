#include "importer/embedded/snapshot.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "cache/segment.h"
#include "cache/stage_folder.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/files.h"
#include "importer/embedded/rows_by_id.h"
#include "importer/embedded/sql.h"
#include "importer/embedded/tables.h"

/*
 * How often the catalog is read again because a file went before it could be
 * kept. Each time a whole commit has come in between; links that were made
 * stay, so that only what is new is left to do. After that, commits are kept
 * out.
 */
#define TRIES 5
#define TRIES_READ_ONLY 100

/* A segment, and its files if they are kept open. */
struct kept_segment {
	struct segment_row row;
	int rows_fd, keys_fd; /* -1: linked */
};

struct snapshot {
	struct deployment *d;
	bool with_files;
	int64_t taken_ns, committed_ns;
	struct stage_folder *links; /* NULL: descriptors are kept */

	struct snapshot_component *components;
	size_t component_count, component_capacity;
	struct snapshot_table *tables;
	size_t table_count, table_capacity;
	struct kept_segment *segments;
	size_t segment_count, segment_capacity;
	struct snapshot_file *files;
	size_t file_count, file_capacity;
};

CVX_DEFINE_CLEANUP(struct snapshot, snapshot_free)

/* Forgets what was listed. */
static void clear(struct snapshot *s)
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

void snapshot_free(struct snapshot *s)
{
	if (!s)
		return;
	clear(s);
	free(s->components);
	free(s->tables);
	free(s->segments);
	free(s->files);
	stage_folder_free(s->links);
	free(s);
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

/* Within a transaction. */
static int read_catalog(struct snapshot *s, struct catalog *c,
			struct cvx_err *err)
{
	int r;

	clear(s);
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

/* Whether the disk has no second names for files. */
static bool is_refusal(int r)
{
	return r == -EPERM || r == -EMLINK || r == -EXDEV || r == -ENOSYS ||
	       r == -EOPNOTSUPP;
}

/* Links the file, or opens it if there are no links. -ENOENT without a text. */
static int keep(struct snapshot *s, int dir_fd, const char *folder,
		const char *name, int *ret_fd, struct cvx_err *err)
{
	int r = 0;

	if (s->links &&
	    linkat(dir_fd, name, stage_folder_fd(s->links), name, 0) < 0 &&
	    errno != EEXIST)
		r = -errno;
	if (is_refusal(r)) {
		stage_folder_free(CVX_TAKE(s->links));
		r = -ENOENT; /* begin anew, with descriptors */
	} else if (!s->links) {
		*ret_fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
		r = *ret_fd < 0 ? -errno : 0;
	}
	if (r < 0 && r != -ENOENT)
		return cvx_fail(err, r, "cannot keep %s/%s/%s: %s", s->d->dir,
				folder, name, strerror(-r));
	return r;
}

static int keep_segment(struct snapshot *s, struct kept_segment *segment,
			struct cvx_err *err)
{
	char name[SEGMENT_NAME_SIZE];
	int r;

	segment_rows_name(segment->row.id, name);
	r = keep(s, s->d->segments_fd, "segments", name, &segment->rows_fd,
		 err);
	if (r < 0 || segment->row.ascending)
		return r;
	segment_keys_name(segment->row.id, name);
	return keep(s, s->d->segments_fd, "segments", name, &segment->keys_fd,
		    err);
}

static int keep_all(struct snapshot *s, struct cvx_err *err)
{
	char name[STORED_FILE_NAME_SIZE];
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < s->segment_count; i++)
		r = keep_segment(s, &s->segments[i], err);
	for (i = 0; r == 0 && i < s->file_count; i++) {
		stored_file_name(s->files[i].id, name);
		r = keep(s, s->d->stored_fd, "files", name, &s->files[i].fd,
			 err);
	}
	return r;
}

/* -ENOENT if something went meanwhile. */
static int try_taking(struct snapshot *s, struct cvx_err *err)
{
	struct catalog *c = embedded_lock_reads(s->d);
	int r = catalog_begin_read(c, err);

	if (r == 0)
		r = read_catalog(s, c, err);
	catalog_rollback(c);
	embedded_unlock_reads(s->d);
	return r < 0 ? r : keep_all(s, err);
}

/* While nobody commits. */
static int take_alone(struct snapshot *s, struct cvx_err *err)
{
	int r = embedded_begin(s->d, err);

	if (r < 0)
		return r;
	r = read_catalog(s, s->d->writes, err);
	if (r == 0)
		r = keep_all(s, err);
	if (r == -ENOENT && !s->links) /* from the start, without links */
		r = keep_all(s, err);
	embedded_rollback(s->d);
	return r;
}

static int take(struct snapshot *s, struct cvx_err *err)
{
	int tries = s->d->read_only ? TRIES_READ_ONLY : TRIES, r = -ENOENT;

	while (r == -ENOENT && tries-- > 0)
		r = try_taking(s, err);
	if (r == -ENOENT && !s->d->read_only)
		r = take_alone(s, err);
	if (r == -ENOENT)
		return cvx_fail(err, -EIO,
				"the deployment is damaged: a file that the "
				"catalog names is missing in %s; restore the "
				"folder from a copy, or import the table again",
				s->d->dir);
	return r;
}

int snapshot_new(struct deployment *d, bool with_files, struct snapshot **ret,
		 struct cvx_err *err)
{
	CVX_AUTO(snapshot_freep) struct snapshot *s = calloc(1, sizeof(*s));
	int r = 0;

	if (!s)
		return cvx_fail_memory(err);
	s->d = d;
	s->with_files = with_files;
	if (!d->read_only)
		r = stage_folder_new(d->stage_fd, &s->links, err);
	if (r == 0)
		r = take(s, err);
	if (r < 0)
		return r;
	*ret = CVX_TAKE(s);
	return 0;
}

int64_t snapshot_ns(const struct snapshot *s)
{
	return s->taken_ns;
}

int64_t snapshot_committed_ns(const struct snapshot *s)
{
	return s->committed_ns;
}

const struct snapshot_component *snapshot_components(const struct snapshot *s,
						     size_t *ret_count)
{
	*ret_count = s->component_count;
	return s->components;
}

const struct snapshot_table *snapshot_tables(const struct snapshot *s,
					     size_t *ret_count)
{
	*ret_count = s->table_count;
	return s->tables;
}

/* A descriptor of the kept file, the caller's own. */
static int open_kept(const struct snapshot *s, const char *name, int kept_fd,
		     int *ret_fd, struct cvx_err *err)
{
	int r = 0;

	if (kept_fd >= 0) {
		*ret_fd = fcntl(kept_fd, F_DUPFD_CLOEXEC, 0);
		r = *ret_fd < 0 ? -errno : 0;
	} else {
		*ret_fd = openat(stage_folder_fd(s->links), name,
				 O_RDONLY | O_CLOEXEC);
		r = *ret_fd < 0 ? -errno : 0;
	}
	return r < 0 ? cvx_fail(err, r, "cannot open %s of a snapshot: %s",
				name, strerror(-r))
		     : 0;
}

static int open_segment(const struct snapshot *s,
			const struct kept_segment *kept,
			struct rows_segment *ret, struct cvx_err *err)
{
	CVX_AUTO(cvx_closep) int rows_fd = -1;
	char name[SEGMENT_NAME_SIZE];
	int keys_fd = -1, r;

	segment_rows_name(kept->row.id, name);
	r = open_kept(s, name, kept->rows_fd, &rows_fd, err);
	if (r == 0 && !kept->row.ascending) {
		segment_keys_name(kept->row.id, name);
		r = open_kept(s, name, kept->keys_fd, &keys_fd, err);
	}
	if (r < 0)
		return r;
	*ret = (struct rows_segment){kept->row, CVX_TAKE_FD(rows_fd), keys_fd};
	return 0;
}

int snapshot_open_table(const struct snapshot *s,
			const struct snapshot_table *table,
			struct rows_by_id **ret, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep)
	struct rows_segment *list =
		calloc(table->segment_count + 1, sizeof(*list));
	size_t i = 0;
	int r = 0;

	if (!list)
		return cvx_fail_memory(err);
	while (r == 0 && i < table->segment_count) {
		r = open_segment(s, &s->segments[table->segment_first + i],
				 &list[i], err);
		if (r == 0)
			i++;
	}
	if (r == 0)
		return rows_by_id_new(list, table->segment_count, ret, err);
	while (i-- > 0) {
		cvx_closep(&list[i].rows_fd);
		cvx_closep(&list[i].keys_fd);
	}
	return r;
}

const struct snapshot_file *snapshot_files(const struct snapshot *s,
					   size_t *ret_count)
{
	*ret_count = s->file_count;
	return s->files;
}

int snapshot_open_file(const struct snapshot *s,
		       const struct snapshot_file *file, int *ret_fd,
		       struct cvx_err *err)
{
	char name[STORED_FILE_NAME_SIZE];

	stored_file_name(file->id, name);
	return open_kept(s, name, file->fd, ret_fd, err);
}
