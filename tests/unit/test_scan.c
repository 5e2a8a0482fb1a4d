#include "importer/value/scan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "importer/value/number.h"
#include "tests/unit/unit.h"

static const enum scan_kind kinds[] = {SCAN_SCALAR, SCAN_SSE2, SCAN_AVX2};

/* Scans a copy that lies alone in memory; *ret becomes what is written. */
static enum scan_outcome scan(enum scan_kind kind, struct scanner *s,
			      const char *text, size_t size, bool partial)
{
	enum scan_outcome outcome;
	char *alone = malloc(size ? size : 1);

	assert_non_null(alone);
	memcpy(alone, text, size);
	EXPECT_INT(scan_reserve(s, size), 0);
	outcome = scan_text_as(kind, s, alone, size, partial);
	free(alone);
	return outcome;
}

/* Calls with every kind of processor that this one can be. */
static void for_each_kind(void (*check)(enum scan_kind kind, struct scanner *s))
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct scanner *s;

		if (!scan_has_kind(kinds[i]))
			continue;
		s = scan_new(true, true);
		assert_non_null(s);
		check(kinds[i], s);
		scan_free(s);
	}
}

/* One value at every distance from the end, where blocks become a copy. */
static void check_places(enum scan_kind kind, struct scanner *s)
{
	static const struct {
		const char *in, *out;
	} values[] = {
		{"\"plain text of more than one block, to be sure of that\"",
		 "\"plain text of more than one block, to be sure of that\""},
		{"\"\\u00e9\\n\\/\\ud83d\\ude00\"", "\"é\\n/😀\""},
		{"\"Zürich 日本語日本語日本語 é\"",
		 "\"Zürich 日本語日本語日本語 é\""},
		{"-123456.789", "-123456.789"},
		{"0.12345678901234567", "0.12345678901234566"},
		{"12345678901234567890", "1.2345678901234567e19"},
		{"-9223372036854775808", "-9223372036854775808"},
		{"1e5", "100000.0"},
		{"false", "false"},
		{"{\"b\":1,\"a\":{\"$bytes\":\"AP8\"}}",
		 "{\"a\":{\"$bytes\":\"AP8=\"},\"b\":1}"},
		{"[ ]", "[]"},
	};

	for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++)
		for (size_t before = 0; before < 300; before++) {
			char text[1024], want[1024];
			int size, want_size;

			size = snprintf(text, sizeof(text), "[\"%*s\",%s]%*s",
					(int)before, "", values[v].in,
					(int)(before * 7 % 140), "");
			want_size = snprintf(want, sizeof(want), "[\"%*s\",%s]",
					     (int)before, "", values[v].out);
			EXPECT_INT(scan(kind, s, text, (size_t)size, false),
				   SCAN_DONE);
			EXPECT_TEXT(s->row, (size_t)(s->row_end - s->row),
				    want);
			EXPECT_INT(s->row_end - s->row, want_size);
			EXPECT_INT(s->used, size);
		}
}

TEST(scan_writes_the_same_wherever_the_value_stands)
{
	for_each_kind(check_places);
}

static void check_cuts(enum scan_kind kind, struct scanner *s)
{
	static const char text[] =
		"{\"name\":\"Zürich \\u00e9\\n "
		"日本語日本語日本語日本語日本語\","
		"\"n\":[1,-2.5,1e10,0.12345678901234567,null,true,false],"
		"\"a long key of more than thirty-two bytes here\":{\"b\":{}}}";
	const size_t size = sizeof(text) - 1;

	EXPECT_INT(scan(kind, s, text, size, false), SCAN_DONE);
	for (size_t cut = 0; cut < size; cut++)
		EXPECT_INT(scan(kind, s, text, cut, false), SCAN_SYNTAX);
	for (size_t at = 0; at < size; at++) { /* a byte that fits nowhere */
		char broken[sizeof(text)];

		memcpy(broken, text, sizeof(text));
		broken[at] = '\x01';
		EXPECT_INT(scan(kind, s, broken, size, false), SCAN_SYNTAX);
		broken[at] = '\0';
		EXPECT_INT(scan(kind, s, broken, size, false), SCAN_SYNTAX);
		broken[at] = '\xff';
		assert_true(scan(kind, s, broken, size, false) != SCAN_DONE);
	}
}

