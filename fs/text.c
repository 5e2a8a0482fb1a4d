#include "fs/text.h"

#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"

int text_new(const struct cvx_buf *from, struct text **ret, struct cvx_err *err)
{
	struct text *t = malloc(sizeof(*t) + from->size);

	if (!t)
		return cvx_fail_memory(err);
	t->refs = 1;
	t->size = from->size;
	if (from->size > 0)
		memcpy(t->data, from->data, from->size);
	*ret = t;
	return 0;
}

struct text *text_ref(struct text *t)
{
	t->refs++;
	return t;
}

void text_unref(struct text *t)
{
	if (t && --t->refs == 0)
		free(t);
}

/* FNV-1a, 64 bits. */
uint64_t text_version(const struct text *t)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < t->size; i++)
		h = (h ^ (unsigned char)t->data[i]) * UINT64_C(0x100000001b3);
	return h ? h : 1;
}
