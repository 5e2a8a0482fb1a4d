/* importer/export: import.md 13, filesystem.md T-4. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "cache/base/file.h"
#include "importer/archive/archive.h"
#include "importer/archive/deflate_block.h"
#include "importer/archive/writer.h"
#include "importer/export.h"
#include "importer/restore.h"
#include "importer/stored_file.h"
#include "importer/value/document.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"
#include "tests/unit/vector_files.h"
#include "tests/unit/zip_maker.h"

#define MIB ((size_t)1 << 20)

/* An unnamed file. */
static int temp_file(void)
{
	int fd = open(unit_temp_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		fail_msg("cannot make a file: %m");
	return fd;
}

static int read_fd(void *ctx, uint64_t off, void *buf, size_t size,
		   size_t *ret_n, struct cvx_err *err)
{
	int r = file_pread(*(const int *)ctx, buf, size, off, ret_n);

	return r < 0 ? cvx_fail(err, r, "cannot read") : 0;
}

/* An archive that was written. */
struct written {
	int fd;
	uint64_t size;
	struct archive *archive;
};

static void open_written(struct written *w)
{
	const struct import_source source = {&w->fd, read_fd};
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(archive_open(&source, w->size, &w->archive, &err), &err);
}

static void close_written(struct written *w)
{
	archive_free(w->archive);
	(void)close(w->fd);
}

static void finish_export(struct export *e, struct written *w)
{
	struct cvx_err err = CVX_ERR_INIT;

	w->fd = temp_file();
	EXPECT_OK(export_write(e, w->fd, NULL, &w->size, &err), &err);
	export_free(e);
	open_written(w);
}

static struct export *begin_with(struct deployment *d, bool with_files)
{
	const struct export_settings settings = {.include_storage = with_files};
	struct cvx_err err = CVX_ERR_INIT;
	struct export *e = NULL;

	EXPECT_OK(export_new(d, &settings, &e, &err), &err);
	return e;
}

static struct export *begin_export(struct deployment *d)
{
	return begin_with(d, true);
}

static void write_export(struct deployment *d, struct written *w)
{
	finish_export(begin_export(d), w);
}

/* The whole entry, terminated; its checksum and size are verified. */
static char *read_entry_at(struct archive *a, uint64_t index)
{
	struct archive_stream *s = NULL;
	struct cvx_err err = CVX_ERR_INIT;
	struct archive_entry entry;
	size_t n = 0;
	char *text;

	EXPECT_OK(archive_entry(a, index, &entry, &err), &err);
	text = malloc((size_t)entry.size + 2);
	assert_non_null(text);
	EXPECT_OK(archive_stream_new(a, index, &s, &err), &err);
	EXPECT_OK(
		archive_stream_read(s, text, (size_t)entry.size + 1, &n, &err),
		&err);
	EXPECT_INT(n, entry.size);
	archive_stream_free(s);
	text[n] = '\0';
	return text;
}

/* NULL if there is no such entry. */
static char *read_entry(struct archive *a, const char *name)
{
	struct archive_entry entry;
	struct cvx_err err = CVX_ERR_INIT;
	uint64_t i;

	for (i = 0; i < archive_entry_count(a); i++) {
		EXPECT_OK(archive_entry(a, i, &entry, &err), &err);
		if (strcmp(entry.name, name) == 0)
			return read_entry_at(a, i);
	}
	return NULL;
}

static void expect_entry(struct archive *a, const char *name, const char *want)
{
	char *text = read_entry(a, name);

	if (!text)
		fail_msg("there is no entry %s", name);
	EXPECT_TEXT(text, strlen(text), want);
	free(text);
}

static void restore_fd(struct deployment *d, int fd, uint64_t size)
{
	const struct restore_target target = {"", "backup.zip",
					      IMPORT_REPLACE_ALL};
	const struct import_source source = {&fd, read_fd};
	struct cvx_err err = CVX_ERR_INIT;
	struct restore_result result;
	struct restore *restore = NULL;

	EXPECT_OK(restore_new(d, &target, &source, &restore, &err), &err);
	EXPECT_OK(restore_commit(restore, size, &result, &err), &err);
	restore_free(restore);
}

static void restore_maker(struct deployment *d, struct zip_maker *z)
{
	int fd = temp_file();

	zip_end(z, "");
	EXPECT_INT(file_pwrite(fd, z->file.data, z->file.size, 0), 0);
	restore_fd(d, fd, z->file.size);
	(void)close(fd);
	zip_maker_fini(z);
}

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
	restore_maker(d, &z);
}

