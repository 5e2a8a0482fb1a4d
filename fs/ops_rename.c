/*
 * ops_rename: files get other names.
 *
 * A rename to a target is a commit (W-6). A rename of what is in the
 * deployment destroys nothing: the contents are copied to the new name, and
 * the program that renamed finds the old one free, to make the file again
 * (cp -b, vim; fuse-facts.md a7).
 */
#include "fs/ops.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "cache/rejects.h"
#include "fs/store.h"
#include "fs/stored.h"
#include "importer/changes.h"
#include "importer/deployment.h"
#include "importer/stored_file.h"

/* A rename on its way. */
struct renaming {
	struct session *s;
	struct name_end from, to;
	struct tree_place target; /* what the new name is, as a file */
	fuse_req_t req;
	pid_t tid;
};

static void on_interrupt(fuse_req_t req __attribute__((unused)), void *watch)
{
	watch_signal(watch);
}

static int commit_to_target(struct renaming *rn, struct stage *stage,
			    struct cvx_err *err)
{
	struct watch w;
	int r;

	watch_begin(&w, rn->s->interrupts, stage, rn->tid);
	fuse_req_interrupt_func(rn->req, on_interrupt, &w);
	r = commit_renamed(rn->s->commits, stage, &rn->target, rn->to.path,
			   err);
	fuse_req_interrupt_func(rn->req, NULL, NULL);
	watch_end(&w);
	return r;
}

/* What the file replaces under its new name will not be committed. */
static void discard_at(struct session *s, const char *path)
{
	struct name there = names_find(s->names, path);

	if (there.kind == NAME_STAGED) {
		stage_discard(there.stage);
		barrier_remove(s->barrier, there.stage);
	}
	stage_unref(there.stage);
}

/* A scratch file in that folder. */
static struct tree_place scratch_in(const struct name_end *e)
{
	return (struct tree_place){
		.kind = TREE_SCRATCH,
		.component = e->dir->place.component,
	};
}

static int to_scratch(struct renaming *rn, struct stage *stage,
		      struct cvx_err *err)
{
	const struct tree_place scratch = scratch_in(&rn->to);
	int r;

	discard_at(rn->s, rn->to.path);
	r = names_move(rn->s->names, rn->from.path, rn->to.path, err);
	return r < 0 ? r : stage_retarget(stage, &scratch, rn->to.path, err);
}

/* Its writers go on; their last close commits it under the new name. */
static int retarget_open(struct renaming *rn, struct stage *stage,
			 struct cvx_err *err)
{
	int r = stage_retarget(stage, &rn->target, rn->to.path, err);

	if (r < 0)
		return r;
	if (tree_is_drop(rn->target.kind)) {
		discard_at(rn->s, rn->to.path);
		return names_move(rn->s->names, rn->from.path, rn->to.path,
				  err);
	}
	(void)names_remove(rn->s->names, rn->from.path, stage);
	return 0;
}

static int to_target(struct renaming *rn, struct stage *stage,
		     struct cvx_err *err)
{
	struct session *s = rn->s;
	int r;

	if (ops_is_held(s, stage, rn->tid))
		return retarget_open(rn, stage, err);
	r = commit_to_target(rn, stage, err);
	if (r < 0)
		return r;
	hidden_show(s->hidden, rn->to.path, rn->tid);
	if (!tree_is_drop(rn->target.kind)) {
		(void)names_remove(s->names, rn->from.path, stage);
		return 0;
	}
	discard_at(s, rn->to.path);
	r = names_move(s->names, rn->from.path, rn->to.path, err);
	if (r == 0)
		commit_settle_name(s->commits, stage);
	return r;
}

static bool reject_is_there(struct session *s, const char *path)
{
	CVX_AUTO(cvx_freep)
	char *base = strndup(path, tree_reject_base(TREE_REJECTED, path));
	struct reject_info info;

	if (!base || rejects_find(s->settings.rejects, base, &info) < 0)
		return false;
	free(info.path);
	return true;
}

