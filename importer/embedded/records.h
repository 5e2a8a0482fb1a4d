/*
 * records: what is known of imports (T-5; import.md 10.2).
 *
 * Finished ones are rows of the catalog, the newest RECORD_COUNT_MAX of them;
 * running ones of this process are a list in memory.
 *
 * Threads: record_insert() runs on the caller's connection; the rest is locked
 * inside.
 */
#ifndef CVX_IMPORTER_EMBEDDED_RECORDS_H
#define CVX_IMPORTER_EMBEDDED_RECORDS_H

#include <stdatomic.h>
#include <stdint.h>

struct catalog;
struct cvx_err;
struct deployment;
struct import_target;

#define RECORD_COUNT_MAX 10000

/* What is imported, and how. */
struct import_subject {
	const char *component, *table; /* "": an archive of many tables */
	const char *path;
	const char *format; /* as import.md 6.1 names it */
	const char *mode;
};

struct import_subject record_subject(const struct import_target *target);

struct import_record {
	struct import_subject subject;
	uint64_t row_count;
	uint64_t size; /* bytes of the file */
	int64_t started_ns;
	const char *error_code; /* "": it was completed */
	const char *error_text; /* a line, or more; what ends the last is cut */
	int64_t job;		/* if not 0: it is completed as well (jobs.h) */
};

/* -ECANCELED if the record's job was canceled. */
int record_insert(struct catalog *c, const struct import_record *record,
		  struct cvx_err *err);

/* record_insert() in a transaction of its own, for which three seconds are
 * waited even after a cancel (base/cancel.h), so that it is on record. ret_id,
 * for record_settle(), may be NULL. */
int record_commit(struct deployment *d, const struct import_record *record,
		  int64_t *ret_id, struct cvx_err *err);

/* What came of it is another thing than the record of that id says. One that is
 * too old is gone, which is fine. */
int record_settle(struct deployment *d, int64_t id, uint64_t row_count,
		  const char *error_code, const char *error_text,
		  struct cvx_err *err);

/* "completed" of an error: its stable name, or the name of its errno. */
const char *record_error_code(const struct cvx_err *cause);

/* Embedded in what runs. */
struct running_import {
	struct import_subject subject; /* its texts live as long as it runs */
	int64_t started_ns;
	_Atomic uint64_t available_size; /* bytes that have been written */
	_Atomic uint64_t consumed_size;	 /* bytes that have been read */
	_Atomic uint64_t row_count;
	struct running_import *next;
};

void running_add(struct deployment *d, struct running_import *running);
void running_remove(struct deployment *d, struct running_import *running);

#endif
