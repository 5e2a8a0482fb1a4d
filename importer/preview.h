/*
 * preview: what an import or a restore would do, before it is committed
 * (import.md 10.3).
 *
 *   import_new -> import_preview -> preview_fini -> import_commit
 *   restore_new -> restore_preview -> preview_fini -> restore_commit
 *
 * import_preview() and restore_preview() are in import.h and restore.h. They
 * convert the whole file and keep the rows, so that the commit does not parse
 * again; what others commit in between is noticed by the commit.
 *
 * The counts are those of the moment they were read: the tables are not
 * locked while somebody thinks.
 *
 * Threads: not locked.
 */
#ifndef CVX_IMPORTER_PREVIEW_H
#define CVX_IMPORTER_PREVIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/base/err.h"
#include "importer/import.h"

struct cvx_buf;

struct preview_table {
	char *component; /* "": the root */
	char table[NAME_MAX_SIZE + 1];
	uint64_t create_count;	 /* rows of the file */
	uint64_t existing_count; /* documents, now */
	uint64_t delete_count;	 /* of those */
	bool lacks_ids; /* some row lacks its _id or its _creationTime */
};

struct preview {
	/* Mentioned ones, and for replace-all all there are; by component and
	 * name. Stored files are the table _storage. */
	struct preview_table *tables;
	size_t table_count;
	bool needs_confirmation; /* something would be deleted */

	/*
	 * What the commit will fail with: a refusal that import.md 12 puts
	 * behind the confirmation (stage I). code 0: none is known. The counts
	 * are then those of the rows that were read.
	 */
	struct cvx_err refusal;
};

/* NULL is allowed, and one filled with zeros. */
void preview_fini(struct preview *p);

/* Whether a refusal of rows is one that shows up while the file is parsed
 * (stage P), so before anybody is asked. */
bool preview_is_parsing_refusal(const char *name);

/*
 * The heading line, and for each component its change table; nothing if no
 * table is listed. Lines end with LF, but for the last one.
 */
int preview_print(const struct preview *p, struct cvx_buf *out);

/* A row of a change table: "3 of 7 files" would be deleted. */
struct preview_change {
	const char *table;
	uint64_t create_count, delete_count, existing_count;
	const char *unit; /* "", or " files" */
};

/* The lines of one change table, each ended by LF. */
int preview_print_changes(const struct preview_change *changes, size_t count,
			  struct cvx_buf *out);

/* --- for import.c and restore.c ------------------------------------------ */

/* Adds a mentioned table, with what the deployment holds of it now. */
int preview_add(struct preview *p, struct deployment *d,
		const struct import_target *target, uint64_t create_count,
		bool lacks_ids, struct cvx_err *err);

/* After the last preview_add(): the tables that replace-all touches besides
 * (mode says whether), order, and needs_confirmation. */
int preview_finish(struct preview *p, struct deployment *d,
		   enum import_mode mode, struct cvx_err *err);

#endif
