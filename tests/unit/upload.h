/*
 * upload: a file in memory, and the way to a loopback server that takes it, for
 * tests.
 */
#ifndef CVX_TESTS_UNIT_UPLOAD_H
#define CVX_TESTS_UNIT_UPLOAD_H

#include <stddef.h>
#include <stdint.h>

struct cvx_err;
struct http;
struct loopback;

#define UPLOAD_KEY "stub-deployment|0123456789abcdef"

struct upload_file {
	const char *bytes;
	size_t size;
};

/* The read of an import_source; ctx is a struct upload_file. */
int upload_file_read(void *ctx, uint64_t off, void *buf, size_t size,
		     size_t *ret_n, struct cvx_err *err);

/* Requests to the server with that key; they are tried again after 1 ms. */
struct http *upload_http_new(const struct loopback *server, uint64_t idle_ms);

#endif