static void expect_example(const struct written *w, const cJSON *root,
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
		text = read_entry_at(w->archive, i);
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
	struct written w;

	restore_example(d, root, false);
	finish_export(begin_with(d, false), &w);
	expect_example(&w, root, false);
	close_written(&w);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	store_close(d);
	cJSON_Delete(root);
}

TEST(export_has_the_stored_files_of_the_example)
{
	cJSON *root = vector_read("tests/data/vectors/export_example.json");
	struct deployment *d = store_open(store_new_dir());
	struct deployment *other = store_open(store_new_dir());
	struct written w, again;

	restore_example(d, root, true);
	finish_export(begin_with(d, true), &w);
	expect_example(&w, root, true);
	restore_fd(other, w.fd, w.size);
	finish_export(begin_with(other, true), &again);
	expect_example(&again, root, true);
	close_written(&w);
	close_written(&again);
	store_close(d);
	store_close(other);
	cJSON_Delete(root);
}

TEST(export_of_nothing_has_readme_and_registry)
{
	struct deployment *d = store_open(store_new_dir());
	struct export_counts counts;
	struct export *e = begin_export(d);
	char want[200];
	struct written w;

	(void)snprintf(want, sizeof(want), "snapshot_%s_%lld.zip",
		       deployment_name(d), (long long)export_snapshot_ns(e));
	EXPECT_TEXT(export_file_name(e), strlen(export_file_name(e)), want);
	export_count(e, &counts);
	EXPECT_INT(counts.component_count, 1);
	EXPECT_INT(counts.table_count, 0);
	finish_export(e, &w);
	expect_entry(w.archive, "_tables/documents.jsonl", "");
	close_written(&w);
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

static void expect_names(const struct written *w, const char *want)
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
	struct written w;

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
	restore_maker(d, &z);

	e = begin_component(d, "mail");
	export_count(e, &counts);
	EXPECT_INT(counts.component_count, 2);
	EXPECT_INT(counts.document_count, 3);
	finish_export(e, &w);
	expect_names(&w, "README.md\n"
			 "_tables/documents.jsonl\n"
			 "_components/log/_tables/documents.jsonl\n"
			 "_components/log/deep/documents.jsonl\n"
			 "_components/log/deep/generated_schema.jsonl\n"
			 "post/documents.jsonl\n"
			 "post/generated_schema.jsonl\n"
			 "_storage/documents.jsonl\n"
			 "_components/log/_storage/documents.jsonl\n");
	expect_entry(w.archive, "_tables/documents.jsonl",
		     "{\"name\":\"post\",\"id\":10001}\n");
	close_written(&w);

	finish_export(begin_component(d, "mail/log"), &w);
	expect_names(&w, "README.md\n"
			 "_tables/documents.jsonl\n"
			 "deep/documents.jsonl\n"
			 "deep/generated_schema.jsonl\n"
			 "_storage/documents.jsonl\n");
	close_written(&w);
	finish_export(begin_component(d, ""), &w);
	EXPECT_INT(archive_entry_count(w.archive), 1 + 4 + 2 * 4 + 4);
	close_written(&w);
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
	struct written a, b;
	char *x, *y;
	size_t n;

	EXPECT_OK(store_import(d, "t", IMPORT_APPEND, "{\"a\":1}\n", &err),
		  &err);
	write_export(d, &a);
	write_export(d, &b);
	EXPECT_INT(a.size, b.size);
	x = malloc((size_t)a.size);
	y = malloc((size_t)b.size);
	assert_true(x && y);
	EXPECT_INT(file_pread(a.fd, x, (size_t)a.size, 0, &n), 0);
	EXPECT_INT(file_pread(b.fd, y, (size_t)b.size, 0, &n), 0);
	EXPECT_INT(memcmp(x, y, (size_t)a.size), 0);
	free(x);
	free(y);
	close_written(&a);
	close_written(&b);
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
	int fd = temp_file();
	struct written w;
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
	e = begin_export(d);
	export_count(e, &counts);
	EXPECT_INT(counts.file_count, 1);
	EXPECT_OK(deployment_delete_stored_file(d, "", id, &err), &err);
	finish_export(e, &w);
	want = lines.data;
	expect_entry(w.archive, "_storage/documents.jsonl", want);
	(void)snprintf(name, sizeof(name), "_storage/%s.txt", id);
	expect_entry(w.archive, name, bytes);
	close_written(&w);
	finish_export(begin_with(d, false), &w);
	EXPECT_INT(read_entry(w.archive, "_storage/documents.jsonl") == NULL,
		   true);
	close_written(&w);
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
	struct written w, again;
	struct zip_maker z;

	zip_maker_init(&z);
	zip_add_text(&z, "t/documents.jsonl", rows);
	zip_add_text(&z, "t/generated_schema.jsonl", "\"uniform\"\n");
	restore_maker(d, &z);
	write_export(d, &w);
	first = store_cat(d, "t");
	EXPECT_INT(store_count_lines(first), store_count_lines(rows));
	expect_entry(w.archive, "t/documents.jsonl", first);
	restore_fd(other, w.fd, w.size);
	second = store_cat(other, "t");
	EXPECT_TEXT(second, strlen(second), first);
	write_export(other, &again);
	expect_entry(again.archive, "t/documents.jsonl", first);
	close_written(&w);
	close_written(&again);
	free(first);
	free(second);
	free(rows);
	store_close(d);
	store_close(other);
	cJSON_Delete(root);
}

