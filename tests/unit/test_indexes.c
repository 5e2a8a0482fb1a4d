/* Indexes of a schema: kept for every revision, read in order (import.md 9). */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "importer/deployment_schema.h"
#include "importer/embedded/compact.h"
#include "importer/embedded/runs.h"
#include "importer/schema/index_key.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"

#define MIB ((size_t)1 << 20)

/* Of table t: by the field n, and by pad, then n. */
static const char schema_text[] =
	"{\"schemaValidation\":false,\"tables\":[{\"tableName\":\"t\","
	"\"indexes\":[{\"indexDescriptor\":\"by_n\",\"fields\":[\"n\","
	"\"_creationTime\"]},{\"indexDescriptor\":\"by_pad\",\"fields\":["
	"\"pad\",\"n\",\"_creationTime\"]}],\"stagedDbIndexes\":[{"
	"\"indexDescriptor\":\"by_none\",\"fields\":[\"x\"]}],"
	"\"searchIndexes\":[],\"stagedSearchIndexes\":[],\"vectorIndexes\":[],"
	"\"stagedVectorIndexes\":[]}]}";

/* The text of an index, read in pieces of the size; the caller frees it. */
static char *cat_index(struct deployment *d, const char *index, size_t piece)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct index_reader *ir = NULL;
	size_t size, done = 0, n;
	char *text;

	EXPECT_OK(deployment_open_index(d, "", "t", index, &ir, &err), &err);
	size = (size_t)index_reader_info(ir)->size;
	text = malloc(size + piece + 1);
	assert_non_null(text);
	do {
		EXPECT_OK(index_reader_read(ir, done, text + done, piece, &n,
					    &err),
			  &err);
		done += n;
	} while (n > 0);
	EXPECT_INT(done, size);
	text[size] = '\0';
	/* Anywhere, backwards. */
	for (done = size; done > 7919; done -= 7919) {
		char some[64];

		EXPECT_OK(
			index_reader_read(ir, done - 7919, some, 64, &n, &err),
			&err);
		assert_memory_equal(some, text + done - 7919, n);
	}
	index_reader_close(ir);
	return text;
}

/* A line and its key, made once more. */
struct keyed {
	char *line;
	size_t size;
	struct cvx_buf key;
};

static int compare_keyed(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;
	size_t size = x->key.size < y->key.size ? x->key.size : y->key.size;
	int order = memcmp(x->key.data, y->key.data, size);

	return order ? order
		     : (x->key.size > y->key.size) -
			       (x->key.size < y->key.size);
}

/* The index has the documents of the table, sorted. */
static void expect_index(struct deployment *d, const char *index,
			 const char *const *paths, size_t path_count)
{
	char *want = store_cat(d, "t"), *got = cat_index(d, index, 100000);
	size_t count = (size_t)store_count_lines(want), i, off = 0;
	struct keyed *lines = calloc(count + 1, sizeof(*lines));
	struct cvx_err err = CVX_ERR_INIT;
	struct index_fields fields;
	char *line = want;

	assert_non_null(lines);
	index_fields_init(&fields, paths, path_count);
	for (i = 0; i < count; i++) {
		lines[i].line = line;
		lines[i].size = (size_t)(strchr(line, '\n') - line) + 1;
		line += lines[i].size;
		cvx_buf_init(&lines[i].key, INDEX_KEY_ROOM);
		EXPECT_OK(index_key(&fields, lines[i].line, lines[i].size - 1,
				    &lines[i].key, &err),
			  &err);
	}
	qsort(lines, count, sizeof(*lines), compare_keyed);
	for (i = 0; i < count; i++) {
		if (memcmp(got + off, lines[i].line, lines[i].size) != 0)
			fail_msg("%s: line %zu is %.100s", index, i + 1,
				 got + off);
		off += lines[i].size;
		cvx_buf_fini(&lines[i].key);
	}
	EXPECT_INT(strlen(got), off);
	free(lines);
	free(got);
	free(want);
}

static void expect_all(struct deployment *d)
{
	static const char *const by_n[] = {"n"}, *const by_pad[] = {"pad", "n"};

	expect_index(d, "by_n", by_n, 1);
	expect_index(d, "by_pad", by_pad, 2);
	expect_index(d, "by_creation_time", NULL, 0);
}

