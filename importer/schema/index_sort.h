/*
 * index_sort: offsets in the order of their keys, with bounded memory.
 *
 *   index_sort_new -> index_sort_add* -> index_sort_read* -> index_sort_free
 *
 * Keys are compared by memcmp, the shorter one first where one begins the
 * other; equal keys come in the order in which they were added. What does not
 * fit in the memory limit is sorted into runs in the temporary file, which are
 * merged while they are read. An offset is any 64 bits.
 *
 * Memory:  the limit; more only where single keys need it: up to twice the
 *          size of the longest one.
 * Disk:    nothing below the limit; else the keys and 12 bytes for each, and as
 *          much again for each time that there are more runs than can be merged
 *          at once (256, fewer if keys are long).
 * Threads: not locked; the owner serialises calls.
 */
#ifndef CVX_IMPORTER_SCHEMA_INDEX_SORT_H
#define CVX_IMPORTER_SCHEMA_INDEX_SORT_H

#include <stddef.h>
#include <stdint.h>

struct cvx_err;
struct index_sort;

/* Limits outside of these are taken for the nearer one. */
#define INDEX_SORT_MEMORY_MIN ((size_t)64 << 10)
#define INDEX_SORT_MEMORY_MAX ((size_t)2 << 30)

/*
 * temp_fd is an empty file for reading and writing, best without a name, as
 * nothing in it is of use after a crash. It stays the caller's, who leaves it
 * alone until index_sort_free.
 */
int index_sort_new(size_t memory_limit, int temp_fd, struct index_sort **ret,
		   struct cvx_err *err);

/* NULL is allowed. */
void index_sort_free(struct index_sort *s);

/* key is copied; at most INDEX_KEY_MAX bytes, else -EFBIG. */
int index_sort_add(struct index_sort *s, const void *key, size_t key_size,
		   uint64_t offset, struct cvx_err *err);

/*
 * The next offsets in order: up to max of them, which is above 0; *ret_count is
 * 0 at the end. Nothing may be added after the first call. After a failure only
 * index_sort_free may be called.
 */
int index_sort_read(struct index_sort *s, uint64_t *offsets, size_t max,
		    size_t *ret_count, struct cvx_err *err);

#endif
