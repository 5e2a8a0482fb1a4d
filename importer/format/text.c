#include "importer/format/text.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>

/* Bytes at once, in four counters: the next loads need not wait for them. */
#define WIDE 64

static inline __m128i count_16(__m128i counts, const char *text, __m128i wanted)
{
	return _mm_sub_epi8(
		counts,
		_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)text), wanted));
}

/* Counts in whole steps of WIDE bytes; *ret_used is how far they go. */
static size_t count_wide(const char *text, size_t size, char byte,
			 size_t *ret_used)
{
	const __m128i wanted = _mm_set1_epi8(byte), zero = _mm_setzero_si128();
	size_t count = 0, i = 0;

	while (size - i >= WIDE) {
		/* 16 counters of one byte: they hold 255 steps. */
		size_t steps = (size - i) / WIDE < 63 ? (size - i) / WIDE : 63;
		__m128i a = zero, b = zero, c = zero, d = zero;

		for (; steps > 0; steps--, i += WIDE) {
			a = count_16(a, text + i, wanted);
			b = count_16(b, text + i + 16, wanted);
			c = count_16(c, text + i + 32, wanted);
			d = count_16(d, text + i + 48, wanted);
		}
		a = _mm_add_epi8(_mm_add_epi8(a, b), _mm_add_epi8(c, d));
		a = _mm_sad_epu8(a, zero);
		count += (size_t)_mm_cvtsi128_si64(a) +
			 (size_t)_mm_extract_epi16(a, 4);
	}
	*ret_used = i;
	return count;
}

#else

static size_t count_wide(const char *text __attribute__((unused)),
			 size_t size __attribute__((unused)),
			 char byte __attribute__((unused)), size_t *ret_used)
{
	*ret_used = 0;
	return 0;
}

#endif

size_t text_count(const char *text, size_t size, char byte)
{
	size_t i, count = count_wide(text, size, byte, &i);

	for (; i < size; i++)
		count += text[i] == byte;
	return count;
}

size_t text_cut_lines(const char *text, size_t size, bool at_end,
		      uint64_t *ret_count)
{
	const char *lf;

	if (!at_end) {
		lf = size > 0 ? memrchr(text, '\n', size) : NULL;
		size = lf ? (size_t)(lf - text) + 1 : 0;
	}
	*ret_count = text_count(text, size, '\n');
	if (size > 0 && text[size - 1] != '\n')
		(*ret_count)++;
	return size;
}

size_t text_skip_space(const char *text, size_t size, size_t pos)
{
	while (pos < size && (text[pos] == ' ' || text[pos] == '\n' ||
			      text[pos] == '\r' || text[pos] == '\t'))
		pos++;
	return pos;
}
