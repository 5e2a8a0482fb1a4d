/*
 * deflate64: unpacks what Windows packs when a file is large. It is deflate
 * with a window of 64 KiB, matches of up to 65,538 bytes and two more codes of
 * distances; no library of the system knows it.
 *
 * Memory:  some 75 KiB.
 * Threads: a state belongs to one thread at a time.
 */
#ifndef CVX_IMPORTER_ARCHIVE_DEFLATE64_H
#define CVX_IMPORTER_ARCHIVE_DEFLATE64_H

#include "importer/archive/decoder.h"

struct deflate64;

/* NULL without memory. */
struct deflate64 *deflate64_new(void);
void deflate64_free(struct deflate64 *d);

/* As decoder_run(). */
enum decoder_outcome deflate64_run(struct deflate64 *d, struct decoder_io *io);

#endif
