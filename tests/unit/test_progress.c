/* fs/progress, fs/json_out, fs/json_in, cache/base/figures: what commands
 * print. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/figures.h"
#include "fs/json_in.h"
#include "fs/json_out.h"
#include "fs/progress.h"
#include "tests/unit/unit.h"

static void expect_line(const struct progress_state *state, int64_t elapsed_ms,
			unsigned columns, const char *want)
{
	struct cvx_buf out = CVX_BUF_INIT(4096);

	EXPECT_INT(
		progress_print("people.csv", state, elapsed_ms, columns, &out),
		0);
	EXPECT_TEXT(out.data, out.size, want);
	cvx_buf_fini(&out);
}

TEST(progress_line_has_bytes_rows_rate_and_time_left)
{
	const struct progress_state at = {45000000, 180000000, 1234567};

	expect_line(&at, 1000, 110,
		    "people.csv  [#######                      ]  25 %  45.0 "
		    "MB of 180.0 "
		    "MB  1,234,567 rows  45.0 MB/s  0:03 left");
}

TEST(progress_line_fits_into_the_terminal)
{
	const struct progress_state at = {45000000, 180000000, 1234567};
	struct cvx_buf out = CVX_BUF_INIT(4096);
	unsigned columns;

	for (columns = 1; columns <= 200; columns++) {
		cvx_buf_clear(&out);
		EXPECT_INT(progress_print("a/rather/long/path/of/people.csv",
					  &at, 1000, columns, &out),
			   0);
		assert_true(out.size < columns);
	}
	cvx_buf_fini(&out);
	/* No room for a bar. */
	expect_line(&at, 1000, 40, "people.csv   25 %  45.0 MB of 180.0 MB ");
}

TEST(progress_line_tells_only_what_is_known)
{
	const struct progress_state stream = {2000, 0, 1};
	const struct progress_state nothing = {0, 0, 0};
	const struct progress_state more = {300, 200, 0}; /* than there is */

	expect_line(&stream, 100, 80, "people.csv  2.0 kB  1 row");
	expect_line(&nothing, 5000, 80, "people.csv  0 bytes");
	expect_line(&more, 0, 60,
		    "people.csv  [##############]"
		    " 100 %  200 bytes of 200 bytes");
}

/* A name cannot break the line. */
TEST(progress_line_of_a_strange_name)
{
	const struct progress_state at = {1, 0, 0};
	struct cvx_buf out = CVX_BUF_INIT(4096);

	EXPECT_INT(progress_print("a\n\x1b[2Jb", &at, 0, 80, &out), 0);
	EXPECT_TEXT(out.data, out.size, "a??[2Jb  1 byte");
	cvx_buf_fini(&out);
}

TEST(figures_are_readable)
{
	static const struct {
		uint64_t n;
		const char *count, *size;
	} cases[] = {
		{0, "0", "0 bytes"},
		{1, "1", "1 byte"},
		{999, "999", "999 bytes"},
		{1000, "1,000", "1.0 kB"},
		{999949, "999,949", "999.9 kB"},
		{999950, "999,950", "1.0 MB"},
		{1234567, "1,234,567", "1.2 MB"},
		{UINT64_MAX, "18,446,744,073,709,551,615", "18.4 EB"},
	};
	char text[FIGURES_SIZE];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		figures_print_count(cases[i].n, text);
		assert_string_equal(text, cases[i].count);
		figures_print_size(cases[i].n, text);
		assert_string_equal(text, cases[i].size);
	}
	figures_print_duration(5, text);
	assert_string_equal(text, "0:05");
	figures_print_duration(3661, text);
	assert_string_equal(text, "1:01:01");
	figures_print_duration(UINT64_MAX, text);
	assert_string_equal(text, "days");
}

TEST(json_out_escapes_and_separates)
{
	struct json_out j;

	json_out_init(&j);
	json_out_open(&j, "", "{");
	json_out_text(&j, "a", "x\"\\\n\x01\xc3\xa4\xff");
	json_out_text(&j, "b", NULL);
	json_out_number(&j, "c", UINT64_MAX);
	json_out_open(&j, "d", "[");
	json_out_text(&j, "", "1");
	json_out_open(&j, "", "{");
	json_out_close(&j, "}");
	json_out_raw(&j, "", "[2]", 3);
	json_out_close(&j, "]");
	json_out_number(&j, "e", 1);
	json_out_close(&j, "}");
	EXPECT_INT(j.failure, 0);
	EXPECT_TEXT(j.text.data, j.text.size,
		    "{\"a\":\"x\\\"\\\\\\u000a\\u0001\xc3\xa4\xef\xbf\xbd\","
		    "\"b\":null,\"c\":18446744073709551615,"
		    "\"d\":[\"1\",{},[2]],\"e\":1}");
	json_out_fini(&j);
}

static struct json_in in(const char *text)
{
	return (struct json_in){text, strlen(text)};
}

TEST(json_in_finds_fields_and_lines)
{
	struct json_in text = in("{\"a\":[{\"b\":1},2],\"b\":\"x\\ny\","
				 "\"c\":{\"b\":3},\"d\":null}\n{\"a\":4}\n5");
	struct json_in line;
	char value[8];

	assert_true(json_in_line(&text, &line));
	assert_true(json_in_is_object(line));
	json_in_text(json_in_field(line, "b"), value, sizeof(value));
	assert_string_equal(value, "x y");
	EXPECT_INT(json_in_number(json_in_field(json_in_field(line, "c"), "b")),
		   3);
	json_in_text(json_in_field(line, "a"), value, sizeof(value));
	assert_string_equal(value, "[{\"b\":1");
	json_in_text(json_in_field(line, "d"), value, sizeof(value));
	assert_string_equal(value, "");
	EXPECT_INT(json_in_field(line, "none").size, 0);
	assert_true(json_in_line(&text, &line));
	EXPECT_INT(json_in_number(json_in_field(line, "a")), 4);
	assert_true(json_in_line(&text, &line));
	assert_false(json_in_is_object(line));
	EXPECT_INT(json_in_field(line, "a").size, 0);
	assert_false(json_in_line(&text, &line));
}

TEST(json_in_takes_no_harm_from_what_is_no_json)
{
	static const char *const texts[] = {
		"",	    "{", "{\"a\"",   "{\"a\":",	   "{\"a\":[",
		"{\"a\":1", "}", "{\"b\":]", "{\"a\":1}}", "{\"a\":1} x",
	};
	char value[8];
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		assert_false(json_in_is_object(in(texts[i])));
		json_in_text(json_in_field(in(texts[i]), "a"), value,
			     sizeof(value));
	}
	json_in_text(in("a\x1b[2J\x7f"), value, sizeof(value));
	assert_string_equal(value, "a [2J ");
}

UNIT_MAIN(UNIT_CASE(progress_line_has_bytes_rows_rate_and_time_left),
	  UNIT_CASE(progress_line_fits_into_the_terminal),
	  UNIT_CASE(progress_line_tells_only_what_is_known),
	  UNIT_CASE(progress_line_of_a_strange_name),
	  UNIT_CASE(figures_are_readable),
	  UNIT_CASE(json_out_escapes_and_separates),
	  UNIT_CASE(json_in_finds_fields_and_lines),
	  UNIT_CASE(json_in_takes_no_harm_from_what_is_no_json))
