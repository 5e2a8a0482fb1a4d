/* CSV: import.md 6.2, checks of 5, limits of 4.2. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "importer/format/csv_cell.h"
#include "importer/format/csv_scan.h"
#include "importer/value/number.h"
#include "tests/unit/convert.h"
#include "tests/unit/unit.h"
#include "tests/unit/vector_files.h"

#define CSV(text) FORMAT_CSV, (text), sizeof(text) - 1

#define ID_A "j57000820c20a1g7104gm2rc1m70ynr8"

/* Vectors. */

/* The text of a typed value in an export (vectors/README.md). */
static void print_typed(struct cvx_buf *out, const cJSON *value)
{
	const char *type = vector_string(value, "t");

	if (strcmp(type, "float64") == 0) {
		uint64_t bits =
			strtoull(vector_string(value, "bits"), NULL, 16);
		char text[NUMBER_TEXT_MAX];
		double number;

		memcpy(&number, &bits, sizeof(number));
		EXPECT_INT(
			cvx_buf_append(out, text, number_print(number, text)),
			0);
	} else if (strcmp(type, "string") == 0) {
		/* cJSON escapes as we do, but for what no vector has. */
		char *text =
			cJSON_PrintUnformatted(cJSON_GetObjectItem(value, "v"));

		EXPECT_INT(cvx_buf_puts(out, text), 0);
		free(text);
	} else {
		assert_string_equal(type, "null");
		EXPECT_INT(cvx_buf_puts(out, "null"), 0);
	}
}

static void print_rows(struct cvx_buf *out, const cJSON *rows)
{
	const cJSON *row, *field;

	cJSON_ArrayForEach(row, rows)
	{
		const char *before = "{";

		cJSON_ArrayForEach(field, row)
		{
			char *name = cJSON_PrintUnformatted(
				cJSON_GetArrayItem(field, 0));

			EXPECT_INT(cvx_buf_puts(out, before), 0);
			EXPECT_INT(cvx_buf_puts(out, name), 0);
			EXPECT_INT(cvx_buf_puts(out, ":"), 0);
			print_typed(out, cJSON_GetArrayItem(field, 1));
			free(name);
			before = ",";
		}
		EXPECT_INT(cvx_buf_puts(out, "}\n"), 0);
	}
	EXPECT_INT(cvx_buf_append(out, "", 1), 0);
}

TEST(csv_cells_of_the_vectors_have_their_types)
{
	cJSON *root = vector_read("tests/data/vectors/csv_cells.json");
	const cJSON *one;
	int count = 0;

	cJSON_ArrayForEach(one, cJSON_GetObjectItem(root, "cases"))
	{
		const char *cell = vector_string(one, "cell");
		const char *type =
			vector_string(cJSON_GetObjectItem(one, "value"), "t");
		const char *want = vector_string(one, "export");
		size_t size = strlen(cell);
		char *copy = malloc(size + 1), *end;
		char out[1024];
		uint64_t value_size = 0;

		assert_true(CSV_CELL_ROOM(size) <= sizeof(out));
		memcpy(copy, cell, size);
		end = csv_cell_print(out, copy, size, copy + size, &value_size);
		EXPECT_TEXT(out, (size_t)(end - out), want);
		EXPECT_INT(value_size, strcmp(type, "string") == 0 ? 2 + size
				       : strcmp(type, "null") == 0 ? 1
								   : 9);
		free(copy);
		count++;
	}
	EXPECT_INT(count, 89);
	cJSON_Delete(root);
}

static void check_file_case(const cJSON *one)
{
	const cJSON *rows = cJSON_GetObjectItem(one, "rows");
	const char *error = vector_string(one, "error");
	const char *name = vector_string(one, "name");
	struct cvx_buf want = CVX_BUF_INIT(1 << 20);
	size_t size;
	char *text = vector_input(one, &size);

	print_message("# %s\n", name);
	if (strcmp(name, "underscore header parses") == 0) {
		/* "the row is later refused by the document check" */
		error = "InvalidDocumentError";
	}
	if (error) {
		rows = cJSON_GetObjectItem(one, "rows_before_error");
		convert_expect_refusal(
			FORMAT_CSV, text, size,
			rows ? (uint64_t)cJSON_GetArraySize(rows) + 1
			     : vector_string(one, "error") == NULL,
			error, "");
	} else if (strcmp(name, "ids") == 0) {
		struct converted c;

		convert_text(FORMAT_CSV, text, size, DOCUMENT_PLAIN, 0, &c);
		EXPECT_INT(c.document_count, 1);
		EXPECT_INT(c.any_id_given, 1);
		converted_fini(&c);
	} else {
		print_rows(&want, rows);
		convert_expect_lines(FORMAT_CSV, text, size, want.data);
	}
	cvx_buf_fini(&want);
	free(text);
}

