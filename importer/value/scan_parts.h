/*
 * scan_parts: what the scanner does seldom, shared by its builds for the kinds
 * of processor (scan_body.h). For scan*.c only.
 *
 * Functions that read take the place in the part being read, and return the
 * place behind, or NULL where the text is not JSON. What is written goes to
 * *out, which moves.
 *
 * Threads: as scan.h.
 */
#ifndef CVX_IMPORTER_VALUE_SCAN_PARTS_H
#define CVX_IMPORTER_VALUE_SCAN_PARTS_H

#include "importer/value/scan.h"

/* The loops, one for each build. */
scan_run scan_run_scalar, scan_run_sse2, scan_run_avx2;

/* The offset in the text of a place in the part. */
static inline size_t scan_offset(const struct scanner *s, const char *p)
{
	return s->size - (size_t)(s->part_end - p);
}

/* Goes on in the copy of the end, where every byte can be read. */
const char *scan_to_tail(struct scanner *s, const char *p);

/* Goes to where the text ends: nothing of it is left. */
const char *scan_to_end(struct scanner *s);

/* Gives what is in a field of the shape a shape of its own. */
uint16_t scan_new_child(struct scanner *s, struct shape *shape, size_t member);

/* Steps over white space. */
const char *scan_space(struct scanner *s, const char *p);

/*
 * Checks the characters of which high has a bit for each byte above U+007F in
 * the block at p.
 */
bool scan_utf8(struct scanner *s, const char *p, uint32_t high);

/* Reads the escape at p. */
const char *scan_escape(const char *p, char **out);

/* Reads any number. */
const char *scan_number(struct scanner *s, const char *p, char **out);

/*
 * Reads a number without exponent whose digits, up to 19, are known to be:
 * whole in front of the point at t and part behind it.
 */
const char *scan_decimal(const char *p, const char *t, unsigned whole,
			 unsigned part, char **out);

bool scan_is_wrapper_key(const char *text, size_t size);

/* What is wrong with the key as written, without quotes; NULL: nothing. */
const char *scan_check_key(const char *text, size_t size);

/* Sets the fault. */
void scan_too_many_fields(struct scanner *s, const char *p);

/* Sorts and closes; the closing bracket is the caller's to write. */
enum scan_outcome scan_close_object(struct scanner *s, struct scan_frame *f,
				    struct scan_member *end, char *out);

/* Turns the wrapper into its value. NULL: s->fault tells what is wrong. */
char *scan_close_wrapper(struct scanner *s, struct scan_frame *f,
			 struct scan_member *end, char *out);

#endif
