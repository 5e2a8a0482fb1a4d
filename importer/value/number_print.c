/*
 * Printing follows Giulietti, "The Schubfach way to render doubles" (2020):
 * the interval of numbers that read back to the double is scaled by a power of
 * ten such that it holds at least one integer and at most one multiple of ten.
 */
#include "importer/value/number.h"

#include <assert.h>
#include <endian.h>
#include <math.h>
#include <string.h>

#include "importer/value/number_parts.h"

#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define HIDDEN_BIT (UINT64_C(1) << MANTISSA_BITS)

/* Between these powers of ten numbers print without an exponent. */
#define POINT_MIN (-4)
#define POINT_MAX 16

struct power {
	uint64_t high, low;
};

/* 10^q rounded up, unless it is exact. */
static struct power power_of_ten(int q)
{
	const uint64_t *entry = number_powers[q - NUMBER_POWER_MIN];
	struct power p = {entry[0], entry[1]};

	if (q < -27 || q > 55) { /* cut off in the table */
		p.low++;
		p.high += p.low == 0;
	}
	return p;
}

/* The upper 64 bits of the product, with a low bit for what is lost below. */
static uint64_t scale(struct power p, uint64_t n)
{
	uint64_t low = (uint64_t)((unsigned __int128)p.low * n >> 64);
	unsigned __int128 product = (unsigned __int128)p.high * n + low;

	return (uint64_t)(product >> 64) | ((uint64_t)product > 1);
}

static __attribute__((noinline)) struct decimal
cut_trailing_zeros(uint64_t digits, int exponent)
{
	while (digits % 100000000 == 0) {
		digits /= 100000000;
		exponent += 8;
	}
	while (digits % 10 == 0) {
		digits /= 10;
		exponent++;
	}
	return (struct decimal){digits, exponent};
}

static inline struct decimal without_trailing_zeros(uint64_t digits,
						    int exponent)
{
	if (digits % 10 == 0)
		return cut_trailing_zeros(digits, exponent);
	return (struct decimal){digits, exponent};
}

struct decimal number_shortest(uint64_t bits)
{
	uint64_t fraction = bits & (HIDDEN_BIT - 1);
	int biased = (int)(bits >> MANTISSA_BITS);
	uint64_t c = biased ? fraction | HIDDEN_BIT : fraction;
	int q = (biased ? biased : 1) - EXPONENT_BIAS - MANTISSA_BITS;
	/* A power of two has a nearer neighbour below than above. */
	bool uneven = fraction == 0 && biased > 1;
	uint64_t odd = c & 1; /* its interval has open ends */
	uint64_t below, exact, above, s;
	struct power power;
	int k, h;

	assert(bits != 0);
	if (q <= 0 && q > -MANTISSA_BITS - 1 &&
	    (c & ((UINT64_C(1) << -q) - 1)) == 0)
		return without_trailing_zeros(c >> -q, 0);

	/* floor(log10(2^q)), or of 3/4 2^q; then 2^h undoes the scaling. */
	k = (q * 1262611 - (uneven ? 524031 : 0)) >> 22;
	h = q + ((-k * 1741647) >> 19) + 1;
	power = power_of_ten(-k);
	below = scale(power, (4 * c - 2 + uneven) << h) + odd;
	exact = scale(power, (4 * c) << h);
	above = scale(power, (4 * c + 2) << h) - odd;
	s = exact / 4;

	{
		/* One digit less, if a multiple of ten is inside. */
		uint64_t tens = s / 10;
		bool tens_down = below <= 40 * tens;
		bool tens_up = 40 * tens + 40 <= above;
		bool shorter = (s >= 10) & (tens_down != tens_up);
		bool down = below <= 4 * s;
		bool up = 4 * s + 4 <= above;
		bool nearer = (exact > 4 * s + 2) |
			      ((exact == 4 * s + 2) & (bool)(s & 1));

		/* What is chosen is as good as random: no branches. */
		tens += tens_up;
		s += (up & !down) | ((up == down) & nearer);
		s ^= (s ^ tens) & -(uint64_t)shorter;
		return without_trailing_zeros(s, k + shorter);
	}
}

