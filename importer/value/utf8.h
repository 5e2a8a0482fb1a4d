/*
 * utf8: strict UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing
 * above U+10FFFF).
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_VALUE_UTF8_H
#define CVX_IMPORTER_VALUE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many bytes at the start of text are whole, valid characters. */
size_t utf8_valid_size(const char *text, size_t size);

/* The same as utf8_valid_size() == size, faster. */
bool utf8_is_valid(const char *text, size_t size);

/*
 * The size of the character above U+007F at p, 0 if there is none. Reads no
 * byte behind the first one that is wrong, and at most 4.
 */
unsigned utf8_sequence_size(const char *p);

/* Writes a code point that is no surrogate; returns the size, at most 4. */
unsigned utf8_write(uint32_t code_point, char *out);

#endif
