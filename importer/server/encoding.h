/*
 * encoding: the formats of values that a client may ask for (VAL-6).
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_SERVER_ENCODING_H
#define CVX_IMPORTER_SERVER_ENCODING_H

#include <stddef.h>

struct cvx_buf;
struct cvx_err;

enum encoding { ENCODING_CLEAN, ENCODING_INTERNAL, ENCODING_EXPORT };

/* NULL: the default, json. Other words than the known are BadFormat. */
int encoding_read(const char *word, enum encoding *ret, struct cvx_err *err);

int encoding_print(enum encoding encoding, const char *canonical, size_t size,
		   struct cvx_buf *out);

#endif
