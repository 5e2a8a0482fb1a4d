/*
 * remote_export: a snapshot archive, made by a deployment behind a URL and
 * downloaded (protocol.md 8).
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_REMOTE_REMOTE_EXPORT_H
#define CVX_IMPORTER_REMOTE_REMOTE_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

struct cvx_err;
struct http;
struct halt;

struct remote_export_settings {
	bool include_storage;
	const char *component_id; /* NULL: all of the deployment */
	uint64_t poll_ms;	  /* 0: 50; the first pause between two looks */
	/* How far it is, as the deployment words it; NULL: nobody asks. */
	void (*report)(void *ctx, const char *message);
	void *ctx;
	uint64_t busy_ms; /* how long to wait for another export */
	/* How long ours may tell nothing new (F-5), then it is canceled; 0: as
	 * long as it takes. */
	uint64_t stall_ms;
	const struct halt *halt; /* or NULL; cancels the export, too */
};

struct remote_export_result {
	int64_t start_ts; /* of the snapshot, in ns */
	uint64_t size;
	char *file_name; /* for free(); never with a slash */
};

/* Only the first part: the deployment makes the archive of *ret_ts. */
int remote_export_make(struct http *http,
		       const struct remote_export_settings *settings,
		       int64_t *ret_ts, struct cvx_err *err);

/* And the second: ret->start_ts says which; the rest of *ret is filled. */
int remote_export_download(struct http *http,
			   const struct remote_export_settings *settings,
			   int fd, struct remote_export_result *ret,
			   struct cvx_err *err);

/*
 * Writes the archive to fd, a file, from its start. -EBUSY: another export of
 * the deployment is under way. -ETIMEDOUT: stall_ms. After an error the file
 * holds anything.
 */
int remote_export(struct http *http,
		  const struct remote_export_settings *settings, int fd,
		  struct remote_export_result *ret, struct cvx_err *err);

#endif
