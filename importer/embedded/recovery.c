#include "importer/embedded/recovery.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "cache/catalog.h"
#include "cache/segment.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/sql.h"

/* One kind of files: a folder of them, and the statement that lists the ids
 * of those that the catalog names, ascending. */
struct kind {
	const char *folder;
	int fd;
	enum sql_statement list;
	bool (*parse)(const char *name, uint64_t *ret_id);
};

/* The ids that the catalog names. */
struct named {
	uint64_t *ids;
	size_t count, capacity;
};

static void named_finip(struct named *named)
{
	free(named->ids);
}

static int read_named(struct catalog *c, const struct kind *kind,
		      struct named *named, struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	int r = catalog_query(c, kind->list, &q, err);

	named->count = 0;
	while (r == 0 && (r = catalog_next(q, err)) == 1) {
		if (named->count == named->capacity) {
			size_t capacity = named->capacity * 2 + 64;
			uint64_t *ids =
				realloc(named->ids, capacity * sizeof(*ids));

			if (!ids)
				return cvx_fail_memory(err);
			named->ids = ids;
			named->capacity = capacity;
		}
		named->ids[named->count++] = (uint64_t)catalog_int(q, 0);
		r = 0;
	}
	return r;
}

static bool is_named(const struct named *named, uint64_t id)
{
	size_t low = 0, high = named->count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (named->ids[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < named->count && named->ids[low] == id;
}

/* "N.rows" or "N.keys" */
static bool parse_segment(const char *name, uint64_t *ret_id)
{
	char rows[SEGMENT_NAME_SIZE], keys[SEGMENT_NAME_SIZE];

	if (sscanf(name, "%" SCNu64, ret_id) != 1)
		return false;
	segment_rows_name(*ret_id, rows);
	segment_keys_name(*ret_id, keys);
	return strcmp(name, rows) == 0 || strcmp(name, keys) == 0;
}

/* "N" */
static bool parse_stored(const char *name, uint64_t *ret_id)
{
	char stored[STORED_FILE_NAME_SIZE];

	if (sscanf(name, "%" SCNu64, ret_id) != 1)
		return false;
	stored_file_name(*ret_id, stored);
	return strcmp(name, stored) == 0;
}

/* Counts the files that nothing names, and removes them if told to. */
static int visit_orphans(struct deployment *d, const struct kind *kind,
			 const struct named *named, bool remove,
			 unsigned *ret_count, struct cvx_err *err)
{
	int fd = openat(kind->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	uint64_t id;

	if (!dir) {
		int r = -errno;

		cvx_closep(&fd);
		return cvx_fail(err, r, "cannot list %s/%s: %s", d->dir,
				kind->folder, strerror(-r));
	}
	*ret_count = 0;
	while ((entry = readdir(dir))) {
		if (!kind->parse(entry->d_name, &id) || is_named(named, id))
			continue;
		(*ret_count)++;
		if (remove && unlinkat(kind->fd, entry->d_name, 0) < 0)
			log_warning("cannot remove %s/%s/%s: %s", d->dir,
				    kind->folder, entry->d_name,
				    strerror(errno));
	}
	(void)closedir(dir);
	return 0;
}

/*
 * Files are published under the write lock only, so under it a file that
 * nothing names is an orphan. The lock is taken only if there seems to be one,
 * and what is looked at again then has been committed over (see I4 and I5 in
 * commit.c).
 */
static int remove_orphans(struct deployment *d, const struct kind *kind,
			  struct named *named, struct cvx_err *err)
{
	unsigned count = 0;
	int r;

	r = catalog_settle(d->writes, err);
	if (r < 0)
		return r;
	r = embedded_begin(d, err);
	if (r < 0)
		return r;
	r = read_named(d->writes, kind, named, err);
	if (r == 0)
		r = visit_orphans(d, kind, named, true, &count, err);
	embedded_rollback(d);
	if (r == 0 && count > 0)
		log_info("%s: removed %u files of unfinished commits", d->dir,
			 count);
	return r;
}

static int recover(struct deployment *d, const struct kind *kind,
		   struct cvx_err *err)
{
	CVX_AUTO(named_finip) struct named named = {NULL, 0, 0};
	unsigned orphans = 0;
	int r = read_named(d->writes, kind, &named, err);

	if (r == 0)
		r = visit_orphans(d, kind, &named, false, &orphans, err);
	if (r == 0 && orphans > 0)
		r = remove_orphans(d, kind, &named, err);
	return r;
}

int recovery_run(struct deployment *d, struct cvx_err *err)
{
	const struct kind segments = {"segments", d->segments_fd,
				      SQL_LIST_SEGMENT_IDS, parse_segment};
	const struct kind stored = {"files", d->stored_fd, SQL_LIST_FILE_IDS,
				    parse_stored};
	const struct kind runs = {"indexes", d->indexes_fd, SQL_LIST_RUN_IDS,
				  parse_stored};
	unsigned stages = segment_sweep_stages(d->stage_fd);
	int r;

	if (stages > 0)
		log_info("%s: removed %u unfinished staged files", d->dir,
			 stages);
	r = recover(d, &segments, err);
	if (r == 0)
		r = recover(d, &stored, err);
	return r < 0 ? r : recover(d, &runs, err);
}
