#include "importer/value/id.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/strict.h"
#include "tests/unit/unit.h"

static struct internal_id id_from_hex(const char *hex)
{
	struct internal_id id;

	for (size_t i = 0; i < ID_SIZE; i++) {
		char byte[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

		id.bytes[i] = (uint8_t)strtoul(byte, NULL, 16);
	}
	return id;
}

/* import.md 2.1 */
TEST(id_texts_are_as_in_the_vectors_both_ways)
{
	struct strict *vectors = strict_read_vectors("ids_valid.json");
	const struct strict *cases = strict_get(vectors, "cases");

	assert_true(cases->count > 0);
	for (size_t i = 0; i < cases->count; i++) {
		const struct strict *one = cases->items[i];
		const char *text = strict_text(one, "id");
		uint32_t table =
			(uint32_t)strict_number(one, "table_number", 0);
		struct internal_id want =
			id_from_hex(strict_text(one, "internal_id_hex"));
		struct internal_id got;
		char encoded[ID_TEXT_MAX];
		uint32_t got_table;

		EXPECT_TEXT(encoded, id_encode(table, &want, encoded), text);
		EXPECT_INT(id_decode(text, strlen(text), &got_table, &got), 0);
		EXPECT_INT(got_table, table);
		EXPECT_INT(id_compare(&got, &want), 0);
	}
	strict_free(vectors);
}

/* import.md 2.2 */
TEST(id_texts_that_are_not_canonical_are_refused)
{
	struct strict *vectors = strict_read_vectors("ids_invalid.json");
	const struct strict *cases = strict_get(vectors, "cases");

	assert_true(cases->count > 0);
	for (size_t i = 0; i < cases->count; i++) {
		const struct strict *id = strict_get(cases->items[i], "id");
		struct internal_id internal;
		uint32_t table;

		if (id_decode(id->text, id->size, &table, &internal) != -EINVAL)
			fail_msg("'%s' is accepted", id->text);
	}
	strict_free(vectors);
}

TEST(id_with_any_character_changed_is_refused_or_another_id)
{
	static const char text[] = "j5702081040g2081040g2081056hakwm";
	const size_t size = sizeof(text) - 1;
	struct internal_id original, other;
	uint32_t table;
	char changed[sizeof(text)];
	char again[ID_TEXT_MAX];

	EXPECT_INT(id_decode(text, size, &table, &original), 0);
	for (size_t i = 0; i < size; i++)
		for (int c = 0; c < 256; c++) {
			memcpy(changed, text, sizeof(text));
			changed[i] = (char)c;
			if (c == text[i] ||
			    id_decode(changed, size, &table, &other) < 0)
				continue;
			EXPECT_INT(id_encode(table, &other, again), size);
			assert_memory_equal(again, changed, size);
		}
}

TEST(id_text_has_the_length_of_its_table_number)
{
	static const struct {
		uint32_t table;
		size_t size;
	} lengths[] = {
		{1, 31},	  {127, 31},	   {128, 32},
		{16383, 32},	  {16384, 34},	   {2097151, 34},
		{2097152, 36},	  {268435455, 36}, {268435456, 37},
		{UINT32_MAX, 37},
	};
	const struct internal_id id = {{0}};
	char text[ID_TEXT_MAX];

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		EXPECT_INT(id_encode(lengths[i].table, &id, text),
			   lengths[i].size);
}

TEST(id_from_stamp_is_time_counter_and_day)
{
	const struct id_stamp stamp = {
		.ms = 0x010203040506,
		.counter = 0x1112131415161718,
		.day = 0x2122,
	};
	struct internal_id id;
	struct internal_id want = id_from_hex("010203040506"
					      "1112131415161818"
					      "2122");

	id_from_stamp(&stamp, 0x100, &id);
	EXPECT_INT(id_compare(&id, &want), 0);
}

/* import.md 2.3: the order of texts is the order of ids. */
TEST(id_from_stamp_ascends_as_bytes_and_as_text)
{
	struct id_stamp stamp = {.ms = 1763800000000, .day = 20414};
	struct internal_id before = {{0}}, id;
	char text_before[ID_TEXT_MAX] = "", text[ID_TEXT_MAX];

	stamp.counter = (UINT64_C(1) << 63) - 300;
	for (uint64_t n = 0; n < 1000; n++) {
		size_t size;

		id_from_stamp(&stamp, n, &id);
		assert_true(id_compare(&before, &id) < 0);
		size = id_encode(10001, &id, text);
		assert_true(memcmp(text_before, text, size) < 0);
		memcpy(text_before, text, size);
		before = id;
	}
}

TEST(ids_are_compared_by_each_byte)
{
	struct internal_id a = {.bytes = {[3] = 0x7f, [12] = 0x7f}}, b;

	for (size_t i = 0; i < ID_SIZE; i++) {
		b = a;
		b.bytes[i] = 0x80;
		b.bytes[ID_SIZE - 1] ^= i < ID_SIZE - 1; /* counts less */
		assert_true(id_compare(&a, &b) < 0);
		assert_true(id_compare(&b, &a) > 0);
		assert_true(id_compare(&b, &b) == 0);
	}
}

TEST(id_stamps_differ_and_leave_room_to_count)
{
	struct id_stamp a, b;

	id_stamp_init(&a, 1763800000000);
	id_stamp_init(&b, 1763800000000);
	EXPECT_INT(a.ms, 1763800000000);
	EXPECT_INT(a.day, 1763800000 / 86400);
	assert_true(a.counter >> 63 == 0 && b.counter >> 63 == 0);
	assert_true(a.counter != b.counter); /* but for one in 2^63 */
}

UNIT_MAIN(UNIT_CASE(id_texts_are_as_in_the_vectors_both_ways),
	  UNIT_CASE(id_texts_that_are_not_canonical_are_refused),
	  UNIT_CASE(id_with_any_character_changed_is_refused_or_another_id),
	  UNIT_CASE(id_text_has_the_length_of_its_table_number),
	  UNIT_CASE(id_from_stamp_is_time_counter_and_day),
	  UNIT_CASE(id_from_stamp_ascends_as_bytes_and_as_text),
	  UNIT_CASE(ids_are_compared_by_each_byte),
	  UNIT_CASE(id_stamps_differ_and_leave_room_to_count))
