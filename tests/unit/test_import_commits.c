/* importer/import: equal ids, where appended rows go, and what other commits
 * change meanwhile; import.md 5.8, 7.5, filesystem.md W-8. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"

#define ID_A "j5702081040g2081040g2081056hakwm"
#define ID_B "j57060r30c1g60r30c1g60r30d6hatwy"
#define ID_OTHER_NUMBER "j97081040g2081040g2081040h6hayhn"

#define MIB ((size_t)1 << 20)

/* Equal ids: import.md 7.5 and 5.8. */

static char *make_rows_with_ids(const char *text)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char *cat;

	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, text, &err), &err);
	cat = store_cat(d, "t");
	store_close(d);
	return cat;
}

/* The lines in reverse order; frees the text. */
static char *reverse_lines(char *text)
{
	size_t size = strlen(text), n = 0, end = size, start;
	char *got = malloc(size + 1);

	assert_non_null(got);
	while (end > 0) {
		for (start = end - 1; start > 0 && text[start - 1] != '\n';
		     start--)
			;
		memcpy(got + n, text + start, end - start);
		n += end - start;
		end = start;
	}
	got[n] = '\0';
	free(text);
	return got;
}

static char *join(const char *a, const char *b)
{
	char *got = NULL;

	assert_true(asprintf(&got, "%s%s", a, b) >= 0);
	return got;
}

static void check_order_of_ids(size_t row_count)
{
	char *rows = store_make_rows(0, row_count, 100);
	char *up = make_rows_with_ids(rows), *down = reverse_lines(strdup(up));
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char *cat, *twice;

	/* M-6: what was written is what is read, in that order. */
	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, up, &err), &err);
	cat = store_cat(d, "t");
	assert_string_equal(cat, up);
	free(cat);
	EXPECT_INT(store_count_files(d, "segments"), 1);
	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, down, &err), &err);
	cat = store_cat(d, "t");
	assert_string_equal(cat, down);
	free(cat);
	EXPECT_INT(store_count_files(d, "segments"), 2); /* with keys */

	EXPECT_INT(store_import(d, "t", IMPORT_APPEND, up, &err), -EINVAL);
	assert_string_equal(err.name, "DocumentExists");
	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, up, &err), &err);
	EXPECT_INT(store_import(d, "t", IMPORT_APPEND, down, &err), -EINVAL);
	assert_string_equal(err.name, "DocumentExists");
	assert_non_null(strstr(err.msg, "row 1: "));

	twice = join(up, down);
	EXPECT_INT(store_import(d, "t", IMPORT_REPLACE, twice, &err), -EINVAL);
	assert_string_equal(err.name, "DuplicateId");
	free(twice);
	cat = store_cat(d, "t"); /* F-1 */
	assert_string_equal(cat, up);
	free(cat);
	store_close(d);
	free(up);
	free(down);
	free(rows);
}

TEST(import_knows_equal_ids_in_small_files)
{
	check_order_of_ids(40);
}

TEST(import_knows_equal_ids_in_large_files)
{
	check_order_of_ids(30000);
}

TEST(import_names_both_rows_of_an_equal_id)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_FAIL(store_import(d, "t", IMPORT_REPLACE,
				 "{\"_id\":\"" ID_B "\"}\n"
				 "{\"_id\":\"" ID_A "\"}\n"
				 "{}\n"
				 "{\"_id\":\"" ID_B "\"}\n"
				 "{\"_id\":\"" ID_B "\"}\n",
				 &err),
		    &err, -EINVAL,
		    "row 4: row 1 has the same _id " ID_B
		    " (and 1 more row refused)");
	store_close(d);
}

/* A few ids against a large table whose rows ascend are searched for in the
 * rows themselves. */
TEST(import_finds_single_ids_in_a_large_table)
{
	char *rows = store_make_rows(0, 100000, 150);
	char *up = make_rows_with_ids(rows);
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	static const unsigned at[] = {0, 1, 49999, 99998, 99999};
	size_t i;

	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, up, &err), &err);
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		char n[32], *line, *end, *one;

		(void)snprintf(n, sizeof(n), "\"n\":%u.0,", at[i]);
		line = strstr(up, n);
		assert_non_null(line);
		while (line > up && line[-1] != '\n')
			line--;
		end = strchr(line, '\n');
		one = strndup(line, (size_t)(end - line) + 1);
		assert_non_null(one);
		EXPECT_INT(store_import(d, "t", IMPORT_APPEND, one, &err),
			   -EINVAL);
		assert_string_equal(err.name, "DocumentExists");
		free(one);
	}
	EXPECT_OK(store_import(d, "t", IMPORT_APPEND,
			       "{\"_id\":\"" ID_A "\"}\n", &err),
		  &err);
	store_close(d);
	free(up);
	free(rows);
}

