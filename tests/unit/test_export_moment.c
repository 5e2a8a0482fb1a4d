/* importer/export: it shows the moment of its beginning, whatever others do
 * meanwhile (filesystem.md T-4, W-13). */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "importer/archive/archive.h"
#include "importer/export.h"
#include "tests/unit/exported.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"
#include "tests/unit/zip_maker.h"

TEST(export_shows_the_moment_of_its_beginning)
{
	struct deployment *d = store_open(store_new_dir());
	struct deployment *same = store_open(deployment_dir(d));
	struct cvx_err err = CVX_ERR_INIT;
	char *before, *rows = store_make_rows(0, 5000, 200);
	struct exported w;
	struct export *e;
	int i;

	exported_import_ids(d, 1000, 1000, -1, 50);
	EXPECT_OK(store_import(d, "gone", IMPORT_APPEND, "{\"a\":1}\n", &err),
		  &err);
	before = store_cat(d, "t");
	e = exported_begin(d);
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
	exported_finish(e, &w);
	free(rows);
	rows = exported_sort_lines(before);
	exported_expect(w.archive, "t/documents.jsonl", rows);
	exported_expect(w.archive, "_tables/documents.jsonl",
			"{\"name\":\"t\",\"id\":10001}\n"
			"{\"name\":\"gone\",\"id\":10002}\n");
	EXPECT_INT(exported_read(w.archive, "new/documents.jsonl") == NULL,
		   true);
	exported_close(&w);
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
	struct exported w;
	struct export *e;
	char *before;

	exported_import_ids(d, 1000, 100, -1, 50);
	before = store_cat(d, "t");
	EXPECT_OK(deployment_open(&settings, &reading, &err), &err);
	e = exported_begin(reading);
	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, "{\"b\":1}\n", &err),
		  &err);
	exported_finish(e, &w);
	exported_restore(d, w.fd, w.size);
	exported_close(&w);
	deployment_close(reading);
	{
		char *after = store_cat(d, "t"),
		     *want = exported_sort_lines(before);

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
	struct exported w;
	struct export *e;
	int i;

	zip_maker_init(&z);
	for (i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof(name), "t%d/documents.jsonl", i);
		zip_add_text(&z, name, "{\"a\":1}\n");
	}
	exported_restore_maker(d, &z);
	EXPECT_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = limit;
	few.rlim_cur = 60;
	EXPECT_INT(setrlimit(RLIMIT_NOFILE, &few), 0);
	e = exported_begin(d);
	exported_finish(e, &w);
	EXPECT_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
	EXPECT_INT(archive_entry_count(w.archive), 403);
	exported_close(&w);
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
		(void)exported_begin(store_open(dir));
		(void)raise(SIGKILL);
	}
	EXPECT_INT(waitpid(child, &status, 0), child);
	EXPECT_INT(WIFSIGNALED(status), true);
}

TEST(opening_removes_what_a_killed_export_has_left)
{
	const char *dir = store_new_dir();
	struct deployment *d = store_open(dir);

	exported_import_ids(d, 1000, 100, -1, 50);
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
	struct exported w;

	exported_import_ids(d, 1000, 100, -1, 50);
	e = exported_begin(d);
	other = store_open(deployment_dir(d));
	store_close(other);
	EXPECT_INT(store_count_files(d, "stage"), 1);
	exported_finish(e, &w);
	exported_close(&w);
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
	struct exported w;
	char *text;
	int i;

	EXPECT_OK(store_import(d, "t", IMPORT_APPEND, "{\"a\":1}\n", &err),
		  &err);
	EXPECT_INT(pthread_create(&thread, NULL, keep_writing, &writer), 0);
	for (i = 0; i < 30; i++) {
		exported_write(d, &w);
		text = exported_read(w.archive, "t/documents.jsonl");
		assert_non_null(text);
		EXPECT_INT(store_count_lines(text) == 1 ||
				   store_count_lines(text) == 500,
			   true);
		free(text);
		exported_close(&w);
	}
	writer.stops = true;
	(void)pthread_join(thread, NULL);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	store_close(writer.d);
	store_close(d);
}

UNIT_MAIN(UNIT_CASE(export_shows_the_moment_of_its_beginning),
	  UNIT_CASE(export_of_a_read_only_deployment_shows_its_moment_too),
	  UNIT_CASE(export_needs_no_descriptor_a_table),
	  UNIT_CASE(opening_removes_what_a_killed_export_has_left),
	  UNIT_CASE(opening_leaves_a_living_export_alone),
	  UNIT_CASE(export_while_another_connection_commits))
