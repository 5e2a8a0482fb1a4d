#include "importer/value/document.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "importer/value/number.h"
#include "tests/unit/strict.h"
#include "tests/unit/unit.h"

#define TABLE 10001
#define ID "j5702081040g2081040g2081056hakwm"
#define TIME 1763800000000.0

static const struct document_stamp stamp = {
	.table_number = TABLE,
	.id = {.ms = 1763800000000, .counter = 7, .day = 20414},
	.creation_time = TIME,
};

/* A reader and what it has written. */
struct bench {
	struct document_reader *reader;
	struct cvx_buf out;
	struct document doc;
	struct cvx_err err;
};

static void setup(struct bench *b, enum document_encoding encoding)
{
	*b = (struct bench){.out = CVX_BUF_INIT((size_t)1 << 28)};
	EXPECT_OK(document_reader_new(encoding, &stamp, &b->reader, &b->err),
		  &b->err);
}

static void finish(struct bench *b)
{
	document_reader_free(b->reader);
	cvx_buf_fini(&b->out);
}

/* Rows as a backup has them: a time, the id, and other fields. */
#define SYSTEM_FIELDS "\"_creationTime\":1.5,\"_id\":\"" ID "\""
#define OF_BACKUP(fields) "{" SYSTEM_FIELDS "," fields
#define TIME_ROW "{\"_creationTime\":%s,\"_id\":\"" ID "\"}"

/* The text lies alone in memory, so that reading past it is seen. */
static int read_row(struct bench *b, const char *text, size_t size, uint64_t n)
{
	char *alone = malloc(size ? size : 1);
	int r;

	assert_non_null(alone);
	memcpy(alone, text, size);
	b->err = (struct cvx_err)CVX_ERR_INIT;
	r = document_read(b->reader, alone, size, n, &b->out, &b->doc, &b->err);
	free(alone);
	return r;
}

static void expect_line(struct bench *b, const char *row, const char *line)
{
	cvx_buf_clear(&b->out);
	EXPECT_OK(read_row(b, row, strlen(row), 0), &b->err);
	EXPECT_TEXT(b->out.data, b->out.size, line);
}

static void expect_refused(struct bench *b, const char *row, const char *name,
			   const char *says)
{
	size_t before = b->out.size;
	int r = read_row(b, row, strlen(row), 0);

	if (r >= 0 || !b->err.name || strcmp(b->err.name, name) != 0)
		fail_msg("%.200s: %d %s (%s), not %s", row, r, b->err.name,
			 b->err.msg, name);
	if (!strstr(b->err.msg, says))
		fail_msg("%.200s: '%s' is not in '%s'", row, says, b->err.msg);
	EXPECT_INT(b->out.size, before);
}

static enum document_encoding encoding_of(const struct strict *one)
{
	return strcmp(strict_text(one, "encoding"), "plain") == 0
		       ? DOCUMENT_PLAIN
		       : DOCUMENT_UNIFORM;
}

/* import.md 3, 5 */
TEST(document_cases_are_as_in_the_vectors)
{
	struct strict *vectors = strict_read_vectors("documents.json");
	const struct strict *cases = strict_get(vectors, "cases");
	struct bench b;

	assert_true(cases->count > 0);
	for (size_t i = 0; i < cases->count; i++) {
		const struct strict *one = cases->items[i];
		const char *row = strict_text(one, "json"), *error;

		EXPECT_INT(strict_number(one, "table_number", 0), TABLE);
		setup(&b, encoding_of(one));
		if (strict_is_true(one, "ok")) {
			EXPECT_OK(read_row(&b, row, strlen(row), 0), &b.err);
		} else {
			error = strict_text(one, "error");
			/* Recommended in import.md 3 for what has no code. */
			if (strcmp(error, "(internal)") == 0)
				error = "InvalidCreationTimeError";
			expect_refused(&b, row, error, "");
		}
		finish(&b);
	}
	strict_free(vectors);
}

static void check_row_of_values(const struct strict *one)
{
	const struct strict *error = strict_get(one, "error");
	const struct strict *json = strict_get(one, "json");
	struct bench b;

	setup(&b, encoding_of(one));
	if (error) {
		expect_refused(&b, json->text, error->text, "");
	} else {
		int r = read_row(&b, json->text, json->size, 0);

		/* Values may be fine where documents are not. */
		if (r < 0 && strcmp(b.err.name, "InvalidDocumentError") != 0 &&
		    strcmp(b.err.name, "InvalidCreationTimeError") != 0)
			fail_msg("%s: %s", json->text, b.err.msg);
	}
	finish(&b);
}

