/* importer/import: import.md 7, filesystem.md W, M-7, F, T-3, T-5. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"
#include "tests/unit/vector_files.h"

#define ID_A "j5702081040g2081040g2081056hakwm"
#define ID_B "j57060r30c1g60r30c1g60r30d6hatwy"
#define ID_OTHER_NUMBER "j97081040g2081040g2081040h6hayhn"

#define MIB ((size_t)1 << 20)

/* Rows and their order. */

/* T-2: in the order of the file, ids and times ascending, over imports. */
TEST(import_appends_in_order_and_ids_ascend)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char *text, *line, *last = NULL;
	int i;

	for (i = 0; i < 50; i++) {
		char row[32];

		(void)snprintf(row, sizeof(row), "{\"n\":%d}\n", i);
		EXPECT_OK(store_import(d, "t", IMPORT_APPEND, row, &err), &err);
	}
	text = store_cat(d, "t");
	store_expect_order(text, 50);
	/* _creationTime comes first in a line, then _id: both ascend, and
	 * today's times all have as many digits before the point. */
	for (line = strtok_r(text, "\n", &last), i = 0; line;
	     line = strtok_r(NULL, "\n", &last)) {
		char *id = strstr(line, "\"_id\":");
		static char last_id[64];

		assert_non_null(id);
		assert_true(i == 0 || strncmp(last_id, id, 40) < 0);
		(void)snprintf(last_id, sizeof(last_id), "%.40s", id);
		i++;
	}
	free(text);
	/* 50 appends in place: one segment. */
	EXPECT_INT(store_count_files(d, "segments"), 1);
	store_close(d);
}

TEST(import_of_a_large_file_keeps_the_order)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char *rows = store_make_rows(0, 60000, 100), *text;

	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, rows, &err), &err);
	text = store_cat(d, "t");
	store_expect_order(text, 60000);
	free(text);
	free(rows);
	EXPECT_INT(store_count_files(d, "segments"), 1);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	store_close(d);
}

TEST(import_follows_a_writer)
{
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("t", IMPORT_REPLACE);
	char *rows = store_make_rows(0, 60000, 100), *text;
	struct store_text bytes = {rows, strlen(rows)};
	struct import_source source = store_source(&bytes);
	struct import_result result = {0, 0};
	struct cvx_err err = CVX_ERR_INIT;
	struct import *imp = NULL;
	size_t n;

	EXPECT_OK(import_new(d, &target, &source, &imp, &err), &err);
	for (n = 0; n < bytes.size; n += 130000)
		import_available(imp, n);
	EXPECT_OK(import_commit(imp, bytes.size, &result, &err), &err);
	EXPECT_INT(result.document_count, 60000);
	EXPECT_INT(result.revision, store_stat(d, "t").revision);
	EXPECT_INT(import_consumed(imp), bytes.size);
	import_free(imp);
	text = store_cat(d, "t");
	store_expect_order(text, 60000);
	free(text);
	free(rows);
	store_close(d);
}

/* W-2: bytes that were read and then change. */
TEST(import_that_is_restarted_reads_the_new_bytes)
{
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("t", IMPORT_REPLACE);
	char *old = store_make_rows(777, 40000, 100);
	char *rows = store_make_rows(0, 40000, 100), *text;
	struct store_text bytes = {old, strlen(old)};
	struct import_source source = store_source(&bytes);
	struct import_result result;
	struct cvx_err err = CVX_ERR_INIT;
	struct import *imp = NULL;

	EXPECT_OK(import_new(d, &target, &source, &imp, &err), &err);
	import_available(imp, bytes.size);
	EXPECT_OK(import_check(imp, bytes.size, &err), &err);
	import_restart(imp);
	EXPECT_INT(import_consumed(imp), 0);
	bytes = (struct store_text){rows, strlen(rows)};
	EXPECT_OK(import_commit(imp, bytes.size, &result, &err), &err);
	import_free(imp);
	text = store_cat(d, "t");
	store_expect_order(text, 40000);
	free(text);
	free(rows);
	free(old);
	store_close(d);
}

