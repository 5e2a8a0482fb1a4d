/* importer/value/document: what is told of a line without reading all of it,
 * and lines with others behind them. */
#include "importer/value/document.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "tests/unit/unit.h"

#define TABLE 10001
#define ID "j5702081040g2081040g2081056hakwm"

/* import.md 7.3.2 */
TEST(document_table_number_is_found_in_the_first_row)
{
	static const struct {
		const char *row;
		uint32_t number; /* 0: none */
	} cases[] = {
		{"{\"_id\":\"" ID "\"}", TABLE},
		{"{\"a\":{\"_id\":\"" ID "\"}}", 0},
		{"[{\"_id\":\"" ID "\"}]", 0},
		{"{\"x\":[{}],\"\\u005fid\":\"" ID "\",\"y\":1}", TABLE},
		{"{\"_id\":\"" ID "\",\"_id\":null}", 0},
		{"{\"_id\":null,\"_id\":\"" ID "\"}", TABLE},
		{"{\"_id\":{\"_id\":\"" ID "\"}}", 0},
		{"{\"_id\":\"x\"}", 0},
		{"{\"_id\":5}", 0},
		{"{\"_id\":\"" ID "\"", 0},
		{"{}", 0},
		{"", 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t number = 0;
		bool found = document_peek_table_number(
			cases[i].row, strlen(cases[i].row), &number);

		if (found != (cases[i].number != 0) ||
		    (found && number != cases[i].number))
			fail_msg("%s: %d %u", cases[i].row, found, number);
	}
}

/* filesystem.md M-7 */
TEST(document_export_lines_are_told_byte_by_byte)
{
	static const struct {
		const char *line;
		bool is;
	} cases[] = {
		{"{\"_creationTime\":1.0,\"_id\":\"" ID "\"}", true},
		{"{\"_creationTime\":1.0,\"_id\":\"" ID "\",\"a\":5}", true},
		{"{\"A\":1.5,\"_creationTime\":1.0,\"_id\":\"" ID "\"}", true},
		{"{\"_creationTime\":1,\"_id\":\"" ID "\"}", false},
		{"{\"_creationTime\":1.0,\"_id\":\"" ID "\"} ", false},
		{"{\"_creationTime\":1.0, \"_id\":\"" ID "\"}", false},
		{"{\"_id\":\"" ID "\",\"_creationTime\":1.0}", false},
		{"{\"_creationTime\":1.0,\"_id\":\"" ID "\",\"a\":5.00}",
		 false},
		{"{\"_creationTime\":1.0,\"_id\":\"x\"}", false},
		{"{\"_creationTime\":1.0}", false},
		{"{\"_id\":\"" ID "\"}", false},
		{"{}", false},
		{"", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (document_is_export_line(cases[i].line,
					    strlen(cases[i].line)) !=
		    cases[i].is)
			fail_msg("%s", cases[i].line);
}

TEST(document_line_id_finds_the_id_behind_other_fields)
{
	const char *line = "{\"A\":{\"_id\":\"x\"},\"_creationTime\":1.0,"
			   "\"_id\":\"" ID "\",\"b\":\"_id\"}";
	struct internal_id id, want;
	uint32_t table;

	EXPECT_INT(document_line_id(line, strlen(line), &id), 0);
	EXPECT_INT(id_decode(ID, strlen(ID), &table, &want), 0);
	EXPECT_INT(id_compare(&id, &want), 0);
	EXPECT_INT(document_line_id("{\"a\":1.0}", 9, &id), -EINVAL);
	EXPECT_INT(document_line_id("garbage", 7, &id), -EINVAL);
}

/* A reader, what it is given, and what it writes. */
struct bench {
	struct document_reader *reader;
	struct cvx_buf out, alone_out;
	struct document doc, alone_doc;
	size_t line_size;
	struct cvx_err err;
};

static void setup(struct bench *b)
{
	static const struct document_stamp stamp = {
		.table_number = TABLE,
		.id = {.ms = 1763800000000, .counter = 7, .day = 20414},
		.creation_time = 1763800000000.0,
	};

	*b = (struct bench){.out = CVX_BUF_INIT((size_t)1 << 24),
			    .alone_out = CVX_BUF_INIT((size_t)1 << 24)};
	EXPECT_OK(document_reader_new(DOCUMENT_UNIFORM, &stamp, &b->reader,
				      &b->err),
		  &b->err);
}

static void finish(struct bench *b)
{
	document_reader_free(b->reader);
	cvx_buf_fini(&b->out);
	cvx_buf_fini(&b->alone_out);
}

/* The text lies alone in memory, so that reading past it is seen. */
static int read_line(struct bench *b, const char *text, size_t size)
{
	char *alone = malloc(size ? size : 1);
	int r;

	assert_non_null(alone);
	memcpy(alone, text, size);
	cvx_buf_clear(&b->out);
	b->err = (struct cvx_err)CVX_ERR_INIT;
	r = document_read_line(b->reader, alone, size, 3, &b->out, &b->doc,
			       &b->line_size, &b->err);
	free(alone);
	return r;
}

/* The line that text begins with is read as if nothing followed. */
static void expect_as_alone(struct bench *b, const char *text, size_t size)
{
	const char *lf = memchr(text, '\n', size);

	assert_non_null(lf);
	cvx_buf_clear(&b->alone_out);
	EXPECT_OK(document_read(b->reader, text, (size_t)(lf - text), 3,
				&b->alone_out, &b->alone_doc, &b->err),
		  &b->err);
	EXPECT_INT(read_line(b, text, size), 0);
	EXPECT_INT(b->line_size, lf - text);
	EXPECT_INT(b->doc.beyond_plain, b->alone_doc.beyond_plain);
	EXPECT_INT(b->doc.id_given, b->alone_doc.id_given);
	EXPECT_INT(id_compare(&b->doc.id, &b->alone_doc.id), 0);
	EXPECT_INT(b->out.size, b->alone_out.size);
	EXPECT_INT(memcmp(b->out.data, b->alone_out.data, b->out.size), 0);
}

TEST(document_lines_are_read_as_if_nothing_followed)
{
	static const char *const lines[] = {
		"{}",
		" { } \t\r",
		"{\"b\":1,\"a\":[5,-0.0,\"\xc3\xa9\"]}",
		"{\"a\":{\"$integer\":\"AQAAAAAAAAA=\"},\"B\":2.5}",
		"{\"_creationTime\":1.5,\"_id\":\"" ID "\",\"a\":5.0}",
		"{\"A\":1,\"_creationTime\":1.5,\"_id\":\"" ID "\"}",
		"{\"A\":1,\"_creationTime\":1.5,\"a\":2}",
		"{\"A\":1,\"_id\":\"" ID "\"}",
		"{\"_id\":\"" ID "\",\"A\":1,\"_creationTime\":1.5}",
		"{\"A\":1,\"a\":2}",
		"{\"A\":1}",
	};
	char text[1024];
	struct bench b;

	setup(&b);
	/* The shapes of fields are known the second time, and rows that lack
	 * some come in between. */
	for (size_t i = 0; i < 3 * sizeof(lines) / sizeof(lines[0]); i++) {
		const char *line = lines[i % (sizeof(lines) / sizeof(*lines))];

		for (size_t behind = 0; behind < 300; behind += 37) {
			int size = snprintf(text, sizeof(text), "%s\n%*s", line,
					    (int)behind, "}");

			expect_as_alone(&b, text, (size_t)size - (behind == 0));
		}
	}
	finish(&b);
}

/* import.md 6.3: an LF ends the row, in the middle of a value too. */
TEST(document_lines_that_are_not_whole_are_left_alone)
{
	static const char *const texts[] = {
		"",
		"{}",
		"\n{}\n",
		" \n{}\n",
		"{\"a\":\n1}\n",
		"{\n}\n",
		"{\"a\":1\n}\n",
		"{\"a\":[1,\n2]}\n",
		"{\"a\":1,\n\"b\":2}\n",
		"{\"a\"\n:2}\n",
		"{\"a\":1}x\n",
		"{\"a\":1} {}\n",
		"{\"a\":1,\"a\":2}\n",
	};
	struct bench b;

	setup(&b);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (read_line(&b, texts[i], strlen(texts[i])) != 1)
			fail_msg("%s", texts[i]);
		EXPECT_INT(b.out.size, 0);
	}
	finish(&b);
}

TEST(document_lines_that_are_long_are_left_alone)
{
	size_t size = (size_t)300 << 10;
	char *text = malloc(size);
	struct bench b;

	assert_non_null(text);
	memset(text, 'x', size);
	memcpy(text, "{\"a\":\"", 6);
	memcpy(text + size - 3, "\"}\n", 3);
	setup(&b);
	EXPECT_INT(read_line(&b, text, size), 1);
	memcpy(text + size / 2, "\"}\n", 3);
	expect_as_alone(&b, text, size);
	free(text);
	finish(&b);
}

UNIT_MAIN(UNIT_CASE(document_table_number_is_found_in_the_first_row),
	  UNIT_CASE(document_export_lines_are_told_byte_by_byte),
	  UNIT_CASE(document_line_id_finds_the_id_behind_other_fields),
	  UNIT_CASE(document_lines_are_read_as_if_nothing_followed),
	  UNIT_CASE(document_lines_that_are_not_whole_are_left_alone),
	  UNIT_CASE(document_lines_that_are_long_are_left_alone))