TEST(document_rows_of_the_value_vectors_are_accepted_or_refused)
{
	struct strict *vectors = strict_read_vectors("values.json");
	const struct strict *cases = strict_get(vectors, "cases");

	for (size_t i = 0; i < cases->count; i++)
		if (strcmp(strict_text(cases->items[i], "encoding"),
			   "internal") != 0)
			check_row_of_values(cases->items[i]);
	strict_free(vectors);
}

/* Sorted by bytes: upper case, then the system fields, then lower case. */
TEST(document_fields_are_sorted_around_the_system_fields)
{
	struct bench b;

	setup(&b, DOCUMENT_PLAIN);
	for (int again = 0; again < 3; again++) {
		expect_line(&b, "{\"b\":1,\"Z\":2,\"a\":{\"y\":3,\"x\":[4]}}",
			    "{\"Z\":2.0,\"_creationTime\":1763800000000.0,"
			    "\"_id\":\"j57036nangk00000000000000x7vw2nq\","
			    "\"a\":{\"x\":[4.0],\"y\":3.0},\"b\":1.0}\n");
		expect_line(&b, "{}",
			    "{\"_creationTime\":1763800000000.0,"
			    "\"_id\":\"j57036nangk00000000000000x7vw2nq\"}\n");
		expect_line(&b,
			    "{\"\":0,\"\\\"\":1,\"\\\\\":2,\"^\":3,\"`\":4,"
			    "\"_id\":\"" ID "\"}",
			    "{\"\":0.0,\"\\\"\":1.0,\"\\\\\":2.0,\"^\":3.0,"
			    "\"_creationTime\":1763800000000.0,\"_id\":\"" ID
			    "\",\"`\":4.0}\n");
		expect_line(&b, "{\"c\":1,\"_creationTime\":5,\"B\":2}",
			    "{\"B\":2.0,\"_creationTime\":5.0,"
			    "\"_id\":\"j57036nangk00000000000000x7vw2nq\","
			    "\"c\":1.0}\n");
		expect_line(&b,
			    "{\"_id\":\"" ID
			    "\",\"_creationTime\":1.5,\"n\":1}",
			    "{\"_creationTime\":1.5,\"_id\":\"" ID
			    "\",\"n\":1.0}\n");
	}
	finish(&b);
}

/* Zeros behind the point, with any number of digits in front of it. */
TEST(document_numbers_have_no_zeros_at_their_end_but_one)
{
	static const char *const digits = "98765432109876543210";
	static const char *const behind[] = {".0", ".00", ".10", ".50", ".01"};
	struct bench b;

	setup(&b, DOCUMENT_UNIFORM);
	for (int whole = 1; whole <= 20; whole++)
		for (size_t i = 0; i < 2 * sizeof(behind) / sizeof(*behind);
		     i++) {
			char number[64], row[256], line[256];
			char text[NUMBER_TEXT_MAX];
			size_t size;

			(void)snprintf(number, sizeof(number), "%s%.*s%s",
				       i % 2 ? "-" : "", whole, digits,
				       behind[i / 2]);
			size = number_print(strtod(number, NULL), text);
			(void)snprintf(row, sizeof(row),
				       OF_BACKUP("\"n\":%s") "}", number);
			(void)snprintf(line, sizeof(line),
				       OF_BACKUP("\"n\":%.*s") "}\n", (int)size,
				       text);
			expect_line(&b, row, line);
		}
	finish(&b);
}

/* Rows that are written as they stand, after others and before others. */
TEST(document_lines_of_a_backup_stay_as_they_are)
{
	static const char *const lines[] = {
		OF_BACKUP("\"a\":0.0,\"b\":-0.0,\"c\":[10.0,1.5]") "}\n",
		OF_BACKUP("\"a\":{\"x\":1.0,\"y\":\"\\n\"}") "}\n",
		"{\"Z\":null," SYSTEM_FIELDS ",\"a\":true}\n",
		"{" SYSTEM_FIELDS "}\n",
	};
	struct bench b;

	setup(&b, DOCUMENT_UNIFORM);
	for (size_t i = 0; i < 4 * sizeof(lines) / sizeof(*lines); i++) {
		const char *line = lines[i / 4];
		char row[256];

		(void)snprintf(row, sizeof(row), "%.*s", (int)strlen(line) - 1,
			       line);
		expect_line(&b, row, line);
		if (i % 2)
			expect_line(&b, "{\"b\":1,\"a\":2," SYSTEM_FIELDS "}",
				    OF_BACKUP("\"a\":2,\"b\":1") "}\n");
	}
	finish(&b);
}

