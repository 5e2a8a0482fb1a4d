/*
 * uniform_archive: the rows of one table, packed as an archive that says that
 * they are of uniform encoding: what a file of rows alone cannot say to a
 * deployment (filesystem.md M-7).
 *
 * Threads: any; the source is read from the caller's.
 */
#ifndef CVX_IMPORTER_REMOTE_UNIFORM_ARCHIVE_H
#define CVX_IMPORTER_REMOTE_UNIFORM_ARCHIVE_H

#include <stdint.h>

#include "importer/source.h"

/* Writes it to fd, from its start, of the size bytes of the source. */
int uniform_archive_write(const char *table, const struct import_source *source,
			  uint64_t size, int fd, uint64_t *ret_size,
			  struct cvx_err *err);

#endif
