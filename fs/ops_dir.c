/*
 * ops_dir: folders are listed, made and removed.
 */
#include "fs/ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "fs/listing.h"
#include "importer/changes.h"

/* What libfuse itself gives for a number that is not known: 0 would be taken
 * for a removed entry. */
#define UNKNOWN_NUMBER UINT64_C(0xffffffff)

static struct listing *listing_of(const struct fuse_file_info *fi)
{
	return (struct listing *)(uintptr_t)fi->fh;
}

void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct listing *l;
	int r = listing_new(ops_session(req)->listings, &l, &err);

	log_debug("opendir %llu: %d", (unsigned long long)ino, r);
	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	fi->fh = (uintptr_t)l;
	if (fuse_reply_open(req, fi) == -ENOENT)
		listing_free(l);
}

/* One answer to a readdir being filled. */
struct answer {
	fuse_req_t req;
	char *buf;
	size_t size, used;
};

static int add_entry(void *ctx, size_t index, const char *name, int is_folder,
		     uint64_t number)
{
	struct answer *a = ctx;
	const struct stat st = {
		.st_ino = number ? number : UNKNOWN_NUMBER,
		.st_mode = is_folder ? S_IFDIR : S_IFREG,
	};
	size_t n =
		fuse_add_direntry(a->req, a->buf + a->used, a->size - a->used,
				  name, &st, (off_t)index + 1);

	if (n > a->size - a->used)
		return 1;
	a->used += n;
	return 0;
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		struct fuse_file_info *fi)
{
	CVX_AUTO(cvx_freep) char *buf = malloc(size);
	struct answer a = {.req = req, .buf = buf, .size = size};
	struct session *s = ops_session(req);
	struct ops_waiting w = {s, req};
	const struct patience patience = ops_patience(&w);
	struct cvx_err err = CVX_ERR_INIT;
	struct node *dir;
	int r = 0;

	if (!buf) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	if (off == 0) { /* opened, or rewound: what is there now */
		ops_settle(req);
		dir = nodes_find(s->nodes, ino);
		r = dir ? listing_fill(listing_of(fi), s, dir, &patience, &err)
			: -ESTALE;
		node_unref(s->nodes, dir);
	}
	log_debug("readdir %llu from %lld: %d", (unsigned long long)ino,
		  (long long)off, r);
	if (r < 0) {
		err.code = r;
		ops_give_up(req, "the folder", &err);
		return;
	}
	listing_walk(listing_of(fi), (size_t)off, add_entry, &a);
	fuse_reply_buf(req, buf, a.used);
}

void op_releasedir(fuse_req_t req, fuse_ino_t ino __attribute__((unused)),
		   struct fuse_file_info *fi)
{
	listing_free(listing_of(fi));
	fuse_reply_err(req, 0);
}

static int make_component(struct session *s, const struct tree_place *place,
			  const char *name, struct cvx_err *err)
{
	char path[TREE_PATH_MAX + 1];
	const struct changes *changes = s->settings.changes;
	int r = tree_join(path, place->component, name);

	if (r < 0)
		return cvx_fail(err, r, "the path is too long");
	return changes->ops->create_component(changes->ctx, path, err);
}

static int make_table(struct session *s, const struct tree_place *place,
		      struct cvx_err *err)
{
	const struct changes *changes = s->settings.changes;

	return changes->ops->create_table(changes->ctx, place->component,
					  place->table, err);
}

static int make_place(struct session *s, const struct tree_place *place,
		      const char *name, const char *path, pid_t tid,
		      struct cvx_err *err)
{
	if (place->kind == TREE_TABLE)
		return make_table(s, place, err);
	if (place->kind == TREE_COMPONENT)
		return make_component(s, place, name, err);
	if (place->kind == TREE_SCRATCH_DIR)
		return names_put_folder(s->names, path, err);
	/* It is there, but perhaps this process does not see it. */
	if (!hidden_from(s->hidden, path, tid))
		return cvx_fail(err, -EEXIST, "%s: is there already", path);
	hidden_show(s->hidden, path, tid);
	return 0;
}

static int make_folder(struct session *s, const struct name_end *e, pid_t tid,
		       struct cvx_err *err)
{
	struct tree_place place;
	int r;

