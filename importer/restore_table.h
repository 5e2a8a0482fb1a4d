/*
 * restore_table: the rows of one table of an archive, read, converted and kept
 * until all tables are committed.
 *
 * Threads: several tables may be converted at the same time.
 */
#ifndef CVX_IMPORTER_RESTORE_TABLE_H
#define CVX_IMPORTER_RESTORE_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "importer/embedded/commit.h"
#include "importer/embedded/plan.h"
#include "importer/import.h"
#include "importer/places.h"

struct archive;
struct contents_table;
struct cvx_err;
struct deployment;
struct restore_storage;
struct running_import;
struct shelf;

/* What the conversion of any table works with. */
struct restore_work {
	struct deployment *d;
	struct archive *a;
	struct shelf *shelf;
	const _Atomic bool *canceled;
	struct places places; /* of the table that was refused */

	/* The progress that .convex/imports.jsonl shows. */
	struct running_import *running;
	uint64_t archive_size;	    /* bytes of the file */
	uint64_t total_size;	    /* bytes of all rows and files */
	_Atomic uint64_t read_size; /* of them so far */
};

struct restore_table {
	const struct contents_table *contents;
	struct import_target target;
	struct plan plan;	 /* the rows were made with */
	struct commit_rows rows; /* their text and keys may be on the shelf */
	struct restore_storage *storage; /* NULL, but for stored files */
	struct places_origin *origins;	 /* NULL, but for several entries */
	size_t origin_count;
	bool is_on_shelf, has_keys;
	uint64_t text_off, keys_off;
};

/* Counts bytes of entries that were read. */
void restore_note_read(struct restore_work *w, uint64_t size);

/* The bytes of its rows and files, as the directory has them. */
uint64_t restore_table_size(const struct restore_work *w,
			    const struct restore_table *t);

/*
 * Converts the rows as plan says, in place of what was converted before. Text
 * of a refusal begins with the name of the entry; if rows are to blame,
 * *ret_places are all that are known.
 */
int restore_table_convert(struct restore_work *w, struct restore_table *t,
			  const struct plan *plan, struct places *ret_places,
			  struct cvx_err *err);

/* Points the rows at the shelf's bytes. */
void restore_table_point(struct restore_table *t, const char *shelf);

void restore_table_fini(struct restore_table *t);

#endif
