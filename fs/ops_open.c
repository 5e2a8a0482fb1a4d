/*
 * ops_open: files are opened and made.
 *
 * What is written has an inode of its own, for as long as it is written. Were
 * it on the inode of what readers have open under the same name, the kernel
 * would cut their file when it opens with O_TRUNC, and lengthen it as bytes
 * are written; and descriptors could not be counted apart (last_close.h). But
 * OPEN comes when the name has been looked up, and cannot name another inode.
 * So the first OPEN for writing makes the staged file, leaves a ticket for the
 * thread, and answers ESTALE. The kernel then looks the name up once more, now
 * finds the staged file, and opens that; programs notice nothing.
 *
 * Readers who come too late for the revision they looked up are sent round the
 * same way.
 */
#include "fs/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/base/log.h"
#include "importer/deployment.h"

/* An OPEN being worked on. */
struct opening {
	struct session *s;
	fuse_req_t req;
	struct node *n;
	const char *path;
	int flags;
	pid_t tid;
};

static bool wants_write(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
}

static int open_stage(const struct opening *o, struct stage *stage,
		      struct handle **ret, struct cvx_err *err)
{
	const struct handle what = {
		.node = o->n,
		.stage = stage_ref(stage),
		.writes = wants_write(o->flags),
	};
	int r = handle_new(o->s->handles, &what, ret, err);

	if (r == 0 && what.writes)
		stage_opened(stage, o->tid);
	return r;
}

static int open_view(const struct opening *o, struct handle **ret,
		     struct cvx_err *err)
{
	struct ops_waiting w = {o->s, o->req};
	const struct patience patience = ops_patience(&w);
	struct handle what = {.node = o->n};
	int r = 0;

	what.view = marks_take_view(o->s->marks, o->tid, o->path);
	if (!what.view)
		r = view_open(&o->s->view_env, o->n, &patience, &what.view,
			      err);
	if (r < 0)
		return r;
	if (view_revision(what.view).revision != 0 &&
	    view_revision(what.view).revision != o->n->version) {
		marks_put_view(o->s->marks, o->tid, o->path, what.view);
		return cvx_fail(err, -ESTALE, "%s: has just changed", o->path);
	}
	o->n->reader = o->tid;
	return handle_new(o->s->handles, &what, ret, err);
}

/*
 * The kernel believes the size that it was told at the look-up, and splices no
 * further. Giving it the last byte makes it believe this one.
 */
static void tell_size(const struct opening *o, struct backup *backup)
{
	const uint64_t last = backup_size(backup) - 1;
	struct fuse_bufvec bytes = FUSE_BUFVEC_INIT(1);
	char byte;
	size_t n = 0;

	bytes.buf[0].mem = &byte;
	/* If it does not work, those who ask for the size are told. */
	if (file_pread(backup_fd(backup), &byte, 1, last, &n) == 0 && n == 1)
		(void)fuse_lowlevel_notify_store(o->s->fuse, o->n->number,
						 (off_t)last, &bytes, 0);
}

static int open_backup(const struct opening *o, struct handle **ret,
		       struct cvx_err *err)
{
	struct ops_waiting w = {o->s, o->req};
	const struct patience patience = ops_patience(&w);
	struct backup *backup = o->n->backup;
	int r = backup_open(backup, o->tid, &patience, err);

	if (r < 0)
		return r;
	tell_size(o, backup);
	return handle_new(o->s->handles,
			  &(struct handle){.node = o->n, .backup = backup}, ret,
			  err);
}

/* What stands in the file when it is opened without O_TRUNC. */
static int set_contents(const struct opening *o, struct stage *stage,
			struct cvx_err *err)
{
	struct ops_waiting w = {o->s, o->req};
	const struct patience patience = ops_patience(&w);
	struct stage_base base = STAGE_BASE_NONE;
	bool append =
		o->n->place.kind == TREE_DOCUMENTS && (o->flags & O_APPEND);
	struct view_revision revision = {0};
	int r = 0;