static int rename_stage(struct renaming *rn, struct stage *stage,
			struct cvx_err *err)
{
	switch (rn->target.kind) {
	case TREE_REJECTED:
		if (reject_is_there(rn->s, rn->to.path))
			return to_target(rn, stage, err);
		return to_scratch(rn, stage, err);
	case TREE_SCRATCH:
	case TREE_ERROR:
		return to_scratch(rn, stage, err);
	case TREE_README:
	case TREE_DOCUMENTS:
	case TREE_MARKER:
	case TREE_REGISTRY:
	case TREE_FILE_LIST:
	case TREE_SCHEMA:
	case TREE_DROP:
	case TREE_ARCHIVE:
	case TREE_UPLOAD:
	case TREE_FILE:
		return to_target(rn, stage, err);
	case TREE_ROOT:
	case TREE_TABLE:
	case TREE_REGISTRY_DIR:
	case TREE_STORAGE_DIR:
	case TREE_COMPONENTS_DIR:
	case TREE_COMPONENT:
	case TREE_CONTROL_DIR:
	case TREE_COMPONENT_CONTROL_DIR:
	case TREE_INDEXES_DIR:
	case TREE_INDEX_DIR:
	case TREE_SCRATCH_DIR:
	case TREE_INDEX:
	case TREE_DEPLOYMENT:
	case TREE_IMPORTS:
	case TREE_STAGED:
	case TREE_LAST_ERROR:
	case TREE_BACKUP:
	case TREE_FULL_BACKUP:
		break;
	}
	return cvx_fail(err, -EPERM, "%s: can only be read", rn->to.path);
}

/* A new file with the contents of what is served at the old name. */
static int stage_served(struct renaming *rn, const struct node *n,
			const struct tree_place *place, const char *path,
			struct stage **ret, struct cvx_err *err)
{
	struct stage_base base = STAGE_BASE_NONE;
	struct stage *stage;
	struct view_revision revision;
	int r = view_open_base(&rn->s->view_env, n, NULL, &base, &revision,
			       err);

	if (r < 0)
		return r;
	r = stage_new(&rn->s->stage_env, place, path,
		      nodes_number(rn->s->nodes), &stage, err);
	if (r < 0) {
		stage_base_fini(&base);
		return r;
	}
	stage_set_contents(stage, &base, 0);
	*ret = stage;
	return 0;
}

static int drop_whole_reject(struct renaming *rn, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep)
	char *base = strndup(rn->from.path,
			     tree_reject_base(TREE_REJECTED, rn->from.path));
	int r = base ? rejects_drop(rn->s->settings.rejects, base) : -ENOMEM;

	return r < 0 ? cvx_fail(err, r, "%s: cannot be removed: %s",
				rn->from.path, strerror(-r))
		     : 0;
}

/* FILE.rejected is tried again. */
static int retry_reject(struct renaming *rn, const struct node *n,
			struct cvx_err *err)
{
	const struct tree_place scratch = scratch_in(&rn->from);
	struct stage *stage;
	int r = stage_served(rn, n, &scratch, rn->from.path, &stage, err);

	if (r < 0)
		return r;
	r = commit_to_target(rn, stage, err);
	if (r == 0)
		r = drop_whole_reject(rn, err);
	stage_unref(stage);
	return r;
}

/* What is served gets a second name, for a scratch file. */
static int copy_served(struct renaming *rn, struct node *n, struct cvx_err *err)
{
	const struct tree_place scratch = scratch_in(&rn->to);
	struct stage *stage;
	int r = stage_served(rn, n, &scratch, rn->to.path, &stage, err);

	if (r < 0)
		return r;
	discard_at(rn->s, rn->to.path);
	r = names_put(rn->s->names, rn->to.path, stage, err);
	stage_unref(stage);
	if (r < 0)
		return r;
	if (n->place.kind == TREE_REJECTED || n->place.kind == TREE_ERROR)
		return unlink_reject(rn->s, n->place.kind, rn->from.path, err);
	unlink_hide(rn->s, &rn->from, n, rn->tid);
	return 0;
}

