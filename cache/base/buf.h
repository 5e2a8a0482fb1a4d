/*
 * buf: growable bytes with a largest size.
 *
 * The limit given at init is the most bytes the buffer will ever hold, so no
 * input can grow it without bound. data is not terminated by NUL.
 *
 * Errors:  -ENOMEM without memory, -EFBIG above the limit; the contents stay
 *          as they were.
 * Threads: not locked.
 */
#ifndef CVX_CACHE_BASE_BUF_H
#define CVX_CACHE_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct cvx_buf {
	char *data; /* read freely; NULL while capacity is 0 */
	size_t size;
	size_t capacity;
	size_t limit;
};

#define CVX_BUF_INIT(limit_)                                                   \
	{                                                                      \
		NULL, 0, 0, (limit_)                                           \
	}

void cvx_buf_init(struct cvx_buf *b, size_t limit);

/* Frees the bytes; the buffer is empty again and keeps its limit. */
void cvx_buf_fini(struct cvx_buf *b);

/* Makes room for n bytes behind size. b->data may move. */
int cvx_buf_reserve(struct cvx_buf *b, size_t n);

int cvx_buf_append(struct cvx_buf *b, const void *bytes, size_t n);
int cvx_buf_puts(struct cvx_buf *b, const char *text);
int cvx_buf_printf(struct cvx_buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static inline void cvx_buf_clear(struct cvx_buf *b)
{
	b->size = 0;
}

#endif