TEST(csv_files_of_the_vectors)
{
	cJSON *root = vector_read("tests/data/vectors/csv_files.json");
	const cJSON *one;
	int count = 0;

	cJSON_ArrayForEach(one, cJSON_GetObjectItem(root, "cases"))
	{
		/* cJSON ends strings at U+0000; the next case has that one. */
		if (strcmp(vector_string(one, "name"), "nul byte is data") != 0)
			check_file_case(one);
		count++;
	}
	EXPECT_INT(count, 52);
	cJSON_Delete(root);
}

TEST(nul_byte_is_data)
{
	convert_expect_lines(CSV("a,b\n1\0,2\n"),
			     "{\"a\":\"1\\u0000\",\"b\":2.0}\n");
}

/* 6.2: syntax. */

TEST(csv_fields_that_begin_with_a_quote)
{
	convert_expect_lines(CSV("a\n\"x\"y\"z\n\"\"x\n\"\"\"\"\n"),
			     "{\"a\":\"xy\\\"z\"}\n"
			     "{\"a\":\"x\"}\n"
			     "{\"a\":\"\\\"\"}\n");
}

TEST(csv_quote_that_is_never_closed_runs_to_the_end)
{
	convert_expect_lines(CSV("a,b\n1,\"x,\n2,\"\"y\n"),
			     "{\"a\":1.0,\"b\":\"x,\\n2,\\\"y\\n\"}\n");
}

TEST(csv_quotes_around_windows_of_64_bytes)
{
	/* Quoted cells of every length, so that quotes, doubled quotes and
	 * separators fall on each side of a border. */
	for (size_t n = 0; n < 200; n++) {
		struct cvx_buf text = CVX_BUF_INIT(1 << 20);
		struct cvx_buf want = CVX_BUF_INIT(1 << 20);
		char filler[200];

		memset(filler, 'x', n);
		EXPECT_INT(cvx_buf_printf(&text,
					  "a,b\n%.*s,\"%.*s\"\"\n%.*s\"\n1,2",
					  (int)n, filler, (int)n, filler,
					  (int)n, filler),
			   0);
		EXPECT_INT(cvx_buf_printf(&want,
					  "{\"a\":\"%.*s\","
					  "\"b\":\"%.*s\\\"\\n%.*s\"}\n"
					  "{\"a\":1.0,\"b\":2.0}\n%c",
					  (int)n, filler, (int)n, filler,
					  (int)n, filler, 0),
			   0);
		convert_expect_lines(FORMAT_CSV, text.data, text.size,
				     want.data);
		cvx_buf_fini(&text);
		cvx_buf_fini(&want);
	}
}

TEST(csv_header_names_are_sorted_and_escaped)
{
	convert_expect_lines(CSV("b,\"q\"\"\",B,\\,a b,ab,\n1,2,3,4,5,6,7\n"),
			     "{\"\":7.0,\"B\":3.0,\"\\\\\":4.0,\"a b\":5.0,"
			     "\"ab\":6.0,\"b\":1.0,\"q\\\"\":2.0}\n");
}

TEST(csv_header_name_of_1024_bytes_is_the_longest)
{
	char text[1100];

	memset(text, 'a', 1024);
	memcpy(text + 1024, "\nx\n", 4);
	{
		struct converted c;

		convert_text(FORMAT_CSV, text, 1027, DOCUMENT_PLAIN, 0, &c);
		EXPECT_INT(c.document_count, 1);
		converted_fini(&c);
	}
	memset(text, 'a', 1025);
	memcpy(text + 1025, "\nx\n", 4);
	convert_expect_refusal(FORMAT_CSV, text, 1028, 0, "CsvInvalidHeader",
			       "column 1");
}

