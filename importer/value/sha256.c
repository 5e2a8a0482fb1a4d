#include "importer/value/sha256.h"

#include <stdlib.h>

/*
 * The functions that OpenSSL 3 prefers (EVP_Digest…) set the library up with
 * a hundred allocations when they are first called, and crash if one of them
 * fails; these allocate nothing and cannot fail.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "cache/base/err.h"

_Static_assert(SHA256_SIZE == SHA256_DIGEST_LENGTH, "a hash has one size");

struct sha256 {
	SHA256_CTX ctx;
};

int sha256_new(struct sha256 **ret, struct cvx_err *err)
{
	struct sha256 *s = malloc(sizeof(*s));

	if (!s)
		return cvx_fail_memory(err);
	(void)SHA256_Init(&s->ctx); /* always succeeds, as the others */
	*ret = s;
	return 0;
}

void sha256_free(struct sha256 *s)
{
	free(s);
}

void sha256_add(struct sha256 *s, const void *bytes, size_t size)
{
	(void)SHA256_Update(&s->ctx, bytes, size);
}

void sha256_finish(struct sha256 *s, unsigned char hash[SHA256_SIZE])
{
	(void)SHA256_Final(hash, &s->ctx);
}
