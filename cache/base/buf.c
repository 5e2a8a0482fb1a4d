#include "cache/base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cvx_buf_init(struct cvx_buf *b, size_t limit)
{
	*b = (struct cvx_buf)CVX_BUF_INIT(limit);
}

void cvx_buf_fini(struct cvx_buf *b)
{
	free(b->data);
	cvx_buf_init(b, b->limit);
}

int cvx_buf_reserve(struct cvx_buf *b, size_t n)
{
	size_t need, capacity;
	char *data;

	if (b->capacity - b->size >= n)
		return 0;
	if (__builtin_add_overflow(b->size, n, &need) || need > b->limit)
		return -EFBIG;
	capacity = b->capacity > b->limit / 2 ? b->limit : b->capacity * 2;
	if (capacity < need)
		capacity = need;
	data = realloc(b->data, capacity);
	if (!data)
		return -ENOMEM;
	b->data = data;
	b->capacity = capacity;
	return 0;
}

int cvx_buf_append(struct cvx_buf *b, const void *bytes, size_t n)
{
	int r = cvx_buf_reserve(b, n);

	if (r < 0)
		return r;
	if (n > 0)
		memcpy(b->data + b->size, bytes, n);
	b->size += n;
	return 0;
}

int cvx_buf_puts(struct cvx_buf *b, const char *text)
{
	return cvx_buf_append(b, text, strlen(text));
}

int cvx_buf_printf(struct cvx_buf *b, const char *fmt, ...)
{
	va_list ap, again;
	int n, r;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	r = n < 0 ? -EINVAL : cvx_buf_reserve(b, (size_t)n + 1);
	if (r == 0) {
		(void)vsnprintf(b->data + b->size, (size_t)n + 1, fmt, again);
		b->size += (size_t)n;
	}
	va_end(again);
	return r;
}
