/*
 * backup: archives that are made and restored, for tests.
 */
#ifndef CVX_TESTS_UNIT_BACKUP_H
#define CVX_TESTS_UNIT_BACKUP_H

#include <stdint.h>

#include "cache/base/buf.h"
#include "importer/import.h"
#include "importer/source.h"

struct cvx_err;
struct deployment;
struct restore_result;
struct zip_maker;

/* Adds PREFIX/TABLE/documents.jsonl, and a generated schema unless it is
 * NULL. */
void backup_add_table(struct zip_maker *z, const char *prefix,
		      const char *table, const char *rows, const char *schema);

/* Restore an archive as "backup.zip"; ret may be NULL. */
int backup_restore_source(struct deployment *d, const char *component,
			  enum import_mode mode,
			  const struct import_source *source, uint64_t size,
			  struct restore_result *ret, struct cvx_err *err);
int backup_restore(struct deployment *d, enum import_mode mode,
		   const struct cvx_buf *file, struct restore_result *ret,
		   struct cvx_err *err);

/* Ends the archive, restores and frees it. */
int backup_end_and_restore(struct deployment *d, enum import_mode mode,
			   struct zip_maker *z, struct cvx_err *err);

#endif
