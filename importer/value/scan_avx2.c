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

/* The count of equal bytes at the start of a block. */
SCAN_TARGET static inline size_t equal_size(const char *p, const char *text)
{
	__m256i same =
		_mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)p),
				  _mm256_loadu_si256((const __m256i *)text));

	return (size_t)__builtin_ctzll(
		~(uint64_t)(uint32_t)_mm256_movemask_epi8(same));
}

SCAN_TARGET static inline int text_equals(const char *p, const char *text,
					  size_t size)
{
	size_t equal = equal_size(p, text);

	if (__builtin_expect(size > 32 && equal == 32, 0))
		equal += equal_size(p + 32, text + 32);
	return equal >= size;
}

#include "importer/value/scan_body.h"
#endif
