/*
 * view: the bytes behind a path that can be read.
 *
 * A view is what an open file shows: one revision of a table, a stored file,
 * one text of a generated file, a reject. It stays as it is until it is closed
 * (T-3).
 *
 * Cost:    a table costs one reader, a stored file a descriptor; their bytes go
 *          to the kernel without a copy in this process. A generated text is
 * made when its name is looked up. Threads: a view may be read by several
 * threads at once.
 */
#ifndef CVX_FS_VIEW_H
#define CVX_FS_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include "fs/tree.h"

struct cvx_err;
struct deployment;
struct names;
struct node;
struct patience;
struct rejects;
struct report;
struct stage_base;
struct text;
struct view;

/* All of them outlive it. */
struct view_env {
	struct deployment *deployment;
	struct rejects *rejects;
	struct report *report;
	struct names *names;
	const char *const *options;
	size_t option_count;
};

/* The text of a generated file; -ENOENT if it is not there. */
int view_print(const struct view_env *env, const struct tree_place *place,
	       struct text **ret, struct cvx_err *err);

/* Whether a text of this place is generated. */
bool view_is_text(enum tree_kind kind);

/* Opens what the node shows; -ENOENT if it has gone meanwhile. What a copy of
 * another deployment does not hold any more is fetched first, which patience
 * may end with -ECANCELED; NULL has no end. Of a table and
 * a stored file it is what is there now, which may be another revision than
 * the node's. */
int view_open(const struct view_env *env, const struct node *n,
	      const struct patience *patience, struct view **ret,
	      struct cvx_err *err);

/* The stored file of that id; -ENOENT if it has gone. */
int view_open_stored(const struct view_env *env, const char *component,
		     const char *id, const struct patience *patience,
		     struct view **ret, struct cvx_err *err);
void view_close(struct view *v); /* NULL is allowed */

/* Which revision of a table or which stored file it is; all 0 for anything
 * else. */
struct view_revision {
	uint64_t revision; /* the version of its node */
	uint64_t size;
	int64_t committed_ns;
};

struct view_revision view_revision(const struct view *v);

/* The same, as something for a stage to begin with (W-8). */
int view_open_base(const struct view_env *env, const struct node *n,
		   const struct patience *patience, struct stage_base *ret,
		   struct view_revision *ret_revision, struct cvx_err *err);

int view_open_stored_base(const struct view_env *env, const char *component,
			  const char *id, const struct patience *patience,
			  struct stage_base *ret,
			  struct view_revision *ret_revision,
			  struct cvx_err *err);

/* Bytes to answer a read with: a range of a file, or memory. */
struct view_bytes {
	int fd; /* -1: they are at data */
	uint64_t fd_off;
	const char *data;
	size_t size; /* 0 at the end */
	/* For view_bytes_fini() after use. The reply outlives the view by a
	 * moment: the file may be closed before it has come back to us. */
	char *own;
	struct text *text;
};

void view_bytes_fini(struct view_bytes *b);

int view_read(struct view *v, uint64_t off, size_t size, struct view_bytes *ret,
	      struct cvx_err *err);

#endif
