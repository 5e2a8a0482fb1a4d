#include "importer/remote/part_hash.h"

#include <string.h>

#include <xxhash.h>

_Static_assert(sizeof(XXH128_canonical_t) == PART_HASH_SIZE,
	       "a hash has one size");

/* The library's own, which knows how it must be aligned. */
static XXH3_state_t *state_of(struct part_hash *h)
{
	return (XXH3_state_t *)h;
}

struct part_hash *part_hash_new(void)
{
	XXH3_state_t *state = XXH3_createState();

	if (state)
		(void)XXH3_128bits_reset(state);
	return (struct part_hash *)state;
}

void part_hash_free(struct part_hash *h)
{
	(void)XXH3_freeState(state_of(h));
}

void part_hash_add(struct part_hash *h, const void *bytes, size_t size)
{
	(void)XXH3_128bits_update(state_of(h), bytes, size);
}

void part_hash_finish(const struct part_hash *h,
		      unsigned char hash[PART_HASH_SIZE])
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical,
				 XXH3_128bits_digest((const XXH3_state_t *)h));
	memcpy(hash, canonical.digest, PART_HASH_SIZE);
}