/* A close that was not the last (fuse-facts.md c.3), at every byte. */
TEST(import_that_was_checked_goes_on_with_more_bytes)
{
	static const char file[] = "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n";
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("t", IMPORT_REPLACE);
	struct store_text bytes = {file, sizeof(file) - 1};
	struct import_source source = store_source(&bytes);
	size_t size;

	for (size = 0; size < sizeof(file); size++) {
		struct cvx_err err = CVX_ERR_INIT;
		struct import_result result;
		struct import *imp = NULL;
		bool is_whole = size == 0 || size % 8 == 0 || size % 8 == 7;
		char *text;

		EXPECT_OK(import_new(d, &target, &source, &imp, &err), &err);
		import_available(imp, size);
		EXPECT_INT(import_check(imp, size, &err),
			   is_whole ? 0 : -EINVAL);
		import_available(imp, bytes.size);
		EXPECT_OK(import_commit(imp, bytes.size, &result, &err), &err);
		import_free(imp);
		text = store_cat(d, "t");
		store_expect_order(text, 3);
		free(text);
	}
	store_close(d);
}

TEST(import_that_was_checked_at_a_row_end_goes_on)
{
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("t", IMPORT_REPLACE);
	char *rows = store_make_rows(0, 40000, 100), *text;
	char *middle = strstr(rows, "{\"n\":25000,");
	struct store_text bytes = {rows, strlen(rows)};
	struct import_source source = store_source(&bytes);
	struct cvx_err err = CVX_ERR_INIT;
	struct import_result result;
	struct import *imp = NULL;
	size_t size = (size_t)(middle - rows);

	EXPECT_OK(import_new(d, &target, &source, &imp, &err), &err);
	import_available(imp, size);
	EXPECT_OK(import_check(imp, size, &err), &err);
	EXPECT_INT(import_consumed(imp), size);
	import_available(imp, size + 100);
	/* What was read stays read. */
	EXPECT_INT(import_consumed(imp), size);
	EXPECT_OK(import_commit(imp, bytes.size, &result, &err), &err);
	import_free(imp);
	text = store_cat(d, "t");
	store_expect_order(text, 40000);
	free(text);
	free(rows);
	store_close(d);
}

TEST(import_takes_a_file_that_became_shorter)
{
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("t", IMPORT_REPLACE);
	char *rows = store_make_rows(0, 40000, 100), *text;
	char *middle = strstr(rows, "{\"n\":5,");
	struct store_text bytes = {rows, strlen(rows)};
	struct import_source source = store_source(&bytes);
	struct cvx_err err = CVX_ERR_INIT;
	struct import_result result;
	struct import *imp = NULL;

	EXPECT_OK(import_new(d, &target, &source, &imp, &err), &err);
	import_available(imp, bytes.size);
	EXPECT_OK(import_check(imp, bytes.size, &err), &err);
	EXPECT_OK(import_commit(imp, (uint64_t)(middle - rows), &result, &err),
		  &err);
	EXPECT_INT(result.document_count, 5);
	import_free(imp);
	text = store_cat(d, "t");
	store_expect_order(text, 5);
	free(text);
	free(rows);
	store_close(d);
}

TEST(import_source_that_ends_early_is_a_failure)
{
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("t", IMPORT_REPLACE);
	struct store_text bytes = {"{\"n\":0}\n", 8};
	struct import_source source = store_source(&bytes);
	struct cvx_err err = CVX_ERR_INIT;
	struct import_result result;
	struct import *imp = NULL;

	EXPECT_OK(import_new(d, &target, &source, &imp, &err), &err);
	EXPECT_FAIL(import_commit(imp, 100, &result, &err), &err, -EIO,
		    "shorter than it was");
	import_free(imp);
	assert_false(store_has(d, "t"));
	store_close(d);
}

/* Formats. */

TEST(import_reads_csv_and_arrays)
{
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("t", IMPORT_APPEND);
	struct cvx_err err = CVX_ERR_INIT;
	char *text;

	target.format = FORMAT_CSV;
	EXPECT_OK(store_import_target(d, &target, "n,s\n0,x\n1,y", 11, NULL,
				      &err),
		  &err);
	target.format = FORMAT_JSON;
	EXPECT_OK(store_import_target(d, &target, " [{\"n\":2},\n{\"n\":3}] ",
				      20, NULL, &err),
		  &err);
	text = store_cat(d, "t");
	store_expect_order(text, 4);
	free(text);
	store_close(d);
}

