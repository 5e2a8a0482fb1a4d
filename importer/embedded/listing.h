/*
 * listing: all user tables of a deployment at one moment, by the bytes of
 * their component's path, then of their name.
 *
 * Cost:    one statement of the catalog; some 150 bytes of memory a table.
 * Threads: fixed after listing_read().
 */
#ifndef CVX_IMPORTER_EMBEDDED_LISTING_H
#define CVX_IMPORTER_EMBEDDED_LISTING_H

#include <stddef.h>
#include <stdint.h>

#include "importer/value/name.h"

struct cvx_err;
struct deployment;

struct listed_table {
	const char *component; /* lives as long as the listing */
	char name[NAME_MAX_SIZE + 1];
	uint64_t revision; /* as struct table_info has it, like the next */
	int64_t committed_ns;
};

struct listing {
	struct listed_table *tables;
	size_t count, capacity;
	char **components; /* that have tables */
	size_t component_count, component_capacity;
};

#define LISTING_INIT                                                           \
	{                                                                      \
		NULL, 0, 0, NULL, 0, 0                                         \
	}

/* Fills an empty listing, which is the caller's to listing_fini() also after a
 * failure. */
int listing_read(struct listing *l, struct deployment *d, struct cvx_err *err);
void listing_fini(struct listing *l);

#endif
