/*
 * archive: a ZIP as a list of entries, each of which is read as a stream
 * (import.md 6.5). Nothing is ever unpacked to a path.
 *
 * Only the central directory is believed. What it says of an entry's size and
 * checksum is verified when the entry is read to its end; an entry that yields
 * more bytes than it says, that shares its bytes with another one that was
 * claimed or read, that is encrypted or packed in an unknown way is refused as
 * InvalidZip. Data in front of the archive and behind it (a comment) is fine.
 *
 * Memory:  the directory, and for each stream what decoder.h says.
 * Threads: several may use an archive, each with streams of its own. The source
 *          is read by one at a time.
 * Errors:  refusals whose text names the entry.
 */
#ifndef CVX_IMPORTER_ARCHIVE_ARCHIVE_H
#define CVX_IMPORTER_ARCHIVE_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#include "importer/source.h"

struct archive;
struct archive_stream;
struct cvx_err;

/* The archive is the bytes [0, size) of the source, which is copied. */
int archive_open(const struct import_source *source, uint64_t size,
		 struct archive **ret, struct cvx_err *err);

/* Streams must be gone. NULL is allowed. */
void archive_free(struct archive *a);

/* Entries count from 0, in the order of the central directory. */
uint64_t archive_entry_count(const struct archive *a);

struct archive_entry {
	const char *name; /* as it stands there; lives as long as a */
	uint64_t size;	  /* unpacked, as the directory has it */
};

int archive_entry(struct archive *a, uint64_t index, struct archive_entry *ret,
		  struct cvx_err *err);

/*
 * Makes sure of where the entry lies, without unpacking it: of two entries that
 * share bytes the one that is claimed or read first is believed.
 */
int archive_claim(struct archive *a, uint64_t index, struct cvx_err *err);

int archive_stream_new(struct archive *a, uint64_t index,
		       struct archive_stream **ret, struct cvx_err *err);
void archive_stream_free(struct archive_stream *s);

/*
 * Reads on. Fewer bytes than size only at the end, when all that was read has
 * been verified.
 */
int archive_stream_read(struct archive_stream *s, void *buf, size_t size,
			size_t *ret_n, struct cvx_err *err);

#endif
