/*
 * spool: bytes written through the mount, kept on local disk until committed.
 *
 * A spool belongs to one staged file. Small spools stay in memory; past
 * SPOOL_MEMORY_MAX they continue in an unnamed file of the spool folder, which
 * is gone when its last descriptor is, also when the process is killed. A read
 * sees every byte written before it. Ranges never written read as zeros.
 *
 * Threads: locked inside; reads and writes may overlap.
 * Errors:  a full disk is -ENOSPC, other trouble its errno; the size, and the
 *          bytes outside the range of the failed write, stay as they were.
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

/* Nobody needs these bytes: their room on the disk is free again, where the
 * disk can do that. They read as anything, the size stays. */
void spool_discard(struct spool *s, uint64_t off, uint64_t size);

/* Makes the staged bytes durable (W-9). */
int spool_sync(struct spool *s, struct cvx_err *err);

/* These bytes will be made durable, and are not going to change: the disk may
 * begin. Nothing depends on it. */
void spool_sync_early(struct spool *s, uint64_t off, uint64_t size);

/* A descriptor that reads the bytes from their beginning. It is the spool's,
 * and good until the spool is changed or freed. */
int spool_descriptor(struct spool *s, int *ret_fd, struct cvx_err *err);

/*
 * Keeps the bytes as a new file of that name, durably (rejects, F-3); -EEXIST
 * if there is one. On the spool's own disk this gives the spool's file a name
 * and needs no room; a spool that is written to afterwards goes on in a copy.
 */
int spool_save(struct spool *s, int dir_fd, const char *name,
	       struct cvx_err *err);

#endif
