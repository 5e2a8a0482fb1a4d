/* The scanner for every x86-64 processor. */
#include "importer/value/scan_parts.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#include <string.h>

#define SCAN_RUN scan_run_sse2
#define SCAN_TARGET
#define SCAN_STEP 16

static inline uint32_t block_copy(const char *p, char *o, uint32_t *high)
{
	__m128i x = _mm_loadu_si128((const __m128i *)p);
	__m128i control = _mm_cmpeq_epi8(x, _mm_min_epu8(x, _mm_set1_epi8(31)));
	__m128i quote = _mm_cmpeq_epi8(x, _mm_set1_epi8('"'));
	__m128i backslash = _mm_cmpeq_epi8(x, _mm_set1_epi8('\\'));

	_mm_storeu_si128((__m128i *)o, x);
	*high = (uint32_t)_mm_movemask_epi8(x);
	return (uint32_t)_mm_movemask_epi8(
		_mm_or_si128(control, _mm_or_si128(quote, backslash)));
}

static inline uint32_t digit_mask_16(const char *p)
{
	__m128i x = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)p),
				 _mm_set1_epi8('0'));

	return (uint32_t)_mm_movemask_epi8(
		_mm_cmpeq_epi8(x, _mm_min_epu8(x, _mm_set1_epi8(9))));
}

static inline uint32_t digit_mask(const char *p)
{
	return digit_mask_16(p) | digit_mask_16(p + 16) << 16;
}

static inline int text_equals(const char *p, const char *text, size_t size)
{
	if (size > SHAPE_KEY_TEXT_MAX)
		return 0;
	for (size_t i = 0; i < size; i += 16) {
		__m128i same = _mm_cmpeq_epi8(
			_mm_loadu_si128((const __m128i *)(p + i)),
			_mm_loadu_si128((const __m128i *)(text + i)));
		uint32_t differ = (uint32_t)_mm_movemask_epi8(same) ^ 0xffff;

		if (differ && i + (size_t)__builtin_ctz(differ) < size)
			return 0;
	}
	return 1;
}

#include "importer/value/scan_body.h"
#endif
