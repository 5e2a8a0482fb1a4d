/* importer/restore: import.md 6.5 to 7.6, filesystem.md F-1, F-6. */
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "importer/restore.h"
#include "importer/value/id.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"
#include "tests/unit/vector_files.h"
#include "tests/unit/zip_maker.h"

#define MIB ((size_t)1 << 20)

#define ID_1 "j57060r30c1g60r30c1g60r30d6hatwy" /* of number 10001 */
#define ID_2 "j97081040g2081040g2081040h6hayhn" /* of number 10002 */

static int restore_source(struct deployment *d, const char *component,
			  enum import_mode mode,
			  const struct import_source *source, uint64_t size,
			  struct restore_result *ret, struct cvx_err *err)
{
	const struct restore_target target = {component, "backup.zip", mode};
	struct restore_result result = {.table_count = 0};
	struct restore *restore = NULL;
	int r = restore_new(d, &target, source, &restore, err);

	if (r == 0)
		r = restore_commit(restore, size, &result, err);
	restore_free(restore);
	if (ret)
		*ret = result;
	return r;
}

static int restore_file(struct deployment *d, enum import_mode mode,
			const struct cvx_buf *file, struct restore_result *ret,
			struct cvx_err *err)
{
	struct import_source source = zip_source_of(file);

	return restore_source(d, "", mode, &source, file->size, ret, err);
}

/* Ends the archive and restores it. */
static int restore_zip(struct deployment *d, enum import_mode mode,
		       struct zip_maker *z, struct cvx_err *err)
{
	int r;

	zip_end(z, "");
	r = restore_file(d, mode, &z->file, NULL, err);
	zip_maker_fini(z);
	return r;
}

static void expect_cat(struct deployment *d, const char *table,
		       const char *want)
{
	char *text = store_cat(d, table);

	EXPECT_TEXT(text, strlen(text), want);
	free(text);
}

/* All that can be seen of the tables: names, numbers and documents. */
static char *print_all(struct deployment *d)
{
	struct cvx_buf out = CVX_BUF_INIT(64 * MIB);
	struct cvx_err err = CVX_ERR_INIT;
	struct table_info *list = NULL;
	size_t count = 0, i;

	EXPECT_OK(deployment_print_tables(d, "", &out, &err), &err);
	EXPECT_OK(deployment_list_tables(d, "", &list, &count, &err), &err);
	for (i = 0; i < count; i++) {
		char *text = store_cat(d, list[i].name);

		EXPECT_INT(cvx_buf_printf(&out, "%llu\n",
					  (unsigned long long)list[i].revision),
			   0);
		EXPECT_INT(cvx_buf_puts(&out, text), 0);
		free(text);
	}
	free(list);
	EXPECT_INT(cvx_buf_append(&out, "", 1), 0);
	return out.data;
}

/* Vectors: modes.json, the archives. */

static void make_archive(struct zip_maker *z, const cJSON *tables)
{
	const cJSON *table, *row;

	zip_maker_init(z);
	cJSON_ArrayForEach(table, tables)
	{
		struct cvx_buf text = CVX_BUF_INIT(MIB);
		char name[100];

		(void)snprintf(name, sizeof(name), "%s/documents.jsonl",
			       cJSON_GetArrayItem(table, 0)->valuestring);
		cJSON_ArrayForEach(row, cJSON_GetArrayItem(table, 1))
		{
			char *line = cJSON_PrintUnformatted(row);

			EXPECT_INT(cvx_buf_printf(&text, "%s\n", line), 0);
			free(line);
		}
		EXPECT_INT(cvx_buf_append(&text, "", 1), 0);
		zip_add_text(z, name, text.data);
		cvx_buf_fini(&text);
	}
	zip_end(z, "");
}

static void check_mode(const cJSON *one, enum import_mode mode,
		       const cJSON *expect)
{
	const char *name = vector_string(one, "name");
	const char *error = vector_string(expect, "error");
	struct deployment *d = store_open(store_new_dir());
	struct restore_result result = {.table_count = 0};
	struct cvx_err err = CVX_ERR_INIT;
	char what[200], *before, *after;
	struct zip_maker z;
	int r;

	(void)snprintf(what, sizeof(what), "%s, %s", name,
		       import_mode_name(mode));
	store_make_initial(d, cJSON_GetObjectItem(one, "initial"));
	make_archive(&z, cJSON_GetObjectItem(cJSON_GetObjectItem(one, "import"),
					     "tables"));
	before = print_all(d);
	r = restore_file(d, mode, &z.file, &result, &err);
	if (error) {
		if (r == 0 || !err.name || strcmp(err.name, error) != 0)
			fail_msg("%s: %s, not %s", what,
				 r == 0 ? "no error" : err.msg, error);
		after = print_all(d); /* F-1 */
		EXPECT_TEXT(after, strlen(after), before);
		free(after);
	} else {
		if (r < 0)
			fail_msg("%s: %s", what, err.msg);
		EXPECT_INT(
			result.document_count,
			cJSON_GetObjectItem(expect, "num_written")->valueint);
		store_expect_tables(d, cJSON_GetObjectItem(expect, "tables"),
				    what);
	}
	free(before);
	zip_maker_fini(&z);
	store_close(d);
}

