#include "importer/value/system_fields.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "importer/value/number_parts.h"

/* import.md 3 */
#define CREATION_TIME_LIMIT 9007199254740992.0 /* 2^53 */

static const struct system_fault *set(struct system_fault *fault,
				      const char *name, const char *what)
{
	fault->name = name;
	(void)snprintf(fault->what, sizeof(fault->what), "%s", what);
	return fault;
}

const struct system_fault *system_id_read(const char *text, size_t size,
					  uint32_t table_number,
					  struct internal_id *ret,
					  struct system_fault *fault)
{
	uint32_t number;

	if (id_decode(text, size, &number, ret) < 0)
		return set(fault, "InvalidId",
			   "this is not the id of a document");
	if (number == table_number)
		return NULL;
	fault->name = "ImportConflict";
	(void)snprintf(fault->what, sizeof(fault->what),
		       "the id belongs to table number %u, and this is table "
		       "number %u",
		       number, table_number);
	return fault;
}

const struct system_fault *system_time_check_type(double ms,
						  struct system_fault *fault)
{
	if (!isfinite(ms))
		return set(fault, "InvalidCreationTimeError",
			   "a creation time must be a finite float64");
	if (signbit(ms))
		return set(fault, "InvalidCreationTimeError",
			   "a creation time must be positive");
	return NULL;
}

const struct system_fault *system_time_check_range(double ms,
						   struct system_fault *fault)
{
	if (ms > 0 && ms < CREATION_TIME_LIMIT)
		return NULL;
	return set(fault, "InvalidDocumentError",
		   "a creation time must be above 0 and below 2^53 "
		   "milliseconds");
}

double system_time_at(double first, uint64_t n)
{
	uint64_t bits;

	memcpy(&bits, &first, sizeof(bits));
	bits += n;
	memcpy(&first, &bits, sizeof(first));
	return first;
}

/* Times of today have no more decimals. */
#define DECIMALS_MAX 4

/* Enough for the whole milliseconds below the limit, and their point. */
#define WHOLE_COPY 20

size_t system_time_print(struct time_printer *t, double time, char *text)
{
	static const unsigned powers[] = {1, 10, 100, 1000, 10000};
	struct decimal d;
	uint64_t bits, whole;
	unsigned part;

	assert(time > 0);
	memcpy(&bits, &time, sizeof(bits));
	d = number_shortest(bits);
	if (d.exponent >= 0 || d.exponent < -DECIMALS_MAX)
		return number_print_decimal(d, false, text);

	/* Whole numbers are doubles, so that no other one prints beyond. */
	whole = (uint64_t)time;
	if (t->size == 0 || t->whole != whole) {
		t->size = number_print_decimal((struct decimal){whole, 0},
					       false, t->text) -
			  1; /* the zero behind the point */
		t->whole = whole;
	}
	part = (unsigned)(d.digits * powers[DECIMALS_MAX + d.exponent] -
			  whole * powers[DECIMALS_MAX]);
	memcpy(text, t->text, WHOLE_COPY);
	text += t->size;
	text[0] = (char)('0' + part / 1000);
	text[1] = (char)('0' + part / 100 % 10);
	text[2] = (char)('0' + part / 10 % 10);
	text[3] = (char)('0' + part % 10);
	return t->size + (size_t)-d.exponent;
}
