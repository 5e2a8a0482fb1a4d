/*
 * upload: a file becomes parts at a deployment, while it is being written
 * (protocol.md 7.1, 7.2, 7.8).
 *
 * Parts go one after the other, until the first one's token says that the
 * deployment can put them in order itself (IMP-9: it is not empty); then as
 * many at once as pace.h says. Whenever a part may have arrived and may not,
 * the whole upload is begun again, for some deployments would append it twice.
 *
 * Where the order is the deployment's, what has arrived is on record
 * (upload_record.h). An upload whose process died is gone on with by the next
 * one of the same subject: parts that arrived and still are the same bytes are
 * not sent again. Once anything speaks against it (other bytes, a part that is
 * refused) the upload is begun anew. Nobody else hears of it.
 *
 * Memory:  some bytes a part; bodies are read from the source as they go.
 * Threads: calls are the owner's to serialise, but for upload_cancel(). The
 *          source is read from several threads at once.
 */
#ifndef CVX_IMPORTER_REMOTE_UPLOAD_H
#define CVX_IMPORTER_REMOTE_UPLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/source.h"

struct cvx_err;
struct halt;
struct http;
struct upload;

#define UPLOAD_PART_SIZE ((uint64_t)5 << 20)
#define UPLOAD_PARTS_MAX 9999

struct upload_settings {
	struct http *http;
	struct import_source source;
	bool drops_bom;	    /* at the start of the file (IMP-4) */
	uint64_t part_size; /* 0: UPLOAD_PART_SIZE */
	/* Behind the path of start_upload: "?format=…". Copied; NULL: nothing.
	 */
	const char *hint;
	/* The folder for records, which outlives the upload, and what they are
	 * of, copied; NULL: there are none. */
	int record_dir_fd;
	const char *subject;
	/* Called once before the first request, from another thread. */
	int (*prepare)(void *ctx, const struct halt *halt, struct cvx_err *err);
	void *ctx;
};

int upload_new(const struct upload_settings *settings, struct upload **ret,
	       struct cvx_err *err);

/* Interrupts what runs. NULL is allowed. */
void upload_free(struct upload *u);

/* The bytes [0, size) are there to stay, as far as is known. */
void upload_available(struct upload *u, uint64_t size);

/* How many bytes have been read from the source, as an upper bound. */
uint64_t upload_consumed(struct upload *u);

/* Bytes that were read have changed: begins again, and returns when nobody
 * reads the source any more. */
void upload_restart(struct upload *u);

/* Waits until the file of size bytes is uploaded, or the thread is asked to
 * give up (cancel.h). */
int upload_finish(struct upload *u, uint64_t size, struct cvx_err *err);

/* After upload_finish(); as long as u. */
const char *upload_token(const struct upload *u);
size_t upload_part_count(const struct upload *u);
const char *upload_part_token(const struct upload *u, size_t i);

/* After upload_finish(): whether some of it arrived from a process before. */
bool upload_was_resumed(const struct upload *u);

/* Of the parts that have arrived. */
uint64_t upload_sent_size(struct upload *u);

void upload_cancel(struct upload *u);

#endif
