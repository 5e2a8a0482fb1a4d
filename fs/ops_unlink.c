/*
 * ops_unlink: files lose their names.
 *
 * What is staged is dropped. What is in the deployment stays: unlinking it is
 * refused with EPERM (W-10), but for programs that unlink a file only to make
 * it again. They stop with an error when the unlink fails, nothing in their
 * requests tells them from rm, and their users do not ask for anything to be
 * removed; so they are known by name. To such a program the name is free from
 * then on; if it does not make the file, the file is there as before. Nobody
 * loses a row by it (fuse-facts.md a7).
 *
 * With -o allow_delete, anybody else's unlink empties the table.
 */
#include "fs/ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "cache/rejects.h"
#include "fs/process.h"
#include "importer/changes.h"

/*
 * Unlink an existing file, then make it with O_CREAT. Those that may also
 * remove what they have copied from here are told apart by having read it.
 */
static const struct {
	const char *name;
	bool removes_sources;
} replacers[] = {
	{"mv", true},	     {"tar", true},	 {"bsdtar", true},
	{"7z", true},	     {"7za", true},	 {"7zr", true},
	{"cp", false},	     {"install", false}, {"unzip", false},
	{"bsdunzip", false}, {"cpio", false},	 {"bsdcpio", false},
};

/* 1 or 2 if the thread's process is one: 2 if it may remove its sources. */
static int find_replacer(pid_t tid)
{
	struct process_status status;
	char comm[16];

	if (tid == 0 || process_read_status(tid, &status) < 0 ||
	    process_read_comm(status.tgid, comm) < 0)
		return 0;
	for (size_t i = 0; i < sizeof(replacers) / sizeof(replacers[0]); i++)
		if (strcmp(comm, replacers[i].name) == 0)
			return replacers[i].removes_sources ? 2 : 1;
	return 0;
}

bool unlink_is_replacer(pid_t tid)
{
	return find_replacer(tid) != 0;
}

/* The same of a program that unlinks the node. */
static bool is_replacer_of(const struct node *n, pid_t tid)
{
	int found = find_replacer(tid);

	return found == 1 || (found == 2 && n->reader != tid);
}

int name_end_init(struct name_end *e, struct session *s, fuse_ino_t parent,
		  const char *name, struct cvx_err *err)
{
	char dir_path[TREE_PATH_MAX + 1];

	e->name = name;
	e->path[0] = '\0';
	e->dir = nodes_find(s->nodes, parent);
	if (!e->dir)
		return cvx_fail(err, -ENOENT, "the folder is gone");
	nodes_path(s->nodes, e->dir, dir_path);
	if (tree_join(e->path, dir_path, name) < 0)
		return cvx_fail(err, -ENAMETOOLONG, "the path is too long");
	return 0;
}

void name_end_fini(struct name_end *e, struct session *s)
{
	node_unref(s->nodes, e->dir);
}

/* The base's path of a reject's file. */
static int reject_call(struct session *s, enum tree_kind kind, const char *path,
		       int (*fn)(struct rejects *, const char *),
		       struct cvx_err *err)
{
	CVX_AUTO(cvx_freep)
	char *base = strndup(path, tree_reject_base(kind, path));
	int r;

	if (!base)
		return cvx_fail_memory(err);
	r = fn(s->settings.rejects, base);
	return r < 0 ? cvx_fail(err, r, "%s: cannot be removed: %s", path,
				strerror(-r))
		     : 0;
}

int unlink_reject(struct session *s, enum tree_kind kind, const char *path,
		  struct cvx_err *err)
{
	return reject_call(s, kind, path,
			   kind == TREE_ERROR ? rejects_drop_text
					      : rejects_drop_bytes,
			   err);
}

void unlink_hide(struct session *s, const struct name_end *e, struct node *n,
		 pid_t tid)
{
	/* The kernel counts the links of the inode it unlinked; the file that
	 * is seen next has another one. */
	nodes_retire(s->nodes, n);
	hidden_put(s->hidden, e->path, tid);
}

