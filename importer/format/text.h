/*
 * text: what the formats look for in bytes before they are rows.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_FORMAT_TEXT_H
#define CVX_IMPORTER_FORMAT_TEXT_H

#include <stddef.h>

/* How often the byte stands in the text. */
size_t text_count(const char *text, size_t size, char byte);

/* Where the JSON white space that begins at pos ends. */
size_t text_skip_space(const char *text, size_t size, size_t pos);

#endif
