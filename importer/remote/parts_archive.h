/*
 * parts_archive: an archive of a few entries, each read from a source of its
 * own, for what a deployment takes in no other way.
 *
 * Memory:  as writer.h says.
 * Threads: any; the sources are read from the caller's.
 */
#ifndef CVX_IMPORTER_REMOTE_PARTS_ARCHIVE_H
#define CVX_IMPORTER_REMOTE_PARTS_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#include "importer/source.h"

struct archive_part {
	const char *name;
	struct import_source source;
	uint64_t size;
};

/* Writes it to fd, from its start. */
int parts_archive_write(const struct archive_part *parts, size_t count, int fd,
			uint64_t *ret_size, struct cvx_err *err);

#endif
