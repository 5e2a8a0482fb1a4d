/*
 * csv_cell: the type of a cell, and its text in a canonical line (import.md
 * 6.2, 4.6).
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_FORMAT_CSV_CELL_H
#define CVX_IMPORTER_FORMAT_CSV_CELL_H

#include <stddef.h>
#include <stdint.h>

enum csv_cell_type { CSV_CELL_STRING, CSV_CELL_NUMBER, CSV_CELL_NULL };

/* The type of an unquoted cell; *ret_number is set for numbers. */
enum csv_cell_type csv_cell_type(const char *text, size_t size,
				 double *ret_number);

/*
 * What csv_cell_print needs at most for a cell of size bytes, with the bytes
 * it may spoil behind what it writes.
 */
#define CSV_CELL_ROOM(size) (6 * (size) + 48)

/*
 * Prints an unquoted cell of valid UTF-8 and returns the end of what it wrote.
 * Bytes up to readable_end, behind the cell, can be read. Adds the value's
 * size (import.md 4.2) to *value_size.
 */
char *csv_cell_print(char *out, const char *text, size_t size,
		     const char *readable_end, uint64_t *value_size);

#endif
