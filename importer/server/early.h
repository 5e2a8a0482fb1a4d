/*
 * early: an upload that is read while its parts arrive.
 *
 * What a file is going to be is told when all of it is there (IMP-7). A client
 * that tells it when it begins has the rows ready by then; nothing depends on
 * it. What was made early is dropped when the file becomes something else, or
 * is not made of the parts in their order.
 *
 * Memory:  24 bytes for each of UPLOAD_PART_MAX parts, and what an import
 *          takes.
 * Threads: calls are the owner's to serialise.
 */
#ifndef CVX_IMPORTER_SERVER_EARLY_H
#define CVX_IMPORTER_SERVER_EARLY_H

#include <stdint.h>

struct cvx_err;
struct deployment;
struct early;
struct job;
struct work;

/* Copies component, table, format and mode of the target, which is no archive.
 */
int early_new(struct deployment *d, const struct job *target,
	      struct early **ret, struct cvx_err *err);

/* NULL is allowed. */
void early_free(struct early *e);

/* The part, from 1, stands at off of the descriptor, which is copied. */
void early_add_part(struct early *e, unsigned number, int fd, uint64_t off,
		    uint64_t size);

/* The work that has begun, if it is of the job's target and bytes; or NULL.
 * Takes over e. */
struct work *early_end(struct early *e, const struct job *job);

#endif
