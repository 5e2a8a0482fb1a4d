/*
 * ops: the operations of the low-level FUSE interface, and what they share.
 *
 * Each operation finds its object, makes the one call, and replies exactly
 * once. What it means is told elsewhere: tree.h what a name is, view.h what is
 * read, stage.h what is written, commit.h what becomes of it.
 *
 * Locks: each module has one, and takes it alone, but that the barrier, the
 * list of handles and the watcher of interrupts ask stages while they hold
 * theirs, and that of nodes counts references of stages and backups. A stage's
 * lock and that of backups come last. A commit, a wait for another program and
 * a reply are made without any.
 *
 * Threads: every operation may run in any worker of the loop, and may wait
 * there: a close for its commit, a look-up for a close that is on its way
 * (barrier.h). The loop starts more workers by need.
 */
#ifndef CVX_FS_OPS_H
#define CVX_FS_OPS_H

#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 14)
#include <fuse_lowlevel.h>

#include "fs/backup.h"
#include "fs/barrier.h"
#include "fs/commit.h"
#include "fs/components.h"
#include "fs/expected.h"
#include "fs/handle.h"
#include "fs/hidden.h"
#include "fs/interrupt.h"
#include "fs/last_close.h"
#include "fs/marks.h"
#include "fs/names.h"
#include "fs/nodes.h"
#include "fs/report.h"
#include "fs/session.h"
#include "fs/stage.h"
#include "fs/view.h"
#include "importer/origin.h"

struct cvx_err;
struct loop;

struct session {
	struct session_settings settings;
	int64_t started_ns;
	struct fuse_session *fuse;
	bool mounted;

	struct stage_env stage_env;
	struct view_env view_env;
	struct components *components;
	struct nodes *nodes;
	struct names *names;
	struct marks *marks;
	struct hidden *hidden;
	struct expected *expected;
	struct handles *handles;
	struct listings *listings;
	struct report *report;
	struct commits *commits;
	struct last_close *last_close;
	struct barrier *barrier;
	struct interrupts *interrupts;
	struct loop *loop;
	struct backups *backups;
};

extern const struct fuse_lowlevel_ops ops_table;

struct session *ops_session(fuse_req_t req);
pid_t ops_caller(fuse_req_t req);

/* Waits for what was closed before (barrier.h). */
void ops_settle(fuse_req_t req);

/* A change that its caller can break off: between the two the thread is asked
 * to give up (cancel.h) when he is. Before the reply. */
struct ops_change {
	struct watch watch;
	fuse_req_t req;
	const atomic_bool *outer;
};
void ops_begin_change(struct ops_change *c, fuse_req_t req);
void ops_end_change(struct ops_change *c);

/* Replies with the error, and reports it for the path. */
void ops_refuse(fuse_req_t req, const char *path, const struct cvx_err *err);

/* A request that waits for a backup, or a deployment elsewhere: until the mount
 * ends, or its caller has been asked to end. */
struct ops_waiting {
	struct session *s;
	fuse_req_t req;
};
struct patience ops_patience(struct ops_waiting *w);

/* Replies with the error of a request that waited: EINTR without a report if
 * its patience has ended, else with one, but for what is not there. */
void ops_give_up(fuse_req_t req, const char *path, const struct cvx_err *err);

/* ops_attr.c */
void attr_fill(const struct session *s, const struct node *n, struct stat *st);
double attr_timeout(const struct node *n);
void attr_entry(const struct session *s, const struct node *n,
		struct fuse_entry_param *ret);
void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi);
void op_statfs(fuse_req_t req, fuse_ino_t ino);

/* ops_xattr.c */
void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
		 const char *value, size_t size, int flags);
void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

/* ops_lookup.c: the node under the name, with a look-up and a reference. */
int lookup_node(struct session *s, const struct node *parent, const char *name,
		pid_t tid, const struct patience *patience, struct node **ret,
		struct cvx_err *err);
void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups);
void op_forget_multi(fuse_req_t req, size_t count,
		     struct fuse_forget_data *forgets);

/* ops_dir.c */
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		struct fuse_file_info *fi);
void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);

static inline struct handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

/* ops_open.c */
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi);

/* ops_file.c */
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
	     struct fuse_file_info *fi);
void op_write(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size,
	      off_t off, struct fuse_file_info *fi);
void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
	      struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

/* The name of a request: in which folder, and its path. */
struct name_end {
	struct node *dir;
	const char *name;
	char path[TREE_PATH_MAX + 1];
};

/* -ENOENT if the folder is gone. Ends with name_end_fini() in any case. */
int name_end_init(struct name_end *e, struct session *s, fuse_ino_t parent,
		  const char *name, struct cvx_err *err);
void name_end_fini(struct name_end *e, struct session *s);

/* ops_unlink.c */
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);

/* What is served under the name, n, is not seen by the thread's process until
 * it makes it again. */
void unlink_hide(struct session *s, const struct name_end *e, struct node *n,
		 pid_t tid);

/* Whether the thread's process is one of those that make files anew where
 * they find some, and fail where they did not expect any. */
bool unlink_is_replacer(pid_t tid);

/* Removes FILE.rejected or FILE.error. */
int unlink_reject(struct session *s, enum tree_kind kind, const char *path,
		  struct cvx_err *err);

/* ops_rename.c */
void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
	       fuse_ino_t new_parent, const char *new_name, unsigned flags);
void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent,
	     const char *new_name);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		const char *name);
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	      dev_t rdev);

/* Settles a stage whose descriptors are all closed but which the kernel has
 * not released yet: whether anyone still holds it for writing. */
bool ops_is_held(struct session *s, struct stage *stage, pid_t tid);

#endif
