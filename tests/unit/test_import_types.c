/* importer/import: which types rows are read with, and which number their
 * table gets (filesystem.md M-5, M-7, T-1). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/store.h"
#include "tests/unit/unit.h"

#define ID_A "j5702081040g2081040g2081056hakwm"

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

UNIT_MAIN(UNIT_CASE(import_reads_its_own_lines_with_their_types),
	  UNIT_CASE(import_is_plain_when_the_first_line_is_no_export_line),
	  UNIT_CASE(import_of_exported_rows_takes_the_number_of_an_empty_table),
	  UNIT_CASE(import_takes_no_number_that_ids_are_of))
