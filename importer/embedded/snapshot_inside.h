/*
 * snapshot_inside: a snapshot as snapshot.c and snapshot_read.c see it.
 */
#ifndef CVX_IMPORTER_EMBEDDED_SNAPSHOT_INSIDE_H
#define CVX_IMPORTER_EMBEDDED_SNAPSHOT_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/embedded/segments.h"
#include "importer/embedded/snapshot.h"

struct catalog;
struct cvx_err;
struct deployment;
struct stage_folder;

/* A segment, and its files if they are kept open. */
struct kept_segment {
	struct segment_row row;
	int rows_fd, keys_fd; /* -1: linked */
};

struct snapshot {
	struct deployment *d;
	char *component;
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

/* Lists everything anew, within a transaction of the caller's. */
int snapshot_read(struct snapshot *s, struct catalog *c, struct cvx_err *err);

/* Forgets what was listed, and closes what was kept of it. */
void snapshot_clear(struct snapshot *s);

#endif
