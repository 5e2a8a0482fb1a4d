/*
 * text: bytes that do not change, shared by all who read them.
 *
 * Threads: references are counted atomically.
 */
#ifndef CVX_FS_TEXT_H
#define CVX_FS_TEXT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct cvx_buf;
struct cvx_err;

struct text {
	_Atomic unsigned refs;
	size_t size;
	char data[];
};

/* A copy of the buffer's bytes, with one reference. */
int text_new(const struct cvx_buf *from, struct text **ret,
	     struct cvx_err *err);
struct text *text_ref(struct text *t);
void text_unref(struct text *t); /* NULL is allowed */

/* Differs, as good as surely, for different texts; never 0. */
uint64_t text_version(const struct text *t);

#endif