TEST(restore_modes_do_what_the_vectors_say)
{
	static const struct {
		const char *name;
		enum import_mode mode;
	} modes[] = {
		{"requireEmpty", IMPORT_REQUIRE_EMPTY},
		{"append", IMPORT_APPEND},
		{"replace", IMPORT_REPLACE},
		{"replaceAll", IMPORT_REPLACE_ALL},
	};
	cJSON *root = vector_read("tests/data/vectors/modes.json");
	const cJSON *one, *expect;
	int count = 0;
	size_t i;

	cJSON_ArrayForEach(one, cJSON_GetObjectItem(root, "cases"))
	{
		if (strcmp(vector_string(cJSON_GetObjectItem(one, "import"),
					 "format"),
			   "zip") != 0)
			continue;
		for (i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
			expect = cJSON_GetObjectItem(
				cJSON_GetObjectItem(one, "expect"),
				modes[i].name);
			if (!expect)
				continue;
			check_mode(one, modes[i].mode, expect);
			count++;
		}
	}
	EXPECT_INT(count > 50, true);
	cJSON_Delete(root);
}

/* Contents. */

#define ROW_1                                                                  \
	"{\"A\":true,\"_creationTime\":1700000000001.25,\"_id\":\"" ID_1       \
	"\",\"blob\":{\"$bytes\":\"AP8=\"},\"inf\":{\"$float\":"               \
	"\"AAAAAAAA8H8=\"},\"list\":[1,1.0,-0.0,1e16,1e-7],\"n\":5}\n"

static void add_table(struct zip_maker *z, const char *prefix,
		      const char *table, const char *rows, const char *schema)
{
	char name[300];

	(void)snprintf(name, sizeof(name), "%s%s/documents.jsonl", prefix,
		       table);
	zip_add_text(z, name, rows);
	if (!schema)
		return;
	(void)snprintf(name, sizeof(name), "%s%s/generated_schema.jsonl",
		       prefix, table);
	zip_add_text(z, name, schema);
}

TEST(restore_keeps_every_byte_of_an_export)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;

	zip_maker_init(&z);
	zip_add_text(&z, "README.md", "# Welcome\n");
	zip_add_text(&z, "_tables/documents.jsonl",
		     "{\"name\":\"messages\",\"id\":10001}\n"
		     "{\"name\":\"Users\",\"id\":10002}\n");
	add_table(&z, "", "Users", "", "\"uniform\"\n");
	add_table(&z, "", "messages", ROW_1, "\"uniform\"\n");
	EXPECT_OK(restore_zip(d, IMPORT_REQUIRE_EMPTY, &z, &err), &err);
	expect_cat(d, "messages", ROW_1);
	expect_cat(d, "Users", "");
	EXPECT_INT(store_stat(d, "Users").number, 10002);
	store_close(d);
}

TEST(restore_without_marker_reads_numbers_as_float64)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;

	zip_maker_init(&z);
	add_table(&z, "snapshot/", "t",
		  "{\"_creationTime\":1,\"_id\":\"" ID_1 "\",\"n\":5}", NULL);
	EXPECT_OK(restore_zip(d, IMPORT_REPLACE, &z, &err), &err);
	expect_cat(d, "t",
		   "{\"_creationTime\":1.0,\"_id\":\"" ID_1 "\",\"n\":5.0}\n");
	store_close(d);
}

TEST(restore_of_an_old_export_follows_shape_and_overrides)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;

	zip_maker_init(&z);
	add_table(&z, "", "t",
		  "{\"_creationTime\":1,\"_id\":\"" ID_1
		  "\",\"n\":\"5\",\"s\":\"6\"}\n"
		  "{\"_creationTime\":2,\"n\":\"7\",\"s\":\"8\"}\n",
		  "\"{\\\"_creationTime\\\": normalfloat64, \\\"_id\\\": "
		  "id<10001>, \\\"n\\\": int64, \\\"s\\\": int64 | string}\"\n"
		  "{\"" ID_1 "\":{\"s\":\"int64\"}}\n");
	EXPECT_OK(restore_zip(d, IMPORT_REPLACE, &z, &err), &err);
	{
		char *text = store_cat(d, "t");

		assert_non_null(strstr(text, "\"_id\":\"" ID_1
					     "\",\"n\":5,\"s\":6}\n"));
		assert_non_null(strstr(text, ",\"n\":7,\"s\":\"8\"}\n"));
		free(text);
	}
	store_close(d);
}

