/* importer/value/json: what it accepts, and where it says the fault is
 * (import.md 4.3). */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "importer/value/json.h"

#define LENGTH_MAX 20

/* What a string of 'a's is with that byte among them; NULL: a string. */
static const char *fault_of(unsigned char byte)
{
	if (byte < 0x20)
		return "a control character in a string; it must be escaped";
	return byte < 0x80 ? NULL : "invalid UTF-8";
}

/* The text is copied, so that a byte read behind it is found. */
static void expect_text(const char *text, size_t size, const char *fault,
			size_t fault_off)
{
	char *copy = malloc(size ? size : 1);
	enum json_token token;
	struct json j;

	assert_non_null(copy);
	memcpy(copy, text, size);
	json_init(&j, copy, size);
	token = json_next(&j);
	if (fault) {
		EXPECT_INT(token, JSON_BAD);
		assert_string_equal(j.fault, fault);
		EXPECT_INT(j.fault_off, fault_off);
	} else {
		EXPECT_INT(token, JSON_STRING);
		EXPECT_INT(j.start, 0);
		EXPECT_INT(j.end, size);
	}
	free(copy);
}

/* Bytes are looked at by eight: every byte at every place of them. */
TEST(json_strings_with_any_byte_at_any_place_4_3)
{
	char text[LENGTH_MAX + 2];
	size_t length, at;
	unsigned byte;

	for (length = 1; length <= LENGTH_MAX; length++)
		for (at = 1; at <= length; at++)
			for (byte = 0; byte < 256; byte++) {
				if (byte == '"' || byte == '\\')
					continue;
				memset(text, 'a', sizeof(text));
				text[0] = text[length + 1] = '"';
				text[at] = (char)byte;
				expect_text(text, length + 2,
					    fault_of((unsigned char)byte), at);
			}
}

TEST(json_strings_end_at_the_first_quote_4_3)
{
	char text[LENGTH_MAX + 2];
	size_t at;
	struct json j;

	for (at = 1; at < LENGTH_MAX; at++) {
		memset(text, 'a', sizeof(text));
		text[0] = text[at] = text[LENGTH_MAX] = '"';
		json_init(&j, text, sizeof(text));
		EXPECT_INT(json_next(&j), JSON_STRING);
		EXPECT_INT(j.end, at + 1);
		text[at] = 'a';
		expect_text(text, at + 1, "a string that does not end", 0);
	}
}

TEST(json_escapes_and_characters_at_any_place_4_3)
{
	static const struct {
		const char *part, *fault;
		size_t fault_off; /* in the part */
	} cases[] = {
		{"\\n", NULL, 0},
		{"\\\"", NULL, 0},
		{"\\u00e9", NULL, 0},
		{"\\ud83d\\ude00", NULL, 0},
		{"\xc3\xa9", NULL, 0},
		{"\xf0\x9f\x98\x80", NULL, 0},
		{"\\x", "an unknown escape in a string", 0},
		{"\\u00g9", "\\u without four hexadecimal digits", 0},
		{"\\ud83d", "an escape of half a surrogate pair", 0},
		{"\xc3", "invalid UTF-8", 0},
		{"\xc3\xa9\xed\xa0\x80", "invalid UTF-8", 2},
		{"\xff\x01", "invalid UTF-8", 0},
		{"\xc3\xa9\\n\xff", "invalid UTF-8", 4},
	};
	char text[2 * LENGTH_MAX + 64];
	size_t i, before, behind, size, part;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (before = 0; before < LENGTH_MAX; before++)
			for (behind = 0; behind < LENGTH_MAX; behind++) {
				part = strlen(cases[i].part);
				size = before + part + behind + 2;
				memset(text, 'a', sizeof(text));
				text[0] = text[size - 1] = '"';
				memcpy(text + 1 + before, cases[i].part, part);
				expect_text(text, size, cases[i].fault,
					    1 + before + cases[i].fault_off);
			}
}

static void expect_number(const char *text, bool is_finite)
{
	struct json j;

	json_init(&j, text, strlen(text));
	EXPECT_INT(json_next(&j), is_finite ? JSON_NUMBER : JSON_BAD);
	if (is_finite)
		EXPECT_INT(j.end, strlen(text));
	else
		assert_string_equal(j.fault,
				    "a number too large for a float64");
}

TEST(json_numbers_too_large_for_a_float64_4_3)
{
	char text[512];
	size_t size;

	for (size = 1; size < sizeof(text) - 1; size++) {
		memset(text, '9', size);
		text[size] = '\0';
		expect_number(text, size <= 308);
		text[0] = '-';
		if (size > 1)
			expect_number(text, size <= 309);
		memset(text, '0', size);
		text[0] = '1';
		expect_number(text, size <= 309);
	}
	memset(text, '9', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	text[1] = '.';
	expect_number(text, true);
	expect_number("1e308", true);
	expect_number("1E309", false);
	expect_number("-1e+400", false);
	expect_number("0e400", true);
	expect_number("1e-400", true);
}

UNIT_MAIN(UNIT_CASE(json_strings_with_any_byte_at_any_place_4_3),
	  UNIT_CASE(json_strings_end_at_the_first_quote_4_3),
	  UNIT_CASE(json_escapes_and_characters_at_any_place_4_3),
	  UNIT_CASE(json_numbers_too_large_for_a_float64_4_3))
