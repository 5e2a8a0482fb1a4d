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
#include "tests/unit/backup.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"
#include "tests/unit/zip_maker.h"

#define MIB ((size_t)1 << 20)

#define ID_1 "j57060r30c1g60r30c1g60r30d6hatwy" /* of number 10001 */
#define ID_2 "j97081040g2081040g2081040h6hayhn" /* of number 10002 */

/* Contents. */

#define ROW_1                                                                  \
	"{\"A\":true,\"_creationTime\":1700000000001.25,\"_id\":\"" ID_1       \
	"\",\"blob\":{\"$bytes\":\"AP8=\"},\"inf\":{\"$float\":"               \
	"\"AAAAAAAA8H8=\"},\"list\":[1,1.0,-0.0,1e16,1e-7],\"n\":5}\n"

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
	backup_add_table(&z, "", "Users", "", "\"uniform\"\n");
	backup_add_table(&z, "", "messages", ROW_1, "\"uniform\"\n");
	EXPECT_OK(backup_end_and_restore(d, IMPORT_REQUIRE_EMPTY, &z, &err),
		  &err);
	store_expect_cat(d, "messages", ROW_1);
	store_expect_cat(d, "Users", "");
	EXPECT_INT(store_stat(d, "Users").number, 10002);
	store_close(d);
}

TEST(restore_without_marker_reads_numbers_as_float64)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;

	zip_maker_init(&z);
	backup_add_table(&z, "snapshot/", "t",
			 "{\"_creationTime\":1,\"_id\":\"" ID_1 "\",\"n\":5}",
			 NULL);
	EXPECT_OK(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err);
	store_expect_cat(d, "t",
			 "{\"_creationTime\":1.0,\"_id\":\"" ID_1
			 "\",\"n\":5.0}\n");
	store_close(d);
}

TEST(restore_of_an_old_export_follows_shape_and_overrides)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;

	zip_maker_init(&z);
	backup_add_table(
		&z, "", "t",
		"{\"_creationTime\":1,\"_id\":\"" ID_1
		"\",\"n\":\"5\",\"s\":\"6\"}\n"
		"{\"_creationTime\":2,\"n\":\"7\",\"s\":\"8\"}\n",
		"\"{\\\"_creationTime\\\": normalfloat64, \\\"_id\\\": "
		"id<10001>, \\\"n\\\": int64, \\\"s\\\": int64 | string}\"\n"
		"{\"" ID_1 "\":{\"s\":\"int64\"}}\n");
	EXPECT_OK(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err);
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
	backup_add_table(&z, "", "t", "{\"n\":\"5\"}\n{\"n\":\"five\"}\n",
			 "\"{\\\"n\\\": int64}\"\n");
	EXPECT_FAIL(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err,
		    -EINVAL,
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
	backup_add_table(&z, "a/", "t", "{\"n\":1}\n{\"n\":2}",
			 "\"uniform\"\n");
	backup_add_table(&z, "b/", "t", "{\"n\":3}\n", NULL);
	EXPECT_OK(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err);
	text = store_cat(d, "t");
	EXPECT_INT(store_count_lines(text), 3);
	assert_true(strstr(text, "\"n\":1}") < strstr(text, "\"n\":2}"));
	assert_true(strstr(text, "\"n\":2}") < strstr(text, "\"n\":3}"));
	free(text);

	zip_maker_init(&z);
	backup_add_table(&z, "a/", "t", "{\"_id\":\"" ID_1 "\"}\n", NULL);
	backup_add_table(&z, "b/", "t", "{\"_id\":\"" ID_1 "\"}\n", NULL);
	EXPECT_FAIL(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err,
		    -EINVAL, "the same _id");
	store_close(d);
}

