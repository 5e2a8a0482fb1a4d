/* JSON lines: import.md 6.3, filesystem.md M-7, M-8, F-4. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/convert.h"
#include "tests/unit/unit.h"
#include "tests/unit/vector_files.h"

#define JSONL(text) FORMAT_JSONL, (text), sizeof(text) - 1

#define ID_A "j57000820c20a1g7104gm2rc1m70ynr8"
#define ID_OTHER "j9702081040g2081040g2081056ham56"
#define MARK "\xef\xbb\xbf"

TEST(jsonl_files_of_the_vectors)
{
	EXPECT_INT(vector_files_check("jsonLines", FORMAT_JSONL), 25);
}

TEST(jsonl_lines_become_canonical)
{
	convert_expect_lines(JSONL("{\"b\":1,\"a\":\"\\u00e9\"}\n"
				   " { \"A\" : [ 1.50 ] }\r\n{}"),
			     "{\"a\":\"\xc3\xa9\",\"b\":1.0}\n"
			     "{\"A\":[1.5]}\n"
			     "{}\n");
}

TEST(jsonl_mark_is_removed_only_at_the_start)
{
	convert_expect_lines(JSONL(MARK "{}\n{}\n"), "{}\n{}\n");
	convert_expect_lines(JSONL(MARK), "");
	convert_expect_refusal(JSONL(MARK MARK "{}\n"), 1, "JsonInvalidRow",
			       "byte order mark");
	convert_expect_refusal(JSONL("{}\n" MARK "{}\n"), 2, "JsonInvalidRow",
			       "byte order mark");
	convert_expect_refusal(JSONL("\xef\xbb"), 1, "NotUtf8", "column 1");
}

TEST(jsonl_blank_lines_are_named)
{
	convert_expect_refusal(JSONL("{}\n\n{}\n"), 2, "JsonInvalidRow",
			       "blank");
	convert_expect_refusal(JSONL("{}\n \t\r"), 2, "JsonInvalidRow",
			       "blank");
}

TEST(jsonl_bytes_that_are_not_utf8_are_the_first_fault)
{
	convert_expect_refusal(JSONL("{\"a\":1,}\xc3\n"), 1, "NotUtf8",
			       "column 9");
	convert_expect_refusal(JSONL("{\"a\":\"\xed\xa0\x80\"}\n"), 1,
			       "NotUtf8", "column 7");
	convert_expect_refusal(JSONL("\xff\n"), 1, "NotUtf8", "column 1");
}

TEST(jsonl_faults_have_a_place)
{
	convert_expect_refusal(JSONL("{\"a\":1}\n{\"a\":tru}\n"), 2,
			       "JsonInvalidRow", "column 6");
	convert_expect_refusal(JSONL("{\"a\":{\"b\":{\"$c\":1}}}\n"), 1,
			       "InvalidConvexValue", "$c");
	convert_expect_refusal(JSONL("{\"_id\":\"" ID_OTHER "\"}\n"), 1,
			       "ImportConflict", "_id");
}

/* import.md 6.3: what JSON takes for white space ends a row here. */
TEST(jsonl_values_do_not_go_on_in_the_next_line)
{
	static const char *const rows[] = {
		"{\"a\":\n1}\n",	   "{\n\"a\":1}\n",  "{\"a\":1\n}\n",
		"{\"a\":[1,\n2]}\n",	   "{\"a\" \n:1}\n", "{\"a\n\":1}\n",
		"{\"a\":1,\r\n\"b\":2}\n",
	};
	struct converted c;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		convert_text(FORMAT_JSONL, rows[i], strlen(rows[i]),
			     DOCUMENT_PLAIN, 0, &c);
		EXPECT_INT(c.document_count, 0);
		EXPECT_INT(c.refused_count, 2);
		converted_fini(&c);
	}
}

TEST(jsonl_is_read_on_behind_a_refused_row)
{
	static const char text[] = "{}\nx\n{}\n5\n[\n\n\n\n\n\n\n\n\n{}\n";
	struct converted c;

	convert_text(JSONL(text), DOCUMENT_PLAIN, 0, &c);
	EXPECT_INT(c.row_count, 14);
	EXPECT_INT(c.document_count, 3);
	EXPECT_INT(c.refused_count, 11);
	EXPECT_INT(c.error_count, FORMAT_ERRORS_MAX);
	EXPECT_INT(c.errors[0].row, 2);
	EXPECT_INT(c.errors[1].row, 4);
	EXPECT_INT(c.errors[9].row, 12);
	converted_fini(&c);
}

TEST(jsonl_uniform_lines_keep_their_types)
{
	static const char text[] =
		"{\"_creationTime\":1.0,\"_id\":\"" ID_A "\",\"i\":5}\n";
	struct converted c;

	convert_text(JSONL(text), DOCUMENT_UNIFORM, 0, &c);
	EXPECT_TEXT(c.lines.data, c.lines.size, text);
	EXPECT_INT(c.beyond_plain, 1);
	converted_fini(&c);
}

