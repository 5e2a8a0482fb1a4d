/*
 * storage_archive: stored files with their rows, packed as an archive that
 * brings them back under their ids (import.md 6.7; protocol.md FIL-5).
 *
 * Memory:  a line of some 300 bytes a file, and what writer.h takes.
 * Threads: any; the descriptors are read from the caller's.
 */
#ifndef CVX_IMPORTER_REMOTE_STORAGE_ARCHIVE_H
#define CVX_IMPORTER_REMOTE_STORAGE_ARCHIVE_H

#include <stddef.h>
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
int storage_archive_write(const struct archived_file *files, size_t count,
			  int fd, uint64_t *ret_size, struct cvx_err *err);

#endif
