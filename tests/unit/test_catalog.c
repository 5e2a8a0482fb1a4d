/* cache/catalog: SQLite as the catalog of a deployment needs it. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache/catalog.h"
#include "tests/unit/unit.h"

enum { PUT, GET, COUNT, NO_SUCH_TABLE };

static const char *const statements[] = {
	[PUT] = "INSERT INTO things VALUES (?1, ?2, ?3, ?4)",
	[GET] = "SELECT a, b, c, d FROM things ORDER BY a",
	[COUNT] = "SELECT count(*) FROM things",
	[NO_SUCH_TABLE] = "SELECT * FROM nothing",
};

static const char *const migrations[] = {
	"CREATE TABLE things(a INTEGER PRIMARY KEY, b REAL, c TEXT)",
	"ALTER TABLE things ADD COLUMN d BLOB",
};

static struct catalog_settings settings_of(const char *path)
{
	return (struct catalog_settings){.path = path,
					 .application_id = 77,
					 .migrations = migrations,
					 .migration_count = 2,
					 .statements = statements,
					 .statement_count = 4};
}

static const char *new_path(void)
{
	static char path[300];
	static unsigned n;

	(void)snprintf(path, sizeof(path), "%s/catalog-%u", unit_temp_dir(),
		       n++);
	return path;
}

static struct catalog *open_at(const char *path)
{
	struct catalog_settings settings = settings_of(path);
	struct cvx_err err = CVX_ERR_INIT;
	struct catalog *c = NULL;

	EXPECT_OK(catalog_open(&settings, &c, &err), &err);
	return c;
}

static void put(struct catalog *c, int64_t a)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct catalog_query *q = NULL;

	EXPECT_OK(catalog_query(c, PUT, &q, &err), &err);
	catalog_bind_int(q, 1, a);
	catalog_bind_real(q, 2, 0.5);
	catalog_bind_text(q, 3, "text");
	catalog_bind_bytes(q, 4, "a\0b", 3);
	EXPECT_OK(catalog_run(q, &err), &err);
}

static int64_t count(struct catalog *c)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct catalog_query *q = NULL;
	int64_t n;

	EXPECT_OK(catalog_query(c, COUNT, &q, &err), &err);
	EXPECT_INT(catalog_next(q, &err), 1);
	n = catalog_int(q, 0);
	catalog_end(q);
	return n;
}

TEST(catalog_gives_back_what_was_put)
{
	struct catalog *c = open_at(new_path());
	struct cvx_err err = CVX_ERR_INIT;
	struct catalog_query *q = NULL;
	const char *bytes;
	size_t size;

	put(c, INT64_MIN);
	EXPECT_INT(catalog_last_id(c), INT64_MIN);
	EXPECT_INT(catalog_change_count(c), 1);
	EXPECT_OK(catalog_query(c, GET, &q, &err), &err);
	EXPECT_INT(catalog_next(q, &err), 1);
	EXPECT_INT(catalog_int(q, 0), INT64_MIN);
	assert_true(catalog_real(q, 1) == 0.5);
	bytes = catalog_bytes(q, 2, &size);
	EXPECT_TEXT(bytes, size, "text");
	bytes = catalog_bytes(q, 3, &size);
	EXPECT_INT(size, 3);
	assert_memory_equal(bytes, "a\0b", 3);
	EXPECT_INT(catalog_next(q, &err), 0);
	catalog_end(q);
	catalog_close(c);
}

TEST(catalog_null_reads_as_nothing)
{
	struct catalog *c = open_at(new_path());
	struct cvx_err err = CVX_ERR_INIT;
	struct catalog_query *q = NULL;
	size_t size = 1;

	EXPECT_OK(catalog_query(c, PUT, &q, &err), &err);
	catalog_bind_int(q, 1, 1);
	EXPECT_OK(catalog_run(q, &err), &err);
	EXPECT_OK(catalog_query(c, GET, &q, &err), &err);
	EXPECT_INT(catalog_next(q, &err), 1);
	assert_non_null(catalog_bytes(q, 3, &size));
	EXPECT_INT(size, 0);
	catalog_end(q);
	catalog_close(c);
}

TEST(catalog_keeps_what_was_committed)
{
	const char *path = new_path();
	struct cvx_err err = CVX_ERR_INIT;
	struct catalog *c = open_at(path);

	EXPECT_OK(catalog_begin(c, &err), &err);
	put(c, 1);
	EXPECT_OK(catalog_commit(c, &err), &err);
	catalog_close(c);
	c = open_at(path);
	EXPECT_INT(count(c), 1);
	catalog_close(c);
}

TEST(catalog_forgets_what_was_rolled_back)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct catalog *c = open_at(new_path());

	EXPECT_OK(catalog_begin(c, &err), &err);
	put(c, 1);
	catalog_rollback(c);
	catalog_rollback(c); /* nothing is left to roll back */
	EXPECT_INT(count(c), 0);
	catalog_close(c);
}