static int rename_served(struct renaming *rn, struct cvx_err *err)
{
	struct node *n = NULL;
	int r = lookup_node(rn->s, rn->from.dir, rn->from.name, rn->tid, NULL,
			    &n, err);

	if (r < 0)
		return r;
	nodes_forget(rn->s->nodes, n->number, 1); /* the kernel did not ask */
	if (tree_is_folder(n->place.kind))
		r = cvx_fail(err, -ENOTSUP, "%s: cannot be moved",
			     rn->from.path);
	else if (rn->target.kind == TREE_SCRATCH)
		r = copy_served(rn, n, err);
	else if (n->place.kind == TREE_REJECTED &&
		 tree_is_target(rn->target.kind))
		r = retry_reject(rn, n, err);
	else
		r = cvx_fail(err, -ENOTSUP,
			     "%s: cannot be moved to %s; copy it",
			     rn->from.path, rn->to.path);
	node_unref(rn->s->nodes, n);
	return r;
}

/* --- a file that has just been stored --------------------------------------
 */

/* Its id stays; its content type is that of the new ending. */
static int retype_upload(struct renaming *rn, const struct name *ghost,
			 struct cvx_err *err)
{
	int r = store_retype(&rn->s->stage_env, rn->target.component,
			     ghost->stored_id, stored_type(rn->to.name), err);

	if (r < 0)
		return r;
	discard_at(rn->s, rn->to.path);
	return names_move(rn->s->names, rn->from.path, rn->to.path, err);
}

/* A new file of its bytes, in place of the ghost. */
static int stage_upload(struct renaming *rn, const struct name *ghost,
			struct stage **ret, struct cvx_err *err)
{
	const struct tree_place scratch = scratch_in(&rn->from);
	struct stage_base base = STAGE_BASE_NONE;
	struct view_revision revision;
	struct stage *stage;
	int r = view_open_stored_base(&rn->s->view_env, scratch.component,
				      ghost->stored_id, NULL, &base, &revision,
				      err);

	if (r < 0)
		return r;
	r = stage_new(&rn->s->stage_env, &scratch, rn->from.path,
		      nodes_number(rn->s->nodes), &stage, err);
	if (r < 0) {
		stage_base_fini(&base);
		return r;
	}
	stage_set_contents(stage, &base, 0);
	r = names_put(rn->s->names, rn->from.path, stage, err);
	if (r < 0) {
		stage_unref(stage);
		return r;
	}
	*ret = stage;
	return 0;
}

/*
 * sed -i, zip, browsers and others write under a name of their own and rename.
 * In _storage such a name is that of a file to be stored, so it has been by
 * now. It becomes what the new name says, and is stored under the old one no
 * more. Where the type of a stored file stays, it is stored anew first.
 */
static int rename_upload(struct renaming *rn, const struct name *ghost,
			 struct cvx_err *err)
{
	const struct changes *changes = rn->s->settings.changes;
	const char *component = rn->from.dir->place.component;
	struct stage *stage;
	int r = -EROFS;

	if (rn->target.kind == TREE_UPLOAD &&
	    rn->to.dir->place.component == component)
		r = retype_upload(rn, ghost, err);
	if (r != -EROFS)
		return r;
	if (rn->target.kind == TREE_FILE)
		return cvx_fail(err, -ENOTSUP,
				"%s: has an id already, which is %s",
				rn->from.path, ghost->stored_id);
	r = stage_upload(rn, ghost, &stage, err);
	if (r < 0)
		return r;
	r = rename_stage(rn, stage, err);
	if (r < 0)
		names_put_back(rn->s->names, rn->from.path, stage);
	stage_unref(stage);
	if (r < 0)
		return r;
	r = changes->ops->delete_file(changes->ctx, component, ghost->stored_id,
				      err);
	return r == -ENOENT ? 0 : r; /* someone else has deleted it */
}

static int rename_ghost(struct renaming *rn, const struct name *ghost,
			struct cvx_err *err)
{
	struct tree_place from;
	int r = tree_file(&rn->from.dir->place, rn->from.name, &from, err);

