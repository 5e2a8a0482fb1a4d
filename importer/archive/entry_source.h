/*
 * entry_source: an archive's entry as a source that is read once through.
 *
 * A read begins where the last one ended, or at 0, which opens the entry
 * again; anything else is -ESPIPE. Bytes are unpacked to where the reader
 * wants them, and all of them are verified before the last are given out.
 * After a failure every read fails like it, until one at 0.
 *
 * Memory:  what decoder.h says.
 * Threads: not locked; reads may come from any thread, one after the other.
 */
#ifndef CVX_IMPORTER_ARCHIVE_ENTRY_SOURCE_H
#define CVX_IMPORTER_ARCHIVE_ENTRY_SOURCE_H

#include <stdint.h>

#include "importer/source.h"

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
