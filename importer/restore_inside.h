/*
 * restore_inside: the inside of a restore, for restore.c and restore_convert.c
 * only.
 *
 * Threads: see restore.h.
 */
#ifndef CVX_IMPORTER_RESTORE_INSIDE_H
#define CVX_IMPORTER_RESTORE_INSIDE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "importer/embedded/plan.h"
#include "importer/embedded/records.h"
#include "importer/import.h"
#include "importer/restore_table.h"
#include "importer/shelf.h"

struct archive;
struct commit_part;
struct contents;
struct deployment;
struct files_change;

struct restore {
	struct deployment *d;
	char *component, *path;
	enum import_mode mode;
	bool is_copy;
	int64_t job;
	struct import_source source;
	struct running_import running;
	atomic_bool is_canceled;
	bool was_previewed; /* the rows are converted, or refused for good */
	bool was_committed; /* or tried to be */
	struct cvx_err refusal; /* found by the preview */

	uint64_t size; /* of the archive */
	struct archive *archive;
	struct contents *contents;
	struct shelf shelf;
	struct restore_work work;
	struct restore_table *tables; /* one for each of the contents' */
	struct plan_item *items;      /* likewise */
	struct plan_set set, now;     /* of the items; under the write lock */
	size_t count;

	/* Made from them for the commit. */
	struct commit_part *parts;
	size_t part_count;
	struct files_change *files; /* of the tables that are storages */
	size_t files_count;

	struct cvx_buf error_text;
};

/* Opens the archive and reads what is in it: the contents and a table and an
 * item for each. */
int restore_look_inside(struct restore *r, struct cvx_err *err);

/* The set of the items, not planned yet. */
struct plan_set restore_set(const struct restore *r);

/* Names the item to blame, if there is one; returns result. */
int restore_fail_plan(const struct plan_item *failed, int result,
		      struct cvx_err *err);

/* All tables as they would be written now. */
int restore_convert(struct restore *r, struct cvx_err *err);

/* Under the write lock: tables that must be converted otherwise now. */
int restore_convert_stale(struct restore *r, struct cvx_err *err);

#endif
