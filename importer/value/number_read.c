/*
 * Reading follows Lemire, "Number Parsing at a Gigabyte per Second" (2021):
 * up to 19 digits are a 64-bit integer, whose product with 128 bits of the
 * power of ten decides the rounding; Mushtak and Lemire (2023) show that it
 * always does. With more digits the truncated number and its successor mostly
 * agree; where they do not, big integers are compared.
 */
#include "importer/value/number.h"

#include <assert.h>
#include <string.h>

#include "importer/value/number_parts.h"

#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define EXPONENT_INFINITE 0x7ff
#define HIDDEN_BIT (UINT64_C(1) << MANTISSA_BITS)
#define BITS_INFINITE ((uint64_t)EXPONENT_INFINITE << MANTISSA_BITS)

/* The most decimal digits that always fit in 64 bits. */
#define DIGITS_MAX 19

/*
 * A point halfway between two doubles has at most 767 significant digits, so
 * one digit that stands for all digits behind the 768th decides as they do.
 */
#define DIGITS_SIGNIFICANT 769

struct wide {
	uint64_t high, low;
};

static struct wide multiply(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (struct wide){(uint64_t)(product >> 64), (uint64_t)product};
}

/* The upper 128 bits of digits (top bit set) times the power of ten. */
static struct wide scale(uint64_t digits, int exponent)
{
	const uint64_t *power = number_powers[exponent - NUMBER_POWER_MIN];
	const uint64_t rounding_bits = UINT64_MAX >> (MANTISSA_BITS + 3);
	struct wide product = multiply(digits, power[0]);

	/* The lower half matters only if it can carry into the mantissa. */
	if ((product.high & rounding_bits) == rounding_bits) {
		struct wide rest = multiply(digits, power[1]);

		product.low += rest.high;
		if (rest.high > product.low)
			product.high++;
	}
	return product;
}

/* floor(log2(10^q)) + 63, for the q of the table */
static int binary_exponent(int q)
{
	return ((152170 + 65536) * q >> 16) + 63;
}

uint64_t number_bits_of(uint64_t digits, int64_t exponent)
{
	int zeros, upper, power, q;
	struct wide product;
	uint64_t mantissa;

	if (digits == 0 || exponent < NUMBER_POWER_MIN)
		return 0;
	if (exponent > 308)
		return BITS_INFINITE;
	q = (int)exponent;
	zeros = __builtin_clzll(digits);
	product = scale(digits << zeros, q);
	upper = (int)(product.high >> 63);

	/* One bit more than the mantissa, to round by. */
	mantissa = product.high >> (upper + 64 - MANTISSA_BITS - 3);
	power = binary_exponent(q) + upper - zeros + EXPONENT_BIAS;

	if (power <= 0) { /* subnormal, or rounded up to the first normal */
		if (-power + 1 >= 64)
			return 0;
		mantissa >>= -power + 1;
		mantissa += mantissa & 1;
		return mantissa >> 1; /* 2^52 reads as exponent 1 */
	}

	/*
	 * Exactly halfway is possible only for these exponents; then the bits
	 * that were shifted out are all zero, and an even mantissa stays.
	 */
	if (product.low <= 1 && q >= -4 && q <= 23 && (mantissa & 3) == 1 &&
	    mantissa << (upper + 64 - MANTISSA_BITS - 3) == product.high)
		mantissa--;
	mantissa += mantissa & 1;
	mantissa >>= 1;
	if (mantissa == HIDDEN_BIT << 1) {
		mantissa = HIDDEN_BIT;
		power++;
	}
	if (power >= EXPONENT_INFINITE)
		return BITS_INFINITE;
	return (uint64_t)power << MANTISSA_BITS | (mantissa & (HIDDEN_BIT - 1));
}