/* The order of rows. */

/* Rows whose ids are those of numbers from first on, in steps. */
static char *make_id_rows(uint32_t table, uint32_t first, uint32_t count,
			  int32_t step, size_t pad)
{
	struct cvx_buf out = CVX_BUF_INIT(256 * MIB);
	struct internal_id id;
	char text[ID_TEXT_MAX], *filler = malloc(pad + 1);
	uint32_t i, n = first;
	size_t size;

	assert_non_null(filler);
	memset(filler, 'x', pad);
	for (i = 0; i < count; i++, n += (uint32_t)step) {
		memset(&id, 0, sizeof(id));
		id.bytes[0] = (uint8_t)(n >> 24);
		id.bytes[1] = (uint8_t)(n >> 16);
		id.bytes[2] = (uint8_t)(n >> 8);
		id.bytes[3] = (uint8_t)n;
		size = id_encode(table, &id, text);
		EXPECT_INT(cvx_buf_printf(&out,
					  "{\"_id\":\"%.*s\",\"pad\":\"%.*s\"}"
					  "\n",
					  (int)size, text, (int)(n % (pad + 1)),
					  filler),
			   0);
	}
	free(filler);
	EXPECT_INT(cvx_buf_append(&out, "", 1), 0);
	return out.data;
}

static int compare_lines(const void *a, const void *b)
{
	struct internal_id x, y;
	const char *s = *(char *const *)a, *t = *(char *const *)b;

	EXPECT_INT(document_line_id(s, strcspn(s, "\n"), &x), 0);
	EXPECT_INT(document_line_id(t, strcspn(t, "\n"), &y), 0);
	return id_compare(&x, &y);
}

