/*
 * csv_scan: where the fields and records of CSV text end (import.md 6.2).
 *
 * A scan looks at 64 bytes at a time: separators, line ends and quotes become
 * bits of three words, and finding the next one is a shift and a count. Bytes
 * are not copied; a cell points into the text.
 *
 * Threads: a scan belongs to one thread at a time.
 */
#ifndef CVX_IMPORTER_FORMAT_CSV_SCAN_H
#define CVX_IMPORTER_FORMAT_CSV_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct csv_scan {
	const char *text;
	size_t size;
	size_t base;	 /* of the 64 bytes that the bits tell about */
	uint64_t seps;	 /* ',', CR, LF */
	uint64_t ends;	 /* CR, LF */
	uint64_t quotes; /* '"' */
	bool ran_out;	 /* the last field ended with the text */
};

/* A field as it stands in the text. */
struct csv_cell {
	const char *text;
	size_t size;
	bool raw; /* begins with a quote and must pass csv_unquote */
};

/* text must stay; a scan starts at its first byte. */
void csv_scan_init(struct csv_scan *s, const char *text, size_t size);

/* Where the blank lines at pos end. */
size_t csv_skip_blank(const char *text, size_t size, size_t pos);

/*
 * Reads the field at *pos, which is then behind the field's separator. Returns
 * whether another field of the record follows.
 */
bool csv_next_field(struct csv_scan *s, size_t *pos, struct csv_cell *ret);

/*
 * Reads the record at *pos, which is then behind it, and returns how many
 * fields it has. The cell of column i goes to cells[slot_of[i]]; those of
 * columns from column_count on are only counted.
 */
size_t csv_next_record(struct csv_scan *s, size_t *pos, const uint16_t *slot_of,
		       size_t column_count, struct csv_cell *cells);

/*
 * Writes the value of a raw cell to out, which has room for as many bytes as
 * the cell, and returns its size.
 */
size_t csv_unquote(const char *text, size_t size, char *out);

/*
 * Returns where the last whole record of the text ends, or with count_max
 * record ends found, the last of them; 0 if none is whole. *ret_count is how
 * many record ends were passed, blank lines included.
 */
size_t csv_find_end(const char *text, size_t size, uint64_t count_max,
		    uint64_t *ret_count);

/*
 * Of text without quotes: where its last whole record ends (0: nowhere), and
 * how many line ends it has. CR LF is one.
 */
size_t csv_last_line_end(const char *text, size_t size);
uint64_t csv_count_line_ends(const char *text, size_t size);

#endif