	if (append && (o->flags & O_ACCMODE) == O_WRONLY)
		base.size = o->n->size; /* nobody will read it */
	else
		r = view_open_base(&o->s->view_env, o->n, &patience, &base,
				   &revision, err);
	if (r < 0)
		return r;
	if (append) {
		stage_set_append(stage);
		stage_set_before(stage, &base);
	} else {
		stage_set_contents(stage, &base, revision.revision);
		/* Editors make sure that they opened the file they looked at.
		 * Two that edit one revision at a time cannot be counted apart
		 * then; the first to close is committed by RELEASE. */
		stage_set_shown(stage, o->n->number);
	}
	return 0;
}

/* The staged file for an open for writing of what is there. */
static int make_stage(const struct opening *o, struct stage **ret,
		      struct cvx_err *err)
{
	const struct tree_place *place = &o->n->place;
	struct stage *stage;
	int r = stage_new(&o->s->stage_env, place, o->path,
			  nodes_number(o->s->nodes), &stage, err);

	if (r < 0)
		return r;
	stage_set_reopened(stage);
	if (tree_can_append(place->kind) && (o->flags & O_APPEND))
		stage_set_append(stage);
	if (o->flags & O_TRUNC)
		stage_set_truncated(stage);
	else if (!tree_is_drop(place->kind))
		r = set_contents(o, stage, err);
	if (r < 0) {
		stage_unref(stage);
		return r;
	}
	*ret = stage;
	return 0;
}

/* Sends the thread round to the stage; see above. */
static int redirect(const struct opening *o, struct stage *stage,
		    struct handle **ret, struct cvx_err *err)
{
	struct stage *first;

	if (o->tid != 0 &&
	    marks_put_ticket(o->s->marks, o->tid, o->path, stage) == 0)
		return cvx_fail(err, -ESTALE, "%s: is staged", o->path);
	/*
	 * It did not look the name up again (/dev/fd/N), or we cannot tell
	 * threads apart: it writes on this inode, and the next look-up gives
	 * others a new one.
	 */
	first = marks_find_ticket(o->s->marks, o->tid, o->path);
	if (first) {
		(void)marks_take_ticket(o->s->marks, o->tid, first);
		stage_unref(first);
	}
	stage_set_shown(stage, o->n->number);
	nodes_retire(o->s->nodes, o->n);
	return open_stage(o, stage, ret, err);
}

/* A file that is staged already is written to as it is, or begun anew. */
static int open_staged(const struct opening *o, struct handle **ret,
		       struct cvx_err *err)
{
	struct stage *stage = o->n->stage;
	bool anew = tree_is_drop(o->n->place.kind) &&
		    (o->flags & (O_TRUNC | O_APPEND)) &&
		    !stage_facts(stage).is_untouched;
	struct stage *fresh;
	int r;

	if (marks_take_ticket(o->s->marks, o->tid, stage)) {
		/* A stored file stays in sight. */
		r = tree_is_drop(o->n->place.kind) &&
				    o->n->place.kind != TREE_FILE
			    ? names_put(o->s->names, o->path, stage, err)
			    : 0;
		return r < 0 ? r : open_stage(o, stage, ret, err);
	}
	if (anew) {
		r = make_stage(o, &fresh, err);
		if (r < 0)
			return r;
		r = redirect(o, fresh, ret, err);
		stage_unref(fresh);
		return r;
	}
	if (o->flags & O_TRUNC) {
		r = stage_truncate(stage, 0, err);
		if (r < 0)
			return r;
		if (o->n->place.kind != TREE_SCRATCH)
			stage_set_truncated(stage);
	}
	if (tree_can_append(o->n->place.kind) && (o->flags & O_APPEND))
		stage_set_append(stage);
	return open_stage(o, stage, ret, err);
}

static int open_for_writing(const struct opening *o, struct handle **ret,
			    struct cvx_err *err)
{
	struct stage *stage;
	int r;

