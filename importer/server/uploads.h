/*
 * uploads: files that arrive in parts, until they are whole (IMP-6 to IMP-11).
 *
 * Parts may come in any order, several at once, and again; what counts is
 * which part tokens are named at the end. Each token names one part of one
 * upload as it was stored, and is good for nothing else.
 *
 * The bytes lie in an unnamed file of the deployment's folder for uploads, so
 * nothing is left of uploads that nobody finishes: they end with the process,
 * or some time after their last part.
 *
 * Limits:  UPLOAD_COUNT_MAX uploads at once; parts 1 to UPLOAD_PART_MAX.
 * Threads: locked inside; a part belongs to one thread at a time.
 */
#ifndef CVX_IMPORTER_SERVER_UPLOADS_H
#define CVX_IMPORTER_SERVER_UPLOADS_H

#include <stddef.h>
#include <stdint.h>

struct cvx_err;
struct deployment;
struct early;
struct job_extent;
struct spool;
struct upload;
struct upload_part;
struct uploads;

#define UPLOAD_COUNT_MAX 256
#define UPLOAD_EARLY_MAX 2
#define UPLOAD_PART_MAX 9999
#define UPLOAD_PART_SIZE_MAX (UINT64_C(8) << 30)
#define UPLOAD_TOKEN_SIZE 33
#define UPLOAD_PART_TOKEN_SIZE 64

/* idle_s: how long an upload is kept that nobody goes on with. */
int uploads_new(struct deployment *d, unsigned idle_s, struct uploads **ret,
		struct cvx_err *err);
/* Every part must have ended. NULL is allowed. */
void uploads_free(struct uploads *u);

/* Ends the uploads that nobody goes on with; to be called now and then. */
void uploads_close_idle(struct uploads *u);

int uploads_start(struct uploads *u, char token[UPLOAD_TOKEN_SIZE],
		  struct cvx_err *err);

/* The client tells what the file is going to be: it is read while it arrives,
 * unless that is done for UPLOAD_EARLY_MAX others. Takes over e. */
void uploads_set_early(struct uploads *u, const char *token, struct early *e);

/* A part of size bytes begins. Unknown tokens and numbers are -EINVAL. */
int uploads_begin_part(struct uploads *u, const char *token, const char *number,
		       uint64_t size, struct upload_part **ret,
		       struct cvx_err *err);

/* The next bytes of the part; the type is that of http_sink's. */
int upload_part_write(void *part, const void *bytes, size_t size,
		      struct cvx_err *err);

/* The part is whole: its token. */
int upload_part_finish(struct upload_part *part,
		       char token[UPLOAD_PART_TOKEN_SIZE], struct cvx_err *err);

/* Ends a part, finished or not. NULL is allowed. */
void upload_part_free(struct upload_part *part);

/* An upload that becomes something, and is nobody else's meanwhile. */
struct claimed_upload {
	struct upload *upload;
	struct spool *bytes; /* the upload's */
	/* Where the file lies in it; the caller's to free(). */
	struct job_extent *extents;
	size_t extent_count;
	/* What has been read of it, or NULL; the caller's. */
	struct early *early;
};

/*
 * The parts of these tokens, in the order of their numbers, are the file. After
 * a failure the upload is as before; else uploads_end() or uploads_put_back()
 * follows.
 */
int uploads_claim(struct uploads *u, const char *token,
		  const char *const *part_tokens, size_t part_count,
		  struct claimed_upload *ret, struct cvx_err *err);

/* It became what it was to become, or may have: its bytes go. */
void uploads_end(struct uploads *u, struct claimed_upload *c);

/* It did not; it can be claimed again. */
void uploads_put_back(struct uploads *u, struct claimed_upload *c);

/* An empty spool on the same disk, for a file that comes in one piece. */
int uploads_new_spool(struct uploads *u, struct spool **ret,
		      struct cvx_err *err);

/* Likewise, an empty file without a name; the descriptor is the caller's. */
int uploads_open_file(struct uploads *u, int *ret_fd, struct cvx_err *err);

#endif