/* The lines of the text by their ids. */
static char *sort_lines(const char *text)
{
	size_t count = (size_t)store_count_lines(text), i, n = 0, size;
	const char **lines = calloc(count + 1, sizeof(*lines));
	char *out = malloc(strlen(text) + 1);

	assert_true(lines && out);
	for (i = 0; i < count; i++) {
		lines[i] = text;
		text = strchr(text, '\n') + 1;
	}
	qsort(lines, count, sizeof(*lines), compare_lines);
	for (i = 0; i < count; i++) {
		size = strcspn(lines[i], "\n") + 1;
		memcpy(out + n, lines[i], size);
		n += size;
	}
	out[n] = '\0';
	free(lines);
	return out;
}

static void import_ids(struct deployment *d, uint32_t first, uint32_t count,
		       int32_t step, size_t pad)
{
	char *rows = make_id_rows(10001, first, count, step, pad);
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(store_import(d, "t", IMPORT_APPEND, rows, &err), &err);
	free(rows);
}

static void expect_sorted(struct deployment *d)
{
	char *text = store_cat(d, "t"), *want = sort_lines(text);
	struct written w;

	write_export(d, &w);
	expect_entry(w.archive, "t/documents.jsonl", want);
	close_written(&w);
	free(want);
	free(text);
}

TEST(export_gives_rows_by_id)
{
	struct deployment *d = store_open(store_new_dir());

	import_ids(d, 1000, 100, 1, 20); /* one segment that ascends */
	expect_sorted(d);
	import_ids(d, 500, 100, -1, 20); /* joined with rows that descend */
	expect_sorted(d);
	store_close(d);
}

TEST(export_merges_segments_by_id)
{
	struct deployment *d = store_open(store_new_dir());

	/* Large enough to stay segments of their own. */
	import_ids(d, 100000, 6000, 2, 700);
	import_ids(d, 130001, 3000, -10, 1400); /* between and above them */
	import_ids(d, 10, 6000, 1, 700);	/* below all */
	import_ids(d, 400000, 6000, 1, 700);	/* above all */
	EXPECT_INT(store_count_files(d, "segments"), 5);
	expect_sorted(d);
	store_close(d);
}

TEST(export_reads_long_rows_out_of_order)
{
	struct deployment *d = store_open(store_new_dir());

	import_ids(d, 1000, 12, -1, 900000);  /* more than a window */
	import_ids(d, 100000, 9000, -1, 100); /* more than a batch */
	expect_sorted(d);
	store_close(d);
}

/* The moment of the snapshot. */

TEST(export_shows_the_moment_of_its_beginning)
{
	struct deployment *d = store_open(store_new_dir());
	struct deployment *same = store_open(deployment_dir(d));
	struct cvx_err err = CVX_ERR_INIT;
	char *before, *rows = store_make_rows(0, 5000, 200);
	struct written w;
	struct export *e;
	int i;

	import_ids(d, 1000, 1000, -1, 50);
	EXPECT_OK(store_import(d, "gone", IMPORT_APPEND, "{\"a\":1}\n", &err),
		  &err);
	before = store_cat(d, "t");
	e = begin_export(d);
	/* By this process and another connection: replaced, appended to,
	 * joined, deleted. */
	EXPECT_OK(store_import(same, "gone", IMPORT_REPLACE, "", &err), &err);
	EXPECT_OK(deployment_delete_table(same, "", "gone", &err), &err);
	EXPECT_OK(store_import(d, "new", IMPORT_APPEND, rows, &err), &err);
	EXPECT_OK(store_import(same, "t", IMPORT_REPLACE, rows, &err), &err);
	for (i = 0; i < 3; i++)
		EXPECT_OK(store_import(d, "t", IMPORT_APPEND, "{\"b\":1}\n",
				       &err),
			  &err);
	finish_export(e, &w);
	free(rows);
	rows = sort_lines(before);
	expect_entry(w.archive, "t/documents.jsonl", rows);
	expect_entry(w.archive, "_tables/documents.jsonl",
		     "{\"name\":\"t\",\"id\":10001}\n"
		     "{\"name\":\"gone\",\"id\":10002}\n");
	EXPECT_INT(read_entry(w.archive, "new/documents.jsonl") == NULL, true);
	close_written(&w);
	free(rows);
	free(before);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	store_close(same);
	store_close(d);
}

