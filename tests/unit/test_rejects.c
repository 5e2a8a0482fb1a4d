#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/rejects.h"
#include "cache/spool.h"

#define LIMIT ((uint64_t)1 << 20)

struct fixture {
	struct cvx_err err;
	struct rejects *rejects;
	char dir[512];
	int dir_fd; /* for the spools */
};

static void reopen(struct fixture *f, uint64_t limit)
{
	rejects_close(f->rejects);
	EXPECT_OK(rejects_open(f->dir, limit, &f->rejects, &f->err), &f->err);
}

static void begin(struct fixture *f, const char *name, uint64_t limit)
{
	*f = (struct fixture){.err = CVX_ERR_INIT};
	(void)snprintf(f->dir, sizeof(f->dir), "%s/%s/rejects", unit_temp_dir(),
		       name);
	EXPECT_OK(rejects_open(f->dir, limit, &f->rejects, &f->err), &f->err);
	f->dir_fd = open(unit_temp_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->dir_fd >= 0);
}

static void end(struct fixture *f)
{
	rejects_close(f->rejects);
	(void)close(f->dir_fd);
}

static int try_keep(struct fixture *f, const char *path, const char *bytes,
		    size_t size, const char *text)
{
	struct spool *s = NULL;
	int r;

	if (bytes) {
		EXPECT_OK(spool_new(f->dir_fd, &s, &f->err), &f->err);
		EXPECT_OK(spool_write(s, 0, bytes, size, &f->err), &f->err);
	}
	r = rejects_keep(f->rejects, path, s, text, strlen(text), &f->err);
	spool_free(s);
	return r;
}

/* So that the next reject is younger also where the clock is coarse. */
static void keep(struct fixture *f, const char *path, const char *bytes,
		 const char *text)
{
	EXPECT_OK(try_keep(f, path, bytes, bytes ? strlen(bytes) : 0, text),
		  &f->err);
	(void)usleep(10000);
}

static void expect_fd(int r, int fd, const char *want)
{
	char buf[4096];
	ssize_t n;

	EXPECT_INT(r, 0);
	n = read(fd, buf, sizeof(buf));
	assert_true(n >= 0);
	EXPECT_TEXT(buf, (size_t)n, want);
	(void)close(fd);
}

static void expect_reject(struct fixture *f, const char *path,
			  const char *bytes, const char *text)
{
	struct reject_info info;
	int fd = -1, r;

	EXPECT_INT(rejects_find(f->rejects, path, &info), 0);
	assert_string_equal(info.path, path);
	free(info.path);
	EXPECT_INT(info.has_bytes, bytes != NULL);
	EXPECT_INT(info.has_text, text != NULL);
	EXPECT_INT(info.size, bytes ? strlen(bytes) : 0);
	EXPECT_INT(info.text_size, text ? strlen(text) : 0);
	assert_true(info.made_ns > 1600000000ll * 1000000000);
	r = rejects_open_bytes(f->rejects, path, &fd);
	if (bytes)
		expect_fd(r, fd, bytes);
	else
		EXPECT_INT(r, -ENOENT);
	r = rejects_open_text(f->rejects, path, &fd);
	if (text)
		expect_fd(r, fd, text);
	else
		EXPECT_INT(r, -ENOENT);
}

static void expect_none(struct fixture *f, const char *path)
{
	struct reject_info info;
	int fd;

	EXPECT_INT(rejects_find(f->rejects, path, &info), -ENOENT);
	EXPECT_INT(rejects_open_bytes(f->rejects, path, &fd), -ENOENT);
	EXPECT_INT(rejects_open_text(f->rejects, path, &fd), -ENOENT);
}

/* want: the paths, each followed by a space. */
static void expect_list(struct fixture *f, const char *want)
{
	struct reject_info *list;
	size_t count, i, n = 0;
	char got[8192] = "";

	EXPECT_OK(rejects_list(f->rejects, &list, &count, &f->err), &f->err);
	for (i = 0; i < count; i++)
		n += (size_t)snprintf(got + n, sizeof(got) - n, "%s ",
				      list[i].path);
	rejects_list_free(list, count);
	EXPECT_TEXT(got, strlen(got), want);
}

/* The names in the folder, sorted, each followed by a space. */
static void expect_names(struct fixture *f, const char *want)
{
	char command[1024], got[4096];
	size_t n;
	FILE *p;

	(void)snprintf(command, sizeof(command),
		       "ls -A '%s' | LC_ALL=C sort | tr '\\n' ' '", f->dir);
	p = popen(command, "r");
	assert_non_null(p);
	n = fread(got, 1, sizeof(got), p);
	(void)pclose(p);
	EXPECT_TEXT(got, n, want);
}

