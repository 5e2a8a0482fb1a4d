/*
 * fetch: a table of a deployment behind a URL becomes a documents.jsonl on
 * this machine, and follows what is changed there (protocol.md 9.2, 10;
 * filesystem.md T-2).
 *
 * The table comes by the first of these that the deployment offers:
 *
 *   /api/v1/data/sync    follows every change, at one request a look
 *   /api/list_snapshot   one consistent snapshot; changes by document_deltas
 *   queries              pages, all at one timestamp where that can be had;
 *                        changes are not told
 *
 * A page of data/sync is asked for while the one before it is read: at most two
 * of them are on disk at once.
 *
 * Memory:  a document, and 32 bytes a document; pages and lines are on disk.
 * Threads: any; one more reads pages while that of the caller, which may be
 *          interrupted, waits for what comes.
 */
#ifndef CVX_IMPORTER_REMOTE_FETCH_H
#define CVX_IMPORTER_REMOTE_FETCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/value/id.h"

struct cvx_err;
struct http;
struct halt;

/* What a deployment was found not to offer; zeros before the first fetch. */
struct fetch_offer {
	atomic_bool lacks_sync, lacks_snapshot;
};

struct fetch_target {
	const char *component;	  /* its path; "": the root */
	const char *component_id; /* NULL: the root */
	const char *table;
	struct fetch_offer *offer; /* of the deployment; NULL: not remembered */
	/* Changes by FETCH_SYNC that do not come with the first answer are
	 * left where they are: -EAGAIN. */
	bool is_one_page;
};

/* How changes are followed. The numbers stand in catalogs. */
enum fetch_way {
	FETCH_NO_WAY = 0,
	FETCH_SYNC = 1,
	FETCH_DELTAS = 2,
};

struct fetched {
	uint64_t document_count;
	uint64_t size;
	bool is_consistent;   /* all of one moment */
	int64_t committed_ns; /* of the last change, Unix time; 0: unknown */
	enum fetch_way way;
	char *cursor; /* for free(): where it was; NULL for FETCH_NO_WAY */
};

/*
 * *ret_fd is an unnamed file made in dir_fd: canonical lines by ascending _id.
 * A table that is not there has none.
 */
int fetch_table(struct http *http, const struct fetch_target *target,
		int dir_fd, const struct halt *halt, int *ret_fd,
		struct fetched *ret, struct cvx_err *err);

/* Where a document's line stands. */
struct fetched_line {
	struct internal_id id;
	uint64_t off;
	uint32_t size; /* 0: the document has gone */
};

/* What became of a table. */
struct fetched_changes {
	/* Nothing that was there is left but what these lines say. */
	bool is_all_new;
	struct fetched_line *lines; /* by ascending _id, each once */
	size_t count;
	int fd;		      /* of the lines; an unnamed file */
	int64_t committed_ns; /* as above */
	char *cursor;
};

void fetched_changes_fini(struct fetched_changes *c);

/* Since the cursor. -ESTALE: that cannot be told any more, so the table must
 * be fetched anew. */
int fetch_changes(struct http *http, const struct fetch_target *target,
		  enum fetch_way way, const char *cursor, int dir_fd,
		  const struct halt *halt, struct fetched_changes *ret,
		  struct cvx_err *err);

#endif
