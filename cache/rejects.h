/*
 * rejects: files that an import refused, kept until someone mends or removes
 * them (filesystem.md F-3).
 *
 * A reject is the bytes that were written to a path of the mount, and the text
 * that says what is wrong with them. They lie in a folder as NAME.rejected and
 * NAME.error, NAME being the path with '%' and '/' percent-encoded, so they
 * outlive the process. Above the limit of bytes, or REJECTS_COUNT_MAX, the
 * oldest go first; a single reject larger than the limit is kept alone.
 *
 * Threads: locked inside, also between processes that share the folder.
 *          Nobody waits for another's bytes.
 */
#ifndef CVX_CACHE_REJECTS_H
#define CVX_CACHE_REJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REJECTS_COUNT_MAX 10000

struct cvx_err;
struct rejects;
struct spool;

/* Opens the folder, made if it is not there. Files in it that are not rejects
 * are left alone. */
int rejects_open(const char *dir, uint64_t limit, struct rejects **ret,
		 struct cvx_err *err);
void rejects_close(struct rejects *r);

struct reject_info {
	char *path;	/* in the mount, without leading '/' */
	bool has_bytes; /* also if they are none, of an empty file */
	bool has_text;
	uint64_t size;
	uint64_t text_size;
	int64_t made_ns; /* Unix time */
};

/*
 * Keeps the spool's bytes and the text for the path, durably, in place of an
 * older reject of that path. spool NULL: only the text is kept, no bytes. On a
 * full disk the bytes may stay where the text cannot; that too is an error.
 */
int rejects_keep(struct rejects *r, const char *path, struct spool *spool,
		 const char *text, size_t text_size, struct cvx_err *err);

/* -ENOENT if there is none: neither bytes nor text. ret->path is the caller's
 * to free. */
int rejects_find(struct rejects *r, const char *path, struct reject_info *ret);

/* All of them, oldest first; free with rejects_list_free. */
int rejects_list(struct rejects *r, struct reject_info **ret, size_t *ret_count,
		 struct cvx_err *err);
void rejects_list_free(struct reject_info *list, size_t count);

/* A descriptor for reading the bytes or the text; the caller closes it. */
int rejects_open_bytes(struct rejects *r, const char *path, int *ret_fd);
int rejects_open_text(struct rejects *r, const char *path, int *ret_fd);

/* 0 as well when there is none. rejects_drop_* leave the other half. */
int rejects_drop(struct rejects *r, const char *path);
int rejects_drop_bytes(struct rejects *r, const char *path);
int rejects_drop_text(struct rejects *r, const char *path);

#endif
