/* importer/embedded: the deployment in a folder (architecture.md 3), and what
 * deployment.h promises. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/records.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"
#include "tests/unit/vector_files.h"

#define MIB ((size_t)1 << 20)

static int try_open(const char *dir, bool read_only, struct cvx_err *err)
{
	struct deployment_settings settings = {.dir = dir,
					       .read_only = read_only};
	struct deployment *d = NULL;
	int r = deployment_open(&settings, &d, err);

	deployment_close(d);
	return r;
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[400];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	EXPECT_INT(fclose(f), 0);
}

/* Opening. */

TEST(deployment_makes_its_folder_for_its_owner_alone)
{
	const char *base = store_new_dir();
	char dir[400], path[440];
	struct stat st;

	(void)snprintf(dir, sizeof(dir), "%s/a/My Shop_2", base);
	struct deployment *d = store_open(dir);

	EXPECT_INT(stat(dir, &st), 0);
	EXPECT_INT(st.st_mode & 0777, 0700);
	(void)snprintf(path, sizeof(path), "%s/catalog.sqlite3", dir);
	EXPECT_INT(stat(path, &st), 0);
	EXPECT_INT(st.st_mode & 0777, 0600);
	assert_string_equal(deployment_dir(d), dir);
	assert_string_equal(deployment_name(d), "local-my-shop-2");
	store_close(d);
}

TEST(deployment_keeps_its_name_when_it_moves)
{
	const char *dir = store_new_dir(), *other = store_new_dir();
	struct deployment *d = store_open(dir);
	char *name = strdup(deployment_name(d));

	store_close(d);
	EXPECT_INT(rename(dir, other), 0);
	d = store_open(other);
	assert_string_equal(deployment_name(d), name);
	store_close(d);
	free(name);
}

TEST(deployment_that_is_no_folder_is_refused)
{
	const char *dir = store_new_dir();
	struct cvx_err err = CVX_ERR_INIT;
	char below[400];

	write_file(unit_temp_dir(), strrchr(dir, '/') + 1, "x");
	EXPECT_FAIL(try_open(dir, false, &err), &err, -ENOTDIR,
		    "is not a folder");
	EXPECT_FAIL(try_open(dir, true, &err), &err, -ENOTDIR,
		    "is not a folder");
	(void)snprintf(below, sizeof(below), "%s/below", dir);
	EXPECT_FAIL(try_open(below, false, &err), &err, -ENOTDIR,
		    "is not a folder");
}

TEST(deployment_read_only_is_not_made)
{
	const char *dir = store_new_dir();
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_FAIL(try_open(dir, true, &err), &err, -ENOENT,
		    "no deployment in");
	EXPECT_INT(mkdir(dir, 0700), 0);
	EXPECT_FAIL(try_open(dir, true, &err), &err, -ENOENT,
		    "no deployment in");
}

TEST(deployment_in_a_folder_that_cannot_be_written_says_how_to_read_it)
{
	const char *dir = store_new_dir();
	struct cvx_err err = CVX_ERR_INIT;
	struct deployment *d;

	if (geteuid() == 0)
		return; /* nothing is forbidden to root */
	d = store_open(dir);
	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, "{}\n", &err), &err);
	store_close(d);
	EXPECT_INT(chmod(dir, 0500), 0);
	EXPECT_FAIL(try_open(dir, false, &err), &err, -EACCES, "-o ro");
	EXPECT_INT(chmod(dir, 0700), 0);
}

TEST(deployment_whose_catalog_is_damaged_says_so)
{
	const char *dir = store_new_dir();
	struct cvx_err err = CVX_ERR_INIT;
	char text[4096];
	int i;

	EXPECT_INT(mkdir(dir, 0700), 0);
	for (i = 0; i < 4095; i++)
		text[i] = 'x';
	text[4095] = '\0';
	write_file(dir, "catalog.sqlite3", text);
	EXPECT_FAIL(try_open(dir, false, &err), &err, -EIO, "is damaged");
	EXPECT_FAIL(try_open(dir, true, &err), &err, -EIO, "is damaged");
}

