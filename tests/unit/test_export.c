/* importer/export: import.md 13, filesystem.md T-4. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "cache/base/file.h"
#include "importer/archive/archive.h"
#include "importer/export.h"
#include "importer/stored_file.h"
#include "tests/unit/exported.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"
#include "tests/unit/vector_files.h"
#include "tests/unit/zip_maker.h"

#define MIB ((size_t)1 << 20)

/* export_example.json */

static bool is_storage(const char *name)
{
	return strstr(name, "_storage/") != NULL;
}

static void restore_example(struct deployment *d, const cJSON *root,
			    bool with_files)
{
	struct zip_maker z;
	const cJSON *one;

	zip_maker_init(&z);
	cJSON_ArrayForEach(one, cJSON_GetObjectItem(root, "cases"))
	{
		const char *text = vector_string(one, "text");
		const char *name = vector_string(one, "entry");

		if (with_files || !is_storage(name))
			zip_add_text(&z, name, text ? text : "");
	}
	exported_restore_maker(d, &z);
}

static void expect_example(const struct exported *w, const cJSON *root,
			   bool with_files)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct archive_entry entry;
	const cJSON *one;
	uint64_t i = 0;
	char *text;

	cJSON_ArrayForEach(one, cJSON_GetObjectItem(root, "cases"))
	{
		const char *name = vector_string(one, "entry");
		const char *want = vector_string(one, "text");

		if (!with_files && is_storage(name))
			continue;
		EXPECT_OK(archive_entry(w->archive, i, &entry, &err), &err);
		EXPECT_TEXT(entry.name, strlen(entry.name), name);
		text = exported_read_at(w->archive, i);
		if (want)
			EXPECT_TEXT(text, strlen(text), want);
		else
			EXPECT_INT(strlen(text) > 0, true);
		free(text);
		i++;
	}
	EXPECT_INT(archive_entry_count(w->archive), i);
}

TEST(export_has_the_entries_of_the_example_in_their_order)
{
	cJSON *root = vector_read("tests/data/vectors/export_example.json");
	struct deployment *d = store_open(store_new_dir());
	struct exported w;

	restore_example(d, root, false);
	exported_finish(exported_begin_with(d, false), &w);
	expect_example(&w, root, false);
	exported_close(&w);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	store_close(d);
	cJSON_Delete(root);
}

TEST(export_has_the_stored_files_of_the_example)
{
	cJSON *root = vector_read("tests/data/vectors/export_example.json");
	struct deployment *d = store_open(store_new_dir());
	struct deployment *other = store_open(store_new_dir());
	struct exported w, again;

	restore_example(d, root, true);
	exported_finish(exported_begin_with(d, true), &w);
	expect_example(&w, root, true);
	exported_restore(other, w.fd, w.size);
	exported_finish(exported_begin_with(other, true), &again);
	expect_example(&again, root, true);
	exported_close(&w);
	exported_close(&again);
	store_close(d);
	store_close(other);
	cJSON_Delete(root);
}

TEST(export_of_nothing_has_readme_and_registry)
{
	struct deployment *d = store_open(store_new_dir());
	struct export_counts counts;
	struct export *e = exported_begin(d);
	char want[200];
	struct exported w;

	(void)snprintf(want, sizeof(want), "snapshot_%s_%lld.zip",
		       deployment_name(d), (long long)export_snapshot_ns(e));
	EXPECT_TEXT(export_file_name(e), strlen(export_file_name(e)), want);
	export_count(e, &counts);
	EXPECT_INT(counts.component_count, 1);
	EXPECT_INT(counts.table_count, 0);
	exported_finish(e, &w);
	exported_expect(w.archive, "_tables/documents.jsonl", "");
	exported_close(&w);
	store_close(d);
}

static struct export *begin_component(struct deployment *d,
				      const char *component)
{
	const struct export_settings settings = {.include_storage = true,
						 .component = component};
	struct cvx_err err = CVX_ERR_INIT;
	struct export *e = NULL;

	EXPECT_OK(export_new(d, &settings, &e, &err), &err);
	return e;
}

static void expect_names(const struct exported *w, const char *want)
{
	char text[1000] = "";
	struct cvx_err err = CVX_ERR_INIT;
	struct archive_entry entry;
	size_t n = 0;
	uint64_t i;

	for (i = 0; i < archive_entry_count(w->archive); i++) {
		EXPECT_OK(archive_entry(w->archive, i, &entry, &err), &err);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\n",
				      entry.name);
		EXPECT_INT(n < sizeof(text), true);
	}
	EXPECT_TEXT(text, n, want);
}