/*
 * Room for the digits of any 64-bit number, in three groups of eight, and for
 * copies of a fixed size, which are faster than copies of the right size.
 */
#define DIGITS_END 24
#define DIGITS_COPY 20
#define DIGITS_ROOM (DIGITS_END + DIGITS_COPY)

/* Writes eight digits; returns how many of them are leading zeros. */
static inline int print_group(uint64_t n, char *text)
{
	/* In turn two numbers below 10^4, four below 100, eight digits. */
	uint64_t x = n / 10000 | n % 10000 << 32, tens, chars;

	tens = (x * 10486 >> 20) & UINT64_C(0x0000007f0000007f);
	x = tens | (x - 100 * tens) << 16;
	tens = (x * 103 >> 10) & UINT64_C(0x000f000f000f000f);
	x = tens | (x - 10 * tens) << 8;
	chars = htole64(x + UINT64_C(0x3030303030303030));
	memcpy(text, &chars, sizeof(chars));
	/* The last digit counts as one even if it is 0. */
	return __builtin_ctzll(x | UINT64_C(1) << 56) / 8;
}

/* Writes the digits up to DIGITS_END; returns where they begin. */
static char *print_digits(uint64_t n, char room[DIGITS_ROOM])
{
	uint64_t upper = n / 100000000, top = upper / 100000000;
	char *middle = room + 8, *last = room + 16;
	int zeros;

	if (upper == 0)
		return last + print_group(n, last);
	(void)print_group(n % 100000000, last);
	zeros = print_group(upper % 100000000, middle);
	if (top >= 10)
		return room + print_group(top, room);
	middle[-1] = (char)('0' + top); /* most doubles have 16 or 17 digits */
	return middle + (top ? -1 : zeros);
}

static char *print_zeros(char *text, int count)
{
	memset(text, '0', (size_t)count);
	return text + count;
}

static char *print_exponent(char *text, int exponent)
{
	*text++ = 'e';
	if (exponent < 0) {
		*text++ = '-';
		exponent = -exponent;
	}
	if (exponent >= 100)
		*text++ = (char)('0' + exponent / 100);
	if (exponent >= 10)
		*text++ = (char)('0' + exponent / 10 % 10);
	*text++ = (char)('0' + exponent % 10);
	return text;
}

size_t number_print_decimal(struct decimal d, bool negative, char *text)
{
	char room[DIGITS_ROOM];
	const char *digits = print_digits(d.digits, room);
	int count = (int)(room + DIGITS_END - digits);
	int point = count + d.exponent; /* digits in front of it */
	char *p = text;

	*p = '-';
	p += negative;
	if (d.exponent >= 0 && point <= POINT_MAX) {
		memcpy(p, digits, DIGITS_COPY);
		p = print_zeros(p + count, d.exponent);
		*p++ = '.';
		*p++ = '0';
	} else if (point > 0 && point <= POINT_MAX) {
		memcpy(p, digits, DIGITS_COPY);
		p[point] = '.';
		memcpy(p + point + 1, digits + point, DIGITS_COPY);
		p += count + 1;
	} else if (point >= POINT_MIN && point <= 0) {
		*p++ = '0';
		*p++ = '.';
		p = print_zeros(p, -point);
		memcpy(p, digits, DIGITS_COPY);
		p += count;
	} else {
		*p++ = digits[0];
		if (count > 1) {
			*p++ = '.';
			memcpy(p, digits + 1, DIGITS_COPY);
			p += count - 1;
		}
		p = print_exponent(p, point - 1);
	}
	return (size_t)(p - text);
}

size_t number_print(double value, char *text)
{
	uint64_t bits;
	bool negative;

	assert(isfinite(value));
	memcpy(&bits, &value, sizeof(bits));
	negative = bits >> 63;
	bits &= INT64_MAX;
	if (bits == 0) {
		memcpy(text, "-0.0", 4);
		if (negative)
			return 4;
		memcpy(text, "0.0", 3);
		return 3;
	}
	return number_print_decimal(number_shortest(bits), negative, text);
}
