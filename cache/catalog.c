#include "cache/catalog.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cache/base/cancel.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"

/* How long a writer waits for another process's commit, and how long one whose
 * work was canceled: long enough for a record of that. */
#define BUSY_TIMEOUT_MS 60000
#define CANCELED_TIMEOUT_MS 250

/* Between two tries; at first less. */
#define BUSY_SLEEP_MS 50

struct catalog_query {
	struct catalog *catalog;
	sqlite3_stmt *stmt;
	int bind_code; /* the first failure of a bind */
	bool active;
};

struct catalog {
	sqlite3 *db;
	char *path;
	const char *const *statements;
	unsigned statement_count;
	struct catalog_query *queries;
	int64_t waiting_since_ms; /* for another process */
};

CVX_DEFINE_CLEANUP(struct catalog, catalog_close)

static const struct {
	int code, error;
} errnos[] = {
	{SQLITE_IOERR_NOMEM, ENOMEM},  {SQLITE_PERM, EACCES},
	{SQLITE_BUSY, EBUSY},	       {SQLITE_LOCKED, EBUSY},
	{SQLITE_NOMEM, ENOMEM},	       {SQLITE_READONLY, EROFS},
	{SQLITE_INTERRUPT, ECANCELED}, {SQLITE_IOERR, EIO},
	{SQLITE_CORRUPT, EIO},	       {SQLITE_FULL, ENOSPC},
	{SQLITE_CANTOPEN, EIO},	       {SQLITE_PROTOCOL, EBUSY},
	{SQLITE_TOOBIG, EFBIG},	       {SQLITE_AUTH, EACCES},
	{SQLITE_NOTADB, EIO},
};

int catalog_errno(int code)
{
	size_t i;

	for (i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++)
		if (errnos[i].code == code || errnos[i].code == (code & 0xff))
			return -errnos[i].error;
	return -EIO;
}

static int fail(struct catalog *c, int code, struct cvx_err *err)
{
	int r = catalog_errno(code), system = sqlite3_system_errno(c->db);

	switch (code & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return cvx_fail(err, r,
				"the catalog %s is damaged (%s): restore its "
				"folder from a copy, or move it away to begin "
				"anew",
				c->path, sqlite3_errmsg(c->db));
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		if (r != -ENOMEM && system > 0)
			return cvx_fail(err, -system, "catalog %s: %s (%s)",
					c->path, sqlite3_errmsg(c->db),
					strerror(system));
		break;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		if (cancel_is_asked())
			return cvx_fail(err, -ECANCELED,
					"canceled while another process had "
					"the catalog %s locked",
					c->path);
		return cvx_fail(err, r,
				"catalog %s: another process has kept it "
				"locked for too long",
				c->path);
	}
	return cvx_fail(err, r, "catalog %s: %s", c->path,
			sqlite3_errmsg(c->db));
}