TEST(csv_errors_name_the_column)
{
	convert_expect_refusal(CSV("a,b\n1,2\n3,\xff\n"), 2, "CsvInvalidRow",
			       "column 2");
	convert_expect_refusal(CSV("a,b,\xc3\n1,2,3\n"), 0, "CsvInvalidRow",
			       "column 3");
	convert_expect_refusal(CSV("a,$b\n"), 0, "CsvInvalidHeader",
			       "column 2: the name '$b'");
	convert_expect_refusal(CSV("a\tb\n1\t2\n"), 0, "CsvInvalidHeader",
			       "not tabs");
	convert_expect_refusal(CSV("a,b\n1\n"), 1, "CsvRowMissingFields",
			       "1 field, but the header has 2");
	convert_expect_refusal(CSV("a,_b\n1,2\n"), 1, "InvalidDocumentError",
			       "column 2: the field '_b'");
}

TEST(csv_is_read_on_behind_a_refused_row)
{
	/* F-4: the first 10 places. */
	static const char text[] = "a,b\n1,2\n3\n4,5\n6\n7\n8\n9\n10\n11\n12\n"
				   "13\n14\n15\n16,17\n";
	struct converted c;

	convert_text(CSV(text), DOCUMENT_PLAIN, 0, &c);
	EXPECT_INT(c.row_count, 14);
	EXPECT_INT(c.document_count, 3);
	EXPECT_INT(c.refused_count, 11);
	EXPECT_INT(c.error_count, FORMAT_ERRORS_MAX);
	EXPECT_INT(c.errors[0].row, 2);
	EXPECT_INT(c.errors[9].row, 12);
	converted_fini(&c);
}

