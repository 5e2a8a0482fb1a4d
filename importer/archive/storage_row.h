/*
 * storage_row: a line of a backup's _storage/documents.jsonl (import.md 6.7).
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_ARCHIVE_STORAGE_ROW_H
#define CVX_IMPORTER_ARCHIVE_STORAGE_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/value/id.h"
#include "importer/value/sha256.h"

#define STORAGE_ROW_UUID_SIZE 36

struct cvx_err;

struct storage_row {
	uint32_t number; /* of the table, in its id */
	struct internal_id key;
	bool has_time, has_sha256, has_internal_id;
	double creation_time; /* finite, not below 0 */
	unsigned char sha256[SHA256_SIZE];
	char *content_type; /* in its normal form (mime.h); NULL: none */
	char internal_id[STORAGE_ROW_UUID_SIZE + 1]; /* hyphenated */
};

/* Refuses with JsonInvalidRow, InvalidConvexValue, or InvalidZip if the line is
 * no text. */
int storage_row_read(const char *line, size_t size, struct storage_row *ret,
		     struct cvx_err *err);
void storage_row_fini(struct storage_row *row);

/* Refuses a time that no document may have (import.md 3): of a file that is
 * stored, as a row without one is not looked at. */
int storage_row_check_time(const struct storage_row *row, struct cvx_err *err);

#endif