/* import.md 6.2: a file without rows, with and without a header. */
TEST(import_of_no_rows_makes_an_empty_table)
{
	static const struct {
		enum format_kind format;
		const char *text;
	} files[] = {{FORMAT_CSV, ""},
		     {FORMAT_CSV, "a,b"},
		     {FORMAT_CSV, "a,b\n"},
		     {FORMAT_CSV, "\n\n"},
		     {FORMAT_JSONL, ""},
		     {FORMAT_JSON, "[]"},
		     {FORMAT_JSONL, "\xef\xbb\xbf"}};
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char table[8];
		struct import_target target;

		(void)snprintf(table, sizeof(table), "t%zu", i);
		target = store_target(table, IMPORT_REQUIRE_EMPTY);
		target.format = files[i].format;
		EXPECT_OK(store_import_target(d, &target, files[i].text,
					      strlen(files[i].text), NULL,
					      &err),
			  &err);
		EXPECT_INT(store_stat(d, table).document_count, 0);
		EXPECT_INT(store_stat(d, table).size, 0);
	}
	store_close(d);
}

/* import.md 7.1. */
TEST(import_appending_no_rows_leaves_the_revision)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	uint64_t revision;

	EXPECT_OK(store_import(d, "t", IMPORT_APPEND, "{}\n", &err), &err);
	revision = store_stat(d, "t").revision;
	EXPECT_OK(store_import(d, "t", IMPORT_APPEND, "", &err), &err);
	EXPECT_INT(store_stat(d, "t").revision, revision);
	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, "", &err), &err);
	assert_true(store_stat(d, "t").revision > revision);
	EXPECT_INT(store_stat(d, "t").document_count, 0);
	EXPECT_INT(store_count_files(d, "segments"), 0);
	store_close(d);
}

/* import.md 6.4. */
TEST(import_refuses_an_array_above_the_limit)
{
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("t", IMPORT_REPLACE);
	struct cvx_err err = CVX_ERR_INIT;
	char *text = malloc(FORMAT_JSON_MAX + 100);

	assert_non_null(text);
	memset(text, ' ', FORMAT_JSON_MAX + 100);
	memcpy(text, "[{\"n\":0}]", 9);
	target.format = FORMAT_JSON;
	EXPECT_OK(store_import_target(d, &target, text, FORMAT_JSON_MAX, NULL,
				      &err),
		  &err);
	EXPECT_INT(store_stat(d, "t").document_count, 1);
	EXPECT_INT(store_import_target(d, &target, text, FORMAT_JSON_MAX + 1,
				       NULL, &err),
		   -EFBIG);
	assert_string_equal(err.name, "JsonArrayTooLarge");
	EXPECT_INT(store_import_target(d, &target, text, FORMAT_JSON_MAX + 100,
				       NULL, &err),
		   -EFBIG);
	assert_string_equal(err.name, "JsonArrayTooLarge");
	/* A mark does not count (M-8). */
	memset(text, ' ', 20);
	memcpy(text, "\xef\xbb\xbf[{\"n\":0}]", 12);
	EXPECT_OK(store_import_target(d, &target, text, FORMAT_JSON_MAX + 3,
				      NULL, &err),
		  &err);
	free(text);
	store_close(d);
}

TEST(import_grows_its_blocks_for_long_rows)
{
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("t", IMPORT_REPLACE);
	size_t size = 5 * MIB;
	struct cvx_err err = CVX_ERR_INIT;
	struct import_result result;
	struct import *imp = NULL;
	char *text = malloc(size + 1), *cat;
	struct store_text bytes = {text, size};
	struct import_source source = store_source(&bytes);
	size_t n;

	/* A small document written with much white space in front. */
	assert_non_null(text);
	memset(text, ' ', size);
	memcpy(text, "{\"n\":0}\n", 8);
	memcpy(text + size - 8, "{\"n\":1}\n", 8);
	EXPECT_OK(import_new(d, &target, &source, &imp, &err), &err);
	for (n = 0; n < size; n += MIB / 2)
		import_available(imp, n);
	EXPECT_OK(import_commit(imp, size, &result, &err), &err);
	import_free(imp);
	cat = store_cat(d, "t");
	store_expect_order(cat, 2);
	free(cat);
	free(text);
	store_close(d);
}

TEST(import_refuses_a_row_that_is_too_long)
{
	struct deployment *d = store_open(store_new_dir());
	size_t size = FORMAT_ROW_MAX + 4 * MIB;
	struct cvx_err err = CVX_ERR_INIT;
	char *text = malloc(size + 1);

	assert_non_null(text);
	memset(text, ' ', size);
	text[size] = '\0';
	memcpy(text, "{\"n\":0}\n", 8);
	EXPECT_FAIL(store_import(d, "t", IMPORT_REPLACE, text, &err), &err,
		    -EFBIG, "row 2: ");
	assert_string_equal(err.name, "ValueTooLargeError");
	free(text);
	assert_false(store_has(d, "t"));
	store_close(d);
}

