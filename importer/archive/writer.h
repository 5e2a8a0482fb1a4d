/*
 * writer: a ZIP is made of entries that are read as streams, and goes to a
 * file as it is made.
 *
 * libzip makes the container; the entries' bytes are packed by several threads
 * (deflater.h) and copied by it as they are. Names are UTF-8, every entry is
 * deflated and a plain file of mode 0644.
 *
 * Memory:  the blocks of deflater.h, 1 MiB for the file, and what libzip keeps
 *          of each entry, some 400 bytes.
 * Threads: not locked; the writer's feed is called by the thread that writes.
 */
#ifndef CVX_IMPORTER_ARCHIVE_WRITER_H
#define CVX_IMPORTER_ARCHIVE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/archive/deflater.h"

struct archive_writer;
struct cvx_err;

/* entries are dated by the time, in seconds of Unix. */
int archive_writer_new(int64_t time, struct archive_writer **ret,
		       struct cvx_err *err);
void archive_writer_free(struct archive_writer *w); /* NULL is allowed */

/* Adds an entry of exactly size bytes. No two may have one name. */
int archive_writer_add(struct archive_writer *w, const char *name,
		       uint64_t size, struct cvx_err *err);

struct archive_watcher {
	/*
	 * Bytes before packing that have gone out, and how much of the file
	 * will not change any more. A failure ends the writing with it.
	 */
	int (*report)(void *ctx, uint64_t done, uint64_t settled,
		      struct cvx_err *err);
	void *ctx;
};

/*
 * Writes the archive into fd, from its start. May be called once, with one
 * entry or more. The feed's entries are numbered as they were added.
 */
int archive_writer_run(struct archive_writer *w, int fd,
		       const struct deflate_feed *feed,
		       const struct archive_watcher *watcher,
		       uint64_t *ret_size, struct cvx_err *err);

#endif