/* T-1: a component that is mounted looks like its own unzipped backup. */
TEST(export_of_a_component_has_its_tree_as_root)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct export_counts counts;
	struct zip_maker z;
	struct export *e;
	struct exported w;

	zip_maker_init(&z);
	zip_add_text(&z, "t/documents.jsonl", "{\"n\":1.0}\n");
	zip_add_text(&z, "_components/mail_x/t/documents.jsonl",
		     "{\"n\":2.0}\n");
	zip_add_text(&z,
		     "_components/mail/_components/log/deep/documents.jsonl",
		     "{\"n\":3.0}\n");
	zip_add_text(&z, "_components/mail/post/documents.jsonl",
		     "{\"n\":40.0}\n{\"n\":41.0}\n");
	zip_add_text(&z, "_components/mail/_storage/documents.jsonl", "");
	exported_restore_maker(d, &z);

	e = begin_component(d, "mail");
	export_count(e, &counts);
	EXPECT_INT(counts.component_count, 2);
	EXPECT_INT(counts.document_count, 3);
	exported_finish(e, &w);
	expect_names(&w, "README.md\n"
			 "_tables/documents.jsonl\n"
			 "_components/log/_tables/documents.jsonl\n"
			 "_components/log/deep/documents.jsonl\n"
			 "_components/log/deep/generated_schema.jsonl\n"
			 "post/documents.jsonl\n"
			 "post/generated_schema.jsonl\n"
			 "_storage/documents.jsonl\n"
			 "_components/log/_storage/documents.jsonl\n");
	exported_expect(w.archive, "_tables/documents.jsonl",
			"{\"name\":\"post\",\"id\":10001}\n");
	exported_close(&w);

	exported_finish(begin_component(d, "mail/log"), &w);
	expect_names(&w, "README.md\n"
			 "_tables/documents.jsonl\n"
			 "deep/documents.jsonl\n"
			 "deep/generated_schema.jsonl\n"
			 "_storage/documents.jsonl\n");
	exported_close(&w);
	exported_finish(begin_component(d, ""), &w);
	EXPECT_INT(archive_entry_count(w.archive), 1 + 4 + 2 * 4 + 4);
	exported_close(&w);
	EXPECT_INT(export_new(d, &(struct export_settings){.component = "mai"},
			      &e, &err),
		   -ENOENT);
	EXPECT_TEXT(err.msg, strlen(err.msg), "there is no component mai");
	EXPECT_INT(store_count_files(d, "stage"), 0);
	store_close(d);
}

TEST(export_of_what_has_not_changed_is_the_same)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct exported a, b;
	char *x, *y;
	size_t n;

	EXPECT_OK(store_import(d, "t", IMPORT_APPEND, "{\"a\":1}\n", &err),
		  &err);
	exported_write(d, &a);
	exported_write(d, &b);
	EXPECT_INT(a.size, b.size);
	x = malloc((size_t)a.size);
	y = malloc((size_t)b.size);
	assert_true(x && y);
	EXPECT_INT(file_pread(a.fd, x, (size_t)a.size, 0, &n), 0);
	EXPECT_INT(file_pread(b.fd, y, (size_t)b.size, 0, &n), 0);
	EXPECT_INT(memcmp(x, y, (size_t)a.size), 0);
	free(x);
	free(y);
	exported_close(&a);
	exported_close(&b);
	store_close(d);
}

TEST(export_holds_stored_files_until_the_end)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct export_counts counts;
	char id[ID_TEXT_MAX + 1], name[100], *want;
	const size_t size = 3 * MIB + 5;
	char *bytes = malloc(size + 1);
	struct cvx_buf lines = CVX_BUF_INIT(MIB);
	int fd = exported_temp_file();
	struct exported w;
	struct export *e;

	assert_non_null(bytes);
	memset(bytes, 'b', size);
	bytes[size] = '\0';
	EXPECT_INT(file_pwrite(fd, bytes, size, 0), 0);
	EXPECT_OK(deployment_store_file(d, "", "text/plain; charset=utf-8", fd,
					size, id, &err),
		  &err);
	EXPECT_OK(deployment_print_stored_files(d, "", &lines, &err), &err);
	EXPECT_INT(cvx_buf_append(&lines, "", 1), 0);
	e = exported_begin(d);
	export_count(e, &counts);
	EXPECT_INT(counts.file_count, 1);
	EXPECT_OK(deployment_delete_stored_file(d, "", id, &err), &err);
	exported_finish(e, &w);
	want = lines.data;
	exported_expect(w.archive, "_storage/documents.jsonl", want);
	(void)snprintf(name, sizeof(name), "_storage/%s.txt", id);
	exported_expect(w.archive, name, bytes);
	exported_close(&w);
	exported_finish(exported_begin_with(d, false), &w);
	EXPECT_INT(exported_read(w.archive, "_storage/documents.jsonl") == NULL,
		   true);
	exported_close(&w);
	cvx_buf_fini(&lines);
	free(bytes);
	(void)close(fd);
	store_close(d);
}