TEST(deployment_whose_segment_is_missing_says_so)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct table_reader *reader = NULL;
	char path[400];

	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, "{}\n", &err), &err);
	(void)snprintf(path, sizeof(path), "%s/segments/1.rows",
		       deployment_dir(d));
	EXPECT_INT(unlink(path), 0);
	EXPECT_FAIL(deployment_open_table(d, "", "t", &reader, &err), &err,
		    -EIO, "table t is damaged");
	EXPECT_FAIL(embedded_check(d, &err), &err, -EIO, "is missing");
	/* An import heals it. */
	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, "{}\n", &err), &err);
	store_close(d);
}

TEST(deployment_check_finds_changed_bytes)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char path[400];
	int fd;

	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, "{\"a\":1}\n", &err),
		  &err);
	(void)snprintf(path, sizeof(path), "%s/segments/1.rows",
		       deployment_dir(d));
	fd = open(path, O_RDWR | O_CLOEXEC);
	EXPECT_INT(pwrite(fd, "x", 1, 0), 1);
	EXPECT_INT(embedded_check(d, &err), -EIO);
	EXPECT_INT(pwrite(fd, "{", 1, 0), 1);
	EXPECT_OK(embedded_check(d, &err), &err);
	EXPECT_INT(ftruncate(fd, 10), 0);
	EXPECT_FAIL(embedded_check(d, &err), &err, -EIO, "too short");
	(void)close(fd);
	deployment_close(d);
}

/* I4, I7 in commit.c, W-13. */
TEST(deployment_start_removes_what_nothing_names)
{
	const char *dir = store_new_dir();
	struct deployment *d = store_open(dir);
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, "{}\n", &err), &err);
	store_close(d);
	write_file(dir, "segments/7.rows", "x");
	write_file(dir, "segments/7.keys", "x");
	write_file(dir, "segments/1.keys.bak", "someone's own");
	write_file(dir, "stage/stage-0123456789abcdef", "x");
	d = store_open(dir);
	EXPECT_INT(store_count_files(d, "segments"), 2);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	EXPECT_INT(store_stat(d, "t").document_count, 1);
	store_close(d);
}

/* A number that a leftover has is passed over (I5). */
TEST(deployment_never_overwrites_a_segment)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char path[400], *text;

	write_file(deployment_dir(d), "segments/1.rows", "left over");
	write_file(deployment_dir(d), "segments/2.keys", "left over");
	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, "{}\n", &err), &err);
	(void)snprintf(path, sizeof(path), "%s/segments/3.rows",
		       deployment_dir(d));
	EXPECT_INT(access(path, F_OK), 0);
	(void)snprintf(path, sizeof(path), "%s/segments/1.rows",
		       deployment_dir(d));
	text = unit_read_file(path, NULL);
	assert_string_equal(text, "left over");
	free(text);
	store_close(d);
}

/* Tables. */

TEST(tables_are_made_listed_and_deleted)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct table_info *list = NULL, info;
	size_t count = 0;

	EXPECT_OK(deployment_create_table(d, "", "b", &err), &err);
	EXPECT_OK(deployment_create_table(d, "", "a", &err), &err);
	EXPECT_OK(deployment_create_table(d, "", "B", &err), &err);
	info = store_stat(d, "a");
	EXPECT_OK(deployment_create_table(d, "", "a", &err), &err);
	EXPECT_INT(store_stat(d, "a").revision, info.revision);
	EXPECT_INT(info.number, 10002);
	assert_true(info.committed_ns > INT64_C(1700000000000000000));
	EXPECT_OK(deployment_list_tables(d, "", &list, &count, &err), &err);
	EXPECT_INT(count, 3);
	assert_string_equal(list[0].name, "B");
	assert_string_equal(list[1].name, "a");
	assert_string_equal(list[2].name, "b");
	free(list);
	EXPECT_OK(deployment_delete_table(d, "", "a", &err), &err);
	EXPECT_FAIL(deployment_delete_table(d, "", "a", &err), &err, -ENOENT,
		    "there is no table a");
	EXPECT_FAIL(deployment_stat_table(d, "", "a", &info, &err), &err,
		    -ENOENT, "there is no table a");
	/* Its number is free again (import.md 2.4). */
	EXPECT_OK(deployment_create_table(d, "", "c", &err), &err);
	EXPECT_INT(store_stat(d, "c").number, 10002);
	store_close(d);
}