TEST(restore_of_an_old_export_names_the_row_that_does_not_fit)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;

	zip_maker_init(&z);
	add_table(&z, "", "t", "{\"n\":\"5\"}\n{\"n\":\"five\"}\n",
		  "\"{\\\"n\\\": int64}\"\n");
	EXPECT_FAIL(restore_zip(d, IMPORT_REPLACE, &z, &err), &err, -EINVAL,
		    "t/documents.jsonl: row 2: column 6, field n: an int64");
	EXPECT_INT(store_has(d, "t"), false);
	store_close(d);
}

/* import.md 6.5: both are written, in the order of the directory. */
TEST(restore_joins_two_entries_of_one_table)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;
	char *text;

	zip_maker_init(&z);
	add_table(&z, "a/", "t", "{\"n\":1}\n{\"n\":2}", "\"uniform\"\n");
	add_table(&z, "b/", "t", "{\"n\":3}\n", NULL);
	EXPECT_OK(restore_zip(d, IMPORT_REPLACE, &z, &err), &err);
	text = store_cat(d, "t");
	EXPECT_INT(store_count_lines(text), 3);
	assert_true(strstr(text, "\"n\":1}") < strstr(text, "\"n\":2}"));
	assert_true(strstr(text, "\"n\":2}") < strstr(text, "\"n\":3}"));
	free(text);

	zip_maker_init(&z);
	add_table(&z, "a/", "t", "{\"_id\":\"" ID_1 "\"}\n", NULL);
	add_table(&z, "b/", "t", "{\"_id\":\"" ID_1 "\"}\n", NULL);
	EXPECT_FAIL(restore_zip(d, IMPORT_REPLACE, &z, &err), &err, -EINVAL,
		    "the same _id");
	store_close(d);
}

TEST(restore_makes_components_and_those_above_them)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct table_info info;
	struct zip_maker z;
	char **list = NULL;
	size_t count = 0;

	zip_maker_init(&z);
	add_table(&z, "_components/a/_components/b/", "t", "{\"n\":1}\n", NULL);
	zip_add_text(&z, "_components/c/_tables/documents.jsonl", "");
	EXPECT_OK(restore_zip(d, IMPORT_REPLACE, &z, &err), &err);
	EXPECT_OK(deployment_list_components(d, "", &list, &count, &err), &err);
	EXPECT_INT(count, 2);
	EXPECT_TEXT(list[0], strlen(list[0]), "a");
	EXPECT_TEXT(list[1], strlen(list[1]), "c");
	deployment_free_components(list);
	EXPECT_OK(deployment_list_components(d, "a", &list, &count, &err),
		  &err);
	EXPECT_INT(count, 1);
	EXPECT_TEXT(list[0], strlen(list[0]), "a/b");
	deployment_free_components(list);
	EXPECT_OK(deployment_stat_table(d, "a/b", "t", &info, &err), &err);
	EXPECT_INT(info.number, 10001);
	EXPECT_INT(info.document_count, 1);
	EXPECT_INT(store_has(d, "t"), false);
	store_close(d);
}

/* import.md 7.1: all components, whatever component the import targets. */
TEST(restore_replace_all_deletes_in_every_component)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct import_source source;
	struct table_info info;
	struct zip_maker z;

	EXPECT_OK(store_import(d, "old", IMPORT_REPLACE, "{\"n\":1}\n", &err),
		  &err);
	zip_maker_init(&z);
	add_table(&z, "_components/a/", "old", "{\"n\":1}\n", NULL);
	EXPECT_OK(restore_zip(d, IMPORT_REPLACE, &z, &err), &err);
	zip_maker_init(&z);
	add_table(&z, "", "new", "{\"n\":2}\n", NULL);
	zip_end(&z, "");
	source = zip_source_of(&z.file);
	EXPECT_OK(restore_source(d, "b", IMPORT_REPLACE_ALL, &source,
				 z.file.size, NULL, &err),
		  &err);
	zip_maker_fini(&z);
	EXPECT_INT(store_has(d, "old"), false);
	EXPECT_INT(deployment_stat_table(d, "a", "old", &info, NULL), -ENOENT);
	EXPECT_OK(deployment_stat_table(d, "b", "new", &info, &err), &err);
	EXPECT_INT(store_count_files(d, "segments"), 1);
	store_close(d);
}

