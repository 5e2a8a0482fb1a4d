/*
 * catalog: a small SQLite database that several processes share.
 *
 * A catalog is one connection. Its schema is a list of migrations, and its
 * statements are a list of SQL texts, prepared once and named by their index,
 * so that SQL stands in one place of the owner and nothing here knows what the
 * rows mean.
 *
 * The database is in WAL mode with synchronous=FULL: a commit is durable when
 * catalog_commit() returns, readers never wait for a writer, and each
 * statement outside a transaction sees every commit made before it began,
 * whichever process made it.
 *
 * No other code may open the file of the database in this process: closing it
 * would drop SQLite's locks. A catalog must not be carried over a fork.
 *
 * Threads: not locked; one thread at a time.
 * Errors:  an errno as in the table of catalog.c; a damaged file is -EIO and
 *          says so.
 */
#ifndef CVX_CACHE_CATALOG_H
#define CVX_CACHE_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct catalog;
struct catalog_query;
struct cvx_err;

struct catalog_settings {
	const char *path;
	bool read_only; /* the database must be there and is not changed */
	bool immutable; /* it lies on a medium that nobody can write to */
	int32_t application_id; /* tells the database from other people's */
	/* migrations[n] leads from version n to version n + 1. */
	const char *const *migrations;
	unsigned migration_count;
	const char *const *statements;
	unsigned statement_count;
};

/* The lists of the settings must outlive the catalog. */
int catalog_open(const struct catalog_settings *settings, struct catalog **ret,
		 struct cvx_err *err);

/* Every query must have ended. NULL is allowed. */
void catalog_close(struct catalog *c);

/* Begins a transaction that holds the write lock, waiting for it a minute at
 * most, then -EBUSY; if this thread's work is canceled (base/cancel.h), a
 * quarter of a second, then -ECANCELED. */
int catalog_begin(struct catalog *c, struct cvx_err *err);

/*
 * Begins a transaction that only reads: all statements until catalog_rollback()
 * see the same commits. Never waits.
 */
int catalog_begin_read(struct catalog *c, struct cvx_err *err);

/* Another number after every commit that was made on another connection, of
 * whichever process; means something to this connection only. */
int catalog_version(struct catalog *c, uint64_t *ret, struct cvx_err *err);

/*
 * After a failure nothing of the transaction is visible. But its pages may
 * stand in the write-ahead log, and come back to life if every process dies
 * before the next commit (catalog_settle).
 */
int catalog_commit(struct catalog *c, struct cvx_err *err);

/* Undoes the transaction, if there is one. */
void catalog_rollback(struct catalog *c);

/*
 * Commits a change without meaning, which overwrites what a failed commit may
 * have left in the log.
 */
int catalog_settle(struct catalog *c, struct cvx_err *err);

/* Makes the statement ready for its parameters, which count from 1. */
int catalog_query(struct catalog *c, unsigned statement,
		  struct catalog_query **ret, struct cvx_err *err);
void catalog_bind_int(struct catalog_query *q, int param, int64_t value);
void catalog_bind_real(struct catalog_query *q, int param, double value);
/* Text and bytes stay the caller's and must live until the query ends. */
void catalog_bind_text(struct catalog_query *q, int param, const char *text);
void catalog_bind_bytes(struct catalog_query *q, int param, const void *bytes,
			size_t size);

/* 1: a row is there; 0: no more; or a failure, also of an earlier bind. */
int catalog_next(struct catalog_query *q, struct cvx_err *err);

/* Runs a statement that gives no rows, and ends it. */
int catalog_run(struct catalog_query *q, struct cvx_err *err);

/* Columns count from 0. NULL reads as 0 and as no bytes. Bytes live until the
 * next call for the query, and are not terminated. */
int64_t catalog_int(struct catalog_query *q, int column);
double catalog_real(struct catalog_query *q, int column);
const char *catalog_bytes(struct catalog_query *q, int column,
			  size_t *ret_size);

/* Ends the query. NULL is allowed. */
void catalog_end(struct catalog_query *q);

static inline void catalog_endp(struct catalog_query **q)
{
	catalog_end(*q);
}

/* The id of the row inserted last, and how many rows the last change met. */
int64_t catalog_last_id(const struct catalog *c);
int64_t catalog_change_count(const struct catalog *c);

/* The negative errno of a result code of SQLite, extended or not. */
int catalog_errno(int code);

#endif
