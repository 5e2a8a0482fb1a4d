/* JSON arrays: import.md 6.4, filesystem.md M-8, F-4. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/convert.h"
#include "tests/unit/unit.h"
#include "tests/unit/vector_files.h"

#define ARRAY(text) FORMAT_JSON, (text), sizeof(text) - 1

#define ID_A "j57000820c20a1g7104gm2rc1m70ynr8"
#define MARK "\xef\xbb\xbf"

TEST(json_array_files_of_the_vectors)
{
	EXPECT_INT(vector_files_check("jsonArray", FORMAT_JSON), 12);
}

TEST(json_array_elements_become_lines)
{
	convert_expect_lines(
		ARRAY(" [ {\"b\":1,\"a\":[]} ,\n{\"c\":\"],\"}]\r\n"),
		"{\"a\":[],\"b\":1.0}\n{\"c\":\"],\"}\n");
	convert_expect_lines(ARRAY("[ ]"), "");
	convert_expect_lines(ARRAY(MARK "[{}]"), "{}\n");
}

TEST(json_array_that_is_not_json)
{
	convert_expect_refusal(ARRAY(""), 0, "NotJson", "line 1, column 1");
	convert_expect_refusal(ARRAY(" \n"), 0, "NotJson", "line 2, column 1");
	convert_expect_refusal(ARRAY(MARK), 0, "NotJson", "line 1, column 1");
	convert_expect_refusal(ARRAY("["), 0, "NotJson", "");
	convert_expect_refusal(ARRAY("[{}"), 0, "NotJson", "");
	convert_expect_refusal(ARRAY("[{},"), 0, "NotJson", "");
	convert_expect_refusal(ARRAY("[{}{}]"), 0, "NotJson", "column 4");
	convert_expect_refusal(ARRAY("[{}}"), 0, "NotJson", "column 4");
	convert_expect_refusal(ARRAY("[{}] x"), 0, "NotJson", "column 6");
	convert_expect_refusal(ARRAY("[{}]]"), 0, "NotJson", "column 5");
	convert_expect_refusal(ARRAY("[,]"), 0, "NotJson", "column 2");
	convert_expect_refusal(ARRAY("nul"), 0, "NotJson", "");
	convert_expect_refusal(ARRAY("[{\"a\":1e309}]"), 0, "NotJson", "");
	convert_expect_refusal(ARRAY(MARK MARK "[]"), 0, "NotJson", "mark");
	convert_expect_refusal(ARRAY("[\n{\"a\":1},\n{\"a\":tru}\n]"), 0,
			       "NotJson", "line 3, column 6");
	convert_expect_refusal(ARRAY("[{\"a\":\"\xff\"}]"), 0, "NotJson",
			       "line 1, column 8");
}

TEST(json_array_that_is_not_json_has_no_other_fault)
{
	/* Values are looked at only in a file that is JSON (12: P, I). */
	static const char text[] = "[5,{\"$a\":1},{}}";
	struct converted c;

	convert_text(ARRAY(text), DOCUMENT_PLAIN, 0, &c);
	EXPECT_INT(c.error_count, 1);
	assert_string_equal(c.errors[0].err.name, "NotJson");
	EXPECT_INT(c.errors[0].row, 0);
	converted_fini(&c);
}

TEST(json_array_lines_are_named_jsonl)
{
	convert_expect_refusal(ARRAY("{\"a\":1}\n{\"a\":2}\n"), 0, "NotJson",
			       ".jsonl");
	convert_expect_refusal(ARRAY("{\"a\":1}\n"), 0, "NotJsonArray",
			       ".jsonl");
	convert_expect_refusal(ARRAY("\"x\""), 0, "NotJsonArray", "");
}

/* One level of the 127 is the array's own (4.2). */
TEST(json_array_nesting)
{
	for (int depth = 126; depth <= 127; depth++) {
		char text[600] = "[{\"a\":", *to = text + 6;

		memset(to, '[', (size_t)depth - 1);
		to += depth - 1;
		memset(to, ']', (size_t)depth - 1);
		to += depth - 1;
		memcpy(to, "}]", 3);
		convert_expect_refusal(
			FORMAT_JSON, text, strlen(text), depth == 126,
			depth == 126 ? "InvalidConvexValue" : "NotJson", "");
	}
}

TEST(json_array_is_read_on_behind_a_refused_element)
{
	static const char text[] =
		"[{},5,{\"$a\":1},{\"_x\":1},[],null,true,\"],\",{\"_id\":1},"
		"[[[]]],{\"a\":{\"$b\":[1,{}]}},1.5e3,-0,{}]";
	struct converted c;

	convert_text(ARRAY(text), DOCUMENT_PLAIN, 0, &c);
	EXPECT_INT(c.row_count, 14);
	EXPECT_INT(c.document_count, 2);
	EXPECT_INT(c.refused_count, 12);
	EXPECT_INT(c.error_count, FORMAT_ERRORS_MAX);
	for (unsigned i = 0; i < FORMAT_ERRORS_MAX; i++)
		EXPECT_INT(c.errors[i].row, i + 2);
	assert_string_equal(c.errors[2].err.name, "InvalidDocumentError");
	assert_string_equal(c.errors[7].err.name, "InvalidIdError");
	converted_fini(&c);
}