static bool hide_from_replacer(struct session *s, const struct name_end *e,
			       pid_t tid)
{
	struct node *n;
	bool yes;

	if (lookup_node(s, e->dir, e->name, 0, NULL, &n, NULL) < 0)
		return false;
	yes = is_replacer_of(n, tid);
	if (yes)
		unlink_hide(s, e, n, tid);
	nodes_forget(s->nodes, n->number, 1); /* the kernel did not ask */
	node_unref(s->nodes, n);
	return yes;
}

static int remove_served(struct session *s, const struct name_end *e,
			 const struct tree_place *place, pid_t tid,
			 struct cvx_err *err)
{
	const struct changes *changes = s->settings.changes;

	if (place->kind == TREE_REJECTED || place->kind == TREE_ERROR)
		return unlink_reject(s, place->kind, e->path, err);
	if (!tree_is_target(place->kind))
		return cvx_fail(err, -EPERM, "%s: belongs to the mount",
				e->path);
	if (hide_from_replacer(s, e, tid))
		return 0;
	if (!s->settings.allow_delete)
		return cvx_fail(err, -EPERM,
				"%s: is in the deployment; only a mount with "
				"-o allow_delete removes it (truncate -s 0 "
				"empties a table)",
				e->path);
	if (place->kind == TREE_DOCUMENTS || place->kind == TREE_SCHEMA)
		return commit_empty(s->commits, place, e->path, err);
	if (place->kind == TREE_FILE)
		return changes->ops->delete_file(changes->ctx, place->component,
						 place->id, err);
	return 0; /* it goes with its folder */
}

/* What it has become stays. But zip and others make a file to see whether they
 * can, and remove it: such a one is not stored for good. */
static int remove_ghost(struct session *s, const struct name_end *e,
			const struct name *ghost, struct cvx_err *err)
{
	const struct changes *changes = s->settings.changes;
	int r = 0;

	(void)names_remove(s->names, e->path, NULL);
	if (ghost->stored_id[0] && ghost->size == 0)
		r = changes->ops->delete_file(changes->ctx,
					      e->dir->place.component,
					      ghost->stored_id, err);
	return r == -ENOENT ? 0 : r; /* someone else has deleted it */
}

static int remove_name(struct session *s, const struct name_end *e, pid_t tid,
		       struct cvx_err *err)
{
	struct name there = names_find(s->names, e->path);
	struct tree_place place;
	int r = 0;

	if (s->settings.read_only) {
		r = cvx_fail(err, -EROFS, "the mount is read-only");
	} else if (there.kind == NAME_STAGED) {
		stage_discard(there.stage);
		barrier_remove(s->barrier, there.stage);
		(void)names_remove(s->names, e->path, there.stage);
	} else if (there.kind == NAME_GHOST) {
		r = remove_ghost(s, e, &there, err);
	} else if (there.kind == NAME_FOLDER) {
		r = cvx_fail(err, -EISDIR, "%s: is a folder", e->path);
	} else {
		r = tree_file(&e->dir->place, e->name, &place, err);
		if (r == 0)
			r = remove_served(s, e, &place, tid, err);
	}
	stage_unref(there.stage);
	return r;
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct session *s = ops_session(req);
	struct cvx_err err = CVX_ERR_INIT;
	struct ops_change change;
	struct name_end e;
	int r;

	ops_settle(req);
	r = name_end_init(&e, s, parent, name, &err);
	if (r == 0) {
		ops_begin_change(&change, req);
		r = remove_name(s, &e, ops_caller(req), &err);
		ops_end_change(&change);
	}
	log_debug("unlink %s: %d", e.path, r);
	if (r < 0)
		ops_refuse(req, e.path, &err);
	else
		fuse_reply_err(req, 0);
	name_end_fini(&e, s);
}