/* F-4: places. */

static char *text_of_error(struct import *imp)
{
	struct cvx_buf out = CVX_BUF_INIT(MIB);

	EXPECT_INT(import_print_error(imp, &out), 0);
	EXPECT_INT(cvx_buf_append(&out, "", 1), 0);
	return out.data;
}

/* Every 1000th of many rows is bad; whichever thread finds it. */
TEST(import_lists_the_first_ten_refused_rows_whatever_the_threads)
{
	enum { ROWS = 60000 };
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("t", IMPORT_REPLACE);
	char *rows = store_make_rows(0, ROWS, 100), *at = rows, *want = NULL;
	struct store_text bytes = {rows, strlen(rows)};
	struct import_source source = store_source(&bytes);
	int i, tries;

	for (i = 1; i <= ROWS; i++, at = (char *)rawmemchr(at, '\n') + 1)
		if (i % 1000 == 0)
			*at = '!';
	for (tries = 0; tries < 5; tries++) {
		struct cvx_err err = CVX_ERR_INIT;
		struct import_result result;
		struct import *imp = NULL;
		char *got;

		EXPECT_OK(import_new(d, &target, &source, &imp, &err), &err);
		import_available(imp, bytes.size);
		EXPECT_FAIL(import_commit(imp, bytes.size, &result, &err), &err,
			    -EINVAL, "row 1000: ");
		assert_non_null(strstr(err.msg, "(and 59 more rows refused)"));
		assert_string_equal(err.name, "JsonInvalidRow");
		got = text_of_error(imp);
		assert_non_null(strstr(got, "\nrow 2000: "));
		assert_non_null(strstr(got, "\nrow 10000: "));
		assert_null(strstr(got, "\nrow 11000: "));
		assert_non_null(strstr(got, "60 rows were refused; these are "
					    "the first 10\n"));
		if (want)
			assert_string_equal(got, want);
		else
			want = strdup(got);
		free(got);
		import_free(imp);
	}
	free(want);
	free(rows);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	EXPECT_INT(store_count_files(d, "segments"), 0);
	store_close(d);
}

TEST(import_check_tells_a_fault_before_the_end)
{
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("t", IMPORT_REPLACE);
	struct store_text bytes = {"{\"n\":0}\n!\n", 10};
	struct import_source source = store_source(&bytes);
	struct cvx_err err = CVX_ERR_INIT;
	struct import *imp = NULL;

	EXPECT_OK(import_new(d, &target, &source, &imp, &err), &err);
	import_available(imp, bytes.size);
	EXPECT_OK(import_check(imp, UINT64_MAX, &err), &err);
	EXPECT_FAIL(import_check(imp, bytes.size, &err), &err, -EINVAL,
		    "row 2: ");
	EXPECT_FAIL(import_check(imp, UINT64_MAX, &err), &err, -EINVAL,
		    "row 2: ");
	import_free(imp);
	store_close(d);
}

/* T-3 */
TEST(import_leaves_open_readers_what_they_opened)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct table_reader *reader = NULL;
	char *want, *got;
	size_t n = 0, size;

	EXPECT_OK(store_import(d, "t", IMPORT_APPEND, "{\"n\":0}\n", &err),
		  &err);
	want = store_cat(d, "t");
	size = strlen(want);
	EXPECT_OK(deployment_open_table(d, "", "t", &reader, &err), &err);
	EXPECT_OK(store_import(d, "t", IMPORT_APPEND, "{\"n\":1}\n", &err),
		  &err);
	got = calloc(1, 2 * size + 2);
	assert_non_null(got);
	EXPECT_OK(table_reader_read(reader, 0, got, 2 * size, &n, &err), &err);
	EXPECT_TEXT(got, n, want);
	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, "{\"n\":5}\n", &err),
		  &err);
	EXPECT_OK(table_reader_read(reader, 0, got, 2 * size, &n, &err), &err);
	EXPECT_TEXT(got, n, want);
	table_reader_close(reader);
	free(got);
	free(want);
	store_close(d);
}

/* M-7 */

