#include "importer/value/utf8.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static bool is_continuation(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

unsigned utf8_sequence_size(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned char low = 0x80, high = 0xbf; /* of the second byte */
	unsigned size;

	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		size = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		size = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		size = 4;
	else
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0; /* overlong */
	else if (p[0] == 0xed)
		high = 0x9f; /* surrogates */
	else if (p[0] == 0xf0)
		low = 0x90; /* overlong */
	else if (p[0] == 0xf4)
		high = 0x8f; /* above U+10FFFF */
	if (p[1] < low || p[1] > high)
		return 0;
	for (unsigned i = 2; i < size; i++)
		if (!is_continuation(p[i]))
			return 0;
	return size;
}

/* The count of ASCII bytes that text begins with, in steps of 8. */
static size_t ascii_size(const char *text, size_t size)
{
	size_t n = 0;
	uint64_t word;

	for (; size - n >= sizeof(word); n += sizeof(word)) {
		memcpy(&word, text + n, sizeof(word));
		if (word & UINT64_C(0x8080808080808080))
			break;
	}
	return n;
}

size_t utf8_valid_size(const char *text, size_t size)
{
	size_t at = 0;

	while (at < size) {
		char last[4] = {0}; /* so that no byte behind text is read */
		unsigned n;

		at += ascii_size(text + at, size - at);
		if (at == size)
			break;
		if ((unsigned char)text[at] < 0x80) {
			at++;
			continue;
		}
		memcpy(last, text + at, size - at < 4 ? size - at : 4);
		n = utf8_sequence_size(last);
		if (n == 0)
			break;
		at += n;
	}
	return at;
}

#if defined(__x86_64__)
/*
 * Keiser and Lemire, "Validating UTF-8 in Less Than One Instruction per Byte"
 * (2020). Three tables, of the high and low half of a byte and of the high half
 * of the one behind it, agree in a bit exactly where a pair of bytes is wrong.
 */
#define TOO_SHORT (1 << 0)	/* lead byte, then no continuation */
#define TOO_LONG (1 << 1)	/* ASCII, then a continuation */
#define OVERLONG_3 (1 << 2)	/* E0, then below A0 */
#define TOO_LARGE (1 << 3)	/* F4, then above 8F; or F5 and more */
#define SURROGATE (1 << 4)	/* ED, then above 9F */
#define OVERLONG_2 (1 << 5)	/* C0, C1 */
#define TOO_LARGE_1000 (1 << 6) /* F5 and more, then 80 to 8F */
#define OVERLONG_4 (1 << 6)	/* F0, then below 90 */
#define TWO_CONTS (1 << 7)	/* right only behind a lead of 3 or 4 */
#define CARRY (TOO_SHORT | TOO_LONG | TWO_CONTS)

#define TARGET __attribute__((target("avx2")))

#define TABLE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)
#define C(x) ((char)(x))

TARGET static inline __m256i first_high(__m256i nibbles)
{
	return _mm256_shuffle_epi8(
		TABLE(TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,
		      TOO_LONG, TOO_LONG, TOO_LONG, C(TWO_CONTS), C(TWO_CONTS),
		      C(TWO_CONTS), C(TWO_CONTS), TOO_SHORT | OVERLONG_2,
		      TOO_SHORT, TOO_SHORT | OVERLONG_3 | SURROGATE,
		      TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4),
		nibbles);
}

TARGET static inline __m256i first_low(__m256i nibbles)
{
	const char large = C(CARRY | TOO_LARGE | TOO_LARGE_1000);

	return _mm256_shuffle_epi8(
		TABLE(C(CARRY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4),
		      C(CARRY | OVERLONG_2), C(CARRY), C(CARRY),
		      C(CARRY | TOO_LARGE), large, large, large, large, large,
		      large, large, large,
		      C(CARRY | TOO_LARGE | TOO_LARGE_1000 | SURROGATE), large,
		      large),
		nibbles);
}

TARGET static inline __m256i second_high(__m256i nibbles)
{
	return _mm256_shuffle_epi8(
		TABLE(TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
		      TOO_SHORT, TOO_SHORT, TOO_SHORT,
		      C(TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 |
			TOO_LARGE_1000 | OVERLONG_4),
		      C(TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 |
			TOO_LARGE),
		      C(TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE |
			TOO_LARGE),
		      C(TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE |
			TOO_LARGE),
		      TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT),
		nibbles);
}

/* x moved up by n bytes, with the last n bytes of the block before it. */
#define PREVIOUS(x, before, n)                                                 \
	_mm256_alignr_epi8(x, _mm256_permute2x128_si256(before, x, 0x21),      \
			   16 - (n))

TARGET static inline __m256i errors(__m256i x, __m256i before)
{
	const __m256i low = _mm256_set1_epi8(0x0f);
	__m256i one = PREVIOUS(x, before, 1);
	__m256i third = _mm256_subs_epu8(PREVIOUS(x, before, 2),
					 _mm256_set1_epi8(0xe0 - 0x80));
	__m256i fourth = _mm256_subs_epu8(PREVIOUS(x, before, 3),
					  _mm256_set1_epi8(0xf0 - 0x80));
	__m256i pairs = _mm256_and_si256(
		_mm256_and_si256(first_high(_mm256_and_si256(
					 _mm256_srli_epi16(one, 4), low)),
				 first_low(_mm256_and_si256(one, low))),
		second_high(_mm256_and_si256(_mm256_srli_epi16(x, 4), low)));
	__m256i wanted = _mm256_and_si256(_mm256_or_si256(third, fourth),
					  _mm256_set1_epi8(C(0x80)));

	return _mm256_xor_si256(wanted, pairs);
}

TARGET static bool is_valid_avx2(const char *text, size_t size)
{
	__m256i before = _mm256_setzero_si256();
	__m256i wrong = _mm256_setzero_si256();
	char last[32] = {0}; /* the zeros end a sequence that is cut off */
	size_t at = 0;
	__m256i x;

	for (; size - at >= 32; at += 32) {
		x = _mm256_loadu_si256((const __m256i *)(text + at));
		wrong = _mm256_or_si256(wrong, errors(x, before));
		before = x;
	}
	memcpy(last, text + at, size - at);
	x = _mm256_loadu_si256((const __m256i *)last);
	wrong = _mm256_or_si256(wrong, errors(x, before));
	before = x; /* a full last block is impossible: size - at < 32 */
	return _mm256_testz_si256(wrong, wrong);
}
#endif

bool utf8_is_valid(const char *text, size_t size)
{
#if defined(__x86_64__)
	if (size >= 32 && __builtin_cpu_supports("avx2"))
		return is_valid_avx2(text, size);
#endif
	return utf8_valid_size(text, size) == size;
}

unsigned utf8_write(uint32_t c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}
