/*
 * storage_archive: a stored file with its row, packed as an archive that brings
 * it back under its id (import.md 6.7; protocol.md FIL-5).
 *
 * Memory:  as writer.h says.
 * Threads: any; the descriptor is read from the caller's.
 */
#ifndef CVX_IMPORTER_REMOTE_STORAGE_ARCHIVE_H
#define CVX_IMPORTER_REMOTE_STORAGE_ARCHIVE_H

#include <stdint.h>

#include "importer/value/sha256.h"

struct cvx_err;
struct storage_row;

struct archived_file {
	const struct storage_row *row; /* what it does not tell is made new */
	int fd;			       /* has the bytes [0, size) */
	uint64_t size;
	unsigned char sha256[SHA256_SIZE]; /* of them */
};

/* Writes it to fd, from its start. */
int storage_archive_write(const struct archived_file *file, int fd,
			  uint64_t *ret_size, struct cvx_err *err);

#endif
