/*
 * number: float64 from decimal text and back, both exact.
 *
 * Reading rounds correctly to the nearest double (ties to even). Printing
 * gives the shortest digits that read back to the same bits, in the layout of
 * import.md 4.6. Neither depends on the locale.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_VALUE_NUMBER_H
#define CVX_IMPORTER_VALUE_NUMBER_H

#include <stddef.h>

/* The longest text of number_print, "-1.2345678901234567e-308", and room. */
#define NUMBER_TEXT_MAX 48

/*
 * Prints a finite double; returns the length. text has no NUL and needs
 * NUMBER_TEXT_MAX bytes of room.
 */
size_t number_print(double value, char *text);

/*
 * Reads [sign] digits [. digits] [e [sign] digits], as JSON and CSV cells
 * write numbers; the caller has checked the grammar. A leading '+', a leading
 * or trailing point and leading zeros are fine. Overflow gives an infinity,
 * underflow a zero of the right sign.
 */
double number_read(const char *text, size_t size);

#endif
