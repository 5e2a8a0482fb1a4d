#include "cache/reject_name.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEM_HASHED "%~"

/* FNV-1a in 128 bits: paths are not chosen to collide, they are the user's. */
static void hash_path(const char *path, char out[REJECT_STEM_MAX + 1])
{
	const unsigned __int128 prime = ((unsigned __int128)1 << 88) + 0x13b;
	unsigned __int128 h = ((unsigned __int128)0x6c62272e07bb0142 << 64) +
			      0x62b821756295c58d;

	for (; *path; path++)
		h = (h ^ (unsigned char)*path) * prime;
	(void)snprintf(out, REJECT_STEM_MAX + 1, "%s%016" PRIx64 "%016" PRIx64,
		       STEM_HASHED, (uint64_t)(h >> 64), (uint64_t)h);
}

bool reject_stem(const char *path, char out[REJECT_STEM_MAX + 1])
{
	size_t n = 0;
	const char *p;

	for (p = path; *p; p++) {
		bool encoded = *p == '%' || *p == '/';

		if (n + (encoded ? 3 : 1) > REJECT_STEM_MAX) {
			hash_path(path, out);
			return true;
		}
		if (encoded) {
			memcpy(out + n, *p == '%' ? "%25" : "%2F", 3);
			n += 3;
		} else {
			out[n++] = *p;
		}
	}
	out[n] = '\0';
	return false;
}

struct reject_name reject_name(const char *path, const char *suffix)
{
	char stem[REJECT_STEM_MAX + 1];
	struct reject_name name;

	(void)reject_stem(path, stem);
	(void)snprintf(name.text, sizeof(name.text), "%s%s", stem, suffix);
	return name;
}

char *reject_decode_stem(const char *stem, size_t size)
{
	char *path = malloc(size + 1);
	size_t i, n = 0;

	if (!path)
		return NULL;
	for (i = 0; i < size; i++) {
		if (stem[i] != '%') {
			path[n++] = stem[i];
		} else if (size - i >= 3 && strncmp(stem + i, "%25", 3) == 0) {
			path[n++] = '%';
			i += 2;
		} else if (size - i >= 3 && strncmp(stem + i, "%2F", 3) == 0) {
			path[n++] = '/';
			i += 2;
		} else {
			free(path);
			return NULL;
		}
	}
	path[n] = '\0';
	return path;
}

bool reject_stem_is_hash(const char *stem, size_t size)
{
	return size > 2 && strncmp(stem, STEM_HASHED, 2) == 0;
}
