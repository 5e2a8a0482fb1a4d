/*
 * file_keeper: brings the bytes of stored files into a copy when they are read
 * (embedded/copy.h; protocol.md 12), in ranges, so that a transfer that breaks
 * off goes on where it was. A file that is not whole, or has another checksum
 * than the deployment tells, never gets there.
 *
 * Memory:  a range.
 * Threads: locked inside.
 */
#ifndef CVX_IMPORTER_REMOTE_FILE_KEEPER_H
#define CVX_IMPORTER_REMOTE_FILE_KEEPER_H

#include <stdint.h>

#include "importer/remote/gate.h"

struct cvx_err;
struct deployment;
struct halt;
struct http;
struct lister;

#define FILE_GATE_COUNT 16

struct file_keeper {
	struct http *http;
	struct lister *lister;
	struct deployment *copy;	    /* to be written */
	int dir_fd;			    /* for what comes */
	uint64_t size_max;		    /* as of the holder */
	struct gate gates[FILE_GATE_COUNT]; /* each of some of the files */
};

void file_keeper_init(struct file_keeper *k);
void file_keeper_fini(struct file_keeper *k);

/* The bytes of the file are here. halt may be NULL. */
int file_keeper_hold(struct file_keeper *k, const char *component,
		     const char *id, const struct halt *halt,
		     struct cvx_err *err);

#endif