/* import.md 5.5 */
TEST(document_times_are_above_0_and_below_2_to_the_53)
{
	static const char *const good[] = {
		"0.5",
		"1.0",
		"5e-324",
		"1.5e-7",
		"999999999999999.1",
		"999999999999999.9",
		"1000000000000000.0",
		"9007199254740991.0",
	};
	static const char *const bad[] = {
		"0.0",	 "9007199254740992.0", "10000000000000000.0", "1.5e16",
		"1e300",
	};
	struct bench b;
	char row[256], line[256];

	setup(&b, DOCUMENT_UNIFORM);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		(void)snprintf(row, sizeof(row), TIME_ROW, good[i]);
		(void)snprintf(line, sizeof(line), TIME_ROW "\n", good[i]);
		expect_line(&b, row, line);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		(void)snprintf(row, sizeof(row), TIME_ROW, bad[i]);
		expect_refused(&b, row, "InvalidDocumentError", "below 2^53");
	}
	finish(&b);
}

/* Fields that come and go, and change places, from row to row. */
TEST(document_fields_are_sorted_whatever_the_row_before_was)
{
	static const char *const names[] = {"delta", "alpha", "E", "charlie",
					    "b",     "echo9", "_", "f"};
	const char *system = "\"_creationTime\":1.0,\"_id\":\"" ID "\"";
	uint32_t seed = 1;
	struct bench b;

	setup(&b, DOCUMENT_PLAIN);
	for (int i = 0; i < 5000; i++) {
		char row[512] = "{", want[1024] = "{";
		size_t n = 1, m = 1;
		bool used[8] = {false, false, false, false,
				false, false, true,  false};
		int order[] = {2, 6, 1, 4, 3, 0, 5, 7};

		seed = seed * 1664525 + 1013904223;
		for (int j = 0; j < 8; j++) {
			int k = i % 3 ? j
				      : (int)((seed >> 7) + (uint32_t)j) % 8;

			if (k == 6 || !(seed >> (k + 12) & 1))
				continue;
			used[k] = true;
			n += (size_t)snprintf(
				row + n, sizeof(row) - n,
				"%s\"%s\":{\"z\":null,\"%s\":true}",
				n > 1 ? "," : "", names[k], names[k]);
		}
		(void)snprintf(row + n, sizeof(row) - n, "%s%s}",
			       n > 1 ? "," : "", system);
		for (int j = 0; j < 8; j++) {
			const char *name = names[order[j]];

			if (!used[order[j]])
				continue;
			if (m > 1)
				want[m++] = ',';
			if (order[j] == 6)
				m += (size_t)snprintf(want + m,
						      sizeof(want) - m, "%s",
						      system);
			else
				m += (size_t)snprintf(
					want + m, sizeof(want) - m,
					"\"%s\":{\"%s\":true,\"z\":null}", name,
					name);
		}
		(void)snprintf(want + m, sizeof(want) - m, "}\n");
		expect_line(&b, row, want);
	}
	finish(&b);
}

/* import.md 3: the n-th row gets the n-th double above. */
TEST(document_ids_and_times_ascend_with_the_row)
{
	struct internal_id before = {{0}}, id;
	struct bench b;

	setup(&b, DOCUMENT_PLAIN);
	for (uint64_t n = 0; n < 5; n++) {
		cvx_buf_clear(&b.out);
		EXPECT_OK(read_row(&b, "{}", 2, n), &b.err);
		assert_false(b.doc.id_given);
		assert_true(id_compare(&before, &b.doc.id) < 0);
		before = b.doc.id;
		EXPECT_INT(document_line_id(b.out.data, b.out.size - 1, &id),
			   0);
		EXPECT_INT(id_compare(&id, &b.doc.id), 0);
	}
	EXPECT_TEXT(b.out.data, b.out.size,
		    "{\"_creationTime\":1763800000000.001,"
		    "\"_id\":\"j57036nangk00000000000001d7vw3p3\"}\n");
	finish(&b);
}

