#include "tests/unit/upload.h"

#include "tests/unit/unit.h"

#include <string.h>

#include "importer/remote/http.h"
#include "tests/unit/loopback.h"

int upload_file_read(void *ctx, uint64_t off, void *buf, size_t size,
		     size_t *ret_n, struct cvx_err *err)
{
	const struct upload_file *f = ctx;

	(void)err;
	*ret_n = 0;
	if (off >= f->size)
		return 0;
	*ret_n = size < f->size - off ? size : f->size - (size_t)off;
	memcpy(buf, f->bytes + off, *ret_n);
	return 0;
}

struct http *upload_http_new(const struct loopback *server, uint64_t idle_ms)
{
	const struct http_settings settings = {
		.origin = loopback_url(server),
		.authorization = "Convex " UPLOAD_KEY,
		.idle_ms = idle_ms,
		.backoff_ms = 1,
	};
	struct cvx_err err = CVX_ERR_INIT;
	struct http *http;

	EXPECT_OK(http_new(&settings, &http, &err), &err);
	return http;
}
