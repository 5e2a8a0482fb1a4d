#include "importer/source.h"

#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "cache/base/file.h"

static int read_fd(void *ctx, uint64_t off, void *buf, size_t size,
		   size_t *ret_n, struct cvx_err *err)
{
	const int *fd = ctx;
	int r = file_pread(*fd, buf, size, off, ret_n);

	return r < 0 ? cvx_fail(err, r, "cannot read a file of the cache: %s",
				strerror(-r))
		     : 0;
}

struct import_source source_of_fd(const int *fd)
{
	return (struct import_source){(void *)fd, read_fd};
}

static int read_buf(void *ctx, uint64_t off, void *buf, size_t size,
		    size_t *ret_n, struct cvx_err *err __attribute__((unused)))
{
	const struct cvx_buf *bytes = ctx;
	size_t n = off < bytes->size ? bytes->size - (size_t)off : 0;

	if (n > size)
		n = size;
	if (n > 0)
		memcpy(buf, bytes->data + off, n);
	*ret_n = n;
	return 0;
}

struct import_source source_of_buf(const struct cvx_buf *bytes)
{
	return (struct import_source){(void *)bytes, read_buf};
}