static int run_sql(struct catalog *c, const char *sql, struct cvx_err *err)
{
	int code = sqlite3_exec(c->db, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : fail(c, code, err);
}

/* The first column of the first row, as a number. */
static int ask_int(struct catalog *c, const char *sql, int64_t *ret,
		   struct cvx_err *err)
{
	sqlite3_stmt *stmt;
	int code = sqlite3_prepare_v2(c->db, sql, -1, &stmt, NULL);

	if (code != SQLITE_OK)
		return fail(c, code, err);
	code = sqlite3_step(stmt);
	*ret = code == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
	(void)sqlite3_finalize(stmt); /* repeats the failure of the step */
	return code == SQLITE_ROW || code == SQLITE_DONE ? 0
							 : fail(c, code, err);
}

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Whether to try again, the count-th time, for what another process has. */
static int wait_busy(void *arg, int count)
{
	struct catalog *c = arg;
	int64_t limit =
		cancel_is_asked() ? CANCELED_TIMEOUT_MS : BUSY_TIMEOUT_MS;

	if (count == 0)
		c->waiting_since_ms = now_ms();
	if (now_ms() - c->waiting_since_ms >= limit)
		return 0;
	(void)usleep(1000 * (useconds_t)(count < BUSY_SLEEP_MS
						 ? count + 1
						 : BUSY_SLEEP_MS));
	return 1;
}

static int open_database(struct catalog *c, const struct catalog_settings *s,
			 struct cvx_err *err)
{
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, code;
	CVX_AUTO(cvx_freep) char *uri = NULL;

	/* An immutable database is named by a URI, in which only '%', '?' and
	 * '#' of a path need an escape. */
	if (s->immutable) {
		const char *p;
		size_t n = 0;

		uri = malloc(strlen(s->path) * 3 + sizeof("file:?immutable=1"));
		if (!uri)
			return cvx_fail_memory(err);
		n = (size_t)snprintf(uri, sizeof("file:"), "file:");
		for (p = s->path; *p; p++) {
			if (strchr("%?#", *p))
				n += (size_t)snprintf(uri + n, 4, "%%%02X",
						      (unsigned)*p);
			else
				uri[n++] = *p;
		}
		memcpy(uri + n, "?immutable=1", sizeof("?immutable=1"));
		flags |= SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
	} else if (s->read_only && access(s->path, W_OK) < 0) {
		flags |= SQLITE_OPEN_READONLY;
	} else {
		flags |= SQLITE_OPEN_READWRITE;
		if (!s->read_only)
			flags |= SQLITE_OPEN_CREATE;
	}
	code = sqlite3_open_v2(uri ? uri : s->path, &c->db, flags, NULL);
	if (!c->db)
		return cvx_fail_memory(err);
	if (code != SQLITE_OK)
		return fail(c, code, err);
	code = sqlite3_busy_handler(c->db, wait_busy, c);
	return code == SQLITE_OK ? 0 : fail(c, code, err);
}

/*
 * Going over to WAL needs the database alone for a moment, and SQLite answers
 * "busy" without waiting when two processes try at once. Once it is done,
 * saying it again changes nothing.
 */
static int use_wal(struct catalog *c, struct cvx_err *err)
{
	int code, tries;

	for (tries = 0; tries < BUSY_TIMEOUT_MS / 10; tries++) {
		code = sqlite3_exec(c->db, "PRAGMA journal_mode=WAL", NULL,
				    NULL, NULL);
		if ((code & 0xff) != SQLITE_BUSY)
			break;
		(void)usleep(10000);
	}
	if (code != SQLITE_OK)
		return fail(c, code, err);
	return run_sql(c, "PRAGMA synchronous=FULL", err);
}

static int check_identity(struct catalog *c, const struct catalog_settings *s,
			  int64_t version, struct cvx_err *err)
{
	int64_t id, objects = 0;
	int r;

	r = ask_int(c, "PRAGMA application_id", &id, err);
	if (r == 0 && version == 0 && id == 0)
		r = ask_int(c, "SELECT count(*) FROM sqlite_master", &objects,
			    err);
	if (r < 0)
		return r;
	if (id != s->application_id && (version != 0 || id != 0 || objects > 0))
		return cvx_fail(err, -EINVAL,
				"%s is a database of another program", c->path);
	if (version > s->migration_count)
		return cvx_fail(err, -ENOTSUP,
				"the catalog %s was written by a newer "
				"convexfs (version %" PRId64
				", this one knows %u): update convexfs",
				c->path, version, s->migration_count);
	if (s->read_only && version < s->migration_count)
		return cvx_fail(err, -EROFS,
				"the catalog %s is of an older version: open "
				"it once for writing",
				c->path);
	return 0;
}

/* Under the write lock, since another process may be migrating as well. */
static int migrate(struct catalog *c, const struct catalog_settings *s,
		   struct cvx_err *err)
{
	char pragma[96];
	int64_t version;
	int r;

	r = catalog_begin(c, err);
	if (r < 0)
		return r;
	r = ask_int(c, "PRAGMA user_version", &version, err);
	if (r == 0)
		r = check_identity(c, s, version, err);
	for (; r == 0 && version < s->migration_count; version++)
		r = run_sql(c, s->migrations[version], err);
	(void)snprintf(pragma, sizeof(pragma),
		       "PRAGMA user_version=%u; PRAGMA application_id=%d",
		       s->migration_count, (int)s->application_id);
	if (r == 0)
		r = run_sql(c, pragma, err);
	if (r == 0)
		return catalog_commit(c, err);
	catalog_rollback(c);
	return r;
}

/* In one transaction: another process may be migrating at this moment, and
 * half of what it writes would look like another program's. */
static int identify(struct catalog *c, const struct catalog_settings *s,
		    int64_t *ret_version, struct cvx_err *err)
{
	int r = run_sql(c, "BEGIN", err);

	if (r < 0)
		return r;
	r = ask_int(c, "PRAGMA user_version", ret_version, err);
	if (r == 0)
		r = check_identity(c, s, *ret_version, err);
	catalog_rollback(c);
	return r;
}

int catalog_open(const struct catalog_settings *settings, struct catalog **ret,
		 struct cvx_err *err)
{
	CVX_AUTO(catalog_closep) struct catalog *c = calloc(1, sizeof(*c));
	int64_t version;
	unsigned i;
	int r;

	assert(settings && settings->path && ret);
	if (!c)
		return cvx_fail_memory(err);
	c->path = strdup(settings->path);
	c->queries = calloc(settings->statement_count + 1, sizeof(*c->queries));
	if (!c->path || !c->queries)
		return cvx_fail_memory(err);
	c->statements = settings->statements;
	c->statement_count = settings->statement_count;
	for (i = 0; i < c->statement_count; i++)
		c->queries[i].catalog = c;

	r = open_database(c, settings, err);
	if (r == 0)
		r = identify(c, settings, &version, err);
	if (r == 0 && !settings->read_only)
		r = use_wal(c, err);
	if (r == 0 && version < settings->migration_count)
		r = migrate(c, settings, err);
	if (r == 0 && settings->read_only)
		r = run_sql(c, "PRAGMA query_only=ON", err);
	if (r < 0)
		return r;
	*ret = CVX_TAKE(c);
	return 0;
}

void catalog_close(struct catalog *c)
{
	unsigned i;

	if (!c)
		return;
	for (i = 0; c->queries && i < c->statement_count; i++) {
		assert(!c->queries[i].active);
		(void)sqlite3_finalize(c->queries[i].stmt);
	}
	/* A checkpoint that fails here is made by the next process. */
	(void)sqlite3_close(c->db);
	free(c->queries);
	free(c->path);
	free(c);
}

int catalog_begin(struct catalog *c, struct cvx_err *err)
{
	return run_sql(c, "BEGIN IMMEDIATE", err);
}

int catalog_begin_read(struct catalog *c, struct cvx_err *err)
{
	return run_sql(c, "BEGIN", err);
}

int catalog_version(struct catalog *c, uint64_t *ret, struct cvx_err *err)
{
	int64_t version;
	int r = ask_int(c, "PRAGMA data_version", &version, err);

	if (r == 0)
		*ret = (uint64_t)version;
	return r;
}

int catalog_commit(struct catalog *c, struct cvx_err *err)
{
	int r = run_sql(c, "COMMIT", err);

	if (r < 0)
		catalog_rollback(c);
	return r;
}

void catalog_rollback(struct catalog *c)
{
	/* Some failures have rolled back already. A rollback in WAL mode only
	 * forgets; what it could fail at, closing would end as well. */
	if (!sqlite3_get_autocommit(c->db))
		(void)sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
}

int catalog_settle(struct catalog *c, struct cvx_err *err)
{
	char pragma[64];
	int64_t version;
	int r = ask_int(c, "PRAGMA user_version", &version, err);

	if (r < 0)
		return r;
	/* Writing the version again writes its page. */
	(void)snprintf(pragma, sizeof(pragma), "PRAGMA user_version=%d",
		       (int)version);
	return run_sql(c, pragma, err);
}

int catalog_query(struct catalog *c, unsigned statement,
		  struct catalog_query **ret, struct cvx_err *err)
{
	struct catalog_query *q = &c->queries[statement];
	int code;

	assert(statement < c->statement_count && !q->active);
	if (!q->stmt) {
		code = sqlite3_prepare_v3(c->db, c->statements[statement], -1,
					  SQLITE_PREPARE_PERSISTENT, &q->stmt,
					  NULL);
		if (code != SQLITE_OK)
			return fail(c, code, err);
	}
	q->active = true;
	q->bind_code = SQLITE_OK;
	*ret = q;
	return 0;
}

static void note_bind(struct catalog_query *q, int code)
{
	if (code != SQLITE_OK && q->bind_code == SQLITE_OK)
		q->bind_code = code;
}

void catalog_bind_int(struct catalog_query *q, int param, int64_t value)
{
	note_bind(q, sqlite3_bind_int64(q->stmt, param, value));
}

void catalog_bind_real(struct catalog_query *q, int param, double value)
{
	note_bind(q, sqlite3_bind_double(q->stmt, param, value));
}

void catalog_bind_text(struct catalog_query *q, int param, const char *text)
{
	note_bind(q,
		  sqlite3_bind_text(q->stmt, param, text, -1, SQLITE_STATIC));
}

void catalog_bind_bytes(struct catalog_query *q, int param, const void *bytes,
			size_t size)
{
	note_bind(q, sqlite3_bind_blob64(q->stmt, param, bytes, size,
					 SQLITE_STATIC));
}

int catalog_next(struct catalog_query *q, struct cvx_err *err)
{
	int code = q->bind_code;

	assert(q->active);
	if (code == SQLITE_OK)
		code = sqlite3_step(q->stmt);
	if (code == SQLITE_ROW)
		return 1;
	return code == SQLITE_DONE ? 0 : fail(q->catalog, code, err);
}

int catalog_run(struct catalog_query *q, struct cvx_err *err)
{
	int r = catalog_next(q, err);

	assert(r <= 0);
	catalog_end(q);
	return r;
}

int64_t catalog_int(struct catalog_query *q, int column)
{
	return sqlite3_column_int64(q->stmt, column);
}

double catalog_real(struct catalog_query *q, int column)
{
	return sqlite3_column_double(q->stmt, column);
}

/* As a blob, also for text: that needs no memory, so it cannot fail. */
const char *catalog_bytes(struct catalog_query *q, int column, size_t *ret_size)
{
	const char *bytes = sqlite3_column_blob(q->stmt, column);

	*ret_size = bytes ? (size_t)sqlite3_column_bytes(q->stmt, column)
			  : (size_t)0;
	return bytes ? bytes : "";
}

void catalog_end(struct catalog_query *q)
{
	if (!q || !q->active)
		return;
	(void)sqlite3_reset(q->stmt); /* repeats the failure of the step */
	(void)sqlite3_clear_bindings(q->stmt);
	q->active = false;
}

int64_t catalog_last_id(const struct catalog *c)
{
	return sqlite3_last_insert_rowid(c->db);
}

int64_t catalog_change_count(const struct catalog *c)
{
	return sqlite3_changes64(c->db);
}