/* Where appended rows go. */

TEST(import_appends_ids_that_do_not_ascend_by_joining)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char *text;

	EXPECT_OK(store_import(d, "t", IMPORT_APPEND,
			       "{\"_id\":\"" ID_B "\",\"n\":0}\n", &err),
		  &err);
	EXPECT_OK(store_import(d, "t", IMPORT_APPEND,
			       "{\"_id\":\"" ID_A "\",\"n\":1}\n", &err),
		  &err);
	EXPECT_OK(store_import(d, "t", IMPORT_APPEND, "{\"n\":2}\n", &err),
		  &err);
	text = store_cat(d, "t");
	store_expect_order(text, 3);
	free(text);
	EXPECT_INT(store_count_files(d, "segments"), 2);
	store_close(d);
}

TEST(import_appends_large_files_as_segments_and_joins_many)
{
	enum { APPENDS = 70, ROWS = 700 };
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char *text;
	int i;

	for (i = 0; i < APPENDS; i++) {
		char *rows = store_make_rows((uint64_t)i * ROWS, ROWS, 1500);

		EXPECT_OK(store_import(d, "t", IMPORT_APPEND, rows, &err),
			  &err);
		free(rows);
	}
	text = store_cat(d, "t");
	store_expect_order(text, APPENDS * ROWS);
	free(text);
	assert_true(store_count_files(d, "segments") < 65);
	store_close(d);
}

/* I5 and I6 in commit.c: bytes behind the committed size may be those of a
 * commit in doubt of another process, which could still come to life. */
TEST(import_appends_over_nothing_that_another_has_left)
{
	static const char left[] = "{\"n\":of a commit that nobody has seen";
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char path[400], row[32], *text;
	uint64_t size;
	size_t n;
	FILE *f;
	int i;

	(void)snprintf(path, sizeof(path), "%s/segments/1.rows",
		       deployment_dir(d));
	EXPECT_OK(store_import(d, "t", IMPORT_APPEND, "{\"n\":0}\n", &err),
		  &err);
	size = store_stat(d, "t").size;
	f = fopen(path, "a");
	assert_non_null(f);
	(void)fputs(left, f);
	EXPECT_INT(fclose(f), 0);
	for (i = 1; i < 4; i++) {
		(void)snprintf(row, sizeof(row), "{\"n\":%d}\n", i);
		EXPECT_OK(store_import(d, "t", IMPORT_APPEND, row, &err), &err);
	}
	text = store_cat(d, "t");
	store_expect_order(text, 4);
	free(text);
	text = unit_read_file(path, &n);
	EXPECT_TEXT(text + size, n - size, left);
	free(text);
	/* Behind the new segment rows are appended in place as ever. */
	EXPECT_INT(store_count_files(d, "segments"), 2);
	store_close(d);
}

/* W-8 */
TEST(import_fails_when_the_table_was_changed_since)
{
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("t", IMPORT_REPLACE);
	struct cvx_err err = CVX_ERR_INIT;
	char *text;

	EXPECT_OK(store_import(d, "t", IMPORT_APPEND, "{\"n\":0}\n", &err),
		  &err);
	target.base_revision = store_stat(d, "t").revision;
	EXPECT_OK(store_import_target(d, &target, "{\"n\":0}\n", 8, NULL, &err),
		  &err);
	EXPECT_FAIL(
		store_import_target(d, &target, "{\"n\":9}\n", 8, NULL, &err),
		&err, -ESTALE, "changed by someone else");
	text = store_cat(d, "t");
	store_expect_order(text, 1);
	free(text);
	target.table = "not_there";
	EXPECT_FAIL(
		store_import_target(d, &target, "{\"n\":9}\n", 8, NULL, &err),
		&err, -ESTALE, "changed by someone else");
	store_close(d);
}

/* What another commit changes between conversion and commit. */

