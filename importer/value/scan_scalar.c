/* The scanner for any processor: blocks of 8 bytes in a register. */
#include <string.h>

#include "importer/value/scan_parts.h"

#define SCAN_RUN scan_run_scalar
#define SCAN_TARGET
#define SCAN_STEP 8

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS (ONES << 7)

/* The high bits of the bytes, gathered: bit i for byte i. */
static inline uint32_t gather(uint64_t highs)
{
	return (uint32_t)((highs >> 7) * UINT64_C(0x0102040810204080) >> 56);
}

/* The high bit of each byte that equals c: exact, as no borrow spreads. */
static inline uint64_t equal_bytes(uint64_t word, char c)
{
	uint64_t x = word ^ ONES * (unsigned char)c;

	return ~(((x & ~HIGHS) + ~HIGHS) | x) & HIGHS;
}

static inline uint32_t block_copy(const char *p, char *o, uint32_t *high)
{
	uint64_t word, control;

	memcpy(&word, p, sizeof(word));
	memcpy(o, &word, sizeof(word));
	*high = gather(word & HIGHS);
	/* Below 0x20: adding 0x60 to the lower bits sets no high bit. */
	control = ~(((word & ~HIGHS) + ONES * 0x60) | word) & HIGHS;
	return gather(control | equal_bytes(word, '"') |
		      equal_bytes(word, '\\'));
}

static inline uint32_t digit_mask(const char *p)
{
	uint32_t mask = 0;

	for (unsigned i = 0; i < 32; i += 8) {
		uint64_t word, outside;

		memcpy(&word, p + i, sizeof(word));
		outside = (((word & ~HIGHS) + ONES * (0x7f - '9')) |
			   ~((word & ~HIGHS) + ONES * (0x80 - '0')) | word) &
			  HIGHS;
		mask |= gather(outside ^ HIGHS) << i;
	}
	return mask;
}

static inline int text_equals(const char *p, const char *text, size_t size)
{
	return size <= SHAPE_KEY_TEXT_MAX && memcmp(p, text, size) == 0;
}

#include "importer/value/scan_body.h"
