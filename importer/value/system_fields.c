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

/*
 * Times of 2004 to 2039 lie between 2^40 and 2^41 ms, where 12 bits stand
 * behind the point. So doubles are 1/4096 apart, and a decimal is the text of
 * the nearest one if it is nearer than half of that. Four decimals always are;
 * a tie between two doubles needs 13.
 */
#define TODAY_EXPONENT (UINT64_C(0x427) << 52) /* 1023 + 40 */
#define FRACTION_BITS 12

/* The fewest decimals that tell the fraction of so many 4096ths, at least one
 * and below four: *ret_part, the nearest with four places, and their count. */
static unsigned shortest_fraction(unsigned fraction, unsigned *ret_part)
{
	static const unsigned powers[] = {10, 100, 1000};
	const unsigned one = 1U << FRACTION_BITS;
	unsigned exact, part, places, rest;

	for (places = 1; places < DECIMALS_MAX; places++) {
		exact = fraction * powers[places - 1];
		part = (exact + one / 2) >> FRACTION_BITS;
		rest = part << FRACTION_BITS;
		rest = rest > exact ? rest - exact : exact - rest;
		if (2 * rest < powers[places - 1]) {
			*ret_part = part * (10000 / powers[places - 1]);
			return places;
		}
	}
	/* Of two that are as near, the even one. */
	exact = fraction * 10000;
	part = (exact + one / 2) >> FRACTION_BITS;
	if ((exact & (one - 1)) == one / 2)
		part &= ~1U;
	*ret_part = part;
	return DECIMALS_MAX;
}

/* The text up to the point, as it is kept. */
static void keep_whole(struct time_printer *t, uint64_t whole)
{
	if (t->size > 0 && t->whole == whole)
		return;
	t->size = number_print_decimal((struct decimal){whole, 0}, false,
				       t->text) -
		  1; /* the zero behind the point */
	t->whole = whole;
}

size_t system_time_print(struct time_printer *t, double time, char *text)
{
	unsigned part, places, fraction;
	uint64_t bits;

	assert(time > 0);
	memcpy(&bits, &time, sizeof(bits));
	fraction = (unsigned)(bits & ((1U << FRACTION_BITS) - 1));
	if ((bits & UINT64_C(0xfff) << 52) != TODAY_EXPONENT || fraction == 0)
		return number_print_decimal(number_shortest(bits), false, text);
	keep_whole(t, (uint64_t)time);
	places = shortest_fraction(fraction, &part);
	memcpy(text, t->text, WHOLE_COPY);
	text += t->size;
	text[0] = (char)('0' + part / 1000);
	text[1] = (char)('0' + part / 100 % 10);
	text[2] = (char)('0' + part / 10 % 10);
	text[3] = (char)('0' + part % 10);
	return t->size + places;
}
