/*
 * deflater: packs the bytes of many entries, one behind the other, with two
 * threads or more.
 *
 * Bytes are taken from a feed ahead of time, in blocks, also over the ends of
 * entries, so that the threads always have work; what they have packed is given
 * out in order.
 *
 * Memory:  some 2 MiB a block, DEFLATER_BLOCKS_MAX of them.
 * Threads: the calls, and those to the feed, come from one thread.
 */
#ifndef CVX_IMPORTER_ARCHIVE_DEFLATER_H
#define CVX_IMPORTER_ARCHIVE_DEFLATER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEFLATER_THREADS_MAX 4
#define DEFLATER_BLOCKS_MAX (3 * DEFLATER_THREADS_MAX)

struct cvx_err;
struct deflater;

/* Where the bytes come from. */
struct deflate_feed {
	void *ctx;
	/* Goes on to the entry; they are opened in order, each once. */
	int (*open)(void *ctx, size_t entry, struct cvx_err *err);
	/* Reads on in it; fewer bytes than size only at its end. */
	int (*read)(void *ctx, void *buf, size_t size, size_t *ret_n,
		    struct cvx_err *err);
};

/* entry_count entries will be fed. */
int deflater_new(const struct deflate_feed *feed, size_t entry_count,
		 struct deflater **ret, struct cvx_err *err);
void deflater_free(struct deflater *d); /* NULL is allowed */

/* A packed block. */
struct deflated {
	const uint8_t *bytes; /* until the next call */
	size_t size;
	size_t plain_size;
	uint32_t checksum; /* of its plain bytes */
	bool is_last;	   /* of its entry */
};

/* The next block of the entry, which is the one under way or the next one. */
int deflater_next(struct deflater *d, size_t entry, struct deflated *ret,
		  struct cvx_err *err);

#endif
