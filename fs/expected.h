/*
 * expected: what a _storage/documents.jsonl that was written says of files
 * that are not stored yet.
 *
 * A backup that is copied in brings its files and the list of them one by one,
 * in any order. A file that comes after the list is stored as its row says; for
 * one that came before it, the row is applied when the list comes (store.h).
 * The last list of each component is kept as long as the mount lasts.
 *
 * Memory:  some 200 bytes a row; store.h bounds a list.
 * Threads: locked inside.
 */
#ifndef CVX_FS_EXPECTED_H
#define CVX_FS_EXPECTED_H

#include <stdint.h>

#include "importer/value/id.h"

struct cvx_err;
struct expected;
struct storage_row;
struct storage_rows;

int expected_new(struct expected **ret, struct cvx_err *err);
void expected_free(struct expected *e);

/* Takes the rows over, also on failure. */
int expected_put(struct expected *e, const char *component,
		 struct storage_rows *rows, struct cvx_err *err);

/* 1 and a copy of the file's row, for storage_row_fini(); 0: there is none. */
int expected_find(struct expected *e, const char *component, uint32_t number,
		  const struct internal_id *key, struct storage_row *ret,
		  struct cvx_err *err);

#endif
