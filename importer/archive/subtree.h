/*
 * subtree: the part of a backup that belongs to one component and to those
 * below it, as a backup of its own with the component as its root (import.md
 * 1.3). README.md stays; it is nobody's.
 *
 * Memory:  the directory, what archive.h and writer.h say, and 8 bytes an
 * entry. Threads: any; the source is read, and the watcher called, from the
 * caller's.
 */
#ifndef CVX_IMPORTER_ARCHIVE_SUBTREE_H
#define CVX_IMPORTER_ARCHIVE_SUBTREE_H

#include <stdint.h>

#include "importer/source.h"

struct archive_watcher;
struct cvx_buf;
struct cvx_err;

/* Appends what stands before the names of a component's entries:
 * "_components/a/_components/b/" for "a/b", nothing for the root. */
int subtree_print_folder(const char *component, struct cvx_buf *out);

/* The archive is the bytes [0, size) of the source; the part of the component
 * at the path "a/b" is written into fd, from its start. -ENOENT: it has none.
 * watcher as archive_writer_run() has it, or NULL. */
int subtree_write(const struct import_source *source, uint64_t size,
		  const char *component, int fd,
		  const struct archive_watcher *watcher, uint64_t *ret_size,
		  struct cvx_err *err);

#endif
