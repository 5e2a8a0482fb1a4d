#include "importer/value/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "importer/value/base64.h"
#include "importer/value/utf8.h"
#include "tests/unit/strict.h"
#include "tests/unit/unit.h"

static struct value_reader *readers[3];

static struct value_reader *reader_of(enum value_encoding encoding)
{
	struct cvx_err err = CVX_ERR_INIT;

	if (!readers[encoding])
		EXPECT_OK(value_reader_new(encoding, &readers[encoding], &err),
			  &err);
	return readers[encoding];
}

static enum value_encoding encoding_of(const char *name)
{
	if (strcmp(name, "plain") == 0)
		return VALUE_PLAIN;
	return strcmp(name, "uniform") == 0 ? VALUE_UNIFORM : VALUE_INTERNAL;
}

static void expect_same(const char *json, const char *what,
			const struct cvx_buf *got, const struct strict *want)
{
	if (got->size != want->size ||
	    memcmp(got->data, want->text, want->size) != 0)
		fail_msg("%s: %s is %.*s, not %s", json, what, (int)got->size,
			 got->data, want->text);
}

static void check_valid(const struct strict *one)
{
	const struct strict *json = strict_get(one, "json");
	enum value_encoding encoding =
		encoding_of(strict_text(one, "encoding"));
	struct cvx_buf text = CVX_BUF_INIT(1 << 20);
	struct cvx_buf printed = CVX_BUF_INIT(1 << 20);
	struct cvx_err err = CVX_ERR_INIT;
	struct value_size size;

	EXPECT_OK(value_read(reader_of(encoding), json->text, json->size, &text,
			     &err),
		  &err);
	expect_same(json->text, "export", &text, strict_get(one, "export"));

	EXPECT_INT(value_print_internal(text.data, text.size, &printed), 0);
	expect_same(json->text, "encoded", &printed,
		    strict_get(one, "encoded"));
	cvx_buf_clear(&printed);
	EXPECT_INT(value_print_clean(text.data, text.size, &printed), 0);
	expect_same(json->text, "clean", &printed, strict_get(one, "clean"));

	EXPECT_INT(value_measure(text.data, text.size, &size), 0);
	EXPECT_INT(size.size, strict_number(one, "size", -1));
	EXPECT_INT(size.nesting, strict_number(one, "nesting", -1));

	/* Export is lossless: it reads back to the same text. */
	cvx_buf_clear(&printed);
	EXPECT_OK(value_read(reader_of(VALUE_UNIFORM), text.data, text.size,
			     &printed, &err),
		  &err);
	expect_same(json->text, "export, read again", &printed,
		    strict_get(one, "export"));
	cvx_buf_fini(&text);
	cvx_buf_fini(&printed);
}

/* NotAnObject and "not-an-object" are about rows: see test_document.c. */
static bool is_about_rows(const struct strict *one)
{
	const struct strict *reason = strict_get(one, "reason");

	return strcmp(strict_text(one, "error"), "NotAnObject") == 0 ||
	       (reason && strcmp(reason->text, "not-an-object") == 0);
}

static void check_refused(const struct strict *one)
{
	const struct strict *json = strict_get(one, "json");
	enum value_encoding encoding =
		encoding_of(strict_text(one, "encoding"));
	struct cvx_buf text = CVX_BUF_INIT(1 << 20);
	struct cvx_err err = CVX_ERR_INIT;
	int r;

	if (is_about_rows(one))
		return;
	r = value_read(reader_of(encoding), json->text, json->size, &text,
		       &err);
	if (r != -EINVAL || strcmp(err.name, strict_text(one, "error")) != 0)
		fail_msg("%s: %d %s (%s), not %s", json->text, r, err.name,
			 err.msg, strict_text(one, "error"));
	EXPECT_INT(text.size, 0);
	cvx_buf_fini(&text);
}

/* import.md 4.3 to 4.6 */
TEST(value_vectors_hold_in_all_encodings)
{
	struct strict *vectors = strict_read_vectors("values.json");
	const struct strict *cases = strict_get(vectors, "cases");

	assert_true(cases->count > 0);
	for (size_t i = 0; i < cases->count; i++) {
		if (strict_get(cases->items[i], "error"))
			check_refused(cases->items[i]);
		else
			check_valid(cases->items[i]);
	}
	strict_free(vectors);
	for (size_t i = 0; i < 3; i++)
		value_reader_free(readers[i]);
}