/* 6.2, 4.6: numbers that are copied and numbers that are printed anew. */
TEST(csv_numbers_near_the_borders_of_copying)
{
	static const struct {
		const char *cell, *want;
	} cases[] = {
		{"123456789012345", "123456789012345.0"},
		{"1234567890123456", "1234567890123456.0"},
		{"12345678901234567", "1.2345678901234568e16"},
		{"0.00001", "0.00001"},
		{"0.000001", "1e-6"},
		{"0.0000012", "1.2e-6"},
		{"-0.00000", "-0.0"},
		{"-0.00", "-0.0"},
		{"0.10", "0.1"},
		{"00.1", "0.1"},
		{"1.50000000000000000000", "1.5"},
		{"1.23456789012345", "1.23456789012345"},
		{"1.234567890123456", "1.234567890123456"},
		{"0.300000000000000000004", "0.3"},
		{"100", "100.0"},
		{"10.0", "10.0"},
		{"-7", "-7.0"},
		{"9007199254740993", "9007199254740992.0"},
		{"1e15", "1000000000000000.0"},
		{"+5", "5.0"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t size = strlen(cases[i].cell);
		uint64_t value_size = 0;
		char out[CSV_CELL_ROOM(32)];
		char *end = csv_cell_print(out, cases[i].cell, size,
					   cases[i].cell + size, &value_size);

		EXPECT_TEXT(out, (size_t)(end - out), cases[i].want);
		EXPECT_INT(value_size, 9);
	}
}

/* What is copied must be what number_print would have printed. */
TEST(csv_random_numbers_are_printed_canonically)
{
	unsigned seed = 1;

	for (int i = 0; i < 200000; i++) {
		char cell[64], out[CSV_CELL_ROOM(64)], want[NUMBER_TEXT_MAX];
		uint64_t value_size = 0;
		size_t size, want_size;
		char *end;
		int n;

		seed = seed * 1103515245u + 12345u;
		n = snprintf(cell, sizeof(cell), "%s%.*f",
			     seed & 0x100 ? "-" : "", (int)(seed >> 12) % 12,
			     (double)(seed >> 4) /
				     (double)(1u << (seed >> 16) % 31));
		size = (size_t)n;
		end = csv_cell_print(out, cell, size, cell + size, &value_size);
		want_size = number_print(number_read(cell, size), want);
		if ((size_t)(end - out) != want_size ||
		    memcmp(out, want, want_size) != 0)
			fail_msg("%s became %.*s, not %.*s", cell,
				 (int)(end - out), out, (int)want_size, want);
	}
}

/* Whatever stands behind a cell is none of its own. */
TEST(csv_cell_ends_where_it_ends)
{
	static const char digits[] = "5712345678901234567890";
	static const char quotes[] = "x\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"";
	uint64_t value_size = 0;
	char out[CSV_CELL_ROOM(16)];
	char *end;

	end = csv_cell_print(out, digits, 1, digits + strlen(digits),
			     &value_size);
	EXPECT_TEXT(out, (size_t)(end - out), "5.0");
	end = csv_cell_print(out, quotes, 1, quotes + strlen(quotes),
			     &value_size);
	EXPECT_TEXT(out, (size_t)(end - out), "\"x\"");
	convert_expect_lines(
		CSV("a\n\"\"\"1234567\"\n\"5\"\"\"\n\"5\"6\n"),
		"{\"a\":\"\\\"1234567\"}\n{\"a\":\"5\\\"\"}\n{\"a\":56.0}\n");
}

TEST(csv_strings_are_escaped_at_every_place)
{
	for (size_t size = 1; size < 40; size++) {
		for (size_t at = 0; at < size; at++) {
			char cell[40], out[CSV_CELL_ROOM(40)], want[64];
			uint64_t value_size = 0;
			char *end;

			memset(cell, 'x', size);
			cell[at] = '\x01';
			end = csv_cell_print(out, cell, size, cell + size,
					     &value_size);
			(void)snprintf(want, sizeof(want),
				       "\"%.*s\\u0001%.*s\"", (int)at, cell,
				       (int)(size - at - 1), cell + at + 1);
			EXPECT_TEXT(out, (size_t)(end - out), want);
			EXPECT_INT(value_size, size + 2);
		}
	}
}

TEST(csv_escapes_of_import_md_4_5)
{
	convert_expect_lines(
		CSV("a\n\"\"\"\\\b\t\n\f\r\x1f\x7f/\xe2\x80\xa8\"\n"),
		"{\"a\":\"\\\"\\\\\\b\\t\\n\\f\\r\\u001f\x7f/"
		"\xe2\x80\xa8\"}\n");
}

/* 5: system fields. */

TEST(csv_ids_are_kept)
{
	static const char text[] = "v,_id\n1," ID_A "\n2,\"" ID_A "\"\n";
	struct converted c;

	convert_text(CSV(text), DOCUMENT_PLAIN, 0, &c);
	EXPECT_INT(c.document_count, 2);
	EXPECT_INT(c.any_id_given, 1);
	EXPECT_INT(c.has_number, 1);
	EXPECT_INT(c.number, CONVERT_TABLE);
	EXPECT_TEXT(c.lines.data, c.lines.size,
		    "{\"_creationTime\":1731369600000.0,\"_id\":\"" ID_A
		    "\",\"v\":1.0}\n"
		    "{\"_creationTime\":1731369600000.0002,\"_id\":\"" ID_A
		    "\",\"v\":2.0}\n");
	converted_fini(&c);
}

TEST(csv_last_id_column_wins)
{
	static const char twice[] = "_id,_id\nx," ID_A "\n";
	static const char cut_short[] = "a,_id\n" ID_A "\n";
	struct converted c;

	convert_text(CSV(twice), DOCUMENT_PLAIN, 0, &c);
	EXPECT_INT(c.document_count, 1);
	EXPECT_INT(c.has_number, 1);
	converted_fini(&c);
	convert_text(CSV(cut_short), DOCUMENT_PLAIN, 0, &c);
	EXPECT_INT(c.has_number, 0);
	converted_fini(&c);
	convert_expect_refusal(CSV("_id,_id\n" ID_A ",x\n"), 1, "InvalidId",
			       "column 2");
}

TEST(csv_id_faults)
{
	convert_expect_refusal(CSV("_id\nx\n"), 1, "InvalidId", "column 1");
	convert_expect_refusal(CSV("a,_id\n1,\n"), 1, "InvalidId", "column 2");
	convert_expect_refusal(CSV("_id\n5\n"), 1, "InvalidIdError",
			       "column 1");
	convert_expect_refusal(CSV("_id\nnan\n"), 1, "InvalidIdError", "");
	convert_expect_refusal(CSV("_id\nj9702081040g2081040g2081056ham56\n"),
			       1, "ImportConflict", "column 1");
}

TEST(csv_creation_times)
{
	convert_expect_refusal(CSV("_creationTime\nx\n"), 1,
			       "InvalidCreationTimeError", "column 1");
	convert_expect_refusal(CSV("_creationTime\n\n\"\"\n"), 1,
			       "InvalidCreationTimeError", "");
	convert_expect_refusal(CSV("_creationTime\ninf\n"), 1,
			       "InvalidCreationTimeError", "");
	convert_expect_refusal(CSV("_creationTime\n-1\n"), 1,
			       "InvalidCreationTimeError", "");
	convert_expect_refusal(CSV("_creationTime\n-0\n"), 1,
			       "InvalidCreationTimeError", "");
	convert_expect_refusal(CSV("_creationTime\n0\n"), 1,
			       "InvalidDocumentError", "");
	convert_expect_refusal(CSV("_creationTime\n9007199254740992\n"), 1,
			       "InvalidDocumentError", "");
}

/* 4.2: limits. */

/* A header of count columns named f0, f1, … and a row of as many zeros. */
static void print_wide(struct cvx_buf *out, size_t count)
{
	for (size_t i = 0; i < count; i++)
		EXPECT_INT(cvx_buf_printf(out, "%sf%zu", i > 0 ? "," : "", i),
			   0);
	EXPECT_INT(cvx_buf_puts(out, "\n"), 0);
	for (size_t i = 0; i < count; i++)
		EXPECT_INT(cvx_buf_puts(out, i > 0 ? ",0" : "0"), 0);
	EXPECT_INT(cvx_buf_puts(out, "\n"), 0);
}

static void expect_wide(size_t count, const char *refusal)
{
	struct cvx_buf text = CVX_BUF_INIT(1 << 20);
	struct converted c;

	print_wide(&text, count);
	convert_text(FORMAT_CSV, text.data, text.size, DOCUMENT_PLAIN, 0, &c);
	EXPECT_INT(c.document_count, !refusal);
	EXPECT_INT(c.error_count, refusal != NULL);
	if (refusal) {
		assert_string_equal(c.errors[0].err.name, refusal);
		assert_non_null(strstr(c.errors[0].err.msg, "fields"));
	}
	converted_fini(&c);
	cvx_buf_fini(&text);
}

TEST(csv_counts_of_columns)
{
	expect_wide(1022, NULL);
	expect_wide(1023, "TooManyFieldsError");
	expect_wide(1024, "TooManyFieldsError");
	expect_wide(1025, "InvalidConvexValue");
	expect_wide(10000, "InvalidConvexValue");
}

TEST(csv_many_columns_of_one_name_are_one_field)
{
	struct cvx_buf text = CVX_BUF_INIT(1 << 20);

	for (size_t i = 0; i < 99999; i++)
		EXPECT_INT(cvx_buf_puts(&text, "a,"), 0);
	EXPECT_INT(cvx_buf_puts(&text, "a\n"), 0);
	for (size_t i = 0; i < 99999; i++)
		EXPECT_INT(cvx_buf_puts(&text, "1,"), 0);
	EXPECT_INT(cvx_buf_puts(&text, "2\n"), 0);
	convert_expect_lines(FORMAT_CSV, text.data, text.size, "{\"a\":2.0}\n");
	cvx_buf_fini(&text);
}

TEST(csv_bad_header_without_rows_is_fine)
{
	convert_expect_lines(CSV("_b\n"), "");
}

TEST(csv_document_of_1_mib_is_the_largest)
{
	/* vectors/documents.json: s of n bytes, _id and _creationTime given */
	const size_t most = 1048509;
	static const char head[] = "_creationTime,_id,s\n1," ID_A ",";

	for (size_t n = most; n <= most + 1; n++) {
		struct cvx_buf text = CVX_BUF_INIT(1 << 21);
		struct converted c;

		EXPECT_INT(cvx_buf_puts(&text, head), 0);
		EXPECT_INT(cvx_buf_reserve(&text, n), 0);
		memset(text.data + text.size, 'x', n);
		text.size += n;
		convert_text(FORMAT_CSV, text.data, text.size, DOCUMENT_PLAIN,
			     0, &c);
		EXPECT_INT(c.document_count, n == most);
		if (n > most)
			assert_string_equal(c.errors[0].err.name,
					    "ValueTooLargeError");
		converted_fini(&c);
		cvx_buf_fini(&text);
	}
}

TEST(csv_strings_that_are_too_large_together_are_refused)
{
	struct cvx_buf text = CVX_BUF_INIT(16 << 20);

	EXPECT_INT(cvx_buf_puts(&text, "a,b,c,d\n"), 0);
	EXPECT_INT(cvx_buf_reserve(&text, 4 << 20), 0);
	memset(text.data + text.size, '\x02', 4 << 20);
	for (size_t i = 1; i <= 3; i++)
		text.data[text.size + (i << 20)] = ',';
	text.size += 4 << 20;
	convert_expect_refusal(FORMAT_CSV, text.data, text.size, 1,
			       "ValueTooLargeError", "column 1");
	cvx_buf_fini(&text);
}

TEST(csv_long_number_is_small)
{
	/* 9 bytes as a value, whatever its text. */
	struct cvx_buf text = CVX_BUF_INIT(16 << 20);

	EXPECT_INT(cvx_buf_puts(&text, "a\n"), 0);
	EXPECT_INT(cvx_buf_reserve(&text, 3 << 20), 0);
	memset(text.data + text.size, '0', 3 << 20);
	text.size += 3 << 20;
	text.data[text.size - 1] = '7';
	convert_expect_lines(FORMAT_CSV, text.data, text.size, "{\"a\":7.0}\n");
	cvx_buf_fini(&text);
}

TEST(csv_row_above_16_mib_is_refused)
{
	struct cvx_buf text = CVX_BUF_INIT(32 << 20);

	EXPECT_INT(cvx_buf_puts(&text, "a\n\""), 0);
	EXPECT_INT(cvx_buf_reserve(&text, 17 << 20), 0);
	memset(text.data + text.size, 'x', 17 << 20);
	text.size += 17 << 20;
	convert_expect_refusal(FORMAT_CSV, text.data, text.size, 1,
			       "ValueTooLargeError", "16 MiB");
	cvx_buf_fini(&text);
}

/* Where blocks end. */

static struct format *begin(const char *header)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct format *f;
	size_t used;

	EXPECT_OK(format_new(FORMAT_CSV, &f, &err), &err);
	EXPECT_OK(format_begin(f, header, strlen(header), true, &used, &err),
		  &err);
	EXPECT_INT(used, strlen(header));
	return f;
}

