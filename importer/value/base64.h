/*
 * base64: the standard alphabet, as import.md 4.4 reads it and 4.5 writes it.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_VALUE_BASE64_H
#define CVX_IMPORTER_VALUE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether text is base64: missing padding is fine, wrong padding, bits behind
 * the last byte and other characters are not. *ret_size is the byte count.
 */
bool base64_check(const char *text, size_t size, size_t *ret_size);

/* Decodes text that base64_check accepts. */
void base64_decode(const char *text, size_t size, unsigned char *out);

#define BASE64_SIZE(byte_count) (((byte_count) + 2) / 3 * 4)

/* Writes BASE64_SIZE(size) characters, padded. */
void base64_encode(const unsigned char *bytes, size_t size, char *out);

#endif
