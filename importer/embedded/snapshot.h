/*
 * snapshot: what a deployment held at one moment, to its last byte.
 *
 * All components, tables and stored files are listed in one transaction, and
 * the files that they are made of get a second name in a folder of stage/
 * (stage_folder.h), so that they can be read whatever is committed, compacted
 * or deleted meanwhile, also by other processes, at no descriptor a table. A
 * deployment that is read-only, or lies on a disk that has no hard links, keeps
 * descriptors open instead.
 *
 * Cost:    a link or two a segment, one a stored file; some 300 bytes of
 *          memory each.
 * Threads: fixed after snapshot_new(); any number of readers side by side.
 */
#ifndef CVX_IMPORTER_EMBEDDED_SNAPSHOT_H
#define CVX_IMPORTER_EMBEDDED_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/deployment.h"
#include "importer/stored_file.h"

struct cvx_err;
struct deployment;
struct rows_by_id;
struct snapshot;

/*
 * Of the component and all below it; "" is the root, so all there is. -ENOENT
 * if there is no such component. The deployment must outlive it, and its
 * readers must be gone first.
 */
int snapshot_new(struct deployment *d, const char *component, bool with_files,
		 struct snapshot **ret, struct cvx_err *err);
void snapshot_free(struct snapshot *s); /* NULL is allowed */

/* Unix time, not before any commit that it shows. */
int64_t snapshot_ns(const struct snapshot *s);

/* The newest of the commits that it shows; 0 without any. */
int64_t snapshot_committed_ns(const struct snapshot *s);

/* Components in the order of their making, so each behind those above it. */
struct snapshot_component {
	char *path;
	int64_t id;
	/* which of the tables are its own, by their number */
	size_t table_first, table_count;
	/* and which of the stored files, by their id */
	size_t file_first, file_count;
};

/* All lists live as long as the snapshot. */
const struct snapshot_component *snapshot_components(const struct snapshot *s,
						     size_t *ret_count);

struct snapshot_table {
	size_t component; /* index of the list */
	struct table_info info;
	size_t segment_first, segment_count; /* the snapshot's own */
};

const struct snapshot_table *snapshot_tables(const struct snapshot *s,
					     size_t *ret_count);

/* The table's documents by ascending _id. */
int snapshot_open_table(const struct snapshot *s,
			const struct snapshot_table *table,
			struct rows_by_id **ret, struct cvx_err *err);

/* Without any, and if they were not asked for, *ret_count is 0. */
struct snapshot_file {
	size_t component; /* index of the list */
	struct stored_file file;
	uint64_t id; /* the snapshot's own, as the next */
	int fd;
};

const struct snapshot_file *snapshot_files(const struct snapshot *s,
					   size_t *ret_count);

/* The descriptor is the caller's. */
int snapshot_open_file(const struct snapshot *s,
		       const struct snapshot_file *file, int *ret_fd,
		       struct cvx_err *err);

#endif
