/*
 * storage_rows: all lines of a backup's _storage/documents.jsonl, by id.
 *
 * Threads: fixed after storage_rows_read.
 */
#ifndef CVX_IMPORTER_ARCHIVE_STORAGE_ROWS_H
#define CVX_IMPORTER_ARCHIVE_STORAGE_ROWS_H

#include <stddef.h>

#include "importer/archive/storage_row.h"

struct cvx_err;

struct storage_rows {
	struct storage_row *list; /* in the order of their keys */
	size_t count;
};

/* The refusal of a line names its row. An id that comes twice is
 * DuplicateId. */
int storage_rows_read(const char *text, size_t size, struct storage_rows *ret,
		      struct cvx_err *err);
void storage_rows_fini(struct storage_rows *rows);

/* The row of that id, or NULL. It lives as long as the rows. */
const struct storage_row *storage_rows_find(const struct storage_rows *rows,
					    uint32_t number,
					    const struct internal_id *key);

#endif
