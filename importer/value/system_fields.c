#include "importer/value/system_fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

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
