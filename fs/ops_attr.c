/*
 * ops_attr: sizes and times, and how they are set.
 */
#include "fs/ops.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "importer/deployment.h"
#include "importer/stored_file.h"

/* Programs read and write in pieces of this size (performance.md). */
#define BLOCK_SIZE (1 << 20)

/* What never changes may stay in the kernel for long. */
#define TIMEOUT_FIXED 86400.0
#define TIMEOUT_SHORT 1.0

#define NS_PER_SECOND 1000000000

/* Backups can only be read, too, but a copy has the mode of what it is made of,
 * and the next backup is copied over it. Who opens one to write is refused. */
static bool is_read_only(enum tree_kind kind)
{
	return kind == TREE_DEPLOYMENT || kind == TREE_IMPORTS ||
	       kind == TREE_STAGED || kind == TREE_LAST_ERROR ||
	       kind == TREE_INDEXES_DIR || kind == TREE_INDEX_DIR ||
	       kind == TREE_INDEX || kind == TREE_ERROR;
}

static struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){.tv_sec = ns / NS_PER_SECOND,
				 .tv_nsec = ns % NS_PER_SECOND};
}

static int64_t folder_mtime(const struct session *s, const struct node *n)
{
	struct deployment *d = s->settings.deployment;
	const struct tree_place *p = &n->place;
	struct storage_info storage;
	struct table_info table;

	/* What a copy fetches is no change of the folder. */
	if (origin_is_set(d))
		return s->started_ns;
	if ((p->kind == TREE_TABLE || p->kind == TREE_INDEX_DIR) &&
	    deployment_stat_table(d, p->component, p->table, &table, NULL) == 0)
		return table.committed_ns;
	if (p->kind == TREE_STORAGE_DIR &&
	    deployment_stat_storage(d, p->component, &storage, NULL) == 0 &&
	    storage.committed_ns > 0)
		return storage.committed_ns;
	return s->started_ns;
}

static uint64_t shown_number(const struct node *n)
{
	if (n->stage)
		return stage_shown(n->stage);
	return n->backup ? backup_shown(n->backup) : n->number;
}

void attr_fill(const struct session *s, const struct node *n, struct stat *st)
{
	const struct session_settings *set = &s->settings;
	bool folder = tree_is_folder(n->place.kind);
	uint64_t size = n->size;
	int64_t mtime = n->mtime_ns ? n->mtime_ns : s->started_ns;
	struct stage_facts staged;

	if (n->stage) {
		staged = stage_facts(n->stage);
		size = staged.size;
		mtime = staged.mtime_ns;
	} else if (n->backup) {
		size = backup_size(n->backup);
		mtime = backup_time_ns(n->backup);
		mtime = mtime ? mtime : s->started_ns;
	} else if (folder) {
		mtime = folder_mtime(s, n);
	}
	*st = (struct stat){
		.st_ino = shown_number(n),
		.st_mode = folder ? S_IFDIR | 0777 : S_IFREG | 0666,
		.st_nlink = 1, /* says of folders: not counted */
		.st_uid = set->uid,
		.st_gid = set->gid,
		.st_size = (off_t)size,
		.st_blksize = BLOCK_SIZE,
		.st_blocks = (blkcnt_t)((size + 511) / 512),
		.st_mtim = timespec_of(mtime),
		.st_ctim = timespec_of(mtime),
		.st_atim = timespec_of(mtime),
	};
	st->st_mode &= ~set->umask;
	if (set->read_only || is_read_only(n->place.kind))
		st->st_mode &= ~(mode_t)0222;
}

double attr_timeout(const struct node *n)
{
	if (tree_is_folder(n->place.kind))
		return TIMEOUT_SHORT;
	if (n->backup)
		return 0; /* it has none before it is opened */
	/* All writing of a staged file passes through this kernel, which knows
	 * its size. */
	return n->stage ? TIMEOUT_SHORT : TIMEOUT_FIXED;
}

