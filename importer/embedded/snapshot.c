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
#include "importer/embedded/rows_by_id.h"
#include "importer/embedded/snapshot_inside.h"

/*
 * How often the catalog is read again because a file went before it could be
 * kept. Each time a whole commit has come in between; links that were made
 * stay, so that only what is new is left to do. After that, commits are kept
 * out.
 */
#define TRIES 5
#define TRIES_READ_ONLY 100

CVX_DEFINE_CLEANUP(struct snapshot, snapshot_free)

void snapshot_free(struct snapshot *s)
{
	if (!s)
		return;
	snapshot_clear(s);
	free(s->component);
	free(s->components);
	free(s->tables);
	free(s->segments);
	free(s->files);
	stage_folder_free(s->links);
	free(s);
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
		r = snapshot_read(s, c, err);
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
	r = snapshot_read(s, s->d->writes, err);
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

int snapshot_new(struct deployment *d, const char *component, bool with_files,
		 struct snapshot **ret, struct cvx_err *err)
{
	CVX_AUTO(snapshot_freep) struct snapshot *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return cvx_fail_memory(err);
	s->d = d;
	s->with_files = with_files;
	s->component = strdup(component);
	if (!s->component)
		return cvx_fail_memory(err);
	r = deployment_find_component(d, component, err);
	if (r == 0 && !d->read_only)
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
