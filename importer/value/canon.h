/*
 * canon: a JSON text becomes canonical text in the scanner's buffer, or is
 * refused with a sentence. What the scanner stops at gets a second, slower look
 * here: errors of syntax come before errors of value, as import.md 12 has them
 * in different stages, and fields that are overwritten do not count.
 *
 * Threads: as scan.h.
 */
#ifndef CVX_IMPORTER_VALUE_CANON_H
#define CVX_IMPORTER_VALUE_CANON_H

#include <stdbool.h>
#include <stddef.h>

struct cvx_err;
struct scanner;

/* import.md 4.2 */
#define CANON_VALUE_MAX ((size_t)1 << 25)
#define CANON_NESTING_MAX 64

/*
 * Reads the value in text into s->row; order[] holds the fields of an object
 * outermost, unless they stand in order. With partial, bytes may follow the
 * value. *ret_used is how many bytes are read, also when the value is refused,
 * but not the text: then 0.
 */
int canon_read(struct scanner *s, const char *text, size_t size, bool partial,
	       size_t *ret_used, struct cvx_err *err);

/*
 * The line that text begins with, up to an LF in text, likewise: *ret_size is
 * its size without the LF. False: nothing is known but that the line wants
 * canon_read.
 */
bool canon_read_line(struct scanner *s, const char *text, size_t size,
		     size_t *ret_size);

/*
 * Writes the text that canon_read left to out, the fields of an object
 * outermost in order. Returns the size; out has room for what s->row has and
 * SCAN_COPY_STEP bytes more.
 */
size_t canon_write(const struct scanner *s, char *out);

#endif