	if (o->s->settings.read_only)
		return cvx_fail(err, -EROFS, "the mount is read-only");
	if (o->n->stage)
		return open_staged(o, ret, err);
	if (!tree_is_target(o->n->place.kind) &&
	    o->n->place.kind != TREE_REJECTED)
		return cvx_fail(err, -EACCES, "%s: can only be read", o->path);
	if (o->n->place.kind == TREE_FILE && !(o->flags & O_TRUNC))
		return cvx_fail(err, -EPERM, "%s: stored files do not change",
				o->path);
	r = make_stage(o, &stage, err);
	if (r < 0)
		return r;
	r = redirect(o, stage, ret, err);
	stage_unref(stage);
	return r;
}

/* It can be synced; what has become a stored file can be read, too. */
static int open_ghost(const struct opening *o, struct handle **ret,
		      struct cvx_err *err)
{
	struct ops_waiting w = {o->s, o->req};
	const struct patience patience = ops_patience(&w);
	struct name there = names_find(o->s->names, o->path);
	struct handle what = {.node = o->n};
	int r = 0;

	if (there.stored_id[0])
		r = view_open_stored(&o->s->view_env, o->n->place.component,
				     there.stored_id, &patience, &what.view,
				     err);
	stage_unref(there.stage);
	return r < 0 ? r : handle_new(o->s->handles, &what, ret, err);
}

static int open_node(const struct opening *o, struct handle **ret,
		     struct cvx_err *err)
{
	if (wants_write(o->flags))
		return open_for_writing(o, ret, err);
	if (o->n->stage)
		return open_stage(o, o->n->stage, ret, err);
	if (o->n->backup)
		return open_backup(o, ret, err);
	if (o->n->ghost)
		return open_ghost(o, ret, err);
	return open_view(o, ret, err);
}

/* How the kernel is to treat the open file (fuse-facts.md e). */
static void set_caching(struct fuse_file_info *fi, const struct handle *h)
{
	fi->fh = (uintptr_t)h;
	fi->direct_io = !h->view && !h->backup;
	fi->keep_cache = !fi->direct_io;
	fi->noflush = !h->writes;
}

static void take_back(struct session *s, struct handle *h)
{
	if (h->writes)
		(void)stage_closed(h->stage);
	handle_free(s->handles, h);
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	char path[TREE_PATH_MAX + 1];
	struct session *s = ops_session(req);
	struct cvx_err err = CVX_ERR_INIT;
	struct node *n;
	struct opening o = {
		.s = s,
		.req = req,
		.path = path,
		.flags = fi->flags,
		.tid = ops_caller(req),
	};
	struct handle *h;
	int r;

	ops_settle(req);
	n = nodes_find(s->nodes, ino);
	if (!n) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	o.n = n;
	nodes_path(s->nodes, n, path);
	if (n->stage)
		(void)stage_place(n->stage, path);
	r = open_node(&o, &h, &err);
	log_debug("open %s %#x: %d", path, (unsigned)fi->flags, r);
	if (r == -ECANCELED)
		r = -EINTR; /* its caller does not want to wait */
	if (r == -ESTALE || r == -ENOENT || r == -EINTR) {
		fuse_reply_err(req, -r);
		node_unref(s->nodes, n);
	} else if (r < 0) {
		ops_refuse(req, path, &err);
		node_unref(s->nodes, n);
	} else {
		set_caching(fi, h); /* the handle keeps the node */
		if (fuse_reply_open(req, fi) == -ENOENT)
			take_back(s, h);
	}
}

static int guess(struct stage *stage, const struct tree_place *dir,
		 const char *name, const char *path, struct cvx_err *err)
{
	char target[TREE_PATH_MAX + 1], target_name[TREE_NAME_MAX + 1];
	size_t dir_size = strlen(path) - strlen(name);
	struct tree_place place;

	if (!tree_guess(dir, name, &place, target_name) ||
	    dir_size + strlen(target_name) > TREE_PATH_MAX)
		return 0;
	memcpy(target, path, dir_size);
	memcpy(target + dir_size, target_name, strlen(target_name) + 1);
	return stage_set_guess(stage, &place, target, err);
}

/*
 * Whether the file is made by who has all its bytes, even if they are none: cp,
 * mv, tar and install make what is not there so. touch opens without O_EXCL,
 * and mktemp for reading too (fuse-facts.md a); both only want the name.
 */