TEST(document_tells_what_a_row_brings)
{
	struct bench b;

	setup(&b, DOCUMENT_UNIFORM);
	EXPECT_OK(read_row(&b, "{\"_id\":\"" ID "\"}", 42, 0), &b.err);
	assert_true(b.doc.id_given);
	assert_false(b.doc.beyond_plain);
	finish(&b);
}

/* filesystem.md M-7 */
TEST(document_values_beyond_plain_are_told)
{
	static const struct {
		const char *row;
		bool beyond;
	} cases[] = {
		{"{\"a\":1.5}", false},
		{"{\"a\":1}", true},
		{"{\"a\":[{\"b\":-7}]}", true},
		{"{\"a\":1e2}", false},
		{"{\"a\":-0}", false},
		{"{\"a\":9223372036854775807}", true},
		{"{\"a\":9223372036854775808}", false},
		{"{\"a\":{\"$bytes\":\"\"}}", true},
		{"{\"a\":{\"$integer\":\"AAAAAAAAAAA=\"}}", true},
		{"{\"a\":{\"$float\":\"AAAAAAAA8H8=\"}}", true},
		{"{\"a\":{\"$float\":\"AAAAAAAAAIA=\"}}", false},
	};
	struct bench b;

	setup(&b, DOCUMENT_UNIFORM);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		EXPECT_OK(read_row(&b, cases[i].row, strlen(cases[i].row), 0),
			  &b.err);
		if (b.doc.beyond_plain != cases[i].beyond)
			fail_msg("%s: %d", cases[i].row, b.doc.beyond_plain);
	}
	finish(&b);
	setup(&b, DOCUMENT_PLAIN);
	EXPECT_OK(read_row(&b, "{\"a\":1}", 7, 0), &b.err);
	assert_false(b.doc.beyond_plain);
	finish(&b);
}

/* import.md 4.3: what is overwritten does not count, but its syntax does. */
TEST(document_of_one_field_given_twice_has_the_last_value)
{
	struct bench b;

	setup(&b, DOCUMENT_UNIFORM);
#define S ",\"_creationTime\":1.0,\"_id\":\"" ID "\"}"
#define OUT "{\"_creationTime\":1.0,\"_id\":\"" ID "\","
	expect_line(&b, "{\"a\":1,\"a\":2" S, OUT "\"a\":2}\n");
	expect_line(&b, "{\"a\":{\"$b\":1},\"\\u0061\":2" S, OUT "\"a\":2}\n");
	expect_line(&b, "{\"a\":{\"b\":1,\"b\":2,\"c\":[{\"$d\":0}],\"c\":3}" S,
		    OUT "\"a\":{\"b\":2,\"c\":3}}\n");
	expect_line(&b,
		    "{\"a\":{\"$integer\":5,"
		    "\"$integer\":\"BQAAAAAAAAA=\"}" S,
		    OUT "\"a\":5}\n");
	expect_line(&b, "{\"_id\":5,\"a\":1" S, OUT "\"a\":1}\n");
	expect_refused(&b, "{\"a\":1e999,\"a\":2" S, "JsonInvalidRow",
		       "column 6");
	expect_refused(&b, "{\"a\":{\"$b\":1},\"a\":2", "JsonInvalidRow", "");
	expect_refused(&b, "{\"b\":1,\"b\":2,\"a\":{\"$b\":1}" S,
		       "InvalidConvexValue", "column 19, field a.$b");
	finish(&b);
}