/* Rows are counted in each entry, as those about stored files are. */
TEST(restore_of_two_entries_names_the_row_of_the_right_one)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_buf out = CVX_BUF_INIT(MIB);
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;

	zip_maker_init(&z);
	backup_add_table(&z, "a/", "t", "{\"n\":1}\n{\"n\":2}", NULL);
	backup_add_table(&z, "b/", "t", "{\"n\":3}\n{\n", NULL);
	backup_add_table(&z, "c/", "t", "{\n{\"n\":4}\n{\n", NULL);
	EXPECT_FAIL(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err,
		    -EINVAL, "b/t/documents.jsonl: row 2: ");
	assert_null(strstr(err.msg, "a/t"));
	assert_non_null(strstr(err.msg, "2 more rows refused"));
	EXPECT_OK(deployment_print_last_error(d, "", NULL, &out, &err), &err);
	EXPECT_INT(cvx_buf_append(&out, "", 1), 0);
	assert_non_null(strstr(out.data, "\nb/t/documents.jsonl: row 2: "));
	assert_non_null(strstr(out.data, "\nc/t/documents.jsonl: row 1: "));
	assert_non_null(strstr(out.data, "\nc/t/documents.jsonl: row 3: "));

	/* Rows of one _id. */
	zip_maker_init(&z);
	backup_add_table(&z, "a/", "t", "{\"n\":1}\n{\"_id\":\"" ID_1 "\"}\n",
			 NULL);
	backup_add_table(&z, "b/", "t", "{\"_id\":\"" ID_1 "\"}\n", NULL);
	EXPECT_FAIL(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err,
		    -EINVAL, "b/t/documents.jsonl: row 1: ");
	assert_non_null(strstr(err.msg, "a/t/documents.jsonl: row 2 has the "
					"same _id"));

	/* A row whose _id the table has. */
	zip_maker_init(&z);
	backup_add_table(&z, "a/", "t", "{\"_id\":\"" ID_1 "\"}\n", NULL);
	EXPECT_OK(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err);
	zip_maker_init(&z);
	backup_add_table(&z, "a/", "t", "{\"n\":1}\n", NULL);
	backup_add_table(&z, "b/", "t", "{\"_id\":\"" ID_1 "\"}\n", NULL);
	EXPECT_FAIL(backup_end_and_restore(d, IMPORT_APPEND, &z, &err), &err,
		    -EINVAL, "b/t/documents.jsonl: row 1: table t has a");

	/* Rows of an old export that do not fit. */
	zip_maker_init(&z);
	backup_add_table(&z, "a/", "t", "{\"n\":\"5\"}\n",
			 "\"{\\\"n\\\": int64}\"\n");
	backup_add_table(&z, "b/", "t", "{\"n\":\"five\"}\n", NULL);
	EXPECT_FAIL(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err,
		    -EINVAL, "b/t/documents.jsonl: row 1: column 6");
	cvx_buf_fini(&out);
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
	backup_add_table(&z, "_components/a/_components/b/", "t", "{\"n\":1}\n",
			 NULL);
	zip_add_text(&z, "_components/c/_tables/documents.jsonl", "");
	EXPECT_OK(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err);
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
	backup_add_table(&z, "_components/a/", "old", "{\"n\":1}\n", NULL);
	EXPECT_OK(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err);
	zip_maker_init(&z);
	backup_add_table(&z, "", "new", "{\"n\":2}\n", NULL);
	zip_end(&z, "");
	source = zip_source_of(&z.file);
	EXPECT_OK(backup_restore_source(d, "b", IMPORT_REPLACE_ALL, &source,
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
	before = store_print_all(d);
	zip_maker_init(&z);
	backup_add_table(&z, "", "a", "{\"n\":1}\n", NULL);
	backup_add_table(&z, "", "b", "{\"n\":2}\n{\"_id\":\"" ID_2 "\"}\n",
			 NULL);
	backup_add_table(&z, "", "c", "{\"n\":3}\n", NULL);
	EXPECT_FAIL(backup_end_and_restore(d, IMPORT_APPEND, &z, &err), &err,
		    -EINVAL,
		    "b/documents.jsonl: row 2: table b has a document");
	after = store_print_all(d);
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
	backup_add_table(&z, "", "mixed", mixed.data, NULL);
	for (i = 0; i < 150; i++) {
		(void)snprintf(name, sizeof(name), "t%d", i);
		backup_add_table(&z, "", name, rows, NULL);
	}
	zip_end(&z, "");
	EXPECT_OK(
		backup_restore(d, IMPORT_REQUIRE_EMPTY, &z.file, &result, &err),
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
	backup_add_table(&z, "", "big", rows, "\"uniform\"\n");
	backup_add_table(&z, "", "old", rows, "\"unknown\"\n");
	EXPECT_OK(backup_end_and_restore(d, IMPORT_REQUIRE_EMPTY, &z, &err),
		  &err);
	EXPECT_INT(store_stat(d, "big").document_count, 100000);
	EXPECT_INT(store_stat(d, "old").document_count, 100000);
	free(rows);
	store_close(d);
}

/* Canonical rows of a few bytes to more than a block has, 4 MiB of them. */
static struct cvx_buf make_uneven_rows(void)
{
	struct cvx_buf rows = CVX_BUF_INIT(16 * MIB);
	struct internal_id internal = {{0}};
	char id[ID_TEXT_MAX + 1];
	int i, pad;

	for (i = 0; rows.size < 4 * MIB; i++) {
		internal.bytes[0] = (uint8_t)(i >> 8);
		internal.bytes[1] = (uint8_t)i;
		id[id_encode(10001, &internal, id)] = '\0';
		pad = i % 700 == 699 ? 250 * i : i * 37 % 997;
		EXPECT_INT(cvx_buf_printf(&rows,
					  "{\"_creationTime\":%d.0,\"_id\":\""
					  "%s\",\"s\":\"%*s\"}\n",
					  i + 1, id, pad, ""),
			   0);
	}
	return rows;
}

TEST(restore_joins_rows_that_stand_across_blocks)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct cvx_buf rows = make_uneven_rows();
	struct zip_maker z;

	EXPECT_INT(cvx_buf_append(&rows, "", 1), 0);
	zip_maker_init(&z);
	zip_add_text(&z, "_tables/documents.jsonl",
		     "{\"name\":\"uneven\",\"id\":10001}\n");
	backup_add_table(&z, "", "uneven", rows.data, "\"uniform\"\n");
	EXPECT_OK(backup_end_and_restore(d, IMPORT_REQUIRE_EMPTY, &z, &err),
		  &err);
	store_expect_cat(d, "uneven", rows.data);
	cvx_buf_fini(&rows);
	store_close(d);
}

TEST(restore_numbers_a_row_behind_many_blocks)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char *rows = store_make_rows(0, 60000, 60), *bad;
	struct zip_maker z;

	bad = strstr(rows, "{\"n\":50000,");
	assert_non_null(bad);
	*bad = '[';
	zip_maker_init(&z);
	backup_add_table(&z, "", "big", rows, NULL);
	EXPECT_FAIL(backup_end_and_restore(d, IMPORT_REQUIRE_EMPTY, &z, &err),
		    &err, -EINVAL, "big/documents.jsonl: row 50001: ");
	EXPECT_INT(store_has(d, "big"), false);
	EXPECT_INT(store_count_files(d, "stage"), 0);
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
		backup_add_table(z, "", name, rows, NULL);
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
		EXPECT_FAIL(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err),
			    &err, -EINVAL, "t17/documents.jsonl: row 2: ");
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
	EXPECT_FAIL(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err,
		    -EINVAL,
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
	EXPECT_OK(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err);
	text = store_print_all(d);
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
	EXPECT_OK(backup_restore(d, IMPORT_REQUIRE_EMPTY, &file, NULL, &err),
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
	store_expect_cat(d, "messages", "");
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
	backup_add_table(&z, "", "t", big, NULL);
	backup_add_table(&z, "", "u", "{\"n\":1}\n", NULL);
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

/* restore_set_copy(): what has as many bytes and rows is looked at, too. */
TEST(restore_of_a_copy_replaces_what_differs_and_leaves_the_rest)
{
	const struct restore_target target = {"", "copy.zip",
					      IMPORT_REPLACE_ALL};
	struct deployment *d = store_open(store_new_dir());
	uint64_t same_revision, other_revision;
	struct cvx_err err = CVX_ERR_INIT;
	struct import_source source;
	struct restore_result result;
	struct restore *r = NULL;
	struct zip_maker z;
	char *same, *other;

	EXPECT_OK(store_import(d, "same", IMPORT_REPLACE, "{\"n\":1}\n", &err),
		  &err);
	EXPECT_OK(store_import(d, "other", IMPORT_REPLACE, "{\"n\":1}\n", &err),
		  &err);
	same = store_cat(d, "same");
	other = store_cat(d, "other");
	same_revision = store_stat(d, "same").revision;
	other_revision = store_stat(d, "other").revision;
	assert_non_null(strstr(other, "\"n\":1"));
	strstr(other, "\"n\":1")[4] = '2';

	zip_maker_init(&z);
	backup_add_table(&z, "", "same", same, NULL);
	backup_add_table(&z, "", "other", other, NULL);
	zip_end(&z, "");
	source = zip_source_of(&z.file);
	EXPECT_OK(restore_new(d, &target, &source, &r, &err), &err);
	restore_set_copy(r);
	EXPECT_OK(restore_commit(r, z.file.size, &result, &err), &err);
	restore_free(r);
	store_expect_cat(d, "same", same);
	store_expect_cat(d, "other", other);
	EXPECT_INT(store_stat(d, "same").revision, same_revision);
	EXPECT_INT(store_stat(d, "other").revision > other_revision, true);
	zip_maker_fini(&z);
	free(same);
	free(other);
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
	backup_add_table(&z, "", "t", "{\"n\":1}\n", NULL);
	EXPECT_OK(backup_end_and_restore(d, IMPORT_REPLACE_ALL, &z, &err),
		  &err);
	zip_maker_init(&z);
	backup_add_table(&z, "", "t", "{\n{\n{\"n\":1}\n", NULL);
	EXPECT_FAIL(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err,
		    -EINVAL, "1 more row refused");
	EXPECT_OK(deployment_print_imports(d, &out, &err), &err);
	EXPECT_INT(cvx_buf_append(&out, "", 1), 0);
	assert_non_null(strstr(out.data, "\"target\":\"backup.zip\",\"format\":"
					 "\"zip\",\"mode\":\"replace-all\","
					 "\"state\":\"completed\",\"rows\":1"));
	assert_non_null(strstr(out.data, "\"code\":\"JsonInvalidRow\""));
	assert_null(strstr(out.data, "\\n\"")); /* its lines have no last end */
	cvx_buf_clear(&out);
	EXPECT_OK(deployment_print_last_error(d, "", NULL, &out, &err), &err);
	EXPECT_INT(cvx_buf_append(&out, "", 1), 0);
	assert_non_null(strstr(out.data, "t/documents.jsonl: row 1: "));
	assert_non_null(strstr(out.data, "\nrow 2: "));
	cvx_buf_fini(&out);
	store_close(d);
}

UNIT_MAIN(
	UNIT_CASE(restore_keeps_every_byte_of_an_export),
	UNIT_CASE(restore_without_marker_reads_numbers_as_float64),
	UNIT_CASE(restore_of_an_old_export_follows_shape_and_overrides),
	UNIT_CASE(restore_of_an_old_export_names_the_row_that_does_not_fit),
	UNIT_CASE(restore_joins_two_entries_of_one_table),
	UNIT_CASE(restore_of_two_entries_names_the_row_of_the_right_one),
	UNIT_CASE(restore_makes_components_and_those_above_them),
	UNIT_CASE(restore_replace_all_deletes_in_every_component),
	UNIT_CASE(restore_append_is_all_or_nothing),
	UNIT_CASE(restore_of_many_tables_keeps_them_aside_on_disk),
	UNIT_CASE(restore_of_a_large_table_uses_blocks_and_stages),
	UNIT_CASE(restore_joins_rows_that_stand_across_blocks),
	UNIT_CASE(restore_numbers_a_row_behind_many_blocks),
	UNIT_CASE(restore_refuses_the_first_bad_table_whatever_the_threads_do),
	UNIT_CASE(restore_refuses_entries_that_overlap_before_it_converts),
	UNIT_CASE(restore_makes_the_same_with_one_processor),
	UNIT_CASE(restore_demo_snapshot), UNIT_CASE(restore_shop_snapshot),
	UNIT_CASE(restore_converts_again_what_another_commit_made_stale),
	UNIT_CASE(restore_require_empty_looks_again_under_the_lock),
	UNIT_CASE(restore_that_is_canceled_changes_nothing),
	UNIT_CASE(restore_of_a_copy_replaces_what_differs_and_leaves_the_rest),
	UNIT_CASE(restore_is_recorded_with_its_outcome))
