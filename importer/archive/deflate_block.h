/*
 * deflate_block: packs one block of an entry's bytes.
 *
 * Packed blocks stand behind each other as one deflate stream: each begins
 * without memory of the one before and ends at a byte, and the last of an
 * entry closes the stream. So blocks can be packed side by side.
 *
 * Bytes that hardly shrink, such as pictures, are not packed but carried in
 * the stream as they are.
 *
 * With isa-l, if this build has it, five times as fast as with zlib.
 *
 * Threads: a packer belongs to one thread at a time.
 */
#ifndef CVX_IMPORTER_ARCHIVE_DEFLATE_BLOCK_H
#define CVX_IMPORTER_ARCHIVE_DEFLATE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deflate_packer;

#define DEFLATE_BLOCK_SIZE ((size_t)1 << 20)

/* Room for any block once it is packed. */
#define DEFLATE_PACKED_MAX (DEFLATE_BLOCK_SIZE + (DEFLATE_BLOCK_SIZE >> 6))

/* NULL without memory. */
struct deflate_packer *deflate_packer_new(void);
void deflate_packer_free(struct deflate_packer *p); /* NULL is allowed */

/*
 * Packs size bytes, at most DEFLATE_BLOCK_SIZE, into out, which has
 * DEFLATE_PACKED_MAX of room; returns how many came out.
 */
size_t deflate_block(struct deflate_packer *p, const void *bytes, size_t size,
		     bool is_last, uint8_t *out);

/* The checksum of ZIPs: of nothing it is 0. */
uint32_t deflate_checksum(const void *bytes, size_t size);

/* Of two pieces, from theirs. */
uint32_t deflate_join_checksums(uint32_t first, uint32_t second,
				uint64_t second_size);

#endif