TEST(import_reads_its_own_lines_with_their_types)
{
	static const char line[] = "{\"_creationTime\":1700000000000.5,\"_id\":"
				   "\"" ID_A "\",\"big\":5,\"f\":5.0}\n";
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("t", IMPORT_REPLACE);
	size_t size = sizeof(line) - 1;
	struct cvx_err err = CVX_ERR_INIT;
	char *text;

	/* (a) and (b): the table is new, then it holds an int64. */
	target.canonical = true;
	EXPECT_OK(store_import_target(d, &target, line, size, NULL, &err),
		  &err);
	text = store_cat(d, "t");
	assert_string_equal(text, line);
	free(text);
	EXPECT_OK(store_import_target(d, &target, line, size, NULL, &err),
		  &err);
	text = store_cat(d, "t");
	assert_string_equal(text, line);
	free(text);
	/* A drop is plain, whatever it holds. */
	target.canonical = false;
	EXPECT_OK(store_import_target(d, &target, line, size, NULL, &err),
		  &err);
	text = store_cat(d, "t");
	assert_non_null(strstr(text, "\"big\":5.0"));
	free(text);
	/* Not (b): the table holds only what plain can express. */
	target.canonical = true;
	EXPECT_OK(store_import_target(d, &target, line, size, NULL, &err),
		  &err);
	text = store_cat(d, "t");
	assert_non_null(strstr(text, "\"big\":5.0"));
	free(text);
	store_close(d);
}

TEST(import_is_plain_when_the_first_line_is_no_export_line)
{
	static const char line[] = "{\"_id\":\"" ID_A "\",\"big\":5}\n";
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("t", IMPORT_REPLACE);
	struct cvx_err err = CVX_ERR_INIT;
	char *text;

	target.canonical = true;
	EXPECT_OK(store_import_target(d, &target, line, sizeof(line) - 1, NULL,
				      &err),
		  &err);
	text = store_cat(d, "t");
	assert_non_null(strstr(text, "\"big\":5.0"));
	free(text);
	store_close(d);
}

/* M-5, T-1: mkdir has given the number of the rows to another table. */

static const char exported[] =
	"{\"_creationTime\":1.0,\"_id\":\"" ID_A "\",\"n\":5}\n";

static int import_exported(struct deployment *d, const char *table,
			   struct cvx_err *err)
{
	struct import_target target = store_target(table, IMPORT_REPLACE);

	target.canonical = true;
	return store_import_target(d, &target, exported, sizeof(exported) - 1,
				   NULL, err);
}

TEST(import_of_exported_rows_takes_the_number_of_an_empty_table)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	uint64_t revision;

	EXPECT_OK(deployment_create_table(d, "", "early", &err), &err);
	EXPECT_OK(deployment_create_table(d, "", "late", &err), &err);
	EXPECT_OK(deployment_create_table(d, "", "other", &err), &err);
	revision = store_stat(d, "early").revision;
	EXPECT_OK(import_exported(d, "late", &err), &err);
	EXPECT_INT(store_stat(d, "late").number, 10001);
	EXPECT_INT(store_stat(d, "early").number, 10004);
	EXPECT_INT(store_stat(d, "other").number, 10003);
	assert_true(store_stat(d, "early").revision > revision);
	store_expect_cat(d, "late", exported);
	/* Nor is the number that was left lost. */
	EXPECT_OK(deployment_create_table(d, "", "more", &err), &err);
	EXPECT_INT(store_stat(d, "more").number, 10002);
	/* A table with documents keeps its number. */
	EXPECT_FAIL(import_exported(d, "other", &err), &err, -EINVAL,
		    "belongs to table late");
	EXPECT_INT(store_stat(d, "late").number, 10001);
	store_close(d);
}

TEST(import_takes_no_number_that_ids_are_of)
{
	static const char schema[] =
		"{\"schemaValidation\":true,\"tables\":[{\"tableName\":"
		"\"refs\","
		"\"indexes\":[],\"documentType\":{\"type\":\"object\","
		"\"value\":{\"to\":{\"fieldType\":{\"type\":\"id\","
		"\"tableName\":\"early\"},\"optional\":false}}}}]}";
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(deployment_create_table(d, "", "early", &err), &err);
	store_set_schema(d, schema);
	/* Nothing has ids yet. */
	EXPECT_OK(import_exported(d, "late", &err), &err);
	EXPECT_FAIL(store_import(d, "refs", IMPORT_APPEND,
				 "{\"to\":\"" ID_A "\"}\n", &err),
		    &err, -EINVAL, "field to");
	EXPECT_OK(store_import(d, "late", IMPORT_REPLACE, "", &err), &err);
	EXPECT_OK(deployment_delete_table(d, "", "late", &err), &err);
	EXPECT_OK(import_exported(d, "early", &err), &err);
	EXPECT_OK(store_import(d, "refs", IMPORT_APPEND,
			       "{\"to\":\"" ID_A "\"}\n", &err),
		  &err);
	EXPECT_OK(store_import(d, "early", IMPORT_REPLACE, "", &err), &err);
	EXPECT_INT(import_exported(d, "late", &err), -EINVAL);
	assert_string_equal(err.name, "ImportForeignKey");
	EXPECT_INT(store_stat(d, "early").number, 10001);
	store_close(d);
}

