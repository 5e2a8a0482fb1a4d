/*
 * embedded: a deployment in a folder, seen from inside (architecture.md 3).
 *
 *   catalog.sqlite3   every small thing; what it names is what there is
 *   segments/N.rows   canonical lines, visible up to the committed size
 *   segments/N.keys   where the lines' ids are, unless they ascend in order
 *   files/N           stored files, whole
 *   indexes/N         sorted pieces of indexes (runs.h)
 *   stage/            files being written, each locked by its maker
 *
 * A process has two connections to the catalog, so that questions never wait
 * for a commit's fsync: reads and writes.
 *
 * Threads: locked inside, as each field says. Locks are taken in this order:
 *   import's cut_lock, import's lock, write_lock, read_lock, files_lock,
 *   schemas_lock, running_lock.
 * Only write_lock is held while anything is synced.
 */
#ifndef CVX_IMPORTER_EMBEDDED_EMBEDDED_H
#define CVX_IMPORTER_EMBEDDED_EMBEDDED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct catalog;
struct cvx_err;
struct kept_schema;
struct origin_ops;
struct running_import;
struct segment_file;

#define SEGMENT_FILE_BUCKETS 64

struct deployment {
	char *dir;
	char *name;
	char *origin_name; /* of what it is a copy of; NULL: of nothing */
	char *origin_url;
	const struct origin_ops *origin; /* fixed before it is used */
	void *origin_ctx;
	bool read_only;
	int dir_fd;
	int segments_fd;
	int stored_fd; /* files/ */
	int indexes_fd;
	int stage_fd; /* -1 if read_only */

	_Atomic int64_t swept_ns; /* when stages were last looked after */

	pthread_mutex_t write_lock; /* guards writes, in_doubt */
	struct catalog *writes;	    /* NULL if read_only */
	bool in_doubt; /* a failed commit may stand in the catalog's log */

	pthread_mutex_t read_lock; /* guards reads */
	struct catalog *reads;

	pthread_mutex_t files_lock; /* guards files */
	struct segment_file *files[SEGMENT_FILE_BUCKETS];

	pthread_mutex_t schemas_lock; /* guards schemas */
	struct kept_schema *schemas;  /* the last compiled of each component */

	pthread_mutex_t running_lock; /* guards running */
	struct running_import *running;
};

/* The reading connection, for this thread alone until embedded_unlock(). */
struct catalog *embedded_lock_reads(struct deployment *d);
void embedded_unlock_reads(struct deployment *d);

/*
 * A write transaction of the catalog, for this thread alone until
 * embedded_commit() or embedded_rollback(). -EROFS if read_only;
 * -ECANCELED if this thread's work was canceled while it waited for another.
 */
int embedded_begin(struct deployment *d, struct cvx_err *err);

/* Returns -EROFS. */
int embedded_fail_read_only(const struct deployment *d, struct cvx_err *err);

/*
 * Ends the transaction either way. *ret_in_doubt tells, after a failure, that
 * the commit may still come to life: what it names must stay.
 */
int embedded_commit(struct deployment *d, bool *ret_in_doubt,
		    struct cvx_err *err);
void embedded_rollback(struct deployment *d);

/* A segment's rows, opened for reading once and shared by all readers. */
struct segment_file {
	uint64_t id;
	int fd;
	unsigned ref_count;
	struct segment_file *next;
};

/* -ENOENT, without a text, if the file is not there. */
int segment_file_ref(struct deployment *d, uint64_t id,
		     struct segment_file **ret, struct cvx_err *err);
void segment_file_unref(struct deployment *d, struct segment_file *f);

#define SEGMENT_NAME_SIZE 32
void segment_rows_name(uint64_t id, char name[SEGMENT_NAME_SIZE]);
void segment_keys_name(uint64_t id, char name[SEGMENT_NAME_SIZE]);

#define STORED_FILE_NAME_SIZE 32
void stored_file_name(uint64_t id, char name[STORED_FILE_NAME_SIZE]);

/* Unix time. */
int64_t embedded_now_ns(void);

/*
 * Verifies everything that is stored, to the last byte: the catalog, that the
 * files it names are there and hold whole canonical lines in the counts it
 * tells, that keys are sorted and point at their lines, that ids are unique in
 * their table and carry its number; that stored files are there, with the
 * sizes and hashes that are noted; that the runs of indexes are those that the
 * schema names, and in order.
 */
int embedded_check(struct deployment *d, struct cvx_err *err);

#endif
