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
	uint64_t seps;	 /* ',', CR, LF that are not passed yet */
	uint64_t quotes; /* '"' */
	bool ran_out;	 /* the last field ended with the text */
};

/* A field as it stands in the text. */
struct csv_cell {
	const char *text;
	size_t size;
	bool raw; /* begins with a quote and must pass csv_unquote */
};

/*
 * Starts a scan at the first byte of the text, which must stay. The functions
 * below go on at *pos, which is 0 at first and theirs alone to change.
 */
void csv_scan_init(struct csv_scan *s, const char *text, size_t size);

/* Steps over blank lines; returns whether a record follows. */
bool csv_skip_blank(struct csv_scan *s, size_t *pos);

/*
 * Reads a field; *pos is then behind its separator. Returns whether another
 * field of the record follows.
 */
bool csv_next_field(struct csv_scan *s, size_t *pos, struct csv_cell *ret);

/*
 * Reads a record and returns how many fields it has. The cell of column i goes
 * to cells[slot_of[i]]; those of columns from column_count on are only
 * counted.
 */
size_t csv_next_record(struct csv_scan *s, size_t *pos, const uint16_t *slot_of,
		       size_t column_count, struct csv_cell *cells);

/*
 * Writes the value of a raw cell to out, which has room for as many bytes as
 * the cell, and returns its size.
 */
size_t csv_unquote(const char *text, size_t size, char *out);

/*
 * Returns where the last whole record of the text ends, or the last one of
 * those looked at until count_max line ends were passed; 0 if none is whole.
 * *ret_count is how many were passed, those of blank lines included; CR LF is
 * one.
 */
size_t csv_find_end(const char *text, size_t size, uint64_t count_max,
		    uint64_t *ret_count);

#endif