static bool is_copy(int flags)
{
	return (flags & O_EXCL) && (flags & O_ACCMODE) == O_WRONLY;
}

/* The stage of a file that is made, and its name. */
static int make_file(struct session *s, const struct node *dir,
		     const char *name, const char *path, int flags, pid_t tid,
		     struct stage **ret, struct cvx_err *err)
{
	struct tree_place place;
	struct stage *stage;
	bool named; /* the mount alone knows of it */
	int r;

	if (s->settings.read_only)
		return cvx_fail(err, -EROFS, "the mount is read-only");
	r = tree_file(&dir->place, name, &place, err);
	if (r < 0)
		return r;
	if (place.kind == TREE_REJECTED || place.kind == TREE_ERROR) {
		if (dir->place.kind == TREE_STORAGE_DIR)
			return cvx_fail(err, -EINVAL,
					"%s: names with this ending are those "
					"of refused files",
					name);
		place.kind = TREE_SCRATCH; /* there is no such reject */
	}
	if (!tree_is_target(place.kind) && place.kind != TREE_SCRATCH)
		return cvx_fail(err, -EPERM, "nothing can be made here");
	named = tree_is_drop(place.kind) || place.kind == TREE_SCRATCH;
	r = stage_new(&s->stage_env, &place, path, nodes_number(s->nodes),
		      &stage, err);
	if (r < 0)
		return r;
	if (tree_can_append(place.kind) && (flags & O_APPEND))
		stage_set_append(stage);
	if (place.kind == TREE_SCRATCH)
		r = guess(stage, &dir->place, name, path, err);
	/* What was unlinked and made again is replaced, even by nothing. A file
	 * of a backup is stored even if it is empty. */
	if ((flags & O_TRUNC) || place.kind == TREE_FILE ||
	    (place.kind == TREE_UPLOAD && is_copy(flags)) ||
	    (!named && hidden_from(s->hidden, path, tid)))
		stage_set_truncated(stage);
	if (r == 0 && named)
		r = names_put(s->names, path, stage, err);
	if (r < 0) {
		stage_unref(stage);
		return r;
	}
	hidden_show(s->hidden, path, tid);
	*ret = stage;
	return 0;
}

static int create(struct session *s, const struct node *dir, const char *name,
		  const char *path, int flags, pid_t tid, struct handle **ret,
		  struct cvx_err *err)
{
	struct tree_place place;
	struct stage *stage = NULL;
	struct node_key key = {.place = &place, .path = path};
	struct opening o = {s, NULL, NULL, path, flags, tid};
	int r = make_file(s, dir, name, path, flags, tid, &stage, err);

	if (r < 0)
		return r;
	place = stage_place(stage, NULL);
	key.stage = stage;
	key.number = stage_number(stage);
	r = nodes_look_up(s->nodes, &key, &o.n, err);
	if (r == 0)
		r = open_stage(&o, stage, ret, err);
	if (r < 0)
		(void)names_remove(s->names, path, stage);
	stage_unref(stage);
	return r;
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name,
	       mode_t mode __attribute__((unused)), struct fuse_file_info *fi)
{
	struct session *s = ops_session(req);
	struct cvx_err err = CVX_ERR_INIT;
	struct fuse_entry_param entry;
	struct name_end e;
	struct handle *h = NULL;
	int r = name_end_init(&e, s, parent, name, &err);

	if (r == 0)
		r = create(s, e.dir, name, e.path, fi->flags, ops_caller(req),
			   &h, &err);
	log_debug("create %s %#x: %d", e.path, (unsigned)fi->flags, r);
	if (r < 0) {
		ops_refuse(req, e.path, &err);
	} else {
		attr_entry(s, h->node, &entry);
		set_caching(fi, h);
		if (fuse_reply_create(req, &entry, fi) == -ENOENT) {
			nodes_forget(s->nodes, h->node->number, 1);
			take_back(s, h);
		}
	}
	name_end_fini(&e, s);
}