TEST(tables_with_documents_are_not_deleted)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, "{}\n", &err), &err);
	EXPECT_FAIL(deployment_delete_table(d, "", "t", &err), &err, -ENOTEMPTY,
		    "has documents");
	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, "", &err), &err);
	EXPECT_OK(deployment_delete_table(d, "", "t", &err), &err);
	assert_false(store_has(d, "t"));
	store_close(d);
}

/* M-5 */
TEST(tables_of_bad_names_are_refused)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char name[70];

	memset(name, 'a', sizeof(name));
	name[65] = '\0';
	EXPECT_FAIL(deployment_create_table(d, "", name, &err), &err,
		    -ENAMETOOLONG, "at most 64 bytes");
	name[64] = '\0';
	EXPECT_OK(deployment_create_table(d, "", name, &err), &err);
	EXPECT_FAIL(deployment_create_table(d, "", "a b", &err), &err, -EINVAL,
		    "not a table name");
	EXPECT_FAIL(deployment_create_table(d, "", "_x", &err), &err, -EINVAL,
		    "system");
	assert_string_equal(err.name, "InvalidTableName");
	store_close(d);
}

TEST(tables_of_an_unknown_component_are_not_there)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct table_info *list = NULL, info;
	struct table_reader *reader = NULL;
	size_t count;

	EXPECT_OK(deployment_find_component(d, "", &err), &err);
	EXPECT_FAIL(deployment_find_component(d, "x", &err), &err, -ENOENT,
		    "component x");
	EXPECT_FAIL(deployment_list_tables(d, "x", &list, &count, &err), &err,
		    -ENOENT, "component x");
	EXPECT_FAIL(deployment_stat_table(d, "x", "t", &info, &err), &err,
		    -ENOENT, "component x");
	EXPECT_FAIL(deployment_open_table(d, "x", "t", &reader, &err), &err,
		    -ENOENT, "component x");
	EXPECT_FAIL(deployment_create_table(d, "x", "t", &err), &err, -ENOENT,
		    "component x");
	store_close(d);
}

/* C-6, with two handles for two processes. */
TEST(tables_are_seen_by_others_at_once)
{
	const char *dir = store_new_dir();
	struct deployment *a = store_open(dir), *b = store_open(dir);
	struct cvx_err err = CVX_ERR_INIT;
	char *text;

	EXPECT_OK(deployment_create_table(a, "", "t", &err), &err);
	assert_true(store_has(b, "t"));
	EXPECT_OK(store_import(b, "t", IMPORT_APPEND, "{\"n\":1}\n", &err),
		  &err);
	text = store_cat(a, "t");
	EXPECT_INT(store_count_lines(text), 1);
	free(text);
	EXPECT_OK(store_import(a, "t", IMPORT_REPLACE, "", &err), &err);
	EXPECT_INT(store_stat(b, "t").size, 0);
	store_close(a);
	store_close(b);
}

/* Revisions are never used again, not even for a table of the same name. */
TEST(tables_never_get_a_revision_twice)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	uint64_t last = 0;
	int i;

	for (i = 0; i < 5; i++) {
		EXPECT_OK(deployment_create_table(d, "", "t", &err), &err);
		assert_true(store_stat(d, "t").revision > last);
		EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, "", &err), &err);
		last = store_stat(d, "t").revision;
		EXPECT_OK(deployment_delete_table(d, "", "t", &err), &err);
	}
	store_close(d);
}

