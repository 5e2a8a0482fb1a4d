/*
 * sha256: a hash that is fed piece by piece.
 *
 * Threads: not locked.
 */
#ifndef CVX_IMPORTER_VALUE_SHA256_H
#define CVX_IMPORTER_VALUE_SHA256_H

#include <stddef.h>

#define SHA256_SIZE 32

struct cvx_err;
struct sha256;

int sha256_new(struct sha256 **ret, struct cvx_err *err);

/* NULL is allowed. */
void sha256_free(struct sha256 *s);

void sha256_add(struct sha256 *s, const void *bytes, size_t size);

/* Once, behind the last byte. */
void sha256_finish(struct sha256 *s, unsigned char hash[SHA256_SIZE]);

#endif