	if (s->settings.read_only)
		return cvx_fail(err, -EROFS, "the mount is read-only");
	r = tree_folder(&e->dir->place, e->name, &place, err);
	if (r == 0 && place.kind == TREE_INDEX_DIR)
		r = cvx_fail(err, -EPERM, "nothing can be made in .convex/");
	if (r == 0)
		r = make_place(s, &place, e->name, e->path, tid, err);
	if (r == 0 && place.kind != TREE_SCRATCH_DIR && unlink_is_replacer(tid))
		hidden_put_fresh(s->hidden, e->path, tid);
	return r;
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
	      mode_t mode __attribute__((unused)))
{
	struct session *s = ops_session(req);
	struct cvx_err err = CVX_ERR_INIT;
	struct fuse_entry_param entry;
	struct ops_change change;
	struct ops_waiting w = {s, req};
	const struct patience patience = ops_patience(&w);
	struct name_end e;
	struct node *n = NULL;
	int r;

	ops_settle(req);
	r = name_end_init(&e, s, parent, name, &err);
	if (r == 0) {
		ops_begin_change(&change, req);
		r = make_folder(s, &e, ops_caller(req), &err);
		ops_end_change(&change);
	}
	if (r == 0)
		r = lookup_node(s, e.dir, name, ops_caller(req), &patience, &n,
				&err);
	log_debug("mkdir %s: %d", e.path, r);
	if (r < 0) {
		ops_refuse(req, e.path, &err);
	} else {
		attr_entry(s, n, &entry);
		if (fuse_reply_entry(req, &entry) == -ENOENT)
			nodes_forget(s->nodes, n->number, 1);
	}
	node_unref(s->nodes, n);
	name_end_fini(&e, s);
}

/* What is common to all that the deployment has. */
static int check_removal(struct session *s, const char *what, const char *path,
			 struct cvx_err *err)
{
	if (!s->settings.allow_delete)
		return cvx_fail(err, -EPERM,
				"%s: is a %s; only a mount with -o "
				"allow_delete removes those",
				path, what);
	if (!names_is_empty(s->names, path))
		return cvx_fail(err, -ENOTEMPTY,
				"%s: files that are not imported are in it",
				path);
	return 0;
}

static int remove_table(struct session *s, const struct tree_place *place,
			const char *path, struct cvx_err *err)
{
	const struct changes *changes = s->settings.changes;
	int r = check_removal(s, "table", path, err);

	if (r < 0)
		return r;
	return changes->ops->delete_table(changes->ctx, place->component,
					  place->table, err);
}

static int remove_component(struct session *s, const struct tree_place *place,
			    const char *name, const char *path,
			    struct cvx_err *err)
{
	const struct changes *changes = s->settings.changes;
	char component[TREE_PATH_MAX + 1];
	int r = check_removal(s, "component", path, err);

	if (r < 0)
		return r;
	if (tree_join(component, place->component, name) < 0)
		return cvx_fail(err, -ENAMETOOLONG, "the path is too long");
	return changes->ops->delete_component(changes->ctx, component, err);
}

static int remove_folder(struct session *s, const struct node *dir,
			 const char *name, const char *path,
			 struct cvx_err *err)
{
	struct name there = names_find(s->names, path);
	struct tree_place place;

	stage_unref(there.stage);
	if (s->settings.read_only)
		return cvx_fail(err, -EROFS, "the mount is read-only");
	if (there.kind == NAME_FOLDER) {
		if (!names_is_empty(s->names, path))
			return cvx_fail(err, -ENOTEMPTY, "%s: is not empty",
					path);
		(void)names_remove(s->names, path, NULL);
		return 0;
	}
	if (tree_folder(&dir->place, name, &place, NULL) < 0)
		return cvx_fail(err, -ENOENT, "%s: is not there", path);
	if (place.kind == TREE_TABLE)
		return remove_table(s, &place, path, err);
	if (place.kind == TREE_COMPONENT)
		return remove_component(s, &place, name, path, err);
	return cvx_fail(err, -EPERM, "%s: belongs to the mount", path);
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
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
		r = remove_folder(s, e.dir, name, e.path, &err);
		ops_end_change(&change);
	}
	log_debug("rmdir %s: %d", e.path, r);
	if (r < 0)
		ops_refuse(req, e.path, &err);
	else
		fuse_reply_err(req, 0);
	name_end_fini(&e, s);
}