TEST(document_errors_say_where)
{
	static const struct {
		const char *row, *name, *says;
	} cases[] = {
		{"", "JsonInvalidRow", "column 1: the text ends"},
		{"{\"a\":01}", "JsonInvalidRow", "column 6, field a: a number"},
		{"{\"a\":[1,2,{\"b c\":tru}]}", "JsonInvalidRow",
		 "column 18, field a[2].b c: "},
		{"{\"a\":1,}", "JsonInvalidRow", "column 8: a field name in"},
		{"{\"a\":1} x", "JsonInvalidRow", "column 9: something"},
		{"{\"a\":\"\xff\"}", "NotUtf8", "column 7: invalid UTF-8"},
		{"{\"a\" \"\xff\"}", "NotUtf8", "column 7: invalid UTF-8"},
		{"\xef\xbb\xbf{}", "JsonInvalidRow", "a byte order mark"},
		{"{\"a\":{\"$x\":1}}", "InvalidConvexValue",
		 "column 7, field a.$x: a field name must not"},
		{"{\"a\":[0,{\"$bytes\":\"*\"}]}", "InvalidConvexValue",
		 "column 10, field a[1].$bytes: the value must be base64"},
		{"{\"caf\xc3\xa9\":1}", "InvalidConvexValue",
		 "column 2, field caf"},
		{"[]", "InvalidConvexValue", "not an object"},
		{"{\"$bytes\":\"\"}", "NotAnObject", "not an object"},
		{"{\"b\":1, \"_id\":\"x\"}", "InvalidId",
		 "column 9, field _id: "},
		{"{\"_id\":\"j9702081040g2081040g2081056ham56\"}",
		 "ImportConflict", "table number 10002"},
		{"{\"_x\":1}", "InvalidDocumentError", "field _x: only"},
	};
	struct bench b;

	setup(&b, DOCUMENT_UNIFORM);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_refused(&b, cases[i].row, cases[i].name, cases[i].says);
	EXPECT_OK(read_row(&b, "{}", 2, 0), &b.err); /* still usable */
	finish(&b);
}

/* import.md 5: the order of the steps when several are broken. */
TEST(document_checks_come_in_order)
{
#define DEEP "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]" /* 16 */
	static const struct {
		const char *row, *name;
	} cases[] = {
		{"{\"_id\":\"x\",\"_creationTime\":1,\"_y\":" DEEP "}",
		 "InvalidId"},
		{"{\"_id\":5,\"_creationTime\":1,\"_y\":" DEEP "}",
		 "InvalidIdError"},
		{"{\"_creationTime\":1,\"_y\":" DEEP "}",
		 "InvalidCreationTimeError"},
		{"{\"_creationTime\":0.0,\"_y\":" DEEP "}",
		 "InvalidDocumentError"},
		{"{\"_id\":\"x\",\"$y\":1}", "InvalidConvexValue"},
		{"{\"_id\":\"x\",\"$y\":1", "JsonInvalidRow"},
	};
	struct bench b;

	setup(&b, DOCUMENT_UNIFORM);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_refused(&b, cases[i].row, cases[i].name, "");
	finish(&b);
}

/* A row built of repeated parts; the caller frees it. */
static char *repeat(const char *before, const char *part, size_t count,
		    const char *behind, size_t *ret_size)
{
	size_t n = strlen(before), part_size = strlen(part);
	size_t behind_size = strlen(behind);
	char *text = malloc(n + count * part_size + behind_size + 1);

	assert_non_null(text);
	memcpy(text, before, n);
	for (size_t i = 0; i < count; i++, n += part_size)
		memcpy(text + n, part, part_size);
	memcpy(text + n, behind, behind_size + 1);
	*ret_size = n + behind_size;
	return text;
}

static void expect_repeated(struct bench *b, const char *before,
			    const char *part, size_t count, const char *behind,
			    const char *name)
{
	size_t size;
	char *row = repeat(before, part, count, behind, &size);

	cvx_buf_clear(&b->out);
	if (name)
		expect_refused(b, row, name, "");
	else
		EXPECT_OK(read_row(b, row, size, 0), &b->err);
	free(row);
}

/* import.md 4.2, documents.json "limits" */
TEST(document_of_a_mebibyte_is_the_largest)
{
	const char *behind = "\",\"_id\":\"" ID "\",\"_creationTime\":1.0}";
	struct bench b;

	setup(&b, DOCUMENT_PLAIN);
	expect_repeated(&b, "{\"s\":\"", "x", 1048509, behind, NULL);
	expect_repeated(&b, "{\"s\":\"", "x", 1048510, behind,
			"ValueTooLargeError");
	EXPECT_INT(b.err.code, -EFBIG);
	/* The same with fields that are assigned. */
	expect_repeated(&b, "{\"s\":\"", "x", 1048509, "\"}", NULL);
	expect_repeated(&b, "{\"s\":\"", "x", 1048510, "\"}",
			"ValueTooLargeError");
	/* Escapes and white space take more text than size. */
	expect_repeated(&b, "{\"s\":\"", "\\u0041", 1048509, "\"}", NULL);
	expect_repeated(&b, "{\"s\":\"", "\\u0001", 1048509, "\"}", NULL);
	expect_repeated(&b, "{\"s\":\"", "\\n", 1048510, "\"}",
			"ValueTooLargeError");
	expect_repeated(&b, "{", " ", 3000000, "\"a\":1}", NULL);
	/* 9 bytes for two of text. */
	expect_repeated(&b, "{\"a\":[[", "0,", 8000, "0]]}", NULL);
	finish(&b);
}