/* The digits of a text, without leading zeros. */
struct digits {
	uint64_t first;	  /* the first DIGITS_MAX of them */
	int64_t count;	  /* all of them, trailing zeros included */
	int64_t exponent; /* of the last digit */
	const char *text; /* of the first digit that is not 0 */
	const char *end;  /* of the digits and the point */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void read_digits(const char *text, const char *end, struct digits *d)
{
	const char *p = text, *point = NULL;
	uint64_t first = 0;
	int64_t count = 0;

	for (; p < end && (*p == '0' || (*p == '.' && !point)); p++)
		if (*p == '.')
			point = p;
	d->text = p;
	for (; p < end; p++) {
		unsigned digit = (unsigned char)(*p - '0');

		if (digit <= 9) {
			if (count < DIGITS_MAX)
				first = first * 10 + digit;
			count++;
		} else if (*p == '.' && !point) {
			point = p;
		} else {
			break;
		}
	}
	d->end = p;
	d->first = first;
	d->count = count;
	d->exponent = point ? point + 1 - p : 0;
}

static int64_t read_exponent(const char *text, const char *end)
{
	int64_t n = 0;
	bool negative = false;

	if (text == end || (*text != 'e' && *text != 'E'))
		return 0;
	text++;
	if (text < end && (*text == '-' || *text == '+'))
		negative = *text++ == '-';
	for (; text < end && is_digit(*text); text++)
		/* Far above what a text of any size could balance. */
		if (n < INT64_MAX / 16)
			n = n * 10 + (*text - '0');
	return negative ? -n : n;
}

/*
 * Big integers, least significant limb first. The largest number compared is
 * 10^(342 + DIGITS_SIGNIFICANT) times 54 bits: below 3800 bits.
 */
#define LIMB_COUNT 64

struct big {
	uint64_t limbs[LIMB_COUNT];
	size_t count;
};

static void big_multiply_add(struct big *b, uint64_t factor, uint64_t add)
{
	uint64_t carry = add;

	for (size_t i = 0; i < b->count; i++) {
		unsigned __int128 sum =
			(unsigned __int128)b->limbs[i] * factor + carry;

		b->limbs[i] = (uint64_t)sum;
		carry = (uint64_t)(sum >> 64);
	}
	if (carry > 0) {
		assert(b->count < LIMB_COUNT);
		b->limbs[b->count++] = carry;
	}
}

static void big_scale_by_ten(struct big *b, int64_t power)
{
	for (; power > 0; power--)
		big_multiply_add(b, 10, 0);
}

static void big_shift(struct big *b, unsigned bits)
{
	for (; bits >= 32; bits -= 32)
		big_multiply_add(b, UINT64_C(1) << 32, 0);
	big_multiply_add(b, UINT64_C(1) << bits, 0);
}

static int big_compare(const struct big *a, const struct big *b)
{
	if (a->count != b->count)
		return a->count < b->count ? -1 : 1;
	for (size_t i = a->count; i-- > 0;)
		if (a->limbs[i] != b->limbs[i])
			return a->limbs[i] < b->limbs[i] ? -1 : 1;
	return 0;
}

/* The digits as an integer; *ret_exponent is that of its last digit. */
static void big_from_digits(struct big *b, const struct digits *d,
			    int64_t exponent, int64_t *ret_exponent)
{
	int64_t taken = 0;
	bool rest = false;

	b->count = 0;
	for (const char *p = d->text; p < d->end; p++) {
		if (*p == '.')
			continue;
		if (taken < DIGITS_SIGNIFICANT - 1) {
			big_multiply_add(b, 10, (uint64_t)(*p - '0'));
			taken++;
		} else if (*p != '0') {
			rest = true;
		}
	}
	exponent += d->count - taken;
	if (rest) {
		big_multiply_add(b, 10, 1);
		exponent--;
	}
	*ret_exponent = exponent;
}

/*
 * Compares the digits with the point halfway between the double of the bits
 * and the next one.
 */
static int compare_with_halfway(const struct digits *d, int64_t exponent,
				uint64_t bits)
{
	uint64_t mantissa = bits & (HIDDEN_BIT - 1);
	int power = (int)(bits >> MANTISSA_BITS);
	struct big decimal, halfway = {.count = 1};

	if (power > 0)
		mantissa |= HIDDEN_BIT;
	else
		power = 1;
	power -= EXPONENT_BIAS + MANTISSA_BITS + 1;
	halfway.limbs[0] = 2 * mantissa + 1;

	big_from_digits(&decimal, d, exponent, &exponent);
	if (exponent > 0)
		big_scale_by_ten(&decimal, exponent);
	else
		big_scale_by_ten(&halfway, -exponent);
	if (power > 0)
		big_shift(&halfway, (unsigned)power);
	else
		big_shift(&decimal, (unsigned)-power);
	return big_compare(&decimal, &halfway);
}

static uint64_t bits_of_digits(const struct digits *d, int64_t exponent)
{
	int64_t dropped = d->count > DIGITS_MAX ? d->count - DIGITS_MAX : 0;
	uint64_t low, high;
	int order;

	low = number_bits_of(d->first, exponent + dropped);
	if (dropped == 0)
		return low;
	high = number_bits_of(d->first + 1, exponent + dropped);
	if (low == high)
		return low;
	order = compare_with_halfway(d, exponent, low);
	if (order == 0)
		return low & 1 ? high : low;
	return order < 0 ? low : high;
}

double number_read(const char *text, size_t size)
{
	const char *end = text + size;
	bool negative = false;
	struct digits d;
	int64_t exponent;
	uint64_t bits;
	double value;

	if (text < end && (*text == '-' || *text == '+'))
		negative = *text++ == '-';
	read_digits(text, end, &d);
	exponent = d.exponent + read_exponent(d.end, end);
	bits = bits_of_digits(&d, exponent);
	bits |= (uint64_t)negative << 63;
	memcpy(&value, &bits, sizeof(value));
	return value;
}
