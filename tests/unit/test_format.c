/*
 * All formats: blocks of any size give the same as one (filesystem.md W-2),
 * and files that must fail do so with the message that stands beside them.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/convert.h"
#include "tests/unit/unit.h"

#define MUST_FAIL "tests/data/must-fail"

#define ID_A "j57000820c20a1g7104gm2rc1m70ynr8"

static void expect_same_in_pieces(enum format_kind kind, const char *text,
				  size_t size, unsigned seed_count)
{
	struct converted whole;

	convert_text(kind, text, size, DOCUMENT_PLAIN, 0, &whole);
	for (unsigned seed = 1; seed <= seed_count; seed++) {
		struct converted pieces;

		convert_text(kind, text, size, DOCUMENT_PLAIN, seed, &pieces);
		convert_expect_same(&pieces, &whole);
		converted_fini(&pieces);
	}
	converted_fini(&whole);
}

TEST(pieces_of_a_file_become_the_same_lines)
{
	static const struct {
		enum format_kind kind;
		const char *text;
	} cases[] = {
		{FORMAT_JSONL, ""},
		{FORMAT_JSONL, "{\"a\":1}\n{}\r\n{\"b\":[1,2]}\n{}"},
		{FORMAT_JSONL, "\xef\xbb\xbf{}\n\n{\"_id\":\"" ID_A "\"}\nx\n"},
		{FORMAT_JSON, ""},
		{FORMAT_JSON, "[{},{\"a\":1},5]"},
		{FORMAT_JSON, "\xef\xbb\xbf[{}}"},
		{FORMAT_CSV, ""},
		{FORMAT_CSV, "\r\n\r\na"},
		{FORMAT_CSV, "\xef\xbb\xbf\n\"a\nb\",c\n"},
		{FORMAT_CSV, "\n\ra,b\r\n1,2\r3,4\n\n5,6\r\n\r\n7,8"},
		{FORMAT_CSV, "a,b\n\"1\n\",\"\"\"\n\"\n\"x\"y,z\n1\"2,\"\n"},
		{FORMAT_CSV, "a,b\n1\n\xff,2\n3,4,5\n,\n\"\n"},
		{FORMAT_CSV, "_id,a\n" ID_A ",1\n" ID_A ",2\nx,3\n5,6\n"},
		{FORMAT_CSV, "$,a\n"},
		{FORMAT_CSV, "_,a\n1\n1,2\n3,4\n"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		expect_same_in_pieces(cases[i].kind, cases[i].text,
				      strlen(cases[i].text), 200);
}

TEST(pieces_of_a_large_csv_file_become_the_same_lines)
{
	struct cvx_buf text = CVX_BUF_INIT(16 << 20);
	unsigned seed = 7;

	EXPECT_INT(cvx_buf_puts(&text, "k,text,n\n"), 0);
	for (int i = 0; i < 3000; i++) {
		seed = seed * 1103515245u + 12345u;
		EXPECT_INT(cvx_buf_printf(&text, "%d,%s,%u.%u%s", i,
					  seed & 0x100 ? "\"a\r\n\"\"b,\""
						       : "plain",
					  seed >> 20, seed >> 25,
					  seed & 0x200 ? "\r\n" : "\n"),
			   0);
	}
	expect_same_in_pieces(FORMAT_CSV, text.data, text.size, 20);
	cvx_buf_fini(&text);
}

static char *read_beside(const char *path, const char *suffix, size_t *ret_size)
{
	char name[512];

	(void)snprintf(name, sizeof(name), "%s%s", path, suffix);
	return unit_read_file(name, ret_size);
}

/*
 * X.message holds the name of the first refusal and then, as X.error shows it
 * beside a target (F-2), a line for each place.
 */