/* Rows whose n goes up and down. */
static char *make_rows(unsigned seed, unsigned count, size_t pad)
{
	struct cvx_buf text = CVX_BUF_INIT(64 * MIB);
	unsigned i, x = seed;

	for (i = 0; i < count; i++) {
		x = x * 1103515245 + 12345;
		EXPECT_INT(cvx_buf_printf(
				   &text, "{\"n\":%u,\"pad\":\"%0*u\"}\n",
				   (x >> 8) % 1000, (int)pad, (x >> 16) % 7),
			   0);
	}
	EXPECT_INT(cvx_buf_append(&text, "", 1), 0);
	return text.data;
}

static void import_rows(struct deployment *d, enum import_mode mode,
			unsigned seed, unsigned count, size_t pad)
{
	char *rows = make_rows(seed, count, pad);
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(store_import(d, "t", mode, rows, &err), &err);
	free(rows);
}

TEST(indexes_are_listed_by_name)
{
	static const char *const want[] = {"by_creation_time", "by_id", "by_n",
					   "by_pad"};
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct index_info *list = NULL;
	struct index_reader *ir;
	size_t count = 0, i;

	EXPECT_FAIL(deployment_list_indexes(d, "", "t", &list, &count, &err),
		    &err, -ENOENT, "no table t");
	import_rows(d, IMPORT_REPLACE, 1, 3, 1);
	EXPECT_OK(deployment_list_indexes(d, "", "t", &list, &count, &err),
		  &err);
	EXPECT_INT(count, 2);
	free(list);
	store_set_schema(d, schema_text);
	EXPECT_OK(deployment_list_indexes(d, "", "t", &list, &count, &err),
		  &err);
	EXPECT_INT(count, 4);
	for (i = 0; i < 4; i++)
		assert_string_equal(list[i].name, want[i]);
	free(list);
	EXPECT_FAIL(deployment_open_index(d, "", "t", "by_none", &ir, &err),
		    &err, -ENOENT, "by_none");
	EXPECT_FAIL(deployment_open_index(d, "", "u", "by_id", &ir, &err), &err,
		    -ENOENT, "no table u");
	store_close(d);
}

TEST(indexes_of_small_tables_are_sorted_when_they_are_opened)
{
	struct deployment *d = store_open(store_new_dir());
	char *text;

	store_set_schema(d, schema_text);
	import_rows(d, IMPORT_REPLACE, 1, 0, 1);
	text = cat_index(d, "by_n", 100);
	assert_string_equal(text, "");
	free(text);
	import_rows(d, IMPORT_REPLACE, 1, 1, 1);
	expect_all(d);
	import_rows(d, IMPORT_APPEND, 2, 1000, 1);
	expect_all(d);
	EXPECT_INT(store_count_files(d, "indexes"), 0);
	store_close(d);
}

TEST(indexes_of_large_tables_are_sorted_when_they_are_committed)
{
	struct deployment *d = store_open(store_new_dir());

	store_set_schema(d, schema_text);
	import_rows(d, IMPORT_REPLACE, 1, 3000, 1000);
	EXPECT_INT(store_count_files(d, "indexes"), 2);
	expect_all(d);
	/* Its tail, then a run of its own. */
	import_rows(d, IMPORT_APPEND, 2, 100, 10);
	EXPECT_INT(store_count_files(d, "indexes"), 2);
	expect_all(d);
	import_rows(d, IMPORT_APPEND, 3, 2000, 1000);
	EXPECT_INT(store_count_files(d, "indexes"), 6);
	expect_all(d);
	import_rows(d, IMPORT_REPLACE, 4, 2500, 1000);
	EXPECT_INT(store_count_files(d, "indexes"), 2);
	expect_all(d);
	import_rows(d, IMPORT_REPLACE, 5, 0, 1);
	EXPECT_INT(store_count_files(d, "indexes"), 0);
	store_close(d);
}

TEST(indexes_get_runs_of_what_small_appends_have_brought)
{
	struct deployment *d = store_open(store_new_dir());
	unsigned i;

	store_set_schema(d, schema_text);
	for (i = 0; i < 7; i++)
		import_rows(d, IMPORT_APPEND, i, 800, 1000);
	EXPECT_INT(store_count_files(d, "indexes") >= 4, true);
	expect_all(d);
	store_close(d);
}

TEST(indexes_merge_their_runs)
{
	struct deployment *d = store_open(store_new_dir());
	unsigned i;

	store_set_schema(d, schema_text);
	for (i = 0; i < 12; i++)
		import_rows(d, IMPORT_APPEND, i, 250, 5000);
	EXPECT_INT(store_count_files(d, "indexes") <= 2 * (RUN_COUNT_MAX + 2),
		   true);
	expect_all(d);
	store_close(d);
}