/* W-1: also where the first tables of the archive would have fitted. */
TEST(restore_append_is_all_or_nothing)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char *before, *after;
	struct zip_maker z;

	EXPECT_OK(store_import(d, "a", IMPORT_REPLACE,
			       "{\"_id\":\"" ID_1 "\"}\n", &err),
		  &err);
	EXPECT_OK(store_import(d, "b", IMPORT_REPLACE,
			       "{\"_id\":\"" ID_2 "\"}\n", &err),
		  &err);
	before = print_all(d);
	zip_maker_init(&z);
	add_table(&z, "", "a", "{\"n\":1}\n", NULL);
	add_table(&z, "", "b", "{\"n\":2}\n{\"_id\":\"" ID_2 "\"}\n", NULL);
	add_table(&z, "", "c", "{\"n\":3}\n", NULL);
	EXPECT_FAIL(restore_zip(d, IMPORT_APPEND, &z, &err), &err, -EINVAL,
		    "b/documents.jsonl: row 2: table b has a document");
	after = print_all(d);
	EXPECT_TEXT(after, strlen(after), before);
	EXPECT_INT(store_count_files(d, "segments"), 2);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	free(before);
	free(after);
	store_close(d);
}

/* More than the shelf holds in memory, in ids of no order. */
TEST(restore_of_many_tables_keeps_them_aside_on_disk)
{
	struct deployment *d = store_open(store_new_dir());
	struct restore_result result;
	struct cvx_err err = CVX_ERR_INIT;
	char *rows = store_make_rows(0, 400, 100), name[20];
	struct cvx_buf mixed = CVX_BUF_INIT(MIB);
	struct zip_maker z;
	int i;

	EXPECT_INT(cvx_buf_printf(
			   &mixed,
			   "{\"_id\":\"j57fzzzzzzzzzzzzzzzzzzzzzzzzzkyr\"}\n"
			   "%s",
			   rows),
		   0);
	EXPECT_INT(cvx_buf_append(&mixed, "", 1), 0);
	zip_maker_init(&z);
	zip_add_text(&z, "_tables/documents.jsonl",
		     "{\"name\":\"mixed\",\"id\":10001}\n");
	add_table(&z, "", "mixed", mixed.data, NULL);
	for (i = 0; i < 150; i++) {
		(void)snprintf(name, sizeof(name), "t%d", i);
		add_table(&z, "", name, rows, NULL);
	}
	zip_end(&z, "");
	EXPECT_OK(restore_file(d, IMPORT_REQUIRE_EMPTY, &z.file, &result, &err),
		  &err);
	EXPECT_INT(result.document_count, 151 * 400 + 1);
	EXPECT_INT(result.table_count, 151);
	EXPECT_INT(store_stat(d, "mixed").document_count, 401);
	EXPECT_INT(store_stat(d, "t149").document_count, 400);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	zip_maker_fini(&z);
	cvx_buf_fini(&mixed);
	free(rows);
	store_close(d);
}

TEST(restore_of_a_large_table_uses_blocks_and_stages)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char *rows = store_make_rows(0, 100000, 60);
	struct zip_maker z;

	zip_maker_init(&z);
	add_table(&z, "", "big", rows, "\"uniform\"\n");
	add_table(&z, "", "old", rows, "\"unknown\"\n");
	EXPECT_OK(restore_zip(d, IMPORT_REQUIRE_EMPTY, &z, &err), &err);
	EXPECT_INT(store_stat(d, "big").document_count, 100000);
	EXPECT_INT(store_stat(d, "old").document_count, 100000);
	free(rows);
	store_close(d);
}

/* Small tables are converted by several threads. */

/* n tables t0 … of one row each; those of the list have three bad rows. */
static void make_small_tables(struct zip_maker *z, int count, const int *bad,
			      size_t bad_count)
{
	char name[20], rows[100];
	size_t j;
	int i;

	zip_maker_init(z);
	for (i = 0; i < count; i++) {
		(void)snprintf(name, sizeof(name), "t%d", i);
		(void)snprintf(rows, sizeof(rows), "{\"n\":%d}\n", i);
		for (j = 0; j < bad_count; j++)
			if (bad[j] == i)
				(void)snprintf(rows, sizeof(rows),
					       "{\"n\":%d}\n{\n{\n{\n", i);
		add_table(z, "", name, rows, NULL);
	}
}

TEST(restore_refuses_the_first_bad_table_whatever_the_threads_do)
{
	static const int bad[] = {17, 18, 19, 40};
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;
	int i;

	for (i = 0; i < 20; i++) {
		make_small_tables(&z, 50, bad, 4);
		EXPECT_FAIL(restore_zip(d, IMPORT_REPLACE, &z, &err), &err,
			    -EINVAL, "t17/documents.jsonl: row 2: ");
		assert_non_null(strstr(err.msg, "2 more rows refused"));
	}
	EXPECT_INT(store_has(d, "t0"), false);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	store_close(d);
}

/* Of two that share their bytes the first one is believed, and neither is
 * converted: the bad row is not seen. */