TEST(jsonl_given_and_generated_ids_stand_with_their_lines)
{
	/* convert.c compares rows.ids with the lines of each block. */
	static const char text[] = "{}\n{\"a\":1}\n{\"_id\":\"" ID_A
				   "\"}\n{}\n{\"_id\":\"" ID_A "\"}\n";
	struct converted c;

	convert_text(JSONL(text), DOCUMENT_PLAIN, 0, &c);
	EXPECT_INT(c.document_count, 5);
	EXPECT_INT(c.any_id_given, 1);
	converted_fini(&c);
	convert_text(JSONL("{}\n{}\n"), DOCUMENT_PLAIN, 0, &c);
	EXPECT_INT(c.any_id_given, 0);
	converted_fini(&c);
}

TEST(jsonl_many_given_ids)
{
	struct cvx_buf text = CVX_BUF_INIT(1 << 20);
	struct converted c;

	for (int i = 0; i < 3000; i++)
		EXPECT_INT(cvx_buf_puts(&text, "{}\n"), 0);
	for (int i = 0; i < 3000; i++)
		EXPECT_INT(cvx_buf_puts(&text, "{\"_id\":\"" ID_A "\"}\n"), 0);
	convert_text(FORMAT_JSONL, text.data, text.size, DOCUMENT_PLAIN, 0, &c);
	EXPECT_INT(c.document_count, 6000);
	converted_fini(&c);
	cvx_buf_fini(&text);
}

/* import.md 7.3.2 */
TEST(jsonl_table_number_of_the_first_row)
{
	static const struct {
		const char *text;
		uint32_t number;
	} cases[] = {
		{"{\"_id\":\"" ID_A "\"}\n{}\n", 10001},
		{"{\"_id\":\"" ID_A "\"}", 10001},
		{MARK "{\"_id\":\"" ID_A "\"}", 10001},
		{"{\"a\":{\"_id\":\"" ID_A "\"}}\n", 0},
		{"{}\n{\"_id\":\"" ID_A "\"}\n", 0},
		{"{\"_id\":5}\n", 0},
		{"", 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct converted c;

		convert_text(FORMAT_JSONL, cases[i].text, strlen(cases[i].text),
			     DOCUMENT_PLAIN, 0, &c);
		EXPECT_INT(c.has_number, cases[i].number != 0);
		EXPECT_INT(c.number, cases[i].number);
		converted_fini(&c);
	}
}

static void expect_cut(const char *text, bool at_end, size_t want,
		       uint64_t want_rows)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct format *f;
	uint64_t rows;

	EXPECT_OK(format_new(FORMAT_JSONL, &f, &err), &err);
	EXPECT_INT(format_cut(f, text, strlen(text), at_end, &rows), want);
	EXPECT_INT(rows, want_rows);
	format_free(f);
}

TEST(jsonl_blocks_end_at_line_ends)
{
	expect_cut("", false, 0, 0);
	expect_cut("{}", false, 0, 0);
	expect_cut("{}", true, 2, 1);
	expect_cut("{}\n{", false, 3, 1);
	expect_cut("{}\n{", true, 4, 2);
	expect_cut("{}\n\n", false, 4, 2);
	expect_cut("0123456789\n0123456789\n0123456789\n012345", true, 39, 4);
}

TEST(jsonl_row_above_16_mib_is_refused)
{
	struct cvx_buf text = CVX_BUF_INIT(32 << 20);

	EXPECT_INT(cvx_buf_puts(&text, "{}\n{}"), 0);
	EXPECT_INT(cvx_buf_reserve(&text, 17 << 20), 0);
	memset(text.data + text.size, ' ', 17 << 20);
	text.size += 17 << 20;
	convert_expect_refusal(FORMAT_JSONL, text.data, text.size, 2,
			       "ValueTooLargeError", "16 MiB");
	cvx_buf_fini(&text);
}

TEST(jsonl_other_encodings_are_refused_for_other_formats)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct format *f;

	EXPECT_OK(format_new(FORMAT_CSV, &f, &err), &err);
	EXPECT_FAIL(format_plan(f, DOCUMENT_UNIFORM, &convert_stamp, &err),
		    &err, -EINVAL, "uniform");
	format_free(f);
}

UNIT_MAIN(UNIT_CASE(jsonl_files_of_the_vectors),
	  UNIT_CASE(jsonl_lines_become_canonical),
	  UNIT_CASE(jsonl_mark_is_removed_only_at_the_start),
	  UNIT_CASE(jsonl_blank_lines_are_named),
	  UNIT_CASE(jsonl_bytes_that_are_not_utf8_are_the_first_fault),
	  UNIT_CASE(jsonl_faults_have_a_place),
	  UNIT_CASE(jsonl_values_do_not_go_on_in_the_next_line),
	  UNIT_CASE(jsonl_is_read_on_behind_a_refused_row),
	  UNIT_CASE(jsonl_uniform_lines_keep_their_types),
	  UNIT_CASE(jsonl_given_and_generated_ids_stand_with_their_lines),
	  UNIT_CASE(jsonl_many_given_ids),
	  UNIT_CASE(jsonl_table_number_of_the_first_row),
	  UNIT_CASE(jsonl_blocks_end_at_line_ends),
	  UNIT_CASE(jsonl_row_above_16_mib_is_refused),
	  UNIT_CASE(jsonl_other_encodings_are_refused_for_other_formats))
