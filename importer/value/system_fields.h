/*
 * system_fields: what import.md 5 asks of _id and _creationTime, the same for
 * rows of every format, and the values that documents get without them.
 *
 * A check returns NULL, or the fault: where it is said is the caller's to add,
 * who knows the row's format.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_VALUE_SYSTEM_FIELDS_H
#define CVX_IMPORTER_VALUE_SYSTEM_FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include "importer/value/id.h"
#include "importer/value/number.h"

/* import.md 4.2: of a whole document, system fields included. */
#define DOCUMENT_SIZE_MAX ((size_t)1 << 20)
#define DOCUMENT_FIELDS_MAX 1024

/* What a system field adds to that size, beside its name. */
#define SYSTEM_TIME_VALUE_SIZE 9
#define SYSTEM_ID_VALUE_SIZE(text_size) (2 + (text_size))

struct system_fault {
	const char *name; /* of import.md 12 */
	char what[96];	  /* a sentence about the field's value */
};

/* 5.1: an _id that is a string must be an id of the table. */
const struct system_fault *system_id_read(const char *text, size_t size,
					  uint32_t table_number,
					  struct internal_id *ret,
					  struct system_fault *fault);

/* 5.3: a number that no creation time can be. */
const struct system_fault *system_time_check_type(double ms,
						  struct system_fault *fault);

/* 5.5: a time that no document of a user can have. */
const struct system_fault *system_time_check_range(double ms,
						   struct system_fault *fault);

/* The time of the n-th row: the n-th double above the first. */
double system_time_at(double first, uint64_t n);

/* Prints times as number_print does, but those of 2004 to 2039 faster: the text
 * up to the point is kept from the last one. Begins with zeros. */
struct time_printer {
	uint64_t whole; /* milliseconds in text */
	size_t size;	/* of text with its point; 0: none */
	char text[NUMBER_TEXT_MAX];
};

/* time is above 0; text as for number_print. */
size_t system_time_print(struct time_printer *t, double time, char *text);

#endif