/* Ending early. */

TEST(import_that_is_canceled_leaves_nothing)
{
	struct deployment *d = store_open(store_new_dir());
	char *rows = store_make_rows(0, 30000, 100);
	struct store_text bytes = {rows, strlen(rows)};
	struct import *imp = store_start_import(d, "t", IMPORT_REPLACE, &bytes);
	struct cvx_err err = CVX_ERR_INIT;
	struct import_result result;

	import_cancel(imp);
	EXPECT_FAIL(import_commit(imp, bytes.size, &result, &err), &err,
		    -ECANCELED, "canceled");
	import_free(imp);
	free(rows);
	assert_false(store_has(d, "t"));
	EXPECT_INT(store_count_files(d, "segments"), 0);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	store_close(d);
}

/* A source that blocks until it is told to go on. */
struct gate {
	struct store_text bytes;
	_Atomic bool reached, open;
};

static int read_gated(void *ctx, uint64_t off, void *buf, size_t size,
		      size_t *ret_n, struct cvx_err *err)
{
	struct gate *gate = ctx;
	struct import_source source = store_source(&gate->bytes);

	gate->reached = true;
	while (!gate->open)
		(void)usleep(100);
	return source.read(source.ctx, off, buf, size, ret_n, err);
}

static void *cancel_at_gate(void *arg)
{
	void **both = arg;
	struct gate *gate = both[1];

	while (!gate->reached)
		(void)usleep(100);
	import_cancel(both[0]);
	gate->open = true;
	return NULL;
}

TEST(import_may_be_canceled_from_another_thread)
{
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("t", IMPORT_REPLACE);
	char *rows = store_make_rows(0, 30000, 100);
	struct gate gate = {.bytes = {rows, strlen(rows)}};
	struct import_source source = {.ctx = &gate, .read = read_gated};
	struct cvx_err err = CVX_ERR_INIT;
	struct import_result result;
	struct import *imp = NULL;
	pthread_t thread;
	void *both[2];

	EXPECT_OK(import_new(d, &target, &source, &imp, &err), &err);
	both[0] = imp;
	both[1] = &gate;
	EXPECT_INT(pthread_create(&thread, NULL, cancel_at_gate, both), 0);
	EXPECT_FAIL(import_commit(imp, gate.bytes.size, &result, &err), &err,
		    -ECANCELED, "canceled");
	EXPECT_INT(pthread_join(thread, NULL), 0);
	import_free(imp);
	free(rows);
	assert_false(store_has(d, "t"));
	store_close(d);
}

TEST(import_that_is_freed_early_leaves_nothing)
{
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("t", IMPORT_REPLACE);
	char *rows = store_make_rows(0, 60000, 100);
	struct store_text bytes = {rows, strlen(rows)};
	struct import_source source = store_source(&bytes);
	struct cvx_err err = CVX_ERR_INIT;
	struct import *imp = NULL;

	EXPECT_OK(import_new(d, &target, &source, &imp, &err), &err);
	import_available(imp, bytes.size);
	import_free(imp);
	import_free(NULL);
	free(rows);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	store_close(d);
}

TEST(import_into_a_read_only_deployment_is_refused)
{
	const char *dir = store_new_dir();
	struct deployment_settings settings = {.dir = dir, .read_only = true};
	struct cvx_err err = CVX_ERR_INIT;
	struct deployment *d = store_open(dir);

	store_close(d);
	EXPECT_OK(deployment_open(&settings, &d, &err), &err);
	EXPECT_FAIL(store_import(d, "t", IMPORT_REPLACE, "{}\n", &err), &err,
		    -EROFS, "read-only");
	deployment_close(d);
}

/* W-12, C-6: several at once, through two handles as two processes would. */

struct appender {
	struct deployment *d;
	int first, result;
};

