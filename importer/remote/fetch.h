/*
 * fetch: a table of a deployment behind a URL becomes a documents.jsonl on
 * this machine (protocol.md 9.2, 10.1; filesystem.md T-2).
 *
 * One consistent snapshot where the deployment can give one: by
 * /api/list_snapshot, else by pages that are all read at one timestamp; else by
 * pages as they come, and the result says so.
 *
 * Memory:  a document, and 32 bytes a document; pages and lines are on disk.
 * Threads: any.
 */
#ifndef CVX_IMPORTER_REMOTE_FETCH_H
#define CVX_IMPORTER_REMOTE_FETCH_H

#include <stdbool.h>
#include <stdint.h>

struct cvx_err;
struct http;
struct halt;

struct fetch_target {
	const char *component;	  /* its path; "": the root */
	const char *component_id; /* NULL: the root */
	const char *table;
};

struct fetched {
	uint64_t document_count;
	uint64_t size;
	bool is_consistent; /* all of one moment */
};

/*
 * *ret_fd is an unnamed file made in dir_fd: canonical lines by ascending _id.
 * A table that is not there has none.
 */
int fetch_table(struct http *http, const struct fetch_target *target,
		int dir_fd, const struct halt *halt, int *ret_fd,
		struct fetched *ret, struct cvx_err *err);

#endif