/* import.md 7.4, T-9 */
TEST(tables_have_a_largest_count)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_buf text = CVX_BUF_INIT(2 * MIB);
	struct cvx_err err = CVX_ERR_INIT;
	struct table_info *list = NULL;
	size_t count = 0;
	int i;

	for (i = 0; i < 10000; i++)
		EXPECT_INT(cvx_buf_printf(&text,
					  "{\"name\":\"t%d\",\"id\":%d}\n", i,
					  10001 + i),
			   0);
	EXPECT_OK(deployment_register_tables(d, "", text.data, text.size, &err),
		  &err);
	cvx_buf_fini(&text);
	EXPECT_OK(deployment_list_tables(d, "", &list, &count, &err), &err);
	EXPECT_INT(count, 10000);
	free(list);
	EXPECT_INT(deployment_create_table(d, "", "one_more", &err), -EINVAL);
	assert_string_equal(err.name, "TooManyTables");
	EXPECT_INT(store_import(d, "one_more", IMPORT_APPEND, "{}\n", &err),
		   -EINVAL);
	assert_string_equal(err.name, "TooManyTables");
	/* Even for replacements; but not for an append. */
	EXPECT_INT(store_import(d, "t5", IMPORT_REPLACE, "{}\n", &err),
		   -EINVAL);
	assert_string_equal(err.name, "TooManyTables");
	EXPECT_OK(store_import(d, "t5", IMPORT_APPEND, "{}\n", &err), &err);
	store_close(d);
}

/* _tables/documents.jsonl: import.md 6.7, 7.3. */

static int register_text(struct deployment *d, const char *text,
			 struct cvx_err *err)
{
	return deployment_register_tables(d, "", text, strlen(text), err);
}

TEST(register_makes_tables_with_their_numbers)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_buf out = CVX_BUF_INIT(MIB);
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(deployment_create_table(d, "", "empty", &err), &err);
	EXPECT_OK(register_text(d,
				"{\"name\":\"b\",\"id\":20000}\n"
				"{\"name\":\"empty\",\"id\":10005.9}\n"
				"{\"id\":10001,\"name\":\"a\",\"more\":[1]}",
				&err),
		  &err);
	EXPECT_OK(deployment_print_tables(d, "", &out, &err), &err);
	EXPECT_TEXT(out.data, out.size,
		    "{\"name\":\"a\",\"id\":10001}\n"
		    "{\"name\":\"empty\",\"id\":10005}\n"
		    "{\"name\":\"b\",\"id\":20000}\n");
	/* Its own text changes nothing. */
	EXPECT_OK(deployment_register_tables(d, "", out.data, out.size, &err),
		  &err);
	cvx_buf_fini(&out);
	store_close(d);
}

TEST(register_exchanges_numbers_of_empty_tables)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(register_text(d,
				"{\"name\":\"a\",\"id\":10001}\n"
				"{\"name\":\"b\",\"id\":10002}\n",
				&err),
		  &err);
	EXPECT_OK(register_text(d,
				"{\"name\":\"a\",\"id\":10002}\n"
				"{\"name\":\"b\",\"id\":10001}\n",
				&err),
		  &err);
	EXPECT_INT(store_stat(d, "a").number, 10002);
	EXPECT_INT(store_stat(d, "b").number, 10001);
	store_close(d);
}