	if (r == 0)
		r = tree_file(&rn->to.dir->place, rn->to.name, &rn->target,
			      err);
	if (r < 0)
		return r;
	if (from.kind == TREE_UPLOAD && ghost->stored_id[0])
		return rename_upload(rn, ghost, err);
	return cvx_fail(err, -ENOENT, "%s: has been imported", rn->from.path);
}

static int rename_folder(struct renaming *rn, struct cvx_err *err)
{
	struct tree_place place;
	int r = tree_folder(&rn->to.dir->place, rn->to.name, &place, err);

	if (r < 0)
		return r;
	if (place.kind != TREE_SCRATCH_DIR)
		return cvx_fail(err, -ENOTSUP,
				"%s: cannot become a table or component; make "
				"one with mkdir and copy the files in",
				rn->from.path);
	if (!names_is_empty(rn->s->names, rn->to.path))
		return cvx_fail(err, -ENOTEMPTY, "%s: is not empty",
				rn->to.path);
	r = names_move(rn->s->names, rn->from.path, rn->to.path, err);
	return r < 0 ? r
		     : nodes_move(rn->s->nodes, rn->from.path, rn->to.path,
				  err);
}

static int rename_name(struct renaming *rn, struct cvx_err *err)
{
	struct name there;
	int r = 0;

	if (rn->s->settings.read_only)
		return cvx_fail(err, -EROFS, "the mount is read-only");
	there = names_find(rn->s->names, rn->from.path);
	if (there.kind == NAME_FOLDER)
		return rename_folder(rn, err);
	if (there.kind == NAME_GHOST)
		return rename_ghost(rn, &there, err);
	r = tree_file(&rn->to.dir->place, rn->to.name, &rn->target, err);
	if (r == 0)
		r = there.kind == NAME_STAGED
			    ? rename_stage(rn, there.stage, err)
			    : rename_served(rn, err);
	stage_unref(there.stage);
	return r;
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
	       fuse_ino_t new_parent, const char *new_name, unsigned flags)
{
	struct session *s = ops_session(req);
	struct renaming rn = {.s = s, .req = req, .tid = ops_caller(req)};
	struct cvx_err err = CVX_ERR_INIT;
	int r, q;

	ops_settle(req);
	r = name_end_init(&rn.from, s, parent, name, &err);
	q = name_end_init(&rn.to, s, new_parent, new_name, &err);
	if (r == 0)
		r = q;
	if (r == 0 && (flags & ~(unsigned)RENAME_NOREPLACE))
		r = cvx_fail(&err, -EINVAL, "names cannot be exchanged");
	if (r == 0)
		r = rename_name(&rn, &err);
	log_debug("rename %s to %s: %d", rn.from.path, rn.to.path, r);
	if (r == -ESTALE) /* the kernel would do it again */
		r = err.code = -EBUSY;
	if (r < 0)
		ops_refuse(req, rn.from.path, &err);
	else
		fuse_reply_err(req, 0);
	name_end_fini(&rn.from, s);
	name_end_fini(&rn.to, s);
}

static void refuse(fuse_req_t req, const char *name, const char *what)
{
	struct cvx_err err;

	cvx_fail(&err, -EPERM, "%s cannot be made here", what);
	ops_refuse(req, name, &err);
}

void op_link(fuse_req_t req, fuse_ino_t ino __attribute__((unused)),
	     fuse_ino_t new_parent __attribute__((unused)),
	     const char *new_name)
{
	refuse(req, new_name, "links");
}

void op_symlink(fuse_req_t req, const char *target __attribute__((unused)),
		fuse_ino_t parent __attribute__((unused)), const char *name)
{
	refuse(req, name, "links");
}

void op_mknod(fuse_req_t req, fuse_ino_t parent __attribute__((unused)),
	      const char *name, mode_t mode __attribute__((unused)),
	      dev_t rdev __attribute__((unused)))
{
	refuse(req, name, "devices");
}
