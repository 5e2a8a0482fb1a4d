/*
 * part_hash: whether the bytes of a part are still those that were sent.
 *
 * It is no defence: both files are the user's own, and who wants two of one
 * hash can make them. It costs a tenth of what sending the bytes does, where
 * SHA-256 costs as much.
 *
 * Threads: not locked.
 */
#ifndef CVX_IMPORTER_REMOTE_PART_HASH_H
#define CVX_IMPORTER_REMOTE_PART_HASH_H

#include <stddef.h>

/* XXH3, 128 bits, in its canonical order of bytes. */
#define PART_HASH_SIZE 16

struct part_hash;

/* NULL: memory ran out. */
struct part_hash *part_hash_new(void);
void part_hash_free(struct part_hash *h); /* NULL is allowed */

void part_hash_add(struct part_hash *h, const void *bytes, size_t size);

/* Of all that was added. */
void part_hash_finish(const struct part_hash *h,
		      unsigned char hash[PART_HASH_SIZE]);

#endif