TEST(register_refuses_what_does_not_fit)
{
	static const struct {
		const char *text, *name, *says;
	} cases[] = {
		{"{\"name\":\"full\",\"id\":10077}", "TableNumberConflict",
		 "row 1: table full has documents under the number 10001"},
		{"{\"name\":\"new\",\"id\":10001}", "TableConflict",
		 "belongs to table full"},
		{"{\"name\":\"new\",\"id\":540}", "TableConflict",
		 "belongs to table _storage"},
		{"{\"name\":\"x\",\"id\":10050}\n{\"name\":\"x\",\"id\":10051}",
		 "DuplicateTableName", "row 2: table x stands in row 1"},
		{"{\"name\":\"x\",\"id\":10050}\n{\"name\":\"y\",\"id\":10050}",
		 "InvalidId", "table x in row 1"},
		{"{\"name\":\"x\",\"id\":10050}\nnonsense", "JsonInvalidRow",
		 "row 2: "},
		{"{\"name\":\"x\",\"id\":10050}\n\n", "JsonInvalidRow",
		 "row 2: "},
	};
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	size_t i;

	EXPECT_OK(store_import(d, "full", IMPORT_REPLACE, "{}\n", &err), &err);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		EXPECT_FAIL(register_text(d, cases[i].text, &err), &err,
			    -EINVAL, cases[i].says);
		assert_string_equal(err.name, cases[i].name);
		/* All or nothing. */
		assert_false(store_has(d, "x"));
		assert_false(store_has(d, "new"));
	}
	store_close(d);
}

/* modes.json: archives that hold nothing but _tables, in an empty deployment.
 */
TEST(register_agrees_with_the_vectors)
{
	cJSON *vectors = vector_read("tests/data/vectors/modes.json");
	unsigned checked = 0;
	const cJSON *one;

	cJSON_ArrayForEach(one, cJSON_GetObjectItem(vectors, "cases"))
	{
		const cJSON *import = cJSON_GetObjectItem(one, "import");
		const cJSON *tables = cJSON_GetObjectItem(import, "tables");
		const cJSON *initial = cJSON_GetObjectItem(
			cJSON_GetObjectItem(one, "initial"), "tables");
		const cJSON *expect = cJSON_GetObjectItem(
			cJSON_GetObjectItem(one, "expect"), "replace");
		struct cvx_buf text = CVX_BUF_INIT(MIB);
		struct cvx_err err = CVX_ERR_INIT;
		const char *error = vector_string(expect, "error");
		struct deployment *d;
		const cJSON *row;
		int r;

		if (strcmp(vector_string(import, "format"), "zip") != 0 ||
		    cJSON_GetArraySize(initial) > 0 ||
		    cJSON_GetArraySize(tables) != 1 ||
		    strcmp(tables->child->child->valuestring, "_tables") != 0)
			continue;
		cJSON_ArrayForEach(row, tables->child->child->next)
		{
			char *line = cJSON_PrintUnformatted(row);

			EXPECT_INT(cvx_buf_printf(&text, "%s\n", line), 0);
			free(line);
		}
		d = store_open(store_new_dir());
		r = deployment_register_tables(d, "", text.data, text.size,
					       &err);
		if (error ? r == 0 || !err.name || strcmp(err.name, error) != 0
			  : r < 0)
			fail_msg("%s: %s", vector_string(one, "name"),
				 r < 0 ? err.msg : "no error");
		store_close(d);
		cvx_buf_fini(&text);
		checked++;
	}
	EXPECT_INT(checked, 13);
	cJSON_Delete(vectors);
}

/* Reading. */