TEST(export_of_a_read_only_deployment_shows_its_moment_too)
{
	struct deployment *d = store_open(store_new_dir()), *reading = NULL;
	const struct deployment_settings settings = {.dir = deployment_dir(d),
						     .read_only = true};
	struct cvx_err err = CVX_ERR_INIT;
	struct written w;
	struct export *e;
	char *before;

	import_ids(d, 1000, 100, -1, 50);
	before = store_cat(d, "t");
	EXPECT_OK(deployment_open(&settings, &reading, &err), &err);
	e = begin_export(reading);
	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, "{\"b\":1}\n", &err),
		  &err);
	finish_export(e, &w);
	restore_fd(d, w.fd, w.size);
	close_written(&w);
	deployment_close(reading);
	{
		char *after = store_cat(d, "t"), *want = sort_lines(before);

		EXPECT_TEXT(after, strlen(after), want);
		free(after);
		free(want);
	}
	free(before);
	store_close(d);
}

TEST(export_needs_no_descriptor_a_table)
{
	struct deployment *d = store_open(store_new_dir());
	struct rlimit limit, few;
	struct zip_maker z;
	char name[64];
	struct written w;
	struct export *e;
	int i;

	zip_maker_init(&z);
	for (i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof(name), "t%d/documents.jsonl", i);
		zip_add_text(&z, name, "{\"a\":1}\n");
	}
	restore_maker(d, &z);
	EXPECT_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = limit;
	few.rlim_cur = 60;
	EXPECT_INT(setrlimit(RLIMIT_NOFILE, &few), 0);
	e = begin_export(d);
	finish_export(e, &w);
	EXPECT_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
	EXPECT_INT(archive_entry_count(w.archive), 403);
	close_written(&w);
	store_close(d);
}

static unsigned count_folder(const char *dir, const char *folder)
{
	const struct dirent *entry;
	unsigned count = 0;
	char path[400];
	DIR *list;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, folder);
	list = opendir(path);
	assert_non_null(list);
	while ((entry = readdir(list)))
		count += entry->d_name[0] != '.';
	(void)closedir(list);
	return count;
}

/* In a process of its own, which is killed in the middle. */
static void export_and_die(const char *dir)
{
	pid_t child = fork();
	int status = 0;

	EXPECT_INT(child >= 0, true);
	if (child == 0) {
		(void)begin_export(store_open(dir));
		(void)raise(SIGKILL);
	}
	EXPECT_INT(waitpid(child, &status, 0), child);
	EXPECT_INT(WIFSIGNALED(status), true);
}

TEST(opening_removes_what_a_killed_export_has_left)
{
	const char *dir = store_new_dir();
	struct deployment *d = store_open(dir);

	import_ids(d, 1000, 100, -1, 50);
	store_close(d);
	export_and_die(dir);
	/* Looked at without opening it. */
	EXPECT_INT(count_folder(dir, "stage"), 1);
	d = store_open(dir);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	store_close(d);
}

TEST(opening_leaves_a_living_export_alone)
{
	struct deployment *d = store_open(store_new_dir()), *other;
	struct export *e;
	struct written w;

	import_ids(d, 1000, 100, -1, 50);
	e = begin_export(d);
	other = store_open(deployment_dir(d));
	store_close(other);
	EXPECT_INT(store_count_files(d, "stage"), 1);
	finish_export(e, &w);
	close_written(&w);
	store_close(d);
}

/* What replaces a table, again and again, until it is told to stop. */
struct writer {
	struct deployment *d;
	_Atomic bool stops;
};

static void *keep_writing(void *arg)
{
	struct writer *writer = arg;
	struct cvx_err err = CVX_ERR_INIT;
	char *rows = store_make_rows(0, 500, 10);

	while (!writer->stops)
		EXPECT_OK(store_import(writer->d, "t", IMPORT_REPLACE, rows,
				       &err),
			  &err);
	free(rows);
	return NULL;
}