TEST(scan_of_a_cut_or_broken_text_is_a_syntax_error)
{
	for_each_kind(check_cuts);
}

static void check_bytes(enum scan_kind kind, struct scanner *s)
{
	for (int at = 0; at < 70; at++)
		for (int c = 0; c < 256; c++) {
			char text[80];
			bool plain =
				c >= 0x20 && c < 0x80 && c != '"' && c != '\\';

			memset(text, 'x', sizeof(text));
			text[0] = '"';
			text[1 + at] = (char)c;
			text[72] = '"';
			if ((scan(kind, s, text, 73, false) == SCAN_DONE) !=
			    plain)
				fail_msg("byte %02x at %d", (unsigned)c, at);
		}
}

TEST(scan_tells_plain_bytes_at_every_place_of_a_block)
{
	for_each_kind(check_bytes);
}

static void check_digits(enum scan_kind kind, struct scanner *s)
{
	for (int c = 0; c < 256; c++)
		for (size_t at = 1; at < 14; at++) {
			char text[] = "12345678901234";
			bool digit = c >= '0' && c <= '9';

			text[at] = (char)c;
			if (strchr(".eE \t\r\n", c) && c != 0)
				continue;
			if ((scan(kind, s, text, 14, false) == SCAN_DONE) !=
			    digit)
				fail_msg("byte %02x at %zu", (unsigned)c, at);
		}
}

TEST(scan_tells_digits_at_every_place_of_a_number)
{
	for_each_kind(check_digits);
}

/* A decimal must be written as its double prints. */
static void check_decimal(enum scan_kind kind, struct scanner *s,
			  const char *text)
{
	char want[NUMBER_TEXT_MAX + 1];

	want[number_print(strtod(text, NULL), want)] = '\0';
	EXPECT_INT(scan(kind, s, text, strlen(text), false), SCAN_DONE);
	EXPECT_TEXT(s->row, (size_t)(s->row_end - s->row), want);
}

/* Of 14 to 19 digits, where not every one is its own shortest text; most of
 * them with 16 to 17. The first digits are about those of 2^52 and 2^53. */
static void check_decimals(enum scan_kind kind, struct scanner *s)
{
	uint64_t random = 7, digits;
	char whole[24], text[40];
	int i, size, places;

	check_decimal(kind, s, "4503599627370.495");
	check_decimal(kind, s, "4503599627370.497");
	check_decimal(kind, s, "9007199254740.993");
	check_decimal(kind, s, "-0.000004503599627370");
	for (i = 0; i < 20000; i++) {
		random = random * UINT64_C(6364136223846793005) + 1;
		digits = (random >> 1) % (UINT64_C(1) << (46 + i % 18));
		random = random * UINT64_C(6364136223846793005) + 1;
		size = snprintf(whole, sizeof(whole), "%" PRIu64, digits);
		if (size < 2 || size > 19)
			continue;
		places = 1 + (int)(random >> 33) % (size - 1);
		(void)snprintf(text, sizeof(text), "%.*s.%s", size - places,
			       whole, whole + size - places);
		check_decimal(kind, s, text);
	}
}

TEST(scan_writes_decimals_as_their_doubles_print)
{
	for_each_kind(check_decimals);
}

/* Objects in more places than there are shapes, of changing fields. */
static void check_shapes(enum scan_kind kind, struct scanner *s)
{
	static char text[100000], want[100000];

	for (int round = 0; round < 4; round++) {
		size_t n = 1, m = 1;

		text[0] = want[0] = '[';
		for (int i = 0; i < 300; i++) {
			const char *mark = i > 0 ? "," : "";
			int other = (i + round) % 3;

			n += (size_t)snprintf(
				text + n, sizeof(text) - n,
				"%s{\"o%03d\":{\"y\":{\"d\":1,\"c\":2},"
				"\"x%d\":{\"f\":3,\"e\":4}},\"a\":5}",
				mark, i, other);
			m += (size_t)snprintf(
				want + m, sizeof(want) - m,
				"%s{\"a\":5,\"o%03d\":{\"x%d\":{\"e\":4,"
				"\"f\":3},\"y\":{\"c\":2,\"d\":1}}}",
				mark, i, other);
		}
		text[n++] = want[m++] = ']';
		want[m] = '\0';
		EXPECT_INT(scan(kind, s, text, n, false), SCAN_DONE);
		EXPECT_TEXT(s->row, (size_t)(s->row_end - s->row), want);
	}
}