static void put_foreign(struct fixture *f, const char *name, const char *text)
{
	char path[1024];
	FILE *out;

	(void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	out = fopen(path, "w");
	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	(void)fclose(out);
}

TEST(rejects_keep_bytes_and_text)
{
	struct fixture f;

	begin(&f, "keep", LIMIT);
	expect_none(&f, "users/data.csv");
	keep(&f, "users/data.csv", "a,b\n", "row 1: no");
	expect_reject(&f, "users/data.csv", "a,b\n", "row 1: no");
	expect_names(&f, "users%2Fdata.csv.error users%2Fdata.csv.rejected ");
	end(&f);
}

TEST(rejects_outlive_the_process)
{
	struct fixture f;

	begin(&f, "outlive", LIMIT);
	keep(&f, "users/data.csv", "a,b\n", "row 1: no");
	reopen(&f, LIMIT);
	expect_reject(&f, "users/data.csv", "a,b\n", "row 1: no");
	expect_list(&f, "users/data.csv ");
	end(&f);
}

TEST(rejects_are_private)
{
	struct fixture f;
	struct stat st;
	char path[600];

	begin(&f, "private", LIMIT);
	keep(&f, "a.csv", "secret", "no");
	assert_int_equal(stat(f.dir, &st), 0);
	EXPECT_INT(st.st_mode & 0777, 0700);
	(void)snprintf(path, sizeof(path), "%s/a.csv.rejected", f.dir);
	assert_int_equal(stat(path, &st), 0);
	EXPECT_INT(st.st_mode & 0777, 0600);
	(void)snprintf(path, sizeof(path), "%s/a.csv.error", f.dir);
	assert_int_equal(stat(path, &st), 0);
	EXPECT_INT(st.st_mode & 0777, 0600);
	end(&f);
}

TEST(rejects_newer_takes_the_place_of_older)
{
	struct fixture f;

	begin(&f, "newer", LIMIT);
	keep(&f, "a.csv", "first", "one");
	keep(&f, "a.csv", "second try", "two");
	expect_reject(&f, "a.csv", "second try", "two");
	keep(&f, "a.csv", NULL, "three");
	expect_reject(&f, "a.csv", NULL, "three");
	expect_list(&f, "a.csv ");
	end(&f);
}

TEST(rejects_empty_file_is_not_no_file)
{
	struct fixture f;

	begin(&f, "empty", LIMIT);
	keep(&f, "a.json", "", "no value");
	keep(&f, "b.json", NULL, "");
	expect_reject(&f, "a.json", "", "no value");
	expect_reject(&f, "b.json", NULL, "");
	end(&f);
}

TEST(rejects_drop_halves)
{
	struct fixture f;

	begin(&f, "drop", LIMIT);
	keep(&f, "a.csv", "bytes", "text");
	EXPECT_INT(rejects_drop_bytes(f.rejects, "a.csv"), 0);
	expect_reject(&f, "a.csv", NULL, "text");
	EXPECT_INT(rejects_drop_text(f.rejects, "a.csv"), 0);
	expect_none(&f, "a.csv");
	keep(&f, "a.csv", "bytes", "text");
	EXPECT_INT(rejects_drop_text(f.rejects, "a.csv"), 0);
	expect_reject(&f, "a.csv", "bytes", NULL);
	expect_list(&f, "a.csv ");
	EXPECT_INT(rejects_drop(f.rejects, "a.csv"), 0);
	expect_none(&f, "a.csv");
	EXPECT_INT(rejects_drop(f.rejects, "a.csv"), 0);
	expect_names(&f, "");
	end(&f);
}

TEST(rejects_names_that_need_encoding)
{
	const char *paths[] = {"%",	     "a%2Fb/c",
			       "a/b/c",	     "%2F",
			       "%~x",	     ".hidden",
			       "a.error",    "a.rejected",
			       "a b\n\"c\"", "\xc3\xa9t\xc3\xa9.csv"};
	size_t count = sizeof(paths) / sizeof(*paths), i, listed;
	struct reject_info *list;
	struct fixture f;

	begin(&f, "encoding", LIMIT);
	for (i = 0; i < count; i++)
		keep(&f, paths[i], paths[i], "text");
	for (i = 0; i < count; i++)
		expect_reject(&f, paths[i], paths[i], "text");
	EXPECT_OK(rejects_list(f.rejects, &list, &listed, &f.err), &f.err);
	EXPECT_INT(listed, count);
	for (i = 0; i < count; i++)
		assert_string_equal(list[i].path, paths[i]);
	rejects_list_free(list, listed);
	end(&f);
}

TEST(rejects_long_names_work)
{
	char plain[247], a[501], b[501];
	struct fixture f;

	begin(&f, "long", LIMIT);
	memset(plain, 'p', sizeof(plain) - 1); /* just fits */
	plain[sizeof(plain) - 1] = '\0';
	memset(a, 'x', sizeof(a) - 1);
	a[250] = '/';
	a[sizeof(a) - 1] = '\0';
	memcpy(b, a, sizeof(b));
	b[sizeof(b) - 2] = 'y';
	keep(&f, plain, "plain", "text");
	keep(&f, a, "bytes of a", "text of a");
	keep(&f, b, "bytes of b", "text of b");
	reopen(&f, LIMIT);
	expect_reject(&f, plain, "plain", "text");
	expect_reject(&f, a, "bytes of a", "text of a");
	expect_reject(&f, b, "bytes of b", "text of b");
	EXPECT_INT(rejects_drop(f.rejects, a), 0);
	expect_none(&f, a);
	expect_reject(&f, b, "bytes of b", "text of b");
	EXPECT_INT(rejects_drop(f.rejects, b), 0);
	EXPECT_INT(rejects_drop(f.rejects, plain), 0);
	expect_names(&f, "");
	end(&f);
}

TEST(rejects_oldest_go_first)
{
	char bytes[1001];
	struct fixture f;

	memset(bytes, 'b', sizeof(bytes) - 1);
	bytes[sizeof(bytes) - 1] = '\0';
	begin(&f, "oldest", 3500);
	keep(&f, "one", bytes, "1");
	keep(&f, "two", bytes, "2");
	keep(&f, "three", bytes, "3");
	expect_list(&f, "one two three ");
	keep(&f, "one", bytes, "again");
	expect_list(&f, "two three one ");
	keep(&f, "four", bytes, "4");
	expect_list(&f, "three one four ");
	end(&f);
}

TEST(rejects_larger_than_the_limit_is_kept_alone)
{
	struct fixture f;

	begin(&f, "alone", 10);
	keep(&f, "small", "s", "1");
	keep(&f, "large", "more than ten bytes", "2");
	expect_list(&f, "large ");
	expect_reject(&f, "large", "more than ten bytes", "2");
	keep(&f, "small", "s", "1");
	expect_list(&f, "small ");
	end(&f);
}

TEST(rejects_are_bounded_in_number)
{
	struct reject_info *list;
	struct fixture f;
	char name[32];
	size_t count;
	int i;

	begin(&f, "number", LIMIT);
	for (i = 0; i < REJECTS_COUNT_MAX; i++) {
		(void)snprintf(name, sizeof(name), "%d.error", i);
		put_foreign(&f, name, "");
	}
	keep(&f, "newest", NULL, "");
	EXPECT_OK(rejects_list(f.rejects, &list, &count, &f.err), &f.err);
	EXPECT_INT(count, REJECTS_COUNT_MAX);
	assert_string_equal(list[count - 1].path, "newest");
	rejects_list_free(list, count);
	end(&f);
}

TEST(rejects_leave_foreign_files_alone)
{
	struct fixture f;

	begin(&f, "foreign", 10);
	put_foreign(&f, "notes.txt", "mine");
	put_foreign(&f, ".error", "no name");
	put_foreign(&f, "a%2f.error", "lower case");
	put_foreign(&f, "a%.rejected", "cut");
	put_foreign(&f, "a%00.rejected", "NUL");
	put_foreign(&f, "%~0123.rejected", "no path");
	put_foreign(&f, "%~0123.path", "other");
	reopen(&f, 10);
	expect_list(&f, "");
	keep(&f, "large", "more than ten bytes", "2");
	keep(&f, "larger", "more than ten bytes", "2");
	expect_list(&f, "larger ");
	expect_names(&f, "%~0123.path %~0123.rejected .error a%.rejected "
			 "a%00.rejected a%2f.error larger.error "
			 "larger.rejected notes.txt ");
	end(&f);
}

TEST(rejects_folders_and_links_are_not_read)
{
	struct fixture f;
	char path[600];

	begin(&f, "links", LIMIT);
	(void)snprintf(path, sizeof(path), "%s/a.rejected", f.dir);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	(void)snprintf(path, sizeof(path), "%s/b.error", f.dir);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/c.rejected", f.dir);
	assert_int_equal(mkfifo(path, 0700), 0);
	expect_list(&f, "");
	EXPECT_INT(rejects_open_bytes(f.rejects, "c", &(int){0}), -ENOENT);
	end(&f);
}

TEST(rejects_leftovers_of_a_crash_go)
{
	struct fixture f;
	char mine[64];

	begin(&f, "leftovers", LIMIT);
	/* No process has this number: it is above the largest. */
	put_foreign(&f, ".temporary-2147483647-0", "half");
	(void)snprintf(mine, sizeof(mine), ".temporary-%d-0", (int)getppid());
	put_foreign(&f, mine, "at work");
	put_foreign(&f, ".temporary-x", "foreign");
	reopen(&f, LIMIT);
	(void)snprintf(mine, sizeof(mine), ".temporary-%d-0 .temporary-x ",
		       (int)getppid());
	expect_names(&f, mine);
	end(&f);
}

TEST(rejects_two_openers_see_the_same)
{
	struct fixture f, g;

	begin(&f, "shared", LIMIT);
	begin(&g, "shared", LIMIT);
	keep(&f, "a.csv", "bytes", "text");
	expect_reject(&g, "a.csv", "bytes", "text");
	EXPECT_INT(rejects_drop(g.rejects, "a.csv"), 0);
	expect_none(&f, "a.csv");
	end(&g);
	end(&f);
}

TEST(rejects_folder_that_cannot_be_is_an_error)
{
	struct fixture f;
	struct rejects *r;

	begin(&f, "wrong", LIMIT);
	put_foreign(&f, "file", "");
	(void)snprintf(f.dir + strlen(f.dir), 10, "/file");
	EXPECT_FAIL(rejects_open(f.dir, LIMIT, &r, &f.err), &f.err, -ENOTDIR,
		    "wrong/rejects/file");
	end(&f);
}

/* F-3 for a folder that went away under us: an error, and the spool lives. */
TEST(rejects_failed_keep_says_so)
{
	struct fixture f;

	begin(&f, "failed", LIMIT);
	assert_int_equal(rmdir(f.dir), 0);
	EXPECT_INT(try_keep(&f, "a.csv", "bytes", 5, "text"), -ENOENT);
	EXPECT_INT(try_keep(&f, "a.csv", NULL, 0, "text"), -ENOENT);
	expect_none(&f, "a.csv");
	end(&f);
}

static void *keep_many(void *arg)
{
	struct fixture *f = arg;
	char path[64];
	int i;

	for (i = 0; i < 50; i++) {
		(void)snprintf(path, sizeof(path), "t/%d.csv", i % 7);
		if (rejects_keep(f->rejects, path, NULL, path, strlen(path),
				 NULL) < 0)
			return f;
		if (i % 3 == 0 && rejects_drop(f->rejects, path) < 0)
			return f;
	}
	return NULL;
}

TEST(rejects_threads_do_not_disturb_each_other)
{
	struct reject_info *list;
	pthread_t threads[4];
	struct fixture f;
	size_t count, i;
	void *failed;

	begin(&f, "threads", LIMIT);
	for (i = 0; i < 4; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, keep_many, &f), 0);
	for (i = 0; i < 20; i++) {
		EXPECT_OK(rejects_list(f.rejects, &list, &count, &f.err),
			  &f.err);
		assert_true(count <= 7);
		rejects_list_free(list, count);
	}
	for (i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	end(&f);
}

UNIT_MAIN(UNIT_CASE(rejects_keep_bytes_and_text),
	  UNIT_CASE(rejects_outlive_the_process),
	  UNIT_CASE(rejects_are_private),
	  UNIT_CASE(rejects_newer_takes_the_place_of_older),
	  UNIT_CASE(rejects_empty_file_is_not_no_file),
	  UNIT_CASE(rejects_drop_halves),
	  UNIT_CASE(rejects_names_that_need_encoding),
	  UNIT_CASE(rejects_long_names_work),
	  UNIT_CASE(rejects_oldest_go_first),
	  UNIT_CASE(rejects_larger_than_the_limit_is_kept_alone),
	  UNIT_CASE(rejects_are_bounded_in_number),
	  UNIT_CASE(rejects_leave_foreign_files_alone),
	  UNIT_CASE(rejects_folders_and_links_are_not_read),
	  UNIT_CASE(rejects_leftovers_of_a_crash_go),
	  UNIT_CASE(rejects_two_openers_see_the_same),
	  UNIT_CASE(rejects_folder_that_cannot_be_is_an_error),
	  UNIT_CASE(rejects_failed_keep_says_so),
	  UNIT_CASE(rejects_threads_do_not_disturb_each_other))