static void expect_cut(struct format *f, const char *text, size_t want,
		       uint64_t want_rows)
{
	uint64_t rows = 99;
	size_t got = format_cut(f, text, strlen(text), false, &rows);

	if (got != want || rows != want_rows)
		fail_msg("'%s' is cut at %zu with %llu rows", text, got,
			 (unsigned long long)rows);
}

TEST(csv_blocks_end_at_record_ends)
{
	struct format *f = begin("a,b\n");

	expect_cut(f, "", 0, 0);
	expect_cut(f, "1,2", 0, 0);
	expect_cut(f, "1,2\n3", 4, 1);
	expect_cut(f, "1,2\r3,4", 4, 1);
	expect_cut(f, "1,2\r\n3,4\r\n5", 10, 2);
	expect_cut(f, "1,2\r\n3,4\r", 9, 2);
	expect_cut(f, "\"\n\",2", 0, 0);
	expect_cut(f, "1,2\n\"\n", 4, 1);
	expect_cut(f, "1,2\n3,\"\n\"\"\n\"\n\"", 13, 2);
	expect_cut(f, "x\"\nx\",2\n", 8, 2);
	expect_cut(f, "x\"\n\",2\n", 3, 1);
	expect_cut(f, "\"x\"\"\n\"\r\n\"", 8, 1);
	expect_cut(f, "\"x\"", 0, 0);
	format_free(f);
}