void attr_entry(const struct session *s, const struct node *n,
		struct fuse_entry_param *ret)
{
	*ret = (struct fuse_entry_param){
		.ino = n->number,
		.attr_timeout = attr_timeout(n),
		.entry_timeout = 0,
	};
	attr_fill(s, n, &ret->attr);
}

/* The node of the request, with what the handle knows better. */
static void fill(struct session *s, struct node *n,
		 const struct fuse_file_info *fi, struct stat *st)
{
	struct handle *h =
		fi && !tree_is_folder(n->place.kind) ? handle_of(fi) : NULL;

	attr_fill(s, n, st);
	if (h && h->stage) {
		st->st_size = (off_t)stage_facts(h->stage).size;
		st->st_blocks = (st->st_size + 511) / 512;
	}
	if (h)
		handle_answer(h);
}

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct session *s = ops_session(req);
	struct node *n = nodes_find(s->nodes, ino);
	struct stat st;

	if (!n) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	if (!fi && !n->stage)
		ops_settle(req);
	fill(s, n, fi, &st);
	log_debug("getattr %llu: %lld bytes", (unsigned long long)ino,
		  (long long)st.st_size);
	fuse_reply_attr(req, &st, attr_timeout(n));
	node_unref(s->nodes, n);
}

/* truncate(2) by path, of what is not being written (W-7). */
static int truncate_path(struct session *s, struct node *n, uint64_t size,
			 struct cvx_err *err)
{
	if (s->settings.read_only)
		return cvx_fail(err, -EROFS, "the mount is read-only");
	if (size == 0 &&
	    (n->place.kind == TREE_DOCUMENTS || n->place.kind == TREE_SCHEMA))
		return commit_empty(s->commits, &n->place, n->path, err);
	if (size == n->size)
		return 0;
	return cvx_fail(err, -EINVAL,
			"%s: it can be cut to nothing, but to no other size",
			n->path);
}

/*
 * Modes, owners and times are taken and forgotten: programs set them on what
 * they have written, and the mount has its own. Scratch files keep their time.
 */
void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi)
{
	struct session *s = ops_session(req);
	struct node *n = nodes_find(s->nodes, ino);
	struct cvx_err err = CVX_ERR_INIT;
	struct ops_change change;
	struct stage *stage;
	struct stat st;
	int r = 0;

	if (!n) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	stage = fi && handle_of(fi)->stage ? handle_of(fi)->stage : n->stage;
	ops_begin_change(&change, req);
	if (to_set & FUSE_SET_ATTR_SIZE)
		r = stage ? stage_truncate(stage, (uint64_t)attr->st_size, &err)
			  : truncate_path(s, n, (uint64_t)attr->st_size, &err);
	ops_end_change(&change);
	if (r == 0 && stage && (to_set & FUSE_SET_ATTR_MTIME) &&
	    !(to_set & FUSE_SET_ATTR_MTIME_NOW))
		stage_set_mtime(stage,
				(int64_t)attr->st_mtim.tv_sec * NS_PER_SECOND +
					attr->st_mtim.tv_nsec);
	log_debug("setattr %llu %#x: %d", (unsigned long long)ino,
		  (unsigned)to_set, r);
	if (r < 0) {
		ops_refuse(req, n->path, &err);
	} else {
		fill(s, n, fi, &st);
		fuse_reply_attr(req, &st, attr_timeout(n));
	}
	node_unref(s->nodes, n);
}

/* T-8: the disk that holds what is staged. */
void op_statfs(fuse_req_t req, fuse_ino_t ino __attribute__((unused)))
{
	struct session *s = ops_session(req);
	struct statvfs st;

	if (fstatvfs(s->settings.spool_dir_fd, &st) < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	if (st.f_files == 0) { /* such as btrfs: as many as fit */
		st.f_files = st.f_blocks;
		st.f_ffree = st.f_favail = st.f_bfree;
	}
	st.f_namemax = TREE_NAME_MAX;
	fuse_reply_statfs(req, &st);
}