TEST(reader_gives_any_range_of_any_table)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct table_reader *reader = NULL;
	char *rows = store_make_rows(0, 20000, 100), *text, got[300];
	size_t size, n = 0, at;
	uint64_t file_off;
	int fd = -1;

	/* Two segments, and a short one behind. */
	EXPECT_OK(store_import(d, "t", IMPORT_APPEND, rows, &err), &err);
	EXPECT_OK(store_import(d, "t", IMPORT_APPEND, rows, &err), &err);
	EXPECT_INT(store_count_files(d, "segments"), 2);
	text = store_cat(d, "t");
	size = strlen(text);
	EXPECT_OK(deployment_open_table(d, "", "t", &reader, &err), &err);
	for (at = 0; at < size + 500; at += 99991) {
		size_t want = at > size			? 0
			      : size - at < sizeof(got) ? size - at
							: sizeof(got);

		EXPECT_OK(table_reader_read(reader, at, got, sizeof(got), &n,
					    &err),
			  &err);
		EXPECT_INT(n, want);
		assert_memory_equal(got, text + at, n);
	}
	/* Across the border of the segments. */
	at = size / 2 - 10;
	EXPECT_OK(table_reader_read(reader, at, got, 200, &n, &err), &err);
	EXPECT_INT(n, 200);
	assert_memory_equal(got, text + at, n);
	EXPECT_OK(
		table_reader_locate(reader, at, 200, &fd, &file_off, &n, &err),
		&err);
	assert_true(n > 0 && n <= 200);
	EXPECT_INT(pread(fd, got, n, (off_t)file_off), n);
	assert_memory_equal(got, text + at, n);
	EXPECT_OK(
		table_reader_locate(reader, size, 1, &fd, &file_off, &n, &err),
		&err);
	EXPECT_INT(n, 0);
	table_reader_close(reader);
	table_reader_close(NULL);
	free(text);
	free(rows);
	store_close(d);
}

/* T-3 across processes: the other one's commit removes the segment. */
TEST(reader_keeps_a_segment_that_another_process_removed)
{
	const char *dir = store_new_dir();
	struct deployment *d = store_open(dir);
	struct cvx_err err = CVX_ERR_INIT;
	struct table_reader *reader = NULL;
	char *want, got[200];
	size_t n = 0;
	int status;
	pid_t pid;

	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, "{\"n\":1}\n", &err),
		  &err);
	want = store_cat(d, "t");
	EXPECT_OK(deployment_open_table(d, "", "t", &reader, &err), &err);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* Of the parent's deployment nothing is touched. */
		struct deployment *other = store_open(dir);

		_exit(store_import(other, "t", IMPORT_REPLACE, "{}\n{}\n",
				   NULL) < 0);
	}
	EXPECT_INT(waitpid(pid, &status, 0), pid);
	EXPECT_INT(status, 0);
	EXPECT_INT(store_stat(d, "t").document_count, 2);
	EXPECT_OK(table_reader_read(reader, 0, got, sizeof(got), &n, &err),
		  &err);
	EXPECT_TEXT(got, n, want);
	table_reader_close(reader);
	free(want);
	store_close(d);
}

/* Texts. */

TEST(print_json_tells_kind_folder_and_options_but_no_secret)
{
	static const char *const options[] = {"mode", "append", "ro",
					      "\"yes\""};
	struct deployment *d = store_open(store_new_dir());
	struct cvx_buf out = CVX_BUF_INIT(MIB);
	struct cvx_err err = CVX_ERR_INIT;
	const cJSON *list;
	cJSON *json;

	EXPECT_OK(deployment_print_json(d, options, 2, &out, &err), &err);
	json = cJSON_ParseWithLength(out.data, out.size);
	assert_string_equal(vector_string(json, "kind"), "embedded");
	assert_string_equal(vector_string(json, "name"), deployment_name(d));
	assert_string_equal(vector_string(json, "folder"), deployment_dir(d));
	list = cJSON_GetObjectItem(json, "options");
	assert_string_equal(vector_string(list, "mode"), "append");
	assert_string_equal(vector_string(list, "ro"), "\"yes\"");
	EXPECT_INT(cJSON_GetArraySize(json), 4);
	cJSON_Delete(json);
	cvx_buf_fini(&out);
	store_close(d);
}