TEST(csv_line_ends_are_counted_once)
{
	/* CR LF on each side of a border of 64 bytes; the quote keeps the
	 * faster way out. */
	struct format *f = begin("a,b\n");

	for (int size = 0; size < 140; size++) {
		char text[400];

		(void)snprintf(text, sizeof(text),
			       "\"x\"\r\n%0*d\r\n1\r2\n3\n\r4", size, 0);
		expect_cut(f, text, strlen(text) - 1, 6);
		(void)snprintf(text, sizeof(text), "%0*d\r\n1\r2\n3\n\r4", size,
			       0);
		expect_cut(f, text, strlen(text) - 1, 5);
	}
	format_free(f);
}

TEST(csv_blocks_of_short_rows_under_long_names_are_short)
{
	/* 1000 names of 1000 bytes: each row becomes 1 MB. */
	struct cvx_buf text = CVX_BUF_INIT(4 << 20);
	char name[1001];
	struct format *f;
	struct converted c;
	uint64_t rows;
	size_t header_size, n;

	memset(name, 'x', 1000);
	name[1000] = '\0';
	for (int i = 0; i < 1000; i++)
		EXPECT_INT(cvx_buf_printf(&text, "%d%.*s%c", i + 1000, 996,
					  name, i < 999 ? ',' : '\n'),
			   0);
	EXPECT_INT(cvx_buf_append(&text, "", 1), 0);
	f = begin(text.data);
	header_size = --text.size;
	for (int i = 0; i < 100; i++) {
		for (int j = 0; j < 999; j++)
			EXPECT_INT(cvx_buf_puts(&text, ","), 0);
		EXPECT_INT(cvx_buf_puts(&text, "\n"), 0);
	}
	n = format_cut(f, text.data + header_size, text.size - header_size,
		       true, &rows);
	assert_in_range(rows, 60, 70);
	EXPECT_INT(n, rows * 1000);
	format_free(f);

	convert_text(FORMAT_CSV, text.data, text.size, DOCUMENT_PLAIN, 0, &c);
	EXPECT_INT(c.block_count, 2);
	EXPECT_INT(c.document_count, 100);
	converted_fini(&c);
	cvx_buf_fini(&text);
}

