/*
 * reject_name: what the files of a reject are called (rejects.c).
 *
 * A name is a stem and a suffix. The stem is the path with '%' and '/' written
 * as %25 and %2F. Where that would be too long for a file name it is "%~" and
 * a hash: no encoded path begins so.
 *
 * Threads: any.
 */
#ifndef CVX_CACHE_REJECT_NAME_H
#define CVX_CACHE_REJECT_NAME_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define REJECT_BYTES ".rejected"
#define REJECT_TEXT ".error"
#define REJECT_PATH ".path"
#define REJECT_SUFFIX_MAX (sizeof(REJECT_BYTES) - 1)
#define REJECT_STEM_MAX (NAME_MAX - REJECT_SUFFIX_MAX)

struct reject_name {
	char text[NAME_MAX + 1];
};

struct reject_name reject_name(const char *path, const char *suffix);

/* Returns whether the stem is a hash. */
bool reject_stem(const char *path, char out[REJECT_STEM_MAX + 1]);

bool reject_stem_is_hash(const char *stem, size_t size);

/* The path of a stem that is no hash, the caller's to free(); NULL without
 * memory or if it is not one of ours. */
char *reject_decode_stem(const char *stem, size_t size);

#endif
