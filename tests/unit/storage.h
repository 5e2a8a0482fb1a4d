/*
 * storage: archives of stored files, and what a deployment has of them, for
 * tests.
 */
#ifndef CVX_TESTS_UNIT_STORAGE_H
#define CVX_TESTS_UNIT_STORAGE_H

#include <stdint.h>

#include "importer/import.h"
#include "importer/stored_file.h"

struct cvx_err;
struct deployment;

/* Ids: of number 540, but for the last. */
#define STORED_FIRST "kg2060r30c1g60r30c1g60r30d6hab3t"
#define STORED_1 "kg202081040g2081040g2081056ha43g"
#define STORED_2 "kg2040g2081040g2081040g2096ha7qn"
#define STORED_35 "4c0g2081040g2081040g20819mas71r" /* of number 35 */

#define STORED_ROWS "_storage/documents.jsonl"

/* Restores an archive of rows and, unless id is NULL, one file. */
int storage_restore_one(struct deployment *d, enum import_mode mode,
			const char *rows, const char *id, const char *bytes,
			struct cvx_err *err);

struct storage_info storage_stat(struct deployment *d, const char *component);

/* The facts of a file that must hold the bytes; stored_file_fini() ends
 * them. */
struct stored_file storage_expect_file(struct deployment *d,
				       const char *component, const char *id,
				       const char *want);
void storage_expect_no_file(struct deployment *d, const char *component,
			    const char *id);

/* So many files are in the root, and nothing is left of what failed. */
void storage_expect_count(struct deployment *d, uint64_t file_count);

/* NULL is "none". */
void storage_expect_text(const char *got, const char *want);

#endif
