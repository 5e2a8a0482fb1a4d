/* The scanner for processors with AVX2. */
#include "importer/value/scan_parts.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#define SCAN_RUN scan_run_avx2
#define SCAN_TARGET __attribute__((target("avx2,bmi,bmi2")))
#define SCAN_STEP 32

SCAN_TARGET static inline uint32_t block_copy(const char *p, char *o,
					      uint32_t *high)
{
	__m256i x = _mm256_loadu_si256((const __m256i *)p);
	__m256i control =
		_mm256_cmpeq_epi8(x, _mm256_min_epu8(x, _mm256_set1_epi8(31)));
	__m256i quote = _mm256_cmpeq_epi8(x, _mm256_set1_epi8('"'));
	__m256i backslash = _mm256_cmpeq_epi8(x, _mm256_set1_epi8('\\'));

	_mm256_storeu_si256((__m256i *)o, x);
	*high = (uint32_t)_mm256_movemask_epi8(x);
	return (uint32_t)_mm256_movemask_epi8(
		_mm256_or_si256(control, _mm256_or_si256(quote, backslash)));
}

SCAN_TARGET static inline uint32_t digit_mask(const char *p)
{
	__m256i x = _mm256_sub_epi8(_mm256_loadu_si256((const __m256i *)p),
				    _mm256_set1_epi8('0'));

	return (uint32_t)_mm256_movemask_epi8(
		_mm256_cmpeq_epi8(x, _mm256_min_epu8(x, _mm256_set1_epi8(9))));
}

SCAN_TARGET static inline int text_equals(const char *p, const char *text,
					  size_t size)
{
	for (size_t i = 0; i < size; i += 32) {
		__m256i same = _mm256_cmpeq_epi8(
			_mm256_loadu_si256((const __m256i *)(p + i)),
			_mm256_loadu_si256((const __m256i *)(text + i)));
		uint32_t differ = ~(uint32_t)_mm256_movemask_epi8(same);

		if (differ && i + (size_t)__builtin_ctz(differ) < size)
			return 0;
	}
	return 1;
}

#include "importer/value/scan_body.h"
#endif