/* values.json: every type survives restore -> export -> restore. */

static char *make_values(const cJSON *root)
{
	struct cvx_buf out = CVX_BUF_INIT(64 * MIB);
	const cJSON *one, *nesting;
	int count = 0;

	cJSON_ArrayForEach(one, cJSON_GetObjectItem(root, "cases"))
	{
		const char *text = vector_string(one, "export");

		nesting = cJSON_GetObjectItem(one, "nesting");
		if (!text || !nesting || nesting->valueint > 14)
			continue;
		EXPECT_INT(cvx_buf_printf(&out, "{\"v\":%s}\n", text), 0);
		count++;
	}
	EXPECT_INT(count > 50, true);
	EXPECT_INT(cvx_buf_append(&out, "", 1), 0);
	return out.data;
}

TEST(export_and_restore_keep_every_value)
{
	cJSON *root = vector_read("tests/data/vectors/values.json");
	struct deployment *d = store_open(store_new_dir());
	struct deployment *other = store_open(store_new_dir());
	char *rows = make_values(root), *first, *second;
	struct exported w, again;
	struct zip_maker z;

	zip_maker_init(&z);
	zip_add_text(&z, "t/documents.jsonl", rows);
	zip_add_text(&z, "t/generated_schema.jsonl", "\"uniform\"\n");
	exported_restore_maker(d, &z);
	exported_write(d, &w);
	first = store_cat(d, "t");
	EXPECT_INT(store_count_lines(first), store_count_lines(rows));
	exported_expect(w.archive, "t/documents.jsonl", first);
	exported_restore(other, w.fd, w.size);
	second = store_cat(other, "t");
	EXPECT_TEXT(second, strlen(second), first);
	exported_write(other, &again);
	exported_expect(again.archive, "t/documents.jsonl", first);
	exported_close(&w);
	exported_close(&again);
	free(first);
	free(second);
	free(rows);
	store_close(d);
	store_close(other);
	cJSON_Delete(root);
}

/* The order of rows. */

static void expect_sorted(struct deployment *d)
{
	char *text = store_cat(d, "t"), *want = exported_sort_lines(text);
	struct exported w;

	exported_write(d, &w);
	exported_expect(w.archive, "t/documents.jsonl", want);
	exported_close(&w);
	free(want);
	free(text);
}

TEST(export_gives_rows_by_id)
{
	struct deployment *d = store_open(store_new_dir());

	exported_import_ids(d, 1000, 100, 1, 20); /* one segment that ascends */
	expect_sorted(d);
	exported_import_ids(d, 500, 100, -1,
			    20); /* joined with rows that descend */
	expect_sorted(d);
	store_close(d);
}

TEST(export_merges_segments_by_id)
{
	struct deployment *d = store_open(store_new_dir());

	/* Large enough to stay segments of their own. */
	exported_import_ids(d, 100000, 6000, 2, 700);
	exported_import_ids(d, 130001, 3000, -10,
			    1400);		  /* between and above them */
	exported_import_ids(d, 10, 6000, 1, 700); /* below all */
	exported_import_ids(d, 400000, 6000, 1, 700); /* above all */
	EXPECT_INT(store_count_files(d, "segments"), 5);
	expect_sorted(d);
	store_close(d);
}

TEST(export_reads_long_rows_out_of_order)
{
	struct deployment *d = store_open(store_new_dir());

	exported_import_ids(d, 1000, 12, -1, 900000);  /* more than a window */
	exported_import_ids(d, 100000, 9000, -1, 100); /* more than a batch */
	expect_sorted(d);
	store_close(d);
}

/* Damage is told of. */

static void segment_path(struct deployment *d, char *path, size_t size)
{
	(void)snprintf(path, size, "%s/segments/1.rows", deployment_dir(d));
}

TEST(export_of_a_missing_file_fails)
{
	const struct export_settings settings = {.include_storage = true};
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct export *e = NULL;
	char path[400];

	exported_import_ids(d, 1000, 10, 1, 20);
	segment_path(d, path, sizeof(path));
	EXPECT_INT(unlink(path), 0);
	EXPECT_FAIL(export_new(d, &settings, &e, &err), &err, -EIO, "missing");
	EXPECT_INT(store_count_files(d, "stage"), 0);
	deployment_close(d);
}