/* Files go while they are being linked. */
TEST(export_while_another_connection_commits)
{
	struct deployment *d = store_open(store_new_dir());
	struct writer writer = {.d = store_open(deployment_dir(d))};
	struct cvx_err err = CVX_ERR_INIT;
	pthread_t thread;
	struct written w;
	char *text;
	int i;

	EXPECT_OK(store_import(d, "t", IMPORT_APPEND, "{\"a\":1}\n", &err),
		  &err);
	EXPECT_INT(pthread_create(&thread, NULL, keep_writing, &writer), 0);
	for (i = 0; i < 30; i++) {
		write_export(d, &w);
		text = read_entry(w.archive, "t/documents.jsonl");
		assert_non_null(text);
		EXPECT_INT(store_count_lines(text) == 1 ||
				   store_count_lines(text) == 500,
			   true);
		free(text);
		close_written(&w);
	}
	writer.stops = true;
	(void)pthread_join(thread, NULL);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	store_close(writer.d);
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

	import_ids(d, 1000, 10, 1, 20);
	segment_path(d, path, sizeof(path));
	EXPECT_INT(unlink(path), 0);
	EXPECT_FAIL(export_new(d, &settings, &e, &err), &err, -EIO, "missing");
	EXPECT_INT(store_count_files(d, "stage"), 0);
	deployment_close(d);
}

static void expect_damage(struct deployment *d, const char *text)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct export *e = begin_export(d);
	uint64_t size = 0;
	int fd = temp_file();

	EXPECT_FAIL(export_write(e, fd, NULL, &size, &err), &err, -EIO, text);
	export_free(e);
	(void)close(fd);
	deployment_close(d);
}

TEST(export_of_a_cut_file_fails)
{
	struct deployment *d = store_open(store_new_dir());
	char path[400];

	import_ids(d, 1000, 10, 1, 20);
	segment_path(d, path, sizeof(path));
	EXPECT_INT(truncate(path, 300), 0);
	expect_damage(d, "t/documents.jsonl");
}

TEST(export_of_a_cut_file_out_of_order_fails)
{
	struct deployment *d = store_open(store_new_dir());
	char path[400];

	import_ids(d, 1000, 10, -1, 20);
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
	int fd = temp_file();

	import_ids(d, 1000, 20000, 1, 300);
	w.e = begin_export(d);
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
	int fd = temp_file();

	import_ids(d, 1000, 20000, 1, 300);
	w.e = begin_export(d);
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

	import_ids(d, 1000, 100, 1, 300);
	e = begin_export(d);
	EXPECT_FAIL(export_write(e, fd, NULL, &size, &err), &err, -ENOSPC,
		    "cannot write the archive");
	export_free(e);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	(void)close(fd);
	store_close(d);
}

/* The archive itself. */

struct made {
	const size_t *sizes;
	size_t entry, done;
	bool is_random;
};

/* Bytes that can be made again: text, or such as cannot be packed. */
static void make_bytes(const struct made *m, char *buf, size_t off, size_t size)
{
	size_t i;
	uint64_t x;

	for (i = 0; i < size; i++) {
		x = (off + i + 1) * UINT64_C(0x9e3779b97f4a7c15);
		x = (x ^ (x >> 29)) * UINT64_C(0xbf58476d1ce4e5b9);
		buf[i] = m->is_random ? (char)(x >> 56)
				      : (char)('a' + (x >> 60));
	}
}

static int open_made(void *ctx, size_t entry, struct cvx_err *err)
{
	struct made *m = ctx;

	(void)err;
	m->entry = entry;
	m->done = 0;
	return 0;
}

static int read_made(void *ctx, void *buf, size_t size, size_t *ret_n,
		     struct cvx_err *err)
{
	struct made *m = ctx;
	size_t left = m->sizes[m->entry] - m->done;

	(void)err;
	*ret_n = left < size ? left : size;
	make_bytes(m, buf, m->done, *ret_n);
	m->done += *ret_n;
	return 0;
}