TEST(print_imports_keeps_the_newest)
{
	enum { RECORDS = RECORD_COUNT_MAX + 5 };
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("t", IMPORT_APPEND);
	struct import_record record = {.subject = record_subject(&target),
				       .error_code = "",
				       .error_text = ""};
	struct cvx_buf out = CVX_BUF_INIT(16 * MIB);
	struct cvx_err err = CVX_ERR_INIT;
	bool in_doubt;
	int i;

	EXPECT_OK(embedded_begin(d, &err), &err);
	for (i = 0; i < RECORDS; i++) {
		record.row_count = (uint64_t)i;
		EXPECT_OK(record_insert(d->writes, &record, &err), &err);
	}
	EXPECT_OK(embedded_commit(d, &in_doubt, &err), &err);
	EXPECT_OK(deployment_print_imports(d, &out, &err), &err);
	EXPECT_INT(cvx_buf_append(&out, "", 1), 0);
	EXPECT_INT(store_count_lines(out.data), RECORD_COUNT_MAX);
	assert_non_null(strstr(out.data, "\"rows\":5,"));
	assert_null(strstr(out.data, "\"rows\":4,"));
	cvx_buf_fini(&out);
	store_close(d);
}

TEST(print_last_error_is_empty_when_none_failed)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_buf out = CVX_BUF_INIT(MIB);
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(deployment_print_last_error(d, "", NULL, &out, &err), &err);
	EXPECT_OK(deployment_print_last_error(d, "", "t", &out, &err), &err);
	EXPECT_OK(deployment_print_imports(d, &out, &err), &err);
	EXPECT_OK(deployment_print_tables(d, "", &out, &err), &err);
	EXPECT_INT(out.size, 0);
	cvx_buf_fini(&out);
	store_close(d);
}

/* A text that does not fit is an error, not a cut text. */
TEST(print_imports_says_when_there_is_no_room)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_buf out = CVX_BUF_INIT(20);
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(store_import(d, "t", IMPORT_APPEND, "{}\n", &err), &err);
	EXPECT_INT(deployment_print_imports(d, &out, &err), -EFBIG);
	cvx_buf_fini(&out);
	store_close(d);
}

UNIT_MAIN(
	UNIT_CASE(deployment_makes_its_folder_for_its_owner_alone),
	UNIT_CASE(deployment_keeps_its_name_when_it_moves),
	UNIT_CASE(deployment_that_is_no_folder_is_refused),
	UNIT_CASE(deployment_read_only_is_not_made),
	UNIT_CASE(
		deployment_in_a_folder_that_cannot_be_written_says_how_to_read_it),
	UNIT_CASE(deployment_whose_catalog_is_damaged_says_so),
	UNIT_CASE(deployment_whose_segment_is_missing_says_so),
	UNIT_CASE(deployment_check_finds_changed_bytes),
	UNIT_CASE(deployment_start_removes_what_nothing_names),
	UNIT_CASE(deployment_never_overwrites_a_segment),
	UNIT_CASE(tables_are_made_listed_and_deleted),
	UNIT_CASE(tables_with_documents_are_not_deleted),
	UNIT_CASE(tables_of_bad_names_are_refused),
	UNIT_CASE(tables_of_an_unknown_component_are_not_there),
	UNIT_CASE(tables_are_seen_by_others_at_once),
	UNIT_CASE(tables_never_get_a_revision_twice),
	UNIT_CASE(tables_have_a_largest_count),
	UNIT_CASE(register_makes_tables_with_their_numbers),
	UNIT_CASE(register_exchanges_numbers_of_empty_tables),
	UNIT_CASE(register_refuses_what_does_not_fit),
	UNIT_CASE(register_agrees_with_the_vectors),
	UNIT_CASE(reader_gives_any_range_of_any_table),
	UNIT_CASE(reader_keeps_a_segment_that_another_process_removed),
	UNIT_CASE(print_json_tells_kind_folder_and_options_but_no_secret),
	UNIT_CASE(print_imports_keeps_the_newest),
	UNIT_CASE(print_last_error_is_empty_when_none_failed),
	UNIT_CASE(print_imports_says_when_there_is_no_room))