static void *append_some(void *arg)
{
	struct appender *a = arg;
	struct cvx_err err = CVX_ERR_INIT;
	int i;

	for (i = a->first; i < a->first + 40 && a->result == 0; i++) {
		char row[32];

		(void)snprintf(row, sizeof(row), "{\"n\":%d}\n", i);
		a->result = store_import(a->d, "t", IMPORT_APPEND, row, &err);
	}
	return NULL;
}

TEST(import_appends_of_many_all_arrive)
{
	enum { THREADS = 6 };
	const char *dir = store_new_dir();
	struct deployment *handles[2] = {store_open(dir), store_open(dir)};
	struct appender appenders[THREADS];
	pthread_t threads[THREADS];
	bool seen[THREADS * 40] = {false};
	char *text, *line, *last = NULL;
	int i;

	for (i = 0; i < THREADS; i++) {
		appenders[i] = (struct appender){handles[i % 2], i * 40, 0};
		EXPECT_INT(pthread_create(&threads[i], NULL, append_some,
					  &appenders[i]),
			   0);
	}
	for (i = 0; i < THREADS; i++) {
		EXPECT_INT(pthread_join(threads[i], NULL), 0);
		EXPECT_INT(appenders[i].result, 0);
	}
	text = store_cat(handles[0], "t");
	EXPECT_INT(store_count_lines(text), THREADS * 40);
	for (line = strtok_r(text, "\n", &last); line;
	     line = strtok_r(NULL, "\n", &last)) {
		int n = (int)strtod(strstr(line, "\"n\":") + 4, NULL);

		assert_true(n >= 0 && n < THREADS * 40 && !seen[n]);
		seen[n] = true;
	}
	free(text);
	/* Ids ascend over all of them, or there would be keys. */
	EXPECT_INT(store_count_files(handles[0], "segments"), 1);
	store_close(handles[0]);
	store_close(handles[1]);
}

/* T-5 */

/* The fields of T-5, all of them in every line. */
static void expect_fields(const cJSON *line)
{
	static const char *const fields[] = {
		"id",	 "target",  "format",	"mode",	    "state", "rows",
		"bytes", "started", "finished", "progress", "error",
	};
	size_t i;

	EXPECT_INT(cJSON_GetArraySize(line), sizeof(fields) / sizeof(*fields));
	for (i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		assert_string_equal(cJSON_GetArrayItem(line, (int)i)->string,
				    fields[i]);
}

TEST(import_is_listed_while_it_runs_and_after)
{
	struct deployment *d = store_open(store_new_dir());
	struct store_text bytes = {"{\"n\":0}\n", 8};
	struct import *imp = store_start_import(d, "t", IMPORT_REPLACE, &bytes);
	struct cvx_buf out = CVX_BUF_INIT(MIB);
	struct cvx_err err = CVX_ERR_INIT;
	const cJSON *progress;
	cJSON *line;

	EXPECT_OK(deployment_print_imports(d, &out, &err), &err);
	line = cJSON_ParseWithLength(out.data, out.size);
	assert_string_equal(vector_string(line, "state"), "in_progress");
	assert_string_equal(vector_string(line, "target"), "users/data.jsonl");
	assert_string_equal(vector_string(line, "mode"), "replace");
	progress = cJSON_GetObjectItem(line, "progress");
	assert_true(cJSON_IsNumber(progress) && progress->valuedouble == 1);
	expect_fields(line);
	cJSON_Delete(line);

	store_finish_import(imp, &bytes);
	cvx_buf_clear(&out);
	EXPECT_OK(deployment_print_imports(d, &out, &err), &err);
	line = cJSON_ParseWithLength(out.data, out.size);
	assert_string_equal(vector_string(line, "state"), "completed");
	EXPECT_INT(cJSON_GetObjectItem(line, "rows")->valueint, 1);
	EXPECT_INT(cJSON_GetObjectItem(line, "bytes")->valueint, 8);
	assert_true(cJSON_IsNull(cJSON_GetObjectItem(line, "error")));
	expect_fields(line);
	EXPECT_INT(strlen(vector_string(line, "finished")), 24);
	cJSON_Delete(line);
	cvx_buf_fini(&out);
	store_close(d);
}

TEST(import_that_failed_is_recorded_with_its_text)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_buf out = CVX_BUF_INIT(MIB);
	struct cvx_err err = CVX_ERR_INIT;
	const cJSON *error;
	cJSON *line;

	EXPECT_INT(store_import(d, "t", IMPORT_REPLACE, "!\n{}\n?\n", &err),
		   -EINVAL);
	EXPECT_OK(deployment_print_last_error(d, "", NULL, &out, &err), &err);
	assert_true(out.size > 0 && strncmp(out.data, "row 1: ", 7) == 0);
	assert_non_null(memmem(out.data, out.size, "\nrow 3: ", 8));
	cvx_buf_clear(&out);
	EXPECT_OK(deployment_print_last_error(d, "", "t", &out, &err), &err);
	assert_true(out.size > 0);

	cvx_buf_clear(&out);
	EXPECT_OK(deployment_print_imports(d, &out, &err), &err);
	line = cJSON_ParseWithLength(out.data, out.size);
	assert_string_equal(vector_string(line, "state"), "failed");
	expect_fields(line);
	error = cJSON_GetObjectItem(line, "error");
	assert_string_equal(vector_string(error, "code"), "JsonInvalidRow");
	assert_non_null(strstr(vector_string(error, "message"), "row 3: "));
	cJSON_Delete(line);

	/* The table's own error goes with its next success. */
	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, "{}\n", &err), &err);
	cvx_buf_clear(&out);
	EXPECT_OK(deployment_print_last_error(d, "", "t", &out, &err), &err);
	EXPECT_INT(out.size, 0);
	EXPECT_OK(deployment_print_last_error(d, "", NULL, &out, &err), &err);
	assert_true(out.size > 0);
	cvx_buf_fini(&out);
	store_close(d);
}

