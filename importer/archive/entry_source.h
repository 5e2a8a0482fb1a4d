/*
 * entry_source: an archive's entry as a source that is read once through.
 *
 * Reads never go back behind where the last one began, but for a new start;
 * that is how the pipeline reads. A new start opens the entry again. All bytes
 * are verified before the last of them are given out.
 *
 * A large entry is unpacked ahead of its reader by a thread of its own. What
 * reads give, and where they fail, is the same without one.
 *
 * Memory:  ENTRY_AHEAD_MAX, or as much as the longest read if that is more.
 * Threads: not locked.
 */
#ifndef CVX_IMPORTER_ARCHIVE_ENTRY_SOURCE_H
#define CVX_IMPORTER_ARCHIVE_ENTRY_SOURCE_H

#include <stdint.h>

#include "importer/source.h"

/* So far the thread may be ahead. Entries of half of it need no thread. */
#define ENTRY_AHEAD_MAX ((uint64_t)4 << 20)

struct archive;
struct cvx_err;
struct entry_source;

int entry_source_new(struct archive *a, uint64_t index,
		     struct entry_source **ret, struct cvx_err *err);
void entry_source_free(struct entry_source *s);

/* As the directory has it. */
uint64_t entry_source_size(const struct entry_source *s);

/* Lives as long as s. */
struct import_source entry_source_get(struct entry_source *s);

#endif
