/*
 * source: where the bytes of a file that is imported are read from.
 */
#ifndef CVX_IMPORTER_SOURCE_H
#define CVX_IMPORTER_SOURCE_H

#include <stddef.h>
#include <stdint.h>

struct cvx_buf;
struct cvx_err;

/* Reads like pread; fewer bytes only at the end of what is there. */
struct import_source {
	void *ctx;
	int (*read)(void *ctx, uint64_t off, void *buf, size_t size,
		    size_t *ret_n, struct cvx_err *err);
};

/* A file of our own, which must stay open, at *fd, as long as the source. */
struct import_source source_of_fd(const int *fd);

/* The bytes of the buffer, which must not change meanwhile. */
struct import_source source_of_buf(const struct cvx_buf *bytes);

#endif
