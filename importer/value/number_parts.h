/*
 * number_parts: the halves of number.h, for the scanner, which reads digits
 * itself and often finds that it need not print.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_VALUE_NUMBER_PARTS_H
#define CVX_IMPORTER_VALUE_NUMBER_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUMBER_POWER_MIN (-342)
#define NUMBER_POWER_MAX 324
#define NUMBER_POWER_COUNT (NUMBER_POWER_MAX - NUMBER_POWER_MIN + 1)

/* The leading bits of 10^q at [q - NUMBER_POWER_MIN]: upper half, lower half.
 * See scripts/make-number-tables for the rounding. */
extern const uint64_t number_powers[NUMBER_POWER_COUNT][2];

/* digits * 10^exponent; digits has no trailing zero, unless it is 0. */
struct decimal {
	uint64_t digits;
	int exponent;
};

/* The double nearest to digits * 10^exponent, as bits without a sign;
 * infinity above the range. Exact for any input. */
uint64_t number_bits_of(uint64_t digits, int64_t exponent);

/* The shortest decimal that reads back to the bits of a finite double, which
 * have no sign and are not 0. */
struct decimal number_shortest(uint64_t bits);

/* Prints the decimal in the layout of import.md 4.6; returns the length. */
size_t number_print_decimal(struct decimal d, bool negative, char *text);

#endif
