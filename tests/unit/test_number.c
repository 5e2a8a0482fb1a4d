#include "importer/value/number.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "importer/value/system_fields.h"
#include "tests/unit/strict.h"
#include "tests/unit/unit.h"

/* Random bit patterns read back; CVX_TEST_LONG in the environment: more. */
#define PATTERNS 1000000
#define PATTERNS_LONG 10000000

/* One in this many is also compared with trial loops, which are slow. */
#define TRIAL_EVERY 100

static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

/* xorshift64* */
static uint64_t next_random(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

static double double_of(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static uint64_t bits_of(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static void expect_printed(double value, const char *want)
{
	char text[NUMBER_TEXT_MAX];

	EXPECT_TEXT(text, number_print(value, text), want);
}

/* import.md 4.6 */
TEST(number_prints_as_in_the_vectors)
{
	struct strict *vectors = strict_read_vectors("float_format.json");
	const struct strict *cases = strict_get(vectors, "cases");

	assert_true(cases->count > 0);
	for (size_t i = 0; i < cases->count; i++) {
		const char *bits = strict_text(cases->items[i], "bits");
		const char *text = strict_text(cases->items[i], "text");
		uint64_t want = strtoull(bits, NULL, 16);

		expect_printed(double_of(want), text);
		assert_true(bits_of(number_read(text, strlen(text))) == want);
	}
	strict_free(vectors);
}

/* The digits of a text without sign, point, exponent and outer zeros. */
static size_t significant(const char *text, size_t size, char *digits)
{
	size_t n = 0;

	for (size_t i = 0; i < size && text[i] != 'e'; i++)
		if (text[i] >= '0' && text[i] <= '9' &&
		    (n > 0 || text[i] != '0'))
			digits[n++] = text[i];
	while (n > 0 && digits[n - 1] == '0')
		n--;
	return n;
}

/*
 * No shorter text reads back, and of that length the nearest one is taken. It
 * may be that the nearest does not read back but its neighbour does, next to
 * powers of two: then printf finds only longer texts.
 */
static void expect_shortest(double value, const char *text, size_t size)
{
	char trial[40], got[40], want[40];
	size_t got_size = significant(text, size, got), want_size;
	int precision = 0;

	do
		(void)snprintf(trial, sizeof(trial), "%.*e", precision++,
			       value);
	while (strtod(trial, NULL) != value);
	want_size = significant(trial, strlen(trial), want);
	if (got_size > want_size ||
	    (got_size == want_size && memcmp(got, want, got_size) != 0))
		fail_msg("'%.*s' is not as short or near as %s", (int)size,
			 text, trial);
}

static void check_round_trip(uint64_t bits, bool trial)
{
	char text[NUMBER_TEXT_MAX + 1];
	double value = double_of(bits);
	size_t size;

	if (!isfinite(value))
		return;
	size = number_print(value, text);
	assert_true(size <= NUMBER_TEXT_MAX);
	text[size] = '\0';
	if (bits_of(number_read(text, size)) != bits)
		fail_msg("'%s' reads as %.17g", text, number_read(text, size));
	if (trial) {
		if (bits_of(strtod(text, NULL)) != bits)
			fail_msg("'%s' is not %.17g", text, value);
		expect_shortest(value, text, size);
	}
}

TEST(number_random_bits_read_back_and_are_shortest)
{
	long count = getenv("CVX_TEST_LONG") ? PATTERNS_LONG : PATTERNS;

	for (long i = 0; i < count; i++)
		check_round_trip(next_random(), i % TRIAL_EVERY == 0);
}

TEST(number_powers_of_two_and_their_neighbours_read_back)
{
	for (uint64_t exponent = 0; exponent < 0x7ff; exponent++)
		for (uint64_t i = 0; i < 5; i++)
			check_round_trip((exponent << 52) + i - 2, true);
}

TEST(number_subnormals_read_back)
{
	for (int shift = 0; shift < 52; shift++)
		for (int i = 0; i < 200; i++)
			check_round_trip(next_random() >> 12 >> shift, true);
}

TEST(number_short_decimals_print_as_they_stand)
{
	for (int i = 0; i < 200000; i++) {
		char want[40], got[NUMBER_TEXT_MAX];
		uint64_t digits = next_random() % 1000000000000000 | 1;
		uint64_t whole = digits / 1000, part = digits % 1000;

		if (part % 10 == 0)
			part++;
		(void)snprintf(want, sizeof(want), "%llu.%03llu",
			       (unsigned long long)whole,
			       (unsigned long long)part);
		EXPECT_TEXT(got, number_print(strtod(want, NULL), got), want);
	}
}

/* strtod of the C library rounds correctly, too. */
static void expect_read(const char *text)
{
	uint64_t got = bits_of(number_read(text, strlen(text)));
	uint64_t want = bits_of(strtod(text, NULL));

	if (got != want)
		fail_msg("'%s' reads as %.17g, not %.17g", text, double_of(got),
			 double_of(want));
}

TEST(number_reads_random_digits_as_the_c_library)
{
	for (int i = 0; i < 200000; i++) {
		size_t digits = 1 + next_random() % 45, n = 0;
		char text[80];

		for (size_t j = 0; j < digits; j++) {
			if (j > 0 && j == digits / 3)
				text[n++] = '.';
			text[n++] = (char)('0' + next_random() % 10);
		}
		(void)snprintf(text + n, sizeof(text) - n, "e%d",
			       (int)(next_random() % 720) - 370);
		expect_read(text);
	}
}

/*
 * The exact decimal of a point halfway between two doubles, and the same moved
 * by its last digit: what only all digits together can decide.
 */
static void check_halfway(uint64_t bits)
{
	const long double low = double_of(bits), high = double_of(bits + 1);
	char text[1200], exponent[16] = "", *e;
	size_t n;

	if (!isfinite(double_of(bits + 1)))
		return;
	(void)snprintf(text, sizeof(text), "%.1100Lg", low + (high - low) / 2);
	expect_read(text);
	e = strchr(text, 'e');
	if (e) {
		(void)snprintf(exponent, sizeof(exponent), "%s", e);
		*e = '\0';
	}
	n = strlen(text);
	if (!strchr(text, '.'))
		text[n++] = '.';
	(void)snprintf(text + n, sizeof(text) - n, "00000000000000000001%s",
		       exponent);
	expect_read(text);
	if (text[n - 1] < '1' || text[n - 1] > '9')
		return;
	text[n - 1]--;
	(void)snprintf(text + n, sizeof(text) - n, "99999999999999999999%s",
		       exponent);
	expect_read(text);
}

TEST(number_reads_halfway_cases_to_even)
{
	for (int i = 0; i < 20000; i++)
		check_halfway(next_random() >> 1);
	for (int i = 0; i < 2000; i++) /* plain decimals, not too long */
		check_halfway(((0x3ff - next_random() % 60) << 52) |
			      next_random() >> 12);
	for (int i = 0; i < 500; i++)
		check_halfway(next_random() >> 12 >> i % 52); /* subnormal */
}

TEST(number_reads_the_edges_of_the_range)
{
	static const char *const texts[] = {
		"1.7976931348623157e308",
		"1.7976931348623158e308",
		"1.7976931348623159e308",
		"179769313486231580793728971405303415079934132710037826936"
		"173778980444968292764750946649017977587207096330286416692"
		"887910946555547851940402630657488671505820681908902000708"
		"383676273854845817711531764475730270069855571366959622842"
		"914819860834936475292719074168444365510704342711559699508"
		"093042880177904174497791.999999999999999999999999",
		"1.797693134862315807e308",
		"1.797693134862315808e308",
		"1e308",
		"1e309",
		"1e400",
		"1e-400",
		"5e-324",
		"4.9e-324",
		"2.4703282292062327e-324",
		"2.4703282292062328e-324",
		"2.4703282292062327208299e-324",
		"2.4703282292062327209e-324",
		"2.2250738585072011e-308",
		"2.2250738585072012e-308",
		"2.2250738585072014e-308",
		"9007199254740993",
		"9007199254740992.999999999999999999999999999999999999999",
		"9007199254740993.0000000000000000000000000000000000000001",
		"18446744073709551615",
		"18446744073709551616",
		"123456789012345678901234567890",
		"0.000000000000000000000000000000000000000000001e45",
		"0e999999999999999999999999",
		"1e-999999999999999999999999",
		"1e999999999999999999999999",
		"100000000000000000000000000000000000000000000000e-47",
		"+1.5",
		"-0",
		"-0.0e5",
		".5",
		"5.",
		"007",
		"00.10e01",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		expect_read(texts[i]);
}

TEST(number_reads_texts_of_many_digits)
{
	const size_t size = 100000;
	char *text = malloc(size + 16);

	assert_non_null(text);
	memset(text, '0', size);
	memcpy(text, "0.", 2);
	text[size - 1] = '1';
	text[size] = '\0';
	expect_read(text); /* 1e-99998 */
	(void)snprintf(text + size, 16, "e%zu", size - 2);
	expect_read(text); /* 1 */
	memset(text, '7', size);
	(void)snprintf(text + size, 16, "e-%zu", size);
	expect_read(text);
	free(text);
}

/* The text ends where its size says, whatever follows. */
TEST(number_reads_no_byte_behind_its_text)
{
	assert_true(number_read("1234", 2) == 12);
	assert_true(number_read("1.5e3", 3) == 1.5);
	assert_true(number_read("1e25", 3) == 100);
}

/* One after the other from there, as rows get their times. */
static void expect_times(double first)
{
	struct time_printer printer = {.size = 0};

	for (uint64_t n = 0; n < 6000; n++) {
		double time = system_time_at(first, n);
		char text[NUMBER_TEXT_MAX], want[NUMBER_TEXT_MAX + 1];

		want[number_print(time, want)] = '\0';
		EXPECT_TEXT(text, system_time_print(&printer, time, text),
			    want);
	}
}

TEST(times_print_as_numbers)
{
	static const double firsts[] = {
		5e-324,		1,
		999999.5,	0x1p40 - 1,
		1763800000000,	0x1p41 - 2.5,
		0x1p50 - 10000, 0x1p53 - 10000,
	};

	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++)
		expect_times(firsts[i]);
}

/* Each in another millisecond, with any digits behind the point. */
TEST(times_far_apart_print_as_numbers)
{
	struct time_printer printer = {.size = 0};

	for (uint64_t n = 0; n < 20000; n++) {
		double time = (double)(1 + next_random() % 4000000000000) +
			      (double)(next_random() % 100000) / 1e5;
		char text[NUMBER_TEXT_MAX], want[NUMBER_TEXT_MAX + 1];

		want[number_print(time, want)] = '\0';
		EXPECT_TEXT(text, system_time_print(&printer, time, text),
			    want);
	}
}

UNIT_MAIN(UNIT_CASE(number_prints_as_in_the_vectors),
	  UNIT_CASE(number_random_bits_read_back_and_are_shortest),
	  UNIT_CASE(number_powers_of_two_and_their_neighbours_read_back),
	  UNIT_CASE(number_subnormals_read_back),
	  UNIT_CASE(number_short_decimals_print_as_they_stand),
	  UNIT_CASE(number_reads_random_digits_as_the_c_library),
	  UNIT_CASE(number_reads_halfway_cases_to_even),
	  UNIT_CASE(number_reads_the_edges_of_the_range),
	  UNIT_CASE(number_reads_texts_of_many_digits),
	  UNIT_CASE(number_reads_no_byte_behind_its_text),
	  UNIT_CASE(times_print_as_numbers),
	  UNIT_CASE(times_far_apart_print_as_numbers))