TEST(document_size_of_many_small_numbers_is_seen)
{
	struct bench b;
	size_t size, row_size;
	char *part = repeat("[", "1,", 8191, "1],", &size);
	char *row;

	setup(&b, DOCUMENT_PLAIN);
	row = repeat("{\"a\":[", part, 14, "0]}", &row_size);
	EXPECT_OK(read_row(&b, row, row_size, 0), &b.err);
	free(row);
	row = repeat("{\"a\":[", part, 15, "0]}", &row_size);
	expect_refused(&b, row, "ValueTooLargeError", "1 MiB");
	free(row);
	free(part);
	finish(&b);
}

TEST(document_value_above_32_mib_is_no_value)
{
	struct bench b;

	setup(&b, DOCUMENT_PLAIN);
	/* The object around it takes 2 + 2 bytes, the string 2. */
	expect_repeated(&b, "{\"s\":\"", "x", 33554432 - 6, "\"}",
			"ValueTooLargeError");
	expect_repeated(&b, "{\"s\":\"", "x", 33554432 - 5, "\"}",
			"InvalidConvexValue");
	finish(&b);
}

TEST(document_arrays_and_names_have_their_limits)
{
	struct bench b;

	setup(&b, DOCUMENT_PLAIN);
	expect_repeated(&b, "{\"a\":[null", ",null", 8191, "]}", NULL);
	expect_repeated(&b, "{\"a\":[null", ",null", 8192, "]}",
			"InvalidConvexValue");
	expect_repeated(&b, "{\"", "n", 1024, "\":1}", NULL);
	expect_repeated(&b, "{\"", "n", 1025, "\":1}", "InvalidConvexValue");
	expect_repeated(&b, "{\"", "\\\"", 1024, "\":1}", NULL);
	expect_repeated(&b, "{\"", "\\\\", 1025, "\":1}", "InvalidConvexValue");
	expect_repeated(&b, "{\"a\":{\"$", "n", 100000, "\":1}}",
			"InvalidConvexValue");
	finish(&b);
}

/* Fields with the names 0, 1, 2 …, then what is behind. */
static char *fields(const char *before, size_t count, const char *behind)
{
	char *text = malloc(64 + 16 * count + strlen(behind));
	size_t n = 0;

	assert_non_null(text);
	n += (size_t)snprintf(text, 64, "%s", before);
	for (size_t i = 0; i < count; i++)
		n += (size_t)snprintf(text + n, 16, "%s\"%zu\":1",
				      i > 0 ? "," : "", i);
	(void)snprintf(text + n, strlen(behind) + 1, "%s", behind);
	return text;
}

static void expect_fields(struct bench *b, const char *before, size_t count,
			  const char *behind, const char *name)
{
	char *row = fields(before, count, behind);

	cvx_buf_clear(&b->out);
	if (name)
		expect_refused(b, row, name, "");
	else
		EXPECT_OK(read_row(b, row, strlen(row), 0), &b->err);
	free(row);
}

TEST(document_fields_are_counted_twice)
{
	const char *given = ",\"_id\":\"" ID "\",\"_creationTime\":1}";
	struct bench b;

	setup(&b, DOCUMENT_PLAIN);
	expect_fields(&b, "{", 1022, "}", NULL);
	expect_fields(&b, "{", 1023, "}", "TooManyFieldsError");
	expect_fields(&b, "{", 1024, "}", "TooManyFieldsError");
	expect_fields(&b, "{", 1025, "}", "InvalidConvexValue");
	expect_fields(&b, "{", 1022, given, NULL);
	expect_fields(&b, "{", 1023, given, "InvalidConvexValue");
	expect_fields(&b, "{\"a\":{", 1024, "}}", NULL);
	expect_fields(&b, "{\"a\":{", 1025, "}}", "InvalidConvexValue");
	/* The same name again and again is one field. */
	expect_repeated(&b, "{\"a\":0", ",\"a\":1", 5000, "}", NULL);
	finish(&b);
}

