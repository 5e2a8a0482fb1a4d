#include "importer/value/sha256.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"

struct sha256 {
	EVP_MD_CTX *ctx;
};

CVX_DEFINE_CLEANUP(struct sha256, sha256_free)

static int fail(struct cvx_err *err)
{
	return cvx_fail(err, -EIO, "libcrypto cannot compute SHA-256");
}

int sha256_new(struct sha256 **ret, struct cvx_err *err)
{
	CVX_AUTO(sha256_freep) struct sha256 *s = calloc(1, sizeof(*s));

	if (!s)
		return cvx_fail_memory(err);
	s->ctx = EVP_MD_CTX_new();
	if (!s->ctx)
		return cvx_fail_memory(err);
	if (EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL) != 1)
		return fail(err);
	*ret = CVX_TAKE(s);
	return 0;
}

void sha256_free(struct sha256 *s)
{
	if (!s)
		return;
	EVP_MD_CTX_free(s->ctx);
	free(s);
}

int sha256_add(struct sha256 *s, const void *bytes, size_t size,
	       struct cvx_err *err)
{
	return EVP_DigestUpdate(s->ctx, bytes, size) == 1 ? 0 : fail(err);
}

int sha256_finish(struct sha256 *s, unsigned char hash[SHA256_SIZE],
		  struct cvx_err *err)
{
	return EVP_DigestFinal_ex(s->ctx, hash, NULL) == 1 ? 0 : fail(err);
}
