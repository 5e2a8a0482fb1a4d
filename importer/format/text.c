#include "importer/format/text.h"

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define ASCII_STEP 16

#ifdef __SSE2__

/* Counts in whole steps of 16 bytes; *ret_used is how far they go. */
static size_t count_wide(const char *text, size_t size, char byte,
			 size_t *ret_used)
{
	const __m128i wanted = _mm_set1_epi8(byte), zero = _mm_setzero_si128();
	size_t count = 0, i = 0;

	while (size - i >= 16) {
		/* 16 counters of one byte: they hold 255 steps. */
		size_t steps = (size - i) / 16 < 255 ? (size - i) / 16 : 255;
		__m128i counts = zero;

		for (; steps > 0; steps--, i += 16) {
			const __m128i *p = (const __m128i *)(text + i);

			counts = _mm_sub_epi8(
				counts,
				_mm_cmpeq_epi8(_mm_loadu_si128(p), wanted));
		}
		counts = _mm_sad_epu8(counts, zero);
		count += (size_t)_mm_cvtsi128_si64(counts) +
			 (size_t)_mm_extract_epi16(counts, 4);
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

size_t text_skip_space(const char *text, size_t size, size_t pos)
{
	while (pos < size && (text[pos] == ' ' || text[pos] == '\n' ||
			      text[pos] == '\r' || text[pos] == '\t'))
		pos++;
	return pos;
}

bool text_has_mark(const char *text, size_t size)
{
	return size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;
}

static size_t skip_ascii(const unsigned char *p, size_t size, size_t pos)
{
	uint64_t a, b;

	while (size - pos >= ASCII_STEP) {
		memcpy(&a, p + pos, sizeof(a));
		memcpy(&b, p + pos + sizeof(a), sizeof(b));
		if ((a | b) & 0x8080808080808080u)
			break;
		pos += ASCII_STEP;
	}
	while (pos < size && p[pos] < 0x80)
		pos++;
	return pos;
}

/*
 * The length of the UTF-8 sequence of a character above U+007F, or 0. The
 * second byte's range tells overlong forms, surrogates and what lies above
 * U+10FFFF (Unicode, table 3-7).
 */
static size_t sequence_size(const unsigned char *p, size_t size)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t n;

	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (size < n)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

bool text_is_utf8(const char *text, size_t size, size_t *ret_bad)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t pos = 0, n;

	while ((pos = skip_ascii(p, size, pos)) < size) {
		do {
			n = sequence_size(p + pos, size - pos);
			if (n == 0) {
				*ret_bad = pos;
				return false;
			}
			pos += n;
		} while (pos < size && p[pos] >= 0x80);
	}
	return true;
}