/* import.md 4.2 */
TEST(value_sizes_are_as_in_the_vectors)
{
	struct strict *vectors = strict_read_vectors("documents.json");
	const struct strict *cases = strict_get(vectors, "sizes");

	assert_true(cases->count > 0);
	for (size_t i = 0; i < cases->count; i++) {
		const struct strict *json = strict_get(cases->items[i], "json");
		struct value_size size;

		EXPECT_INT(value_measure(json->text, json->size, &size), 0);
		EXPECT_INT(size.size,
			   strict_number(cases->items[i], "size", -1));
	}
	strict_free(vectors);
}

TEST(value_measure_refuses_damaged_text)
{
	static const char *const texts[] = {
		"",
		"{",
		"{\"a\":1.0",
		"[1,",
		"{\"$bytes\":5}",
		"{\"$bytes\":\"*\"}",
		"1 2",
		"nul",
	};
	struct value_size size;
	struct cvx_buf out = CVX_BUF_INIT(1000);

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		EXPECT_INT(value_measure(texts[i], strlen(texts[i]), &size),
			   -EINVAL);
		(void)value_print_internal(texts[i], strlen(texts[i]), &out);
		(void)value_print_clean(texts[i], strlen(texts[i]), &out);
	}
	cvx_buf_fini(&out);
}

TEST(base64_writes_what_it_reads)
{
	unsigned char bytes[64], again[64];
	char text[BASE64_SIZE(64)];
	size_t size;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 37 + 200);
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		base64_encode(bytes, n, text);
		assert_true(base64_check(text, BASE64_SIZE(n), &size));
		EXPECT_INT(size, n);
		base64_decode(text, BASE64_SIZE(n), again);
		assert_memory_equal(again, bytes, n);
	}
}

/* import.md 4.4 */
TEST(base64_is_strict_but_for_missing_padding)
{
	static const char *const good[] = {
		"", "AA==", "AA", "AAA=", "AAA", "AAAA", "+/+/"};
	static const char *const bad[] = {
		"A",	    "AAAAA", "AA=",  "AAA==", "AB==", "AAB=",
		"AA A",	    "=",     "====", "A===",  "AA=A", "-_-_",
		"AAAA====", "AAAA=", "\"",   "AAA\\",
	};
	size_t size;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!base64_check(good[i], strlen(good[i]), &size))
			fail_msg("'%s' is refused", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (base64_check(bad[i], strlen(bad[i]), &size))
			fail_msg("'%s' is accepted", bad[i]);
}

TEST(utf8_accepts_every_scalar_value_and_nothing_else)
{
	for (uint32_t code = 0; code < 0x110000; code++) {
		bool surrogate = code >= 0xd800 && code <= 0xdfff;
		char text[48];
		unsigned size;

		memset(text, 'x', sizeof(text));
		size = utf8_write(code, text + 8);
		EXPECT_INT(utf8_is_valid(text, sizeof(text)), !surrogate);
		EXPECT_INT(utf8_valid_size(text, 8 + size),
			   surrogate ? 8 : 8 + size);
	}
}

/* Every pair of bytes in front of two that may belong to them. */
TEST(utf8_fast_and_plain_agree)
{
	static const unsigned char tails[][2] = {
		{'x', 'x'},   {0x80, 'x'},  {0x80, 0x80},
		{0xbf, 0xbf}, {0x80, 0xc3},
	};

	for (unsigned pair = 0; pair < 65536; pair++)
		for (size_t i = 0; i < 5; i++)
			for (size_t at = 26; at <= 64; at += 6) {
				char text[68];

				memset(text, 'x', sizeof(text));
				text[at] = (char)(pair >> 8);
				text[at + 1] = (char)pair;
				memcpy(text + at + 2, tails[i], 2);
				if (utf8_is_valid(text, at + 4) !=
				    (utf8_valid_size(text, at + 4) == at + 4))
					fail_msg("%04x, tail %zu at %zu", pair,
						 i, at);
			}
}

UNIT_MAIN(UNIT_CASE(value_vectors_hold_in_all_encodings),
	  UNIT_CASE(value_sizes_are_as_in_the_vectors),
	  UNIT_CASE(value_measure_refuses_damaged_text),
	  UNIT_CASE(base64_writes_what_it_reads),
	  UNIT_CASE(base64_is_strict_but_for_missing_padding),
	  UNIT_CASE(utf8_accepts_every_scalar_value_and_nothing_else),
	  UNIT_CASE(utf8_fast_and_plain_agree))
