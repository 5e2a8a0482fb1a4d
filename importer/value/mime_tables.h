/*
 * mime_tables: the tables behind mime.h, for mime.c alone.
 *
 * Threads: fixed.
 */
#ifndef CVX_IMPORTER_VALUE_MIME_TABLES_H
#define CVX_IMPORTER_VALUE_MIME_TABLES_H

#include <stddef.h>

struct mime_pair {
	const char *key, *value;
};

/* Both by the bytes of their keys. */
extern const struct mime_pair mime_extensions[]; /* of media types */
extern const struct mime_pair mime_types[];	 /* of extensions */
extern const size_t mime_extension_count, mime_type_count;

#endif
