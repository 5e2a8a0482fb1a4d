/*
 * range: the header Range of a download (FIL-4).
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_SERVER_RANGE_H
#define CVX_IMPORTER_SERVER_RANGE_H

#include <stdint.h>

struct range {
	uint64_t off, size;
};

enum range_kind {
	RANGE_NONE, /* not given, or not in bytes: all of it */
	RANGE_ONE,
	RANGE_BAD, /* several, or none that the file has */
};

enum range_kind range_read(const char *header, uint64_t file_size,
			   struct range *ret);

#endif
