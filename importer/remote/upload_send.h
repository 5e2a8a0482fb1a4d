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

/* The part's token, for free(). *ret_again: the part may have arrived; the
 * upload must begin again (7.8). */
int upload_send_part(const struct upload_send *s, const struct file_part *part,
		     char **ret, bool *ret_again, struct cvx_err *err);

#endif
