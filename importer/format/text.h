/*
 * text: what the formats look for in bytes before they are rows.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_FORMAT_TEXT_H
#define CVX_IMPORTER_FORMAT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How often the byte stands in the text. */
size_t text_count(const char *text, size_t size, char byte);

/*
 * Where the last whole line of the text ends; with at_end the last one need
 * not end with LF. *ret_count is how many lines there are up to there.
 */
size_t text_cut_lines(const char *text, size_t size, bool at_end,
		      uint64_t *ret_count);

/* Where the JSON white space that begins at pos ends. */
size_t text_skip_space(const char *text, size_t size, size_t pos);

#endif
