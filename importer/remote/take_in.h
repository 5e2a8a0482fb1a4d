/*
 * take_in: documents that were fetched become a revision of a table of a copy.
 *
 * *ret_revision is the table's afterwards; of a table that holds the same
 * already, the one that it had.
 *
 * Memory:  a few blocks of lines.
 * Threads: any.
 */
#ifndef CVX_IMPORTER_REMOTE_TAKE_IN_H
#define CVX_IMPORTER_REMOTE_TAKE_IN_H

#include <stdint.h>

struct cvx_err;
struct deployment;
struct fetched_changes;

/* The lines [0, size) of the file are all that the table holds, since that
 * time; 0: now. */
int take_in_all(struct deployment *copy, const char *component,
		const char *table, int fd, uint64_t size, int64_t committed_ns,
		uint64_t *ret_revision, struct cvx_err *err);

/* Changes to what the table holds at *ret_revision. -ESTALE: it is at another
 * one. dir_fd: where a file can be made. */
int take_in_changes(struct deployment *copy, const char *component,
		    const char *table, int dir_fd,
		    const struct fetched_changes *changes,
		    uint64_t *ret_revision, struct cvx_err *err);

#endif
