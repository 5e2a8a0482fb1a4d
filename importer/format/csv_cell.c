#include "importer/format/csv_cell.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "importer/value/number.h"

/* Sizes of values: import.md 4.2. */
#define NULL_VALUE_SIZE 1
#define FLOAT_VALUE_SIZE 9
#define STRING_VALUE_SIZE(size) (2 + (size))

#define EXACT_DIGITS 15

/* The longest text of a number that is copied: digits and a point or sign. */
#define PLAIN_MAX 16

static const char *skip_digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

static const char *skip_sign(const char *p, const char *end)
{
	return p < end && (*p == '-' || *p == '+') ? p + 1 : p;
}

/* [+-]? ( D+ [. D*] | . D+ ) ( [eE] [+-]? D+ )? */
static bool is_number(const char *text, size_t size)
{
	const char *end = text + size;
	const char *p = skip_sign(text, end);
	const char *digits = p;
	bool any;

	p = skip_digits(p, end);
	any = p > digits;
	if (p < end && *p == '.') {
		digits = p + 1;
		p = skip_digits(digits, end);
		any |= p > digits;
	}
	if (!any)
		return false;
	if (p < end && (*p == 'e' || *p == 'E')) {
		digits = skip_sign(p + 1, end);
		p = skip_digits(digits, end);
		if (p == digits)
			return false;
	}
	return p == end;
}

/* [+-]? (inf | infinity | nan), in any case */
static bool is_not_finite(const char *text, size_t size)
{
	const char *word = skip_sign(text, text + size);

	size -= (size_t)(word - text);
	return (size == 3 && (strncasecmp(word, "inf", 3) == 0 ||
			      strncasecmp(word, "nan", 3) == 0)) ||
	       (size == 8 && strncasecmp(word, "infinity", 8) == 0);
}

enum csv_cell_type csv_cell_type(const char *text, size_t size,
				 double *ret_number)
{
	if (is_number(text, size)) {
		double number = number_read(text, size);

		if (isinf(number))
			return CSV_CELL_NULL;
		*ret_number = number;
		return CSV_CELL_NUMBER;
	}
	return is_not_finite(text, size) ? CSV_CELL_NULL : CSV_CELL_STRING;
}

#ifdef __SSE2__

/* A bit for each of the PLAIN_MAX bytes that is a digit. */
static unsigned digit_bits(const char *text)
{
	__m128i bytes = _mm_loadu_si128((const __m128i *)text);
	const __m128i nine = _mm_set1_epi8(9);

	bytes = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
	return (unsigned)_mm_movemask_epi8(
		_mm_cmpeq_epi8(_mm_max_epu8(bytes, nine), nine));
}

#else

static unsigned digit_bits(const char *text)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < PLAIN_MAX; i++)
		bits |= (unsigned)(text[i] >= '0' && text[i] <= '9') << i;
	return bits;
}

#endif

/*
 * Prints a number that needs no reading: it already stands as import.md 4.6
 * wants it, but for ".0" behind an integer and zeros behind the last decimal.
 * Decimals of up to 15 digits all differ as doubles, so they are shortest.
 * NULL: it is not such a number. PLAIN_MAX bytes of text can be read.
 */
static char *print_plain_number(char *out, const char *text, size_t size)
{
	size_t sign = *text == '-', point, part;
	unsigned others; /* bits of what is no digit, or behind the cell */

	if (size > PLAIN_MAX)
		return NULL;
	others = ~(digit_bits(text) & ((1u << size) - 1));
	point = (size_t)__builtin_ctz(others >> sign) + sign;
	if (point == sign || point - sign > EXACT_DIGITS ||
	    (text[sign] == '0' && point - sign > 1))
		return NULL;
	memcpy(out, text, PLAIN_MAX);
	if (point == size) {
		memcpy(out + size, ".0", 2);
		return out + size + 2;
	}
	part = (size_t)__builtin_ctz(others >> (point + 1));
	if (text[point] != '.' || part == 0 || point + 1 + part != size)
		return NULL;
	while (part > 1 && text[point + part] == '0')
		part--;
	/* Below 0.00001 an exponent is due. */
	if (text[sign] == '0' && part > 5 &&
	    memcmp(text + point + 1, "00000", 5) == 0)
		return NULL;
	return out + point + 1 + part;
}