TEST(restore_refuses_entries_that_overlap_before_it_converts)
{
	static const int bad[] = {3};
	const struct zip_lie same = {.has_offset = true, .offset = 0};
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;

	make_small_tables(&z, 50, bad, 1);
	zip_add(&z, "u/documents.jsonl", "{\"n\":0}\n", 8, &same);
	EXPECT_FAIL(restore_zip(d, IMPORT_REPLACE, &z, &err), &err, -EINVAL,
		    "u/documents.jsonl: it shares its bytes with the entry "
		    "t0/documents.jsonl");
	store_close(d);
}

/* Many small tables and a large one between them; with ids of their own, so
 * that nothing depends on the time. */
static char *restore_mixed_sizes(void)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct cvx_buf rows = CVX_BUF_INIT(16 * MIB);
	struct zip_maker z;
	const struct internal_id internal = {{7}};
	char name[40], id[ID_TEXT_MAX + 1], *text;
	int i;

	zip_maker_init(&z);
	for (i = 0; i < 30; i++) {
		id[id_encode(10001 + (uint32_t)i, &internal, id)] = '\0';
		cvx_buf_clear(&rows);
		EXPECT_INT(cvx_buf_printf(&rows,
					  "{\"_creationTime\":%d,\"_id\":\""
					  "%s\",\"s\":\"%*s\"}\n",
					  i + 1, id, 1000 * i, ""),
			   0);
		(void)snprintf(name, sizeof(name), "t%d/documents.jsonl", i);
		if (i == 14) { /* spaces between the fields do not last */
			rows.size -= 2;
			while (rows.size < 3 * MIB)
				EXPECT_INT(cvx_buf_puts(&rows, "          "),
					   0);
			EXPECT_INT(cvx_buf_puts(&rows, "}\n"), 0);
		}
		zip_add(&z, name, rows.data, rows.size, NULL);
	}
	EXPECT_OK(restore_zip(d, IMPORT_REPLACE, &z, &err), &err);
	text = print_all(d);
	cvx_buf_fini(&rows);
	store_close(d);
	return text;
}

TEST(restore_makes_the_same_with_one_processor)
{
	cpu_set_t all, one;
	char *want = restore_mixed_sizes(), *got;
	size_t i;

	EXPECT_INT(sched_getaffinity(0, sizeof(all), &all), 0);
	for (i = 0; !CPU_ISSET(i, &all); i++)
		;
	CPU_ZERO(&one);
	CPU_SET(i, &one);
	EXPECT_INT(sched_setaffinity(0, sizeof(one), &one), 0);
	got = restore_mixed_sizes();
	EXPECT_INT(sched_setaffinity(0, sizeof(all), &all), 0);
	EXPECT_TEXT(got, strlen(got), want);
	free(got);
	free(want);
}

/* Snapshots made by real deployments. */

/* NULL where the snapshots are not at hand; then there is nothing to check. */
static struct deployment *open_snapshot(const char *path)
{
	struct cvx_buf file = CVX_BUF_INIT(64 * MIB);
	struct cvx_err err = CVX_ERR_INIT;
	struct deployment *d;
	size_t size;
	char *bytes;

	if (access(path, R_OK) < 0)
		return NULL;
	d = store_open(store_new_dir());
	bytes = unit_read_file(path, &size);
	EXPECT_INT(cvx_buf_append(&file, bytes, size), 0);
	free(bytes);
	EXPECT_OK(restore_file(d, IMPORT_REQUIRE_EMPTY, &file, NULL, &err),
		  &err);
	cvx_buf_fini(&file);
	return d;
}

TEST(restore_demo_snapshot)
{
	struct deployment *d =
		open_snapshot("../shared/data/snapshot-demo.zip");

	if (!d)
		return;
	EXPECT_INT(store_stat(d, "messages").number, 10001);
	expect_cat(d, "messages", "");
	store_close(d);
}

TEST(restore_shop_snapshot)
{
	struct deployment *d =
		open_snapshot("../shared/data/snapshot-shop.zip");

	if (!d)
		return;
	EXPECT_INT(store_stat(d, "tasks").document_count, 3);
	EXPECT_INT(store_stat(d, "products").document_count, 6);
	EXPECT_INT(store_stat(d, "products").number, 10002);
	EXPECT_INT(store_stat(d, "cart").number, 10003);
	EXPECT_INT(store_stat(d, "orders").number, 10004);
	/* Its rows are those of the archive, byte for byte. */
	EXPECT_INT(store_stat(d, "tasks").size, 363);
	EXPECT_INT(store_stat(d, "products").size, 4981);
	store_close(d);
}

/* Archives that must fail, with nothing changed (F-1, F-6). */

struct hostile {
	const char *name; /* of the entry; NULL: none but the good one */
	const char *text;
	struct zip_lie lie;
	int code;
	const char *why;
};