static void check_must_fail(const char *path)
{
	struct converted c;
	size_t size;
	char *text = read_beside(path, "", &size);
	char *want = read_beside(path, ".message", NULL), *rest = want;
	const char *name = strsep(&rest, "\n"), *line;
	unsigned count = 0;

	print_message("# %s\n", path);
	convert_text(convert_kind_of(path), text, size, DOCUMENT_PLAIN, 0, &c);
	assert_true(c.error_count > 0);
	assert_string_equal(c.errors[0].err.name, name);
	for (; (line = strsep(&rest, "\n")) != NULL && *line; count++) {
		const struct row_error *error = &c.errors[count];
		char got[CVX_ERR_MSG_SIZE + 32];

		assert_true(count < c.error_count);
		if (error->row > 0)
			(void)snprintf(got, sizeof(got), "row %llu: %s",
				       (unsigned long long)error->row,
				       error->err.msg);
		else
			(void)snprintf(got, sizeof(got), "%s", error->err.msg);
		assert_string_equal(got, line);
	}
	EXPECT_INT(c.error_count, count);
	converted_fini(&c);
	free(text);
	free(want);
}

TEST(files_that_must_fail_do_so_with_their_message)
{
	DIR *dir = opendir(MUST_FAIL);
	struct dirent *entry;
	int count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		const char *dot = strrchr(entry->d_name, '.');
		char path[512];

		if (!dot ||
		    (strcmp(dot, ".csv") != 0 && strcmp(dot, ".json") != 0 &&
		     strcmp(dot, ".jsonl") != 0))
			continue;
		(void)snprintf(path, sizeof(path), MUST_FAIL "/%s",
			       entry->d_name);
		check_must_fail(path);
		count++;
	}
	(void)closedir(dir);
	assert_true(count >= 60);
}

TEST(rows_are_reused_from_block_to_block)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct format_worker *w;
	struct format *f;
	struct rows rows;
	size_t used;

	EXPECT_OK(format_new(FORMAT_JSONL, &f, &err), &err);
	EXPECT_OK(format_begin(f, "{}\n", 3, false, &used, &err), &err);
	EXPECT_INT(used, 0);
	EXPECT_OK(format_plan(f, DOCUMENT_PLAIN, &convert_stamp, &err), &err);
	EXPECT_OK(format_worker_new(f, &w, &err), &err);
	rows_init(&rows);
	EXPECT_OK(format_convert(w, "x\n{\"_id\":\"" ID_A "\"}\n", 44, 0, &rows,
				 &err),
		  &err);
	EXPECT_INT(rows.refused_count, 1);
	EXPECT_INT(rows.any_id_given, 1);
	EXPECT_OK(format_convert(w, "{}\n{}\n", 6, 5, &rows, &err), &err);
	EXPECT_INT(rows.row_count, 2);
	EXPECT_INT(rows.document_count, 2);
	EXPECT_INT(rows.refused_count, 0);
	EXPECT_INT(rows.error_count, 0);
	EXPECT_INT(rows.any_id_given, 0);
	EXPECT_INT(rows.ids_ascend, 1);
	rows_fini(&rows);
	format_worker_free(w);
	format_free(f);
}

TEST(a_row_too_long_is_refused_in_the_words_of_its_format)
{
	static const struct {
		enum format_kind kind;
		const char *name, *says;
	} cases[] = {
		{FORMAT_CSV, "ValueTooLargeError", "quote"},
		{FORMAT_JSONL, "ValueTooLargeError", "line"},
		{FORMAT_JSON, "JsonArrayTooLarge", ".jsonl"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct cvx_err err = CVX_ERR_INIT;
		struct format *f;

		EXPECT_OK(format_new(cases[i].kind, &f, &err), &err);
		EXPECT_FAIL(format_refuse_long_row(f, &err), &err, -EFBIG,
			    cases[i].says);
		assert_string_equal(err.name, cases[i].name);
		format_free(f);
	}
}

UNIT_MAIN(UNIT_CASE(pieces_of_a_file_become_the_same_lines),
	  UNIT_CASE(pieces_of_a_large_csv_file_become_the_same_lines),
	  UNIT_CASE(files_that_must_fail_do_so_with_their_message),
	  UNIT_CASE(rows_are_reused_from_block_to_block),
	  UNIT_CASE(a_row_too_long_is_refused_in_the_words_of_its_format))