TEST(scan_sorts_objects_of_more_places_than_it_remembers)
{
	for_each_kind(check_shapes);
}

/* Different fields hold objects, so that each has a shape. */
static void check_many_places(enum scan_kind kind, struct scanner *s)
{
	static char text[100000], want[100000];

	for (int round = 0; round < 3; round++) {
		size_t n = 2, m = 2;

		memcpy(text, "[{", 2);
		memcpy(want, "[{", 2);
		for (int i = 0; i < 400; i++) {
			const char *mark = i > 0 ? "," : "";

			n += (size_t)snprintf(
				text + n, sizeof(text) - n,
				"%s\"%03d\":{\"c\":{\"z\":1,\"y\":2},\"b\":3}",
				mark, i);
			m += (size_t)snprintf(
				want + m, sizeof(want) - m,
				"%s\"%03d\":{\"b\":3,\"c\":{\"y\":2,\"z\":1}}",
				mark, i);
		}
		memcpy(text + n, "}]", 2);
		memcpy(want + m, "}]", 3);
		EXPECT_INT(scan(kind, s, text, n + 2, false), SCAN_DONE);
		EXPECT_TEXT(s->row, (size_t)(s->row_end - s->row), want);
	}
}

TEST(scan_sorts_objects_in_more_fields_than_it_remembers)
{
	for_each_kind(check_many_places);
}

static void check_long_key(enum scan_kind kind, struct scanner *s)
{
#define LONG                                                                   \
	"\"a name that is longer than what is remembered of any name at all\""
	static const char text[] = "[{\"c\":1,\"b\":2," LONG ":3},"
				   "{\"c\":1,\"b\":2},{\"b\":3}]";

	for (int round = 0; round < 3; round++) {
		EXPECT_INT(scan(kind, s, text, sizeof(text) - 1, false),
			   SCAN_DONE);
		EXPECT_TEXT(s->row, (size_t)(s->row_end - s->row),
			    "[{" LONG ":3,\"b\":2,\"c\":1},"
			    "{\"b\":2,\"c\":1},{\"b\":3}]");
	}
}

TEST(scan_sorts_objects_with_keys_too_long_to_remember)
{
	for_each_kind(check_long_key);
}

TEST(scan_stops_at_the_second_of_two_equal_fields)
{
	struct scanner *s = scan_new(false, false);

	assert_non_null(s);
	EXPECT_INT(scan(SCAN_SCALAR, s, "[{\"a\":1,\"b\":2}]", 15, false),
		   SCAN_DONE);
	EXPECT_INT(scan(SCAN_SCALAR, s, "[{\"a\":1,\"a\":2}]", 15, false),
		   SCAN_DUPLICATE);
	EXPECT_INT(
		scan(SCAN_SCALAR, s, "[{\"b\":1,\"a\":2,\"b\":3}]", 21, false),
		SCAN_DUPLICATE);
	EXPECT_INT(scan(SCAN_SCALAR, s, "{\"a\":1,\"\\u0061\":2}", 18, false),
		   SCAN_DONE); /* the outermost ones are the caller's */
	assert_false(scan_root_order(s));
	scan_free(s);
}

UNIT_MAIN(UNIT_CASE(scan_writes_the_same_wherever_the_value_stands),
	  UNIT_CASE(scan_of_a_cut_or_broken_text_is_a_syntax_error),
	  UNIT_CASE(scan_tells_plain_bytes_at_every_place_of_a_block),
	  UNIT_CASE(scan_tells_digits_at_every_place_of_a_number),
	  UNIT_CASE(scan_writes_decimals_as_their_doubles_print),
	  UNIT_CASE(scan_sorts_objects_of_more_places_than_it_remembers),
	  UNIT_CASE(scan_sorts_objects_in_more_fields_than_it_remembers),
	  UNIT_CASE(scan_sorts_objects_with_keys_too_long_to_remember),
	  UNIT_CASE(scan_stops_at_the_second_of_two_equal_fields))