TEST(csv_bad_header_is_said_once)
{
	static const char text[] = "a,_b\n1,2\n3,4\n5\n";
	struct converted c;

	convert_text(CSV(text), DOCUMENT_PLAIN, 0, &c);
	EXPECT_INT(c.row_count, 1);
	EXPECT_INT(c.error_count, 1);
	converted_fini(&c);
}

UNIT_MAIN(UNIT_CASE(csv_cells_of_the_vectors_have_their_types),
	  UNIT_CASE(csv_files_of_the_vectors), UNIT_CASE(nul_byte_is_data),
	  UNIT_CASE(csv_fields_that_begin_with_a_quote),
	  UNIT_CASE(csv_quote_that_is_never_closed_runs_to_the_end),
	  UNIT_CASE(csv_quotes_around_windows_of_64_bytes),
	  UNIT_CASE(csv_header_names_are_sorted_and_escaped),
	  UNIT_CASE(csv_header_name_of_1024_bytes_is_the_longest),
	  UNIT_CASE(csv_errors_name_the_column),
	  UNIT_CASE(csv_is_read_on_behind_a_refused_row),
	  UNIT_CASE(csv_numbers_near_the_borders_of_copying),
	  UNIT_CASE(csv_random_numbers_are_printed_canonically),
	  UNIT_CASE(csv_cell_ends_where_it_ends),
	  UNIT_CASE(csv_strings_are_escaped_at_every_place),
	  UNIT_CASE(csv_escapes_of_import_md_4_5), UNIT_CASE(csv_ids_are_kept),
	  UNIT_CASE(csv_last_id_column_wins), UNIT_CASE(csv_id_faults),
	  UNIT_CASE(csv_creation_times), UNIT_CASE(csv_counts_of_columns),
	  UNIT_CASE(csv_many_columns_of_one_name_are_one_field),
	  UNIT_CASE(csv_bad_header_without_rows_is_fine),
	  UNIT_CASE(csv_document_of_1_mib_is_the_largest),
	  UNIT_CASE(csv_strings_that_are_too_large_together_are_refused),
	  UNIT_CASE(csv_long_number_is_small),
	  UNIT_CASE(csv_row_above_16_mib_is_refused),
	  UNIT_CASE(csv_blocks_end_at_record_ends),
	  UNIT_CASE(csv_line_ends_are_counted_once),
	  UNIT_CASE(csv_blocks_of_short_rows_under_long_names_are_short),
	  UNIT_CASE(csv_bad_header_is_said_once))