/* C-6, with two connections for two processes. */
TEST(catalog_sees_commits_of_others_and_nothing_unfinished)
{
	const char *path = new_path();
	struct cvx_err err = CVX_ERR_INIT;
	struct catalog *a = open_at(path), *b = open_at(path);

	EXPECT_OK(catalog_begin(a, &err), &err);
	put(a, 1);
	EXPECT_INT(count(b), 0);
	EXPECT_OK(catalog_commit(a, &err), &err);
	EXPECT_INT(count(b), 1);
	catalog_close(a);
	catalog_close(b);
}

TEST(catalog_settling_changes_nothing)
{
	const char *path = new_path();
	struct cvx_err err = CVX_ERR_INIT;
	struct catalog *c = open_at(path);

	put(c, 1);
	EXPECT_OK(catalog_settle(c, &err), &err);
	EXPECT_INT(count(c), 1);
	catalog_close(c);
	c = open_at(path);
	EXPECT_INT(count(c), 1);
	catalog_close(c);
}

/* Settling must write to the log, or it would not overwrite anything there. */
TEST(catalog_settling_writes)
{
	const char *path = new_path();
	struct cvx_err err = CVX_ERR_INIT;
	struct catalog *c = open_at(path);
	struct stat before, after;
	char wal[310];

	(void)snprintf(wal, sizeof(wal), "%s-wal", path);
	put(c, 1);
	EXPECT_INT(stat(wal, &before), 0);
	EXPECT_OK(catalog_settle(c, &err), &err);
	EXPECT_INT(stat(wal, &after), 0);
	assert_true(after.st_size > before.st_size);
	catalog_close(c);
}

TEST(catalog_constraint_is_a_failure)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct catalog *c = open_at(new_path());
	struct catalog_query *q = NULL;

	put(c, 1);
	EXPECT_OK(catalog_query(c, PUT, &q, &err), &err);
	catalog_bind_int(q, 1, 1);
	EXPECT_FAIL(catalog_run(q, &err), &err, -EIO, "UNIQUE");
	EXPECT_INT(count(c), 1);
	catalog_close(c);
}

TEST(catalog_bad_statement_is_a_failure)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct catalog *c = open_at(new_path());
	struct catalog_query *q = NULL;

	EXPECT_FAIL(catalog_query(c, NO_SUCH_TABLE, &q, &err), &err, -EIO,
		    "nothing");
	catalog_close(c);
}

TEST(catalog_of_an_older_version_is_migrated)
{
	const char *path = new_path();
	struct catalog_settings settings = settings_of(path);
	struct cvx_err err = CVX_ERR_INIT;
	struct catalog *c = NULL;

	settings.migration_count = 1;
	EXPECT_OK(catalog_open(&settings, &c, &err), &err);
	catalog_close(c);
	settings.migration_count = 2;
	settings.read_only = true;
	EXPECT_FAIL(catalog_open(&settings, &c, &err), &err, -EROFS,
		    "older version");
	c = open_at(path);
	put(c, 1);
	catalog_close(c);
}