static void check_sizes(bool is_random)
{
	static const size_t sizes[] = {0,
				       1,
				       65535,
				       65536,
				       DEFLATE_BLOCK_SIZE - 1,
				       DEFLATE_BLOCK_SIZE,
				       DEFLATE_BLOCK_SIZE + 1,
				       3 * DEFLATE_BLOCK_SIZE,
				       0,
				       5 * DEFLATE_BLOCK_SIZE + 4321};
	const size_t count = sizeof(sizes) / sizeof(*sizes);
	struct made m = {.sizes = sizes, .is_random = is_random};
	const struct deflate_feed feed = {&m, open_made, read_made};
	struct cvx_err err = CVX_ERR_INIT;
	struct archive_writer *writer = NULL;
	char name[32], *want, *got;
	struct written w;
	size_t i;

	EXPECT_OK(archive_writer_new(1700000000, &writer, &err), &err);
	for (i = 0; i < count; i++) {
		(void)snprintf(name, sizeof(name), "%zu", i);
		EXPECT_OK(archive_writer_add(writer, name, sizes[i], &err),
			  &err);
	}
	w.fd = temp_file();
	EXPECT_OK(archive_writer_run(writer, w.fd, &feed, NULL, &w.size, &err),
		  &err);
	archive_writer_free(writer);
	open_written(&w);
	EXPECT_INT(archive_entry_count(w.archive), count);
	for (i = 0; i < count; i++) {
		got = read_entry_at(w.archive, i);
		want = malloc(sizes[i] + 1);
		assert_non_null(want);
		make_bytes(&m, want, 0, sizes[i]);
		EXPECT_INT(memcmp(got, want, sizes[i]), 0);
		free(got);
		free(want);
	}
	close_written(&w);
}

TEST(written_entries_of_all_sizes_can_be_read)
{
	check_sizes(false);
}

TEST(written_entries_that_do_not_shrink_can_be_read)
{
	check_sizes(true);
}

static int read_short(void *ctx, void *buf, size_t size, size_t *ret_n,
		      struct cvx_err *err)
{
	(void)ctx;
	(void)size;
	(void)err;
	memset(buf, 'x', 10);
	*ret_n = 10;
	return 0;
}

TEST(an_entry_of_another_size_than_promised_is_refused)
{
	struct made m = {.sizes = NULL};
	const struct deflate_feed feed = {&m, open_made, read_short};
	struct cvx_err err = CVX_ERR_INIT;
	struct archive_writer *writer = NULL;
	uint64_t size = 0;
	int fd = temp_file();

	EXPECT_OK(archive_writer_new(0, &writer, &err), &err);
	EXPECT_OK(archive_writer_add(writer, "short", 11, &err), &err);
	EXPECT_FAIL(archive_writer_run(writer, fd, &feed, NULL, &size, &err),
		    &err, -EIO, "short");
	archive_writer_free(writer);
	(void)close(fd);
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
	  UNIT_CASE(export_shows_the_moment_of_its_beginning),
	  UNIT_CASE(export_of_a_read_only_deployment_shows_its_moment_too),
	  UNIT_CASE(export_needs_no_descriptor_a_table),
	  UNIT_CASE(opening_removes_what_a_killed_export_has_left),
	  UNIT_CASE(opening_leaves_a_living_export_alone),
	  UNIT_CASE(export_while_another_connection_commits),
	  UNIT_CASE(export_of_a_missing_file_fails),
	  UNIT_CASE(export_of_a_cut_file_fails),
	  UNIT_CASE(export_of_a_cut_file_out_of_order_fails),
	  UNIT_CASE(export_tells_its_progress),
	  UNIT_CASE(export_can_be_canceled),
	  UNIT_CASE(export_tells_of_a_full_disk),
	  UNIT_CASE(written_entries_of_all_sizes_can_be_read),
	  UNIT_CASE(written_entries_that_do_not_shrink_can_be_read),
	  UNIT_CASE(an_entry_of_another_size_than_promised_is_refused))