static char *print_escape(char *out, unsigned char byte)
{
	static const char letters[32] = {['\b'] = 'b',
					 ['\t'] = 't',
					 ['\n'] = 'n',
					 ['\f'] = 'f',
					 ['\r'] = 'r'};
	static const char hex[] = "0123456789abcdef";

	*out++ = '\\';
	if (byte >= 32) {
		*out++ = (char)byte;
	} else if (letters[byte]) {
		*out++ = letters[byte];
	} else {
		memcpy(out, "u00", 3);
		out[3] = hex[byte >> 4];
		out[4] = hex[byte & 15];
		out += 5;
	}
	return out;
}

static bool needs_escape(unsigned char byte)
{
	return byte < 32 || byte == '"' || byte == '\\';
}

#ifdef __SSE2__

/* The bits of the 16 bytes that must be escaped. */
static unsigned escape_bits(__m128i bytes)
{
	const __m128i control = _mm_set1_epi8(31);
	__m128i found = _mm_cmpeq_epi8(_mm_max_epu8(bytes, control), control);

	found = _mm_or_si128(found, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
	found = _mm_or_si128(found, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
	return (unsigned)_mm_movemask_epi8(found);
}

/* Copies 16 bytes at a time, whatever stands behind the string. */
static char *print_wide(char *out, const char **text, const char *end,
			const char *readable_end)
{
	const char *p = *text;

	while (p < end && readable_end - p >= 16) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)p);
		unsigned bits = escape_bits(bytes);
		size_t n = end - p < 16 ? (size_t)(end - p) : 16;

		_mm_storeu_si128((__m128i *)out, bytes);
		bits &= (1u << n) - 1;
		if (bits != 0)
			n = (size_t)__builtin_ctz(bits);
		out += n;
		p += n;
		if (bits != 0)
			out = print_escape(out, (unsigned char)*p++);
	}
	*text = p;
	return out;
}

#else

static char *print_wide(char *out, const char **text __attribute__((unused)),
			const char *end __attribute__((unused)),
			const char *readable_end __attribute__((unused)))
{
	return out;
}

#endif

static char *print_string(char *out, const char *text, size_t size,
			  const char *readable_end)
{
	const char *end = text + size;

	*out++ = '"';
	out = print_wide(out, &text, end, readable_end);
	for (; text < end; text++) {
		if (needs_escape((unsigned char)*text))
			out = print_escape(out, (unsigned char)*text);
		else
			*out++ = *text;
	}
	*out++ = '"';
	return out;
}

/* Whether a number, inf or nan can begin so. */
static bool may_be_typed(char first)
{
	switch (first) {
	case '0' ... '9':
	case '+':
	case '-':
	case '.':
	case 'i':
	case 'I':
	case 'n':
	case 'N':
		return true;
	}
	return false;
}

char *csv_cell_print(char *out, const char *text, size_t size,
		     const char *readable_end, uint64_t *value_size)
{
	double number;
	char *end;

	if (size > 0 && may_be_typed(*text)) {
		char padded[PLAIN_MAX] = {0};
		const char *plain = text;

		if (readable_end - text < PLAIN_MAX) {
			memcpy(padded, text, size);
			plain = padded;
		}
		end = print_plain_number(out, plain, size);
		if (end) {
			*value_size += FLOAT_VALUE_SIZE;
			return end;
		}
		switch (csv_cell_type(text, size, &number)) {
		case CSV_CELL_NUMBER:
			*value_size += FLOAT_VALUE_SIZE;
			return out + number_print(number, out);
		case CSV_CELL_NULL:
			*value_size += NULL_VALUE_SIZE;
			memcpy(out, "null", 4);
			return out + 4;
		case CSV_CELL_STRING:
			break;
		}
	}
	*value_size += STRING_VALUE_SIZE(size);
	return print_string(out, text, size, readable_end);
}