TEST(catalog_of_a_newer_version_is_refused)
{
	const char *path = new_path();
	struct catalog_settings settings = settings_of(path);
	struct cvx_err err = CVX_ERR_INIT;
	struct catalog *c = open_at(path);

	catalog_close(c);
	settings.migration_count = 1;
	EXPECT_FAIL(catalog_open(&settings, &c, &err), &err, -ENOTSUP,
		    "newer convexfs (version 2, this one knows 1)");
}

static void run_foreign(const char *path, const char *sql)
{
	sqlite3 *db = NULL;

	EXPECT_INT(sqlite3_open(path, &db), SQLITE_OK);
	EXPECT_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	EXPECT_INT(sqlite3_close(db), SQLITE_OK);
}

TEST(catalog_of_another_program_is_refused)
{
	static const char *const foreign[] = {
		"CREATE TABLE bookmarks(url)",
		"PRAGMA application_id=5; PRAGMA user_version=2",
		"PRAGMA user_version=1; CREATE TABLE things(a)",
	};
	struct cvx_err err = CVX_ERR_INIT;
	struct catalog *c = NULL;
	size_t i;

	for (i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		const char *path = new_path();
		struct catalog_settings settings = settings_of(path);

		run_foreign(path, foreign[i]);
		EXPECT_FAIL(catalog_open(&settings, &c, &err), &err, -EINVAL,
			    "another program");
	}
}

TEST(catalog_that_is_damaged_says_so)
{
	const char *path = new_path();
	struct catalog_settings settings = settings_of(path);
	struct cvx_err err = CVX_ERR_INIT;
	struct catalog *c = NULL;
	FILE *f = fopen(path, "w");
	int i;

	assert_non_null(f);
	for (i = 0; i < 5000; i++)
		(void)fputs("not a database ", f);
	EXPECT_INT(fclose(f), 0);
	EXPECT_FAIL(catalog_open(&settings, &c, &err), &err, -EIO,
		    "is damaged");
	EXPECT_FAIL(catalog_open(&settings, &c, &err), &err, -EIO,
		    "move it away");
}

TEST(catalog_read_only_does_not_make_one)
{
	const char *path = new_path();
	struct catalog_settings settings = settings_of(path);
	struct cvx_err err = CVX_ERR_INIT;
	struct catalog *c = NULL;

	settings.read_only = true;
	EXPECT_FAIL(catalog_open(&settings, &c, &err), &err, -ENOENT, path);
	EXPECT_INT(access(path, F_OK), -1);
}

TEST(catalog_read_only_does_not_write)
{
	const char *path = new_path();
	struct catalog_settings settings = settings_of(path);
	struct cvx_err err = CVX_ERR_INIT;
	struct catalog_query *q = NULL;
	struct catalog *c = open_at(path);

	put(c, 1);
	catalog_close(c);
	settings.read_only = true;
	EXPECT_OK(catalog_open(&settings, &c, &err), &err);
	EXPECT_INT(count(c), 1);
	EXPECT_OK(catalog_query(c, PUT, &q, &err), &err);
	EXPECT_FAIL(catalog_run(q, &err), &err, -EROFS, "readonly");
	catalog_close(c);
}

TEST(catalog_immutable_needs_no_file_beside_it)
{
	const char *path = new_path();
	struct catalog_settings settings = settings_of(path);
	struct cvx_err err = CVX_ERR_INIT;
	struct catalog *c = open_at(path);
	char odd[310];

	put(c, 1);
	catalog_close(c);
	/* Bytes that a URI must escape. */
	(void)snprintf(odd, sizeof(odd), "%s%%?#", path);
	EXPECT_INT(rename(path, odd), 0);
	settings.path = odd;
	settings.read_only = settings.immutable = true;
	EXPECT_OK(catalog_open(&settings, &c, &err), &err);
	EXPECT_INT(count(c), 1);
	catalog_close(c);
}

