/*
 * decoder: the packed bytes of an entry become those of the file, a piece at
 * a time (import.md 6.5: store, deflate, deflate64, zstd).
 *
 * A decoder believes nothing that it reads, and never makes more than there is
 * room for. Sizes and checksums are the caller's to verify.
 *
 * Memory:  per decoder at most 250 KiB; zstd as much as its frame asks for, up
 *          to DECODER_WINDOW_MAX.
 * Threads: a decoder belongs to one thread at a time.
 */
#ifndef CVX_IMPORTER_ARCHIVE_DECODER_H
#define CVX_IMPORTER_ARCHIVE_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As far back as zstd unpacks by itself; "zstd --long=28" needs more. */
#define DECODER_WINDOW_LOG 27
#define DECODER_WINDOW_MAX ((size_t)1 << DECODER_WINDOW_LOG)

struct cvx_err;
struct decoder;

/* What a run reads and where it writes; it moves both on. */
struct decoder_io {
	const unsigned char *in;
	size_t in_size;
	bool in_ends; /* nothing follows in */
	unsigned char *out;
	size_t out_size;
};

enum decoder_outcome {
	DECODER_GOES_ON, /* it used up what it read, or the room */
	DECODER_ENDED,	 /* nothing more will be made */
	DECODER_DAMAGED,
	DECODER_TOO_FAR, /* it looks farther back than DECODER_WINDOW_MAX */
	DECODER_NO_MEMORY,
};

/* method as the ZIP numbers it. Refuses as InvalidZip what it cannot unpack,
 * by name. */
int decoder_new(unsigned method, struct decoder **ret, struct cvx_err *err);

/* NULL is allowed. */
void decoder_free(struct decoder *d);

/*
 * Reads and writes as much as it can. If it goes on without having moved
 * anything, although there was room, the bytes were cut or are damaged.
 */
enum decoder_outcome decoder_run(struct decoder *d, struct decoder_io *io);

/* The CRC-32 of ZIP, continued from crc, which begins as 0. */
uint32_t decoder_crc(uint32_t crc, const void *bytes, size_t size);

#endif
