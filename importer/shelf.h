/*
 * shelf: the converted rows of many small tables, kept aside until all are
 * committed. What memory does not hold goes to one file of the stage folder,
 * which is mapped in the end, so that it costs no memory of ours.
 *
 * Threads: shelf_put() is locked inside, the rest is not.
 */
#ifndef CVX_IMPORTER_SHELF_H
#define CVX_IMPORTER_SHELF_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/base/buf.h"

/* Bytes that stay in memory. */
#define SHELF_MEMORY_MAX ((size_t)4 << 20)

struct cvx_err;
struct deployment;
struct segment_stage;

struct shelf {
	struct deployment *d;
	pthread_mutex_t lock;
	struct cvx_buf memory;	     /* all bytes, unless there is a stage */
	struct segment_stage *stage; /* never published */
	uint64_t size;
	void *map;
	size_t map_size;
};

void shelf_init(struct shelf *s, struct deployment *d);
void shelf_fini(struct shelf *s);

/* Puts the bytes at *ret_off, which is a multiple of 8. */
int shelf_put(struct shelf *s, const void *bytes, size_t size,
	      uint64_t *ret_off, struct cvx_err *err);

/* Where all bytes are now, until the next call of anything here. */
int shelf_look(struct shelf *s, const char **ret, struct cvx_err *err);

#endif
