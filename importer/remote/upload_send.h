/*
 * upload_send: the requests of an upload: the one that begins it, and one a
 * part (protocol.md 7.2).
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_REMOTE_UPLOAD_SEND_H
#define CVX_IMPORTER_REMOTE_UPLOAD_SEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/remote/part_hash.h"

struct cvx_err;
struct halt;
struct http;
struct import_source;

struct file_part {
	uint64_t off;
	uint64_t size;
	size_t number; /* from 1 */
};

/* Where parts come from and go to. */
struct upload_send {
	struct http *http;
	const struct import_source *source;
	const struct halt *halt;
	const char *token; /* of the upload */
};

/* All of the bytes: the source has them, or is not what it was. */
int file_part_read(const struct import_source *source, uint64_t off,
		   void *bytes, size_t size);

/* The token of a new upload, for free(). */
int upload_send_start(struct http *http, const char *path,
		      const struct halt *halt, char **ret, struct cvx_err *err);

/* What came of a part. */
struct sent_part {
	char *token;	/* for free(); NULL after a failure */
	bool is_hashed; /* hash is of the bytes that were sent */
	unsigned char hash[PART_HASH_SIZE];
	bool begins_again; /* it may have arrived: the upload must (7.8) */
	bool is_refused;   /* by the deployment, which answered so */
};

/* *ret is filled in any case. hashes: its hash is wanted. */
int upload_send_part(const struct upload_send *s, const struct file_part *part,
		     bool hashes, struct sent_part *ret, struct cvx_err *err);

#endif