TEST(import_that_could_not_start_is_recorded)
{
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("t", IMPORT_REPLACE);
	struct cvx_err cause = CVX_ERR_INIT, err = CVX_ERR_INIT;
	struct cvx_buf out = CVX_BUF_INIT(MIB);

	(void)cvx_fail(&cause, -ENOSPC, "no room for the spool");
	EXPECT_INT(import_record_failure(d, &target, &cause), 0);
	EXPECT_OK(deployment_print_imports(d, &out, &err), &err);
	assert_non_null(memmem(out.data, out.size, "\"code\":\"ENOSPC\"", 15));
	cvx_buf_fini(&out);
	store_close(d);
}

UNIT_MAIN(
	UNIT_CASE(import_appends_in_order_and_ids_ascend),
	UNIT_CASE(import_of_a_large_file_keeps_the_order),
	UNIT_CASE(import_follows_a_writer),
	UNIT_CASE(import_that_is_restarted_reads_the_new_bytes),
	UNIT_CASE(import_that_was_checked_goes_on_with_more_bytes),
	UNIT_CASE(import_that_was_checked_at_a_row_end_goes_on),
	UNIT_CASE(import_takes_a_file_that_became_shorter),
	UNIT_CASE(import_source_that_ends_early_is_a_failure),
	UNIT_CASE(import_reads_csv_and_arrays),
	UNIT_CASE(import_of_no_rows_makes_an_empty_table),
	UNIT_CASE(import_appending_no_rows_leaves_the_revision),
	UNIT_CASE(import_refuses_an_array_above_the_limit),
	UNIT_CASE(import_grows_its_blocks_for_long_rows),
	UNIT_CASE(import_refuses_a_row_that_is_too_long),
	UNIT_CASE(import_lists_the_first_ten_refused_rows_whatever_the_threads),
	UNIT_CASE(import_check_tells_a_fault_before_the_end),
	UNIT_CASE(import_leaves_open_readers_what_they_opened),
	UNIT_CASE(import_reads_its_own_lines_with_their_types),
	UNIT_CASE(import_is_plain_when_the_first_line_is_no_export_line),
	UNIT_CASE(import_of_exported_rows_takes_the_number_of_an_empty_table),
	UNIT_CASE(import_takes_no_number_that_ids_are_of),
	UNIT_CASE(import_that_is_canceled_leaves_nothing),
	UNIT_CASE(import_may_be_canceled_from_another_thread),
	UNIT_CASE(import_that_is_freed_early_leaves_nothing),
	UNIT_CASE(import_into_a_read_only_deployment_is_refused),
	UNIT_CASE(import_appends_of_many_all_arrive),
	UNIT_CASE(import_is_listed_while_it_runs_and_after),
	UNIT_CASE(import_that_failed_is_recorded_with_its_text),
	UNIT_CASE(import_that_could_not_start_is_recorded))