TEST(import_gets_later_ids_when_another_commits_first)
{
	struct deployment *d = store_open(store_new_dir());
	struct store_text bytes = {"{\"n\":1}\n", 8};
	struct import *imp = store_start_import(d, "t", IMPORT_APPEND, &bytes);
	struct cvx_err err = CVX_ERR_INIT;
	char *text;

	EXPECT_OK(store_import(d, "t", IMPORT_APPEND, "{\"n\":0}\n", &err),
		  &err);
	store_finish_import(imp, &bytes);
	text = store_cat(d, "t");
	store_expect_order(text, 2);
	free(text);
	/* In place, so the second id is the greater one. */
	EXPECT_INT(store_count_files(d, "segments"), 1);
	store_close(d);
}

TEST(import_gets_later_ids_also_when_it_is_large)
{
	struct deployment *d = store_open(store_new_dir());
	char *rows = store_make_rows(1, 30000, 100), *text;
	struct store_text bytes = {rows, strlen(rows)};
	struct import *imp = store_start_import(d, "t", IMPORT_APPEND, &bytes);
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(store_import(d, "t", IMPORT_APPEND, "{\"n\":0}\n", &err),
		  &err);
	store_finish_import(imp, &bytes);
	text = store_cat(d, "t");
	store_expect_order(text, 30001);
	free(text);
	free(rows);
	/* Ids ascend over both segments, so neither has keys. */
	EXPECT_INT(store_count_files(d, "segments"), 2);
	store_close(d);
}

TEST(import_gets_another_number_when_its_own_is_taken)
{
	struct deployment *d = store_open(store_new_dir());
	struct store_text bytes = {"{\"n\":0}\n", 8};
	struct import *imp = store_start_import(d, "a", IMPORT_REPLACE, &bytes);
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(deployment_create_table(d, "", "b", &err), &err);
	EXPECT_INT(store_stat(d, "b").number, 10001);
	store_finish_import(imp, &bytes);
	EXPECT_INT(store_stat(d, "a").number, 10002);
	store_close(d); /* checks that the rows have the number */
}

TEST(import_survives_that_its_table_vanishes)
{
	struct deployment *d = store_open(store_new_dir());
	struct store_text bytes = {"{\"n\":0}\n", 8};
	struct cvx_err err = CVX_ERR_INIT;
	struct import *imp;

	EXPECT_OK(deployment_create_table(d, "", "a", &err), &err);
	EXPECT_OK(deployment_create_table(d, "", "b", &err), &err);
	imp = store_start_import(d, "b", IMPORT_APPEND, &bytes);
	EXPECT_OK(deployment_delete_table(d, "", "b", &err), &err);
	EXPECT_OK(deployment_delete_table(d, "", "a", &err), &err);
	store_finish_import(imp, &bytes);
	EXPECT_INT(store_stat(d, "b").number, 10001);
	EXPECT_INT(store_stat(d, "b").document_count, 1);
	store_close(d);
}

TEST(import_asks_again_about_a_table_that_was_not_empty)
{
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("t", IMPORT_REQUIRE_EMPTY);
	struct store_text bytes = {"{\"n\":0}\n", 8};
	struct import_source source = store_source(&bytes);
	struct cvx_err err = CVX_ERR_INIT;
	struct import *imp = NULL;

	EXPECT_OK(store_import(d, "t", IMPORT_APPEND, "{}\n", &err), &err);
	EXPECT_OK(import_new(d, &target, &source, &imp, &err), &err);
	EXPECT_FAIL(import_check(imp, bytes.size, &err), &err, -EEXIST,
		    "has documents already");
	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, "", &err), &err);
	store_finish_import(imp, &bytes);
	EXPECT_INT(store_stat(d, "t").document_count, 1);
	store_close(d);
}

UNIT_MAIN(UNIT_CASE(import_knows_equal_ids_in_small_files),
	  UNIT_CASE(import_knows_equal_ids_in_large_files),
	  UNIT_CASE(import_names_both_rows_of_an_equal_id),
	  UNIT_CASE(import_finds_single_ids_in_a_large_table),
	  UNIT_CASE(import_appends_ids_that_do_not_ascend_by_joining),
	  UNIT_CASE(import_appends_large_files_as_segments_and_joins_many),
	  UNIT_CASE(import_appends_over_nothing_that_another_has_left),
	  UNIT_CASE(import_fails_when_the_table_was_changed_since),
	  UNIT_CASE(import_gets_later_ids_when_another_commits_first),
	  UNIT_CASE(import_gets_later_ids_also_when_it_is_large),
	  UNIT_CASE(import_gets_another_number_when_its_own_is_taken),
	  UNIT_CASE(import_survives_that_its_table_vanishes),
	  UNIT_CASE(import_asks_again_about_a_table_that_was_not_empty))