/* Each process opens at once: one migrates, all see the result. */
TEST(catalog_may_be_opened_by_many_at_once)
{
	enum { PROCESSES = 8 };
	const char *path = new_path();
	pid_t pids[PROCESSES];
	int gate[2], i, status;
	struct catalog *c;
	char byte;

	EXPECT_INT(pipe2(gate, O_CLOEXEC), 0);
	for (i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0) {
			struct catalog_settings settings = settings_of(path);
			struct cvx_err err = CVX_ERR_INIT;
			struct catalog_query *q = NULL;

			(void)close(gate[1]);
			if (read(gate[0], &byte, 1) != 0 ||
			    catalog_open(&settings, &c, &err) < 0 ||
			    catalog_query(c, PUT, &q, &err) < 0) {
				fprintf(stderr, "# %s\n", err.msg);
				_exit(1);
			}
			catalog_bind_int(q, 1, i);
			if (catalog_run(q, NULL) < 0)
				_exit(2);
			catalog_close(c);
			_exit(0);
		}
	}
	(void)close(gate[0]);
	(void)close(gate[1]); /* all go */
	for (i = 0; i < PROCESSES; i++) {
		EXPECT_INT(waitpid(pids[i], &status, 0), pids[i]);
		EXPECT_INT(status, 0);
	}
	c = open_at(path);
	EXPECT_INT(count(c), PROCESSES);
	catalog_close(c);
}

/* The table of catalog.c, each row, and extended codes of one. */
TEST(catalog_codes_become_errnos)
{
	static const struct {
		int code, error;
	} rows[] = {
		{SQLITE_PERM, EACCES},
		{SQLITE_BUSY, EBUSY},
		{SQLITE_BUSY_SNAPSHOT, EBUSY},
		{SQLITE_LOCKED, EBUSY},
		{SQLITE_NOMEM, ENOMEM},
		{SQLITE_READONLY, EROFS},
		{SQLITE_READONLY_DIRECTORY, EROFS},
		{SQLITE_INTERRUPT, ECANCELED},
		{SQLITE_IOERR, EIO},
		{SQLITE_IOERR_NOMEM, ENOMEM},
		{SQLITE_IOERR_FSYNC, EIO},
		{SQLITE_CORRUPT, EIO},
		{SQLITE_FULL, ENOSPC},
		{SQLITE_CANTOPEN, EIO},
		{SQLITE_PROTOCOL, EBUSY},
		{SQLITE_TOOBIG, EFBIG},
		{SQLITE_AUTH, EACCES},
		{SQLITE_NOTADB, EIO},
		{SQLITE_MISUSE, EIO},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		EXPECT_INT(catalog_errno(rows[i].code), -rows[i].error);
}

UNIT_MAIN(UNIT_CASE(catalog_gives_back_what_was_put),
	  UNIT_CASE(catalog_null_reads_as_nothing),
	  UNIT_CASE(catalog_keeps_what_was_committed),
	  UNIT_CASE(catalog_forgets_what_was_rolled_back),
	  UNIT_CASE(catalog_sees_commits_of_others_and_nothing_unfinished),
	  UNIT_CASE(catalog_settling_changes_nothing),
	  UNIT_CASE(catalog_settling_writes),
	  UNIT_CASE(catalog_constraint_is_a_failure),
	  UNIT_CASE(catalog_bad_statement_is_a_failure),
	  UNIT_CASE(catalog_of_an_older_version_is_migrated),
	  UNIT_CASE(catalog_of_a_newer_version_is_refused),
	  UNIT_CASE(catalog_of_another_program_is_refused),
	  UNIT_CASE(catalog_that_is_damaged_says_so),
	  UNIT_CASE(catalog_read_only_does_not_make_one),
	  UNIT_CASE(catalog_read_only_does_not_write),
	  UNIT_CASE(catalog_immutable_needs_no_file_beside_it),
	  UNIT_CASE(catalog_may_be_opened_by_many_at_once),
	  UNIT_CASE(catalog_codes_become_errnos))