TEST(document_nesting_has_its_limits)
{
	struct bench b;
	static const struct {
		unsigned depth; /* of arrays in an object */
		const char *name;
	} cases[] = {
		{15, NULL},
		{16, "InvalidDocumentError"},
		{63, "InvalidDocumentError"},
		{64, "InvalidConvexValue"},
		{126, "InvalidConvexValue"},
		{127, "JsonInvalidRow"},
		{100000, "JsonInvalidRow"},
	};

	setup(&b, DOCUMENT_UNIFORM);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t size;
		char *close = repeat("", "]", cases[i].depth, "}", &size);

		expect_repeated(&b, "{\"a\":", "[", cases[i].depth, close,
				cases[i].name);
		free(close);
	}
	/* A wrapper is no level. */
	expect_repeated(&b, "{\"a\":", "[", 15,
			"{\"$bytes\":\"\"}]]]]]]]]]]]]]]]}", NULL);
	expect_repeated(&b, "{\"a\":", "[", 16,
			"{\"$bytes\":\"\"}]]]]]]]]]]]]]]]]}",
			"InvalidDocumentError");
	finish(&b);
}

TEST(document_prefix_stops_behind_the_value)
{
	static const struct {
		const char *text;
		size_t used; /* 0: the end is not known */
		bool good;
	} cases[] = {
		{"{\"a\":1},{\"b\":2}]", 7, true},
		{" {} ]", 3, true},
		{"{}", 2, true},
		{"{\"a\":1}\xff\xff", 7, true},
		{"{\"$a\":[1,{}]} , ", 13, false},
		{"[1,2],{}", 5, false},
		{"5,{}", 1, false},
		{"{\"_id\":5},", 9, false},
		{"{\"a\":1,\"a\":2},", 13, true},
		{"{\"a\":nul},{}", 0, false},
		{"{\"a\":1", 0, false},
		{"", 0, false},
	};
	struct bench b;

	setup(&b, DOCUMENT_PLAIN);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t used = 999;
		int r = document_read_prefix(b.reader, cases[i].text,
					     strlen(cases[i].text), 0, &b.out,
					     &b.doc, &used, &b.err);

		if ((r == 0) != cases[i].good || used != cases[i].used)
			fail_msg("%s: %d, %zu", cases[i].text, r, used);
	}
	finish(&b);
}

TEST(document_too_large_for_its_buffer_is_an_error)
{
	struct bench b;

	setup(&b, DOCUMENT_PLAIN);
	cvx_buf_init(&b.out, 100);
	EXPECT_FAIL(read_row(&b, "{\"a\":\"0123456789\"}", 18, 0), &b.err,
		    -EFBIG, "no room");
	finish(&b);
}

UNIT_MAIN(UNIT_CASE(document_cases_are_as_in_the_vectors),
	  UNIT_CASE(document_rows_of_the_value_vectors_are_accepted_or_refused),
	  UNIT_CASE(document_fields_are_sorted_around_the_system_fields),
	  UNIT_CASE(document_numbers_have_no_zeros_at_their_end_but_one),
	  UNIT_CASE(document_lines_of_a_backup_stay_as_they_are),
	  UNIT_CASE(document_times_are_above_0_and_below_2_to_the_53),
	  UNIT_CASE(document_fields_are_sorted_whatever_the_row_before_was),
	  UNIT_CASE(document_ids_and_times_ascend_with_the_row),
	  UNIT_CASE(document_tells_what_a_row_brings),
	  UNIT_CASE(document_values_beyond_plain_are_told),
	  UNIT_CASE(document_of_one_field_given_twice_has_the_last_value),
	  UNIT_CASE(document_errors_say_where),
	  UNIT_CASE(document_checks_come_in_order),
	  UNIT_CASE(document_of_a_mebibyte_is_the_largest),
	  UNIT_CASE(document_size_of_many_small_numbers_is_seen),
	  UNIT_CASE(document_value_above_32_mib_is_no_value),
	  UNIT_CASE(document_arrays_and_names_have_their_limits),
	  UNIT_CASE(document_fields_are_counted_twice),
	  UNIT_CASE(document_nesting_has_its_limits),
	  UNIT_CASE(document_prefix_stops_behind_the_value),
	  UNIT_CASE(document_too_large_for_its_buffer_is_an_error))