static void expect_hostile(const struct hostile *h)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char *before, *after;
	struct zip_maker z;
	int r;

	EXPECT_OK(store_import(d, "good", IMPORT_REPLACE, "{\"n\":1}\n", &err),
		  &err);
	before = print_all(d);
	zip_maker_init(&z);
	add_table(&z, "", "good", "{\"n\":2}\n", NULL);
	zip_add(&z, h->name, h->text, strlen(h->text), &h->lie);
	r = restore_zip(d, IMPORT_REPLACE, &z, &err);
	if (r != h->code || !strstr(err.msg, h->why))
		fail_msg("%s, %s: %d %s", h->name, h->why, r, err.msg);
	after = print_all(d);
	EXPECT_TEXT(after, strlen(after), before);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	free(before);
	free(after);
	store_close(d);
}

TEST(restore_refuses_hostile_entries_by_name)
{
#define ENTRY "bad/documents.jsonl"
	static const struct hostile cases[] = {
		{ENTRY,
		 "{\"n\":1}\n",
		 {.crc_xor = 1},
		 -EINVAL,
		 ENTRY ": its checksum"},
		{ENTRY, "", {.crc_xor = 1}, -EINVAL, ENTRY ": its checksum"},
		{ENTRY,
		 "{\"n\":1}\n",
		 {.size_more = -8},
		 -EINVAL,
		 ENTRY ": it has more"},
		{ENTRY,
		 "{\"n\":1}\n",
		 {.size_more = 1 << 30},
		 -EINVAL,
		 ENTRY ": "},
		{ENTRY,
		 "{\"n\":1}\n",
		 {.flags = 1},
		 -EINVAL,
		 ENTRY ": it is encrypted"},
		{ENTRY,
		 "{\"n\":1}\n",
		 {.method = 77},
		 -EINVAL,
		 ENTRY ": it is packed with an unknown method"},
		{ENTRY,
		 "{\"n\":2}\n",
		 {.has_offset = true},
		 -EINVAL,
		 "shares its bytes with the entry " ENTRY},
		{ENTRY,
		 "{\"n\":1}\n{\n",
		 {.crc_xor = 0},
		 -EINVAL,
		 ENTRY ": row 2: "},
		{ENTRY,
		 "{\"n\":1}\n\n",
		 {.crc_xor = 0},
		 -EINVAL,
		 ENTRY ": row 2: "},
		{ENTRY,
		 "\xef\xbb\xbf{\"n\":1}\n",
		 {.crc_xor = 0},
		 -EINVAL,
		 ENTRY ": row 1: "},
		{ENTRY,
		 "{\"s\":\"\xff\"}\n",
		 {.crc_xor = 0},
		 -EINVAL,
		 ENTRY ": row 1: "},
		{ENTRY,
		 "{\"_id\":\"" ID_1 "\"}\n{\"_id\":\"" ID_2 "\"}\n",
		 {.crc_xor = 0},
		 -EINVAL,
		 ENTRY ": "},
		{"bad name/documents.jsonl",
		 "",
		 {.crc_xor = 0},
		 -EINVAL,
		 "bad name/documents.jsonl: "},
		{"_components/a-b/t/documents.jsonl",
		 "",
		 {.crc_xor = 0},
		 -EINVAL,
		 "_components/a-b/t/documents.jsonl: "},
		{"good/generated_schema.jsonl",
		 "null\n",
		 {.crc_xor = 0},
		 -EINVAL,
		 "good/generated_schema.jsonl: row 1: "},
		{"good/generated_schema.jsonl",
		 "\"map<>\"\n",
		 {.crc_xor = 0},
		 -EINVAL,
		 "good/generated_schema.jsonl: row 1: "},
		{"good/generated_schema.jsonl",
		 "\"uniform\"\n",
		 {.crc_xor = 1},
		 -EINVAL,
		 "good/generated_schema.jsonl: its checksum"},
		{"_tables/documents.jsonl",
		 "{\"name\":\"t\"}\n",
		 {.crc_xor = 0},
		 -EINVAL,
		 "_tables/documents.jsonl: row 1: "},
		{"_storage/documents.jsonl",
		 "{}\n",
		 {.crc_xor = 0},
		 -EINVAL,
		 "_storage/documents.jsonl: row 1: \"_id\""},
		{"_storage/nope.gif",
		 "x",
		 {.crc_xor = 0},
		 -EINVAL,
		 "_storage/nope.gif: "},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		expect_hostile(&cases[i]);
}

/* Names are matched, never followed (import.md 6.5). */
TEST(restore_names_with_dots_and_slashes_are_only_prefixes)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;

	zip_maker_init(&z);
	zip_add_text(&z, "/a/documents.jsonl", "{\"n\":1}\n");
	zip_add_text(&z, "../../b/documents.jsonl", "{\"n\":1}\n");
	zip_add_text(&z, "../../etc/passwd", "root\n");
	EXPECT_OK(restore_zip(d, IMPORT_REPLACE, &z, &err), &err);
	EXPECT_INT(store_stat(d, "a").document_count, 1);
	EXPECT_INT(store_stat(d, "b").document_count, 1);
	store_close(d);
}