TEST(json_array_of_16_mib_is_the_largest)
{
	for (size_t size = FORMAT_JSON_MAX; size <= FORMAT_JSON_MAX + 1;
	     size++) {
		struct cvx_buf text = CVX_BUF_INIT(FORMAT_JSON_MAX + 1);
		struct converted c;

		EXPECT_INT(cvx_buf_reserve(&text, size), 0);
		memset(text.data, ' ', size);
		memcpy(text.data, "[{}", 3);
		text.data[size - 1] = ']';
		convert_text(FORMAT_JSON, text.data, size, DOCUMENT_PLAIN, 0,
			     &c);
		EXPECT_INT(c.document_count, size == FORMAT_JSON_MAX);
		EXPECT_INT(c.error_count, size > FORMAT_JSON_MAX);
		if (size > FORMAT_JSON_MAX) {
			assert_string_equal(c.errors[0].err.name,
					    "JsonArrayTooLarge");
			EXPECT_INT(c.errors[0].err.code, -EFBIG);
		}
		converted_fini(&c);
		cvx_buf_fini(&text);
	}
}

/* import.md 7.3.2 */
TEST(json_array_table_number_of_the_first_row)
{
	static const struct {
		const char *text;
		uint32_t number;
	} cases[] = {
		{" [ {\"a\":\"}\",\"_id\":\"" ID_A "\"},{}]", 10001},
		{"[{\"_id\":\"" ID_A "\"}", 10001},
		{"[{},{\"_id\":\"" ID_A "\"}]", 0},
		{"[[{\"_id\":\"" ID_A "\"}]]", 0},
		{"{\"_id\":\"" ID_A "\"}", 0},
		{"[]", 0},
		{"[", 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct converted c;

		convert_text(FORMAT_JSON, cases[i].text, strlen(cases[i].text),
			     DOCUMENT_PLAIN, 0, &c);
		EXPECT_INT(c.has_number, cases[i].number != 0);
		EXPECT_INT(c.number, cases[i].number);
		converted_fini(&c);
	}
}

TEST(json_array_of_ids)
{
	static const char text[] = "[{},{\"_id\":\"" ID_A "\"},{}]";
	struct converted c;

	convert_text(ARRAY(text), DOCUMENT_PLAIN, 0, &c);
	EXPECT_INT(c.document_count, 3);
	EXPECT_INT(c.any_id_given, 1);
	converted_fini(&c);
}

/* No piece is much larger than 4 MiB, however small the elements are. */
TEST(json_array_of_many_small_elements_comes_in_pieces)
{
	enum { COUNT = 300000 };
	size_t size = 3 * COUNT + 1, used, largest = 0;
	struct cvx_err err = CVX_ERR_INIT;
	char *text = malloc(size);
	struct internal_id last;
	struct format_worker *w;
	uint64_t rows_seen = 0;
	unsigned pieces = 0;
	struct format *f;
	struct rows rows;

	assert_non_null(text);
	for (size_t i = 0; i < COUNT; i++)
		memcpy(text + 3 * i, i ? ",{}" : "[{}", 3);
	text[size - 1] = ']';
	EXPECT_OK(format_new(FORMAT_JSON, &f, &err), &err);
	EXPECT_OK(format_begin(f, text, size, true, &used, &err), &err);
	EXPECT_OK(format_plan(f, DOCUMENT_PLAIN, &convert_stamp, &err), &err);
	EXPECT_OK(format_worker_new(f, &w, &err), &err);
	rows_init(&rows);
	EXPECT_OK(format_convert(w, text, size, 0, &rows, &err), &err);
	for (;;) {
		EXPECT_INT(rows.error_count, 0);
		if (pieces++ > 0)
			assert_true(id_compare(&last, &rows.first_id) < 0);
		last = rows.last_id;
		rows_seen += rows.document_count;
		if (rows.text.size > largest)
			largest = rows.text.size;
		if (!rows.continues)
			break;
		EXPECT_OK(format_convert_more(w, &rows, &err), &err);
	}
	EXPECT_INT(rows_seen, COUNT);
	assert_true(pieces > 1);
	assert_true(largest < (size_t)5 << 20);
	rows_fini(&rows);
	format_worker_free(w);
	format_free(f);
	free(text);
}

/* A fault behind the first piece is still told by its row. */
TEST(json_array_refusals_of_later_pieces_keep_their_rows)
{
	enum { COUNT = 200000 };
	size_t size = 3 * COUNT + 7;
	char *text = malloc(size);
	struct converted c;

	assert_non_null(text);
	for (size_t i = 0; i < COUNT; i++)
		memcpy(text + 3 * i, i ? ",{}" : "[{}", 3);
	memcpy(text + 3 * COUNT, ",5,{} ]", 7);
	convert_text(FORMAT_JSON, text, size, DOCUMENT_PLAIN, 0, &c);
	EXPECT_INT(c.row_count, COUNT + 2);
	EXPECT_INT(c.error_count, 1);
	EXPECT_INT(c.errors[0].row, COUNT + 1);
	converted_fini(&c);
	free(text);
}

UNIT_MAIN(UNIT_CASE(json_array_files_of_the_vectors),
	  UNIT_CASE(json_array_elements_become_lines),
	  UNIT_CASE(json_array_that_is_not_json),
	  UNIT_CASE(json_array_that_is_not_json_has_no_other_fault),
	  UNIT_CASE(json_array_lines_are_named_jsonl),
	  UNIT_CASE(json_array_nesting),
	  UNIT_CASE(json_array_is_read_on_behind_a_refused_element),
	  UNIT_CASE(json_array_of_16_mib_is_the_largest),
	  UNIT_CASE(json_array_table_number_of_the_first_row),
	  UNIT_CASE(json_array_of_ids),
	  UNIT_CASE(json_array_of_many_small_elements_comes_in_pieces),
	  UNIT_CASE(json_array_refusals_of_later_pieces_keep_their_rows))
