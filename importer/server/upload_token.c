#include "importer/server/upload_token.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cache/base/err.h"
#include "importer/embedded/embedded.h"
#include "importer/server/auth.h"
#include "importer/server/component_id.h"
#include "importer/server/secret.h"
#include "importer/value/sha256.h"

#define LIFE_SECONDS 3600

/* "END-COMPONENT-SEAL", END in seconds, SEAL the hash of key, rest, key. */
static int seal(const struct auth *auth, int64_t end, const char *component,
		char token[UPLOAD_LEAVE_SIZE], struct cvx_err *err)
{
	unsigned char hash[SHA256_SIZE];
	struct sha256 *sha;
	int n, i, r = sha256_new(&sha, err);

	if (r < 0)
		return r;
	n = snprintf(token, UPLOAD_LEAVE_SIZE, "%" PRId64 "-%s-", end,
		     component);
	sha256_add(sha, auth->key, strlen(auth->key) + 1);
	sha256_add(sha, token, (size_t)n);
	sha256_add(sha, auth->key, strlen(auth->key));
	sha256_finish(sha, hash);
	sha256_free(sha);
	for (i = 0; i < 16; i++)
		n += snprintf(token + n, UPLOAD_LEAVE_SIZE - (size_t)n, "%02x",
			      hash[i]);
	return 0;
}

int upload_token_make(const struct auth *auth, const char *component,
		      char token[UPLOAD_LEAVE_SIZE], struct cvx_err *err)
{
	char id[ID_TEXT_MAX + 1];

	component_id_make(component, id);
	return seal(auth, embedded_now_ns() / 1000000000 + LIFE_SECONDS, id,
		    token, err);
}

int upload_token_check(const struct auth *auth, const char *token,
		       char component_id[ID_TEXT_MAX + 1], struct cvx_err *err)
{
	char own[UPLOAD_LEAVE_SIZE] = "";
	int64_t end = 0;
	int r;

	component_id[0] = '\0';
	if (strlen(token) >= sizeof(own) ||
	    sscanf(token, "%" SCNd64 "-%37[a-z0-9]-", &end, component_id) != 2)
		return cvx_fail_named(err, -EINVAL, "StorageTokenInvalid",
				      "the token is not one of this "
				      "deployment");
	r = seal(auth, end, component_id, own, err);
	if (r < 0)
		return r;
	if (!secret_is_equal(own, token))
		return cvx_fail_named(err, -EINVAL, "StorageTokenInvalid",
				      "the token is not one of this "
				      "deployment");
	if (end < embedded_now_ns() / 1000000000)
		return cvx_fail_named(err, -EINVAL, "StorageTokenExpired",
				      "the token has expired");
	return 0;
}