/* One row that grows without end is refused before it fills memory. */
TEST(restore_bomb_of_one_row_is_refused)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	size_t size = 200 * MIB;
	char *text = malloc(size);
	struct zip_maker z;

	assert_non_null(text);
	memset(text, ' ', size);
	zip_maker_init(&z);
	zip_add(&z, "bomb/documents.jsonl", text, size, NULL);
	free(text);
	EXPECT_INT(z.file.size < MIB, true);
	EXPECT_FAIL(restore_zip(d, IMPORT_REPLACE, &z, &err), &err, -EFBIG,
		    "bomb/documents.jsonl: its first row");
	store_close(d);
}

/* An archive inside an archive is one more entry that is ignored. */
TEST(restore_does_not_unpack_archives_inside)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z, inner;

	zip_maker_init(&inner);
	add_table(&inner, "", "t", "{\"n\":1}\n", NULL);
	zip_end(&inner, "");
	zip_maker_init(&z);
	zip_add(&z, "inner.zip", inner.file.data, inner.file.size, NULL);
	EXPECT_OK(restore_zip(d, IMPORT_REPLACE, &z, &err), &err);
	EXPECT_INT(store_has(d, "t"), false);
	zip_maker_fini(&inner);
	store_close(d);
}

TEST(restore_of_70000_ignored_entries_and_10001_tables)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;
	char name[64];
	int i;

	zip_maker_init(&z);
	for (i = 0; i < 70000; i++) {
		(void)snprintf(name, sizeof(name), "notes/%d.txt", i);
		zip_add_text(&z, name, "");
	}
	add_table(&z, "", "t", "{\"n\":1}\n", NULL);
	EXPECT_OK(restore_zip(d, IMPORT_REPLACE, &z, &err), &err);
	EXPECT_INT(store_stat(d, "t").document_count, 1);

	zip_maker_init(&z);
	for (i = 0; i < 10001; i++) {
		(void)snprintf(name, sizeof(name), "t%d", i);
		add_table(&z, "", name, "", NULL);
	}
	EXPECT_FAIL(restore_zip(d, IMPORT_REPLACE, &z, &err), &err, -EINVAL,
		    "10000");
	EXPECT_INT(store_has(d, "t0"), false);
	store_close(d);
}

/* A cut file, at many places. */
TEST(restore_of_a_cut_archive_changes_nothing)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;
	struct cvx_buf cut;

	zip_maker_init(&z);
	add_table(&z, "", "t", "{\"n\":1}\n", "\"uniform\"\n");
	zip_end(&z, "");
	for (cut = z.file; cut.size > 7; cut.size -= 7) {
		cut.size -= cut.size == z.file.size ? 1 : 0;
		EXPECT_FAIL(restore_file(d, IMPORT_REPLACE, &cut, NULL, &err),
			    &err, -EINVAL, "");
		EXPECT_TEXT(err.name, strlen(err.name), "InvalidZip");
	}
	EXPECT_INT(store_has(d, "t"), false);
	zip_maker_fini(&z);
	store_close(d);
}

/* What happens while the archive is read. */

struct watched {
	const struct cvx_buf *file;
	uint64_t trigger; /* a read at or behind this offset, once */
	bool is_done;
	struct deployment *d;
	struct restore *restore;
	const char *rows; /* NULL: cancel */
};

static int read_watched(void *ctx, uint64_t off, void *buf, size_t size,
			size_t *ret_n, struct cvx_err *err)
{
	struct watched *w = ctx;
	struct import_source source = zip_source_of(w->file);
	struct cvx_err cause = CVX_ERR_INIT;

	if (off < w->trigger && off + size > w->trigger && size > 30 &&
	    !w->is_done && off > 0) {
		w->is_done = true;
		if (w->rows)
			EXPECT_OK(store_import(w->d, "t", IMPORT_APPEND,
					       w->rows, &cause),
				  &cause);
		else
			restore_cancel(w->restore);
	}
	return source.read(source.ctx, off, buf, size, ret_n, err);
}

static int restore_watched(struct deployment *d, enum import_mode mode,
			   const char *rows, struct cvx_err *err)
{
	const struct restore_target target = {"", "backup.zip", mode};
	struct watched w = {.d = d, .rows = rows};
	const struct import_source source = {&w, read_watched};
	char *big = store_make_rows(0, 50000, 60);
	struct restore_result result;
	struct zip_maker z;
	int r;

	zip_maker_init(&z);
	add_table(&z, "", "t", big, NULL);
	add_table(&z, "", "u", "{\"n\":1}\n", NULL);
	zip_end(&z, "");
	w.file = &z.file;
	w.trigger = z.file.size / 2;
	EXPECT_OK(restore_new(d, &target, &source, &w.restore, err), err);
	r = restore_commit(w.restore, z.file.size, &result, err);
	EXPECT_INT(w.is_done, true);
	restore_free(w.restore);
	zip_maker_fini(&z);
	free(big);
	return r;
}