TEST(indexes_come_and_go_with_the_schema)
{
	static const char other[] =
		"{\"tables\":[{\"tableName\":\"t\",\"indexes\":["
		"{\"indexDescriptor\":\"by_n\",\"fields\":[\"pad\"]},"
		"{\"indexDescriptor\":\"by_pad\",\"fields\":[\"pad\",\"n\"]}]}]"
		"}";
	static const char *const by_pad[] = {"pad"};
	const char *dir = store_new_dir();
	struct deployment *d = store_open(dir);
	struct cvx_err err = CVX_ERR_INIT;
	struct index_reader *ir = NULL;
	char *text, *got;
	size_t n;

	import_rows(d, IMPORT_REPLACE, 1, 3000, 1000);
	store_set_schema(d, schema_text);
	EXPECT_INT(store_count_files(d, "indexes"), 2);
	expect_all(d);
	/* A reader keeps what it has opened. */
	text = cat_index(d, "by_n", 100000);
	got = calloc(1, strlen(text) + 1);
	EXPECT_OK(deployment_open_index(d, "", "t", "by_n", &ir, &err), &err);
	store_set_schema(d, other);
	expect_index(d, "by_n", by_pad, 1);
	import_rows(d, IMPORT_REPLACE, 9, 10, 1);
	EXPECT_OK(index_reader_read(ir, 0, got, strlen(text), &n, &err), &err);
	assert_string_equal(got, text);
	index_reader_close(ir);
	free(text);
	free(got);
	import_rows(d, IMPORT_REPLACE, 1, 3000, 1000);
	store_set_schema(d, "null");
	EXPECT_INT(store_count_files(d, "indexes"), 0);
	EXPECT_FAIL(deployment_open_index(d, "", "t", "by_n", &ir, &err), &err,
		    -ENOENT, "by_n");
	store_close(d);
}

TEST(indexes_by_id_are_in_order_of_ids)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char *table, *index;

	import_rows(d, IMPORT_REPLACE, 1, 100, 1);
	table = store_cat(d, "t");
	index = cat_index(d, "by_id", 100);
	assert_string_equal(index, table);
	free(table);
	free(index);
	EXPECT_OK(
		store_import(d, "t", IMPORT_REPLACE,
			     "{\"_id\":\"j570j289144gj289144gj289156hbfxw\"}\n"
			     "{\"_id\":\"j5702081040g2081040g2081056hakwm\"}"
			     "\n",
			     &err),
		&err);
	index = cat_index(d, "by_id", 100);
	assert_non_null(strstr(strchr(index, '\n'), "j570j289"));
	free(index);
	store_close(d);
}

TEST(indexes_are_removed_with_their_tables)
{
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("u", IMPORT_REPLACE_ALL);
	struct cvx_err err = CVX_ERR_INIT;

	store_set_schema(d, schema_text);
	import_rows(d, IMPORT_REPLACE, 1, 3000, 1000);
	/* The schema keeps the table, and not its documents. */
	EXPECT_OK(store_import_target(d, &target, "{}\n", 3, NULL, &err), &err);
	EXPECT_INT(store_stat(d, "t").document_count, 0);
	EXPECT_INT(store_count_files(d, "indexes"), 0);
	import_rows(d, IMPORT_REPLACE, 1, 3000, 1000);
	EXPECT_INT(store_count_files(d, "indexes"), 2);
	store_set_schema(d, "");
	EXPECT_OK(store_import_target(d, &target, "{}\n", 3, NULL, &err), &err);
	EXPECT_INT(store_has(d, "t"), false);
	EXPECT_INT(store_count_files(d, "indexes"), 0);
	store_close(d);
}

UNIT_MAIN(UNIT_CASE(indexes_are_listed_by_name),
	  UNIT_CASE(indexes_of_small_tables_are_sorted_when_they_are_opened),
	  UNIT_CASE(indexes_of_large_tables_are_sorted_when_they_are_committed),
	  UNIT_CASE(indexes_get_runs_of_what_small_appends_have_brought),
	  UNIT_CASE(indexes_merge_their_runs),
	  UNIT_CASE(indexes_come_and_go_with_the_schema),
	  UNIT_CASE(indexes_by_id_are_in_order_of_ids),
	  UNIT_CASE(indexes_are_removed_with_their_tables))
