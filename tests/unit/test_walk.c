#include "importer/value/walk.h"

#include <string.h>

#include "tests/unit/unit.h"

static void expect_kind(const char *text, enum walk_kind kind)
{
	const char *end = text + strlen(text);
	bool string = kind == WALK_STRING;

	if (walk_kind(text, end) != kind)
		fail_msg("%s is %d, not %d", text, (int)walk_kind(text, end),
			 (int)kind);
	if (kind != WALK_DAMAGED && walk_value(text, end) != end)
		fail_msg("%s: the end is elsewhere", text);
	if ((walk_string(text, end) == end) != string)
		fail_msg("%s: the string ends elsewhere", text);
}

/* import.md 4.1, 4.5 */
TEST(walk_tells_kinds_and_ends)
{
	expect_kind("null", WALK_NULL);
	expect_kind("true", WALK_BOOLEAN);
	expect_kind("false", WALK_BOOLEAN);
	expect_kind("0", WALK_INT64);
	expect_kind("-9223372036854775808", WALK_INT64);
	expect_kind("-0.0", WALK_FLOAT64);
	expect_kind("1e-7", WALK_FLOAT64);
	expect_kind("-1.5e300", WALK_FLOAT64);
	expect_kind("{\"$float\":\"AAAAAAAA8H8=\"}", WALK_FLOAT64);
	expect_kind("{\"$bytes\":\"\"}", WALK_BYTES);
	expect_kind("\"\"", WALK_STRING);
	expect_kind("\"0123456789\\\"0123456789\\\\\"", WALK_STRING);
	expect_kind("[]", WALK_ARRAY);
	expect_kind("[[\"]\"],{\"a\":\"}\"}]", WALK_ARRAY);
	expect_kind("{}", WALK_OBJECT);
	expect_kind("{\"\":1,\"a\":{\"$bytes\":\"\"}}", WALK_OBJECT);
	expect_kind("", WALK_DAMAGED);
	expect_kind("x", WALK_DAMAGED);
	expect_kind("-", WALK_DAMAGED);
}

TEST(walk_steps_through_fields_and_elements)
{
	static const char text[] = "{\"\":[1,[2],\"]\"],\"a\\\"\":{},\"b\":0}";
	const char *end = text + strlen(text), *place = text, *inside;
	struct walk_field f;

	assert_true(walk_field(&place, end, &f));
	EXPECT_INT(f.key_size, 0);
	inside = f.value;
	for (int i = 0; i < 3; i++) {
		assert_true(walk_element(&inside, end));
		inside = walk_value(inside, end);
	}
	assert_false(walk_element(&inside, end));
	EXPECT_INT(*inside, ']');
	place = walk_value(f.value, end);
	assert_ptr_equal(place, inside + 1);

	assert_true(walk_field(&place, end, &f));
	EXPECT_TEXT(f.key, f.key_size, "a\\\"");
	inside = f.value;
	assert_false(walk_field(&inside, end, &f));
	EXPECT_INT(*inside, '}');
	place = inside + 1;
	assert_true(walk_field(&place, end, &f));
	EXPECT_TEXT(f.key, f.key_size, "b");
	place = walk_value(place, end);
	assert_false(walk_field(&place, end, &f));
	assert_ptr_equal(place, end - 1);
}

TEST(walk_finds_a_field_of_the_object_itself)
{
	static const char text[] = "{\"a\":{\"b\":1},\"b\":2,\"bc\":3}";
	const char *end = text + strlen(text);

	EXPECT_INT(*walk_find(text, end, "b", 1), '2');
	EXPECT_INT(*walk_find(text, end, "bc", 2), '3');
	EXPECT_INT(*walk_find(walk_find(text, end, "a", 1), end, "b", 1), '1');
	assert_null(walk_find(text, end, "c", 1));
	assert_null(walk_find(text, end, "", 0));
}

static uint64_t bits_of(const char *text)
{
	uint64_t bits = 0;

	assert_true(walk_float64(text, text + strlen(text), &bits));
	return bits;
}

TEST(walk_reads_numbers_bit_for_bit)
{
	static const char least[] = "-9223372036854775808";
	static const char most[] = "9223372036854775807";
	static const char shorter[] = "{\"$float\":\"AQA=\"}";
	uint64_t bits;

	assert_true(walk_int64(least, least + strlen(least)) == INT64_MIN);
	assert_true(walk_int64(most, most + strlen(most)) == INT64_MAX);
	assert_true(bits_of("1.0") == UINT64_C(0x3ff0000000000000));
	assert_true(bits_of("-0.0") == UINT64_C(0x8000000000000000));
	assert_true(bits_of("{\"$float\":\"AQAAAAAA8H8=\"}") ==
		    UINT64_C(0x7ff0000000000001));
	assert_false(walk_float64(shorter, shorter + strlen(shorter), &bits));
}

TEST(walk_decodes_strings)
{
	static const char text[] = "\"a\\u0000\\n\\\"\\\\é\"";
	char out[sizeof(text)];
	size_t n = walk_decode(text, text + strlen(text), out);

	EXPECT_INT(n, 7);
	assert_memory_equal(out, "a\0\n\"\\é", 7);
}

/* Of text that ends too early, no value has an end. */
TEST(walk_stops_at_the_end_of_damaged_text)
{
	static const char text[] =
		"{\"a\":[1,{\"b\":\"x\\\\\"}],\"c\":{\"$bytes\":\"YQ==\"}}";
	size_t size = strlen(text);

	for (size_t n = 0; n < size; n++) {
		char *copy = malloc(n + 1);
		struct walk_field f;
		const char *place;

		assert_non_null(copy);
		memcpy(copy, text, n);
		copy = realloc(copy, n > 0 ? n : 1);
		assert_non_null(copy);
		assert_null(walk_value(copy, copy + n));
		assert_null(walk_find(copy, copy + n, "d", 1));
		for (place = copy; place && walk_field(&place, copy + n, &f);)
			place = walk_value(place, copy + n);
		assert_null(place);
		free(copy);
	}
}

UNIT_MAIN(UNIT_CASE(walk_tells_kinds_and_ends),
	  UNIT_CASE(walk_steps_through_fields_and_elements),
	  UNIT_CASE(walk_finds_a_field_of_the_object_itself),
	  UNIT_CASE(walk_reads_numbers_bit_for_bit),
	  UNIT_CASE(walk_decodes_strings),
	  UNIT_CASE(walk_stops_at_the_end_of_damaged_text))