static void expect_damage(struct deployment *d, const char *text)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct export *e = exported_begin(d);
	uint64_t size = 0;
	int fd = exported_temp_file();

	EXPECT_FAIL(export_write(e, fd, NULL, &size, &err), &err, -EIO, text);
	export_free(e);
	(void)close(fd);
	deployment_close(d);
}

TEST(export_of_a_cut_file_fails)
{
	struct deployment *d = store_open(store_new_dir());
	char path[400];

	exported_import_ids(d, 1000, 10, 1, 20);
	segment_path(d, path, sizeof(path));
	EXPECT_INT(truncate(path, 300), 0);
	expect_damage(d, "t/documents.jsonl");
}

TEST(export_of_a_cut_file_out_of_order_fails)
{
	struct deployment *d = store_open(store_new_dir());
	char path[400];

	exported_import_ids(d, 1000, 10, -1, 20);
	segment_path(d, path, sizeof(path));
	EXPECT_INT(truncate(path, 300), 0);
	expect_damage(d, "t/documents.jsonl: stored rows are damaged");
}

/* How it ends early. */

struct watched {
	struct export *e;
	uint64_t done, settled;
	unsigned count;
	bool cancels;
};

static void watch(void *ctx, const struct export_progress *progress)
{
	struct watched *w = ctx;

	EXPECT_INT(progress->done >= w->done, true);
	EXPECT_INT(progress->settled >= w->settled, true);
	w->done = progress->done;
	w->settled = progress->settled;
	w->count++;
	if (w->cancels)
		export_cancel(w->e);
}

TEST(export_tells_its_progress)
{
	struct deployment *d = store_open(store_new_dir());
	struct watched w = {.e = NULL};
	const struct export_watcher watcher = {watch, &w};
	struct cvx_err err = CVX_ERR_INIT;
	struct export_counts counts;
	uint64_t size = 0;
	int fd = exported_temp_file();

	exported_import_ids(d, 1000, 20000, 1, 300);
	w.e = exported_begin(d);
	export_count(w.e, &counts);
	EXPECT_OK(export_write(w.e, fd, &watcher, &size, &err), &err);
	EXPECT_INT(w.done, counts.size);
	EXPECT_INT(w.settled, size);
	EXPECT_INT(w.count > 5, true);
	EXPECT_INT(lseek(fd, 0, SEEK_END), size);
	export_free(w.e);
	(void)close(fd);
	store_close(d);
}

TEST(export_can_be_canceled)
{
	struct deployment *d = store_open(store_new_dir());
	struct watched w = {.cancels = true};
	const struct export_watcher watcher = {watch, &w};
	struct cvx_err err = CVX_ERR_INIT;
	uint64_t size = 0;
	int fd = exported_temp_file();

	exported_import_ids(d, 1000, 20000, 1, 300);
	w.e = exported_begin(d);
	EXPECT_FAIL(export_write(w.e, fd, &watcher, &size, &err), &err,
		    -ECANCELED, "canceled");
	EXPECT_INT(w.count, 1);
	export_free(w.e);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	(void)close(fd);
	store_close(d);
}

TEST(export_tells_of_a_full_disk)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct export *e;
	uint64_t size = 0;
	int fd = open("/dev/full", O_RDWR | O_CLOEXEC);

	exported_import_ids(d, 1000, 100, 1, 300);
	e = exported_begin(d);
	EXPECT_FAIL(export_write(e, fd, NULL, &size, &err), &err, -ENOSPC,
		    "cannot write the archive");
	export_free(e);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	(void)close(fd);
	store_close(d);
}

UNIT_MAIN(UNIT_CASE(export_has_the_entries_of_the_example_in_their_order),
	  UNIT_CASE(export_has_the_stored_files_of_the_example),
	  UNIT_CASE(export_of_nothing_has_readme_and_registry),
	  UNIT_CASE(export_of_a_component_has_its_tree_as_root),
	  UNIT_CASE(export_of_what_has_not_changed_is_the_same),
	  UNIT_CASE(export_holds_stored_files_until_the_end),
	  UNIT_CASE(export_and_restore_keep_every_value),
	  UNIT_CASE(export_gives_rows_by_id),
	  UNIT_CASE(export_merges_segments_by_id),
	  UNIT_CASE(export_reads_long_rows_out_of_order),
	  UNIT_CASE(export_of_a_missing_file_fails),
	  UNIT_CASE(export_of_a_cut_file_fails),
	  UNIT_CASE(export_of_a_cut_file_out_of_order_fails),
	  UNIT_CASE(export_tells_its_progress),
	  UNIT_CASE(export_can_be_canceled),
	  UNIT_CASE(export_tells_of_a_full_disk))