/* The guess of the table's number was wrong: another commit has taken it. */
TEST(restore_converts_again_what_another_commit_made_stale)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, "{\"n\":1}\n", &err),
		  &err);
	EXPECT_OK(restore_watched(d, IMPORT_APPEND, "{\"n\":2}\n", &err), &err);
	EXPECT_INT(store_stat(d, "t").document_count, 50002);
	EXPECT_INT(store_stat(d, "u").document_count, 1);
	store_close(d);
}

TEST(restore_require_empty_looks_again_under_the_lock)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_FAIL(
		restore_watched(d, IMPORT_REQUIRE_EMPTY, "{\"n\":2}\n", &err),
		&err, -EEXIST, "table t has documents already");
	EXPECT_INT(store_stat(d, "t").document_count, 1);
	EXPECT_INT(store_has(d, "u"), false);
	store_close(d);
}

TEST(restore_that_is_canceled_changes_nothing)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_FAIL(restore_watched(d, IMPORT_REPLACE, NULL, &err), &err,
		    -ECANCELED, "canceled");
	EXPECT_INT(store_has(d, "t"), false);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	store_close(d);
}

/* T-5 */
TEST(restore_is_recorded_with_its_outcome)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_buf out = CVX_BUF_INIT(MIB);
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;

	zip_maker_init(&z);
	add_table(&z, "", "t", "{\"n\":1}\n", NULL);
	EXPECT_OK(restore_zip(d, IMPORT_REPLACE_ALL, &z, &err), &err);
	zip_maker_init(&z);
	add_table(&z, "", "t", "{\n{\n{\"n\":1}\n", NULL);
	EXPECT_FAIL(restore_zip(d, IMPORT_REPLACE, &z, &err), &err, -EINVAL,
		    "1 more row refused");
	EXPECT_OK(deployment_print_imports(d, &out, &err), &err);
	EXPECT_INT(cvx_buf_append(&out, "", 1), 0);
	assert_non_null(strstr(out.data, "\"target\":\"backup.zip\",\"format\":"
					 "\"zip\",\"mode\":\"replace-all\","
					 "\"state\":\"completed\",\"rows\":1"));
	assert_non_null(strstr(out.data, "\"code\":\"JsonInvalidRow\""));
	cvx_buf_clear(&out);
	EXPECT_OK(deployment_print_last_error(d, "", NULL, &out, &err), &err);
	EXPECT_INT(cvx_buf_append(&out, "", 1), 0);
	assert_non_null(strstr(out.data, "t/documents.jsonl: row 1: "));
	assert_non_null(strstr(out.data, "\nrow 2: "));
	cvx_buf_fini(&out);
	store_close(d);
}

UNIT_MAIN(
	UNIT_CASE(restore_modes_do_what_the_vectors_say),
	UNIT_CASE(restore_keeps_every_byte_of_an_export),
	UNIT_CASE(restore_without_marker_reads_numbers_as_float64),
	UNIT_CASE(restore_of_an_old_export_follows_shape_and_overrides),
	UNIT_CASE(restore_of_an_old_export_names_the_row_that_does_not_fit),
	UNIT_CASE(restore_joins_two_entries_of_one_table),
	UNIT_CASE(restore_makes_components_and_those_above_them),
	UNIT_CASE(restore_replace_all_deletes_in_every_component),
	UNIT_CASE(restore_append_is_all_or_nothing),
	UNIT_CASE(restore_of_many_tables_keeps_them_aside_on_disk),
	UNIT_CASE(restore_of_a_large_table_uses_blocks_and_stages),
	UNIT_CASE(restore_refuses_the_first_bad_table_whatever_the_threads_do),
	UNIT_CASE(restore_refuses_entries_that_overlap_before_it_converts),
	UNIT_CASE(restore_makes_the_same_with_one_processor),
	UNIT_CASE(restore_demo_snapshot), UNIT_CASE(restore_shop_snapshot),
	UNIT_CASE(restore_refuses_hostile_entries_by_name),
	UNIT_CASE(restore_names_with_dots_and_slashes_are_only_prefixes),
	UNIT_CASE(restore_bomb_of_one_row_is_refused),
	UNIT_CASE(restore_does_not_unpack_archives_inside),
	UNIT_CASE(restore_of_70000_ignored_entries_and_10001_tables),
	UNIT_CASE(restore_of_a_cut_archive_changes_nothing),
	UNIT_CASE(restore_converts_again_what_another_commit_made_stale),
	UNIT_CASE(restore_require_empty_looks_again_under_the_lock),
	UNIT_CASE(restore_that_is_canceled_changes_nothing),
	UNIT_CASE(restore_is_recorded_with_its_outcome), )
