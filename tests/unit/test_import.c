/* importer/import: import.md 7, filesystem.md W, F, T-3. */
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
	UNIT_CASE(import_that_is_canceled_leaves_nothing),
	UNIT_CASE(import_may_be_canceled_from_another_thread),
	UNIT_CASE(import_that_is_freed_early_leaves_nothing),
	UNIT_CASE(import_into_a_read_only_deployment_is_refused),
	UNIT_CASE(import_appends_of_many_all_arrive))
