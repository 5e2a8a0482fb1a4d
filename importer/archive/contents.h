/*
 * contents: which tables an archive mentions, and where what it says of them
 * stands (import.md 6.5, 6.7, 7.1).
 *
 * Threads: not locked; fixed once it is read.
 * Errors:  refusals whose text names the entry.
 */
#ifndef CVX_IMPORTER_ARCHIVE_CONTENTS_H
#define CVX_IMPORTER_ARCHIVE_CONTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/value/name.h"

struct archive;
struct cvx_err;

/* A component path of more bytes is refused: some 60 levels. */
#define CONTENTS_PATH_MAX ((size_t)4096)

struct contents_table {
	const char *component; /* lives as long as the contents */
	char table[NAME_MAX_SIZE + 1];

	bool is_listed; /* in _tables, under this number and in that row */
	uint32_t number;
	unsigned listed_row;

	/* The entries with its rows, in the order of the archive. */
	const uint64_t *documents;
	size_t document_count;
	/* Of the first row, unless the table is listed. */
	bool has_first_number;
	uint32_t first_number;

	bool has_schema; /* the last generated_schema.jsonl */
	uint64_t schema;

	/* Rows about stored files; the table's name is "_storage". */
	bool is_storage;
	/* The entries with their bytes, in the order of the archive. */
	const uint64_t *files;
	size_t file_count;
};

struct contents {
	struct contents_table *tables; /* by component and name */
	size_t table_count;
	char **components; /* all that have an entry, by their bytes */
	size_t component_count;
	uint64_t *documents, *files; /* where the tables' entries stand */

	/* The first entry that would be a stored file if its name were an id;
	 * it fails a restore, but not before tables are planned
	 * (import.md 6.5, 10.3). */
	bool has_bad_file;
	uint64_t bad_file;
};

/*
 * Reads names, lists of tables and first rows. *canceled ends it with
 * -ECANCELED.
 */
int contents_read(struct archive *a, const char *base_component,
		  const _Atomic bool *canceled, struct contents **ret,
		  struct cvx_err *err);
void contents_free(struct contents *c);

/* InvalidStorageId if there is a bad file. */
int contents_check_files(struct archive *a, const struct contents *c,
			 struct cvx_err *err);

/* <0, 0, >0: the order of the tables. */
int contents_compare(const char *component_a, const char *table_a,
		     const char *component_b, const char *table_b);

#endif
