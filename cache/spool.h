/*
 * spool: bytes written through the mount, kept on local disk until committed.
 *
 * A spool belongs to one staged file. Small spools stay in memory; past
 * SPOOL_MEMORY_MAX they continue in an unnamed file of the spool folder, which
 * is gone when its last descriptor is, also when the process is killed. A read
 * sees every byte written before it. Ranges never written read as zeros.
 *
 * Threads: locked inside; reads and writes may overlap.
 * Errors:  a full disk is -ENOSPC, other trouble its errno; what was there
 *          before the failed write stays.
 */
#ifndef CVX_CACHE_SPOOL_H
#define CVX_CACHE_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#define SPOOL_MEMORY_MAX ((size_t)256 << 10)

struct cvx_err;
struct spool;

/* Creates an empty spool in dir_fd, which stays the caller's. */
int spool_new(int dir_fd, struct spool **ret, struct cvx_err *err);

/* Drops the spool and its bytes. NULL is allowed. */
void spool_free(struct spool *s);

int spool_write(struct spool *s, uint64_t off, const void *bytes, size_t size,
		struct cvx_err *err);

/* Bytes past the end read as none: *ret_n is 0 at the end. */
int spool_read(struct spool *s, uint64_t off, void *buf, size_t size,
	       size_t *ret_n, struct cvx_err *err);

/* Cuts, or lengthens with zeros. */
int spool_truncate(struct spool *s, uint64_t size, struct cvx_err *err);

uint64_t spool_size(struct spool *s);

/* Makes the staged bytes durable (W-9). */
int spool_sync(struct spool *s, struct cvx_err *err);

/* Writes the bytes to a new file at path, durably (rejects, F-3). */
int spool_save(struct spool *s, int dir_fd, const char *name,
	       struct cvx_err *err);

#endif
