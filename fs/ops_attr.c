/*
 * ops_attr: sizes, times, extended attributes, and how they are set.
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

/* Programs read and write in pieces of this size (performance.md). */
#define BLOCK_SIZE (1 << 20)

/* What never changes may stay in the kernel for long. */
#define TIMEOUT_FIXED 86400.0
#define TIMEOUT_SHORT 1.0

#define NS_PER_SECOND 1000000000

static bool is_read_only(enum tree_kind kind)
{
	return kind == TREE_DEPLOYMENT || kind == TREE_IMPORTS ||
	       kind == TREE_LAST_ERROR || kind == TREE_CONTROL_DIR ||
	       kind == TREE_ERROR;
}

static struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){.tv_sec = ns / NS_PER_SECOND,
				 .tv_nsec = ns % NS_PER_SECOND};
}

static int64_t folder_mtime(const struct session *s, const struct node *n)
{
	struct table_info info;

	if (n->place.kind == TREE_TABLE &&
	    deployment_stat_table(s->settings.deployment, n->place.component,
				  n->place.table, &info, NULL) == 0)
		return info.committed_ns;
	return s->started_ns;
}

void attr_fill(const struct session *s, const struct node *n, struct stat *st)
{
	const struct session_settings *set = &s->settings;
	bool folder = tree_is_folder(n->place.kind);
	uint64_t size = n->size;
	int64_t mtime = n->mtime_ns ? n->mtime_ns : s->started_ns;

	if (n->stage) {
		size = stage_size(n->stage);
		mtime = stage_mtime(n->stage);
	} else if (folder) {
		mtime = folder_mtime(s, n);
	}
	*st = (struct stat){
		.st_ino = n->stage ? stage_shown(n->stage) : n->number,
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
		st->st_size = (off_t)stage_size(h->stage);
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
	if (size == 0 && n->place.kind == TREE_DOCUMENTS)
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
	struct stage *stage;
	struct stat st;
	int r = 0;

	if (!n) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	stage = fi && handle_of(fi)->stage ? handle_of(fi)->stage : n->stage;
	if (to_set & FUSE_SET_ATTR_SIZE)
		r = stage ? stage_truncate(stage, (uint64_t)attr->st_size, &err)
			  : truncate_path(s, n, (uint64_t)attr->st_size, &err);
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

/* T-6. The attributes of a table, in the order in which they are listed. */
enum { XATTR_DOCUMENTS, XATTR_NUMBER, XATTR_REVISION, XATTR_ERROR };
static const char *const xattr_names[] = {
	[XATTR_DOCUMENTS] = "user.convex.documents",
	[XATTR_NUMBER] = "user.convex.table_number",
	[XATTR_REVISION] = "user.convex.revision",
	[XATTR_ERROR] = "user.convex.last_error",
};
#define XATTR_COUNT (sizeof(xattr_names) / sizeof(xattr_names[0]))
#define XATTR_SIZE_MAX ((size_t)64 << 10)

static bool has_xattrs(const struct node *n)
{
	return n->place.kind == TREE_TABLE ||
	       (n->place.kind == TREE_DOCUMENTS && !n->stage);
}

/* The value; -ENODATA when the table has none of that name. */
static int print_xattr(struct session *s, const struct node *n, size_t which,
		       struct cvx_buf *out)
{
	struct deployment *d = s->settings.deployment;
	const char *component = n->place.component;
	struct table_info info;
	int r = deployment_stat_table(d, component, n->place.table, &info,
				      NULL);

	if (r < 0)
		return r;
	switch (which) {
	case XATTR_DOCUMENTS:
		return cvx_buf_printf(out, "%" PRIu64, info.document_count);
	case XATTR_NUMBER:
		return cvx_buf_printf(out, "%" PRIu32, info.number);
	case XATTR_REVISION:
		return cvx_buf_printf(out, "%" PRIu64, info.revision);
	case XATTR_ERROR:
		r = deployment_print_last_error(d, component, n->place.table,
						out, NULL);
		while (out->size > 0 && out->data[out->size - 1] == '\n')
			out->size--; /* it is a value, not a file */
		return r == 0 && out->size == 0 ? -ENODATA : r;
	}
	return -ENODATA;
}

/* The protocol of both calls: size 0 asks for the size. */
static void reply_xattr(fuse_req_t req, const struct cvx_buf *value,
			size_t size)
{
	if (size == 0)
		fuse_reply_xattr(req, value->size);
	else if (size < value->size)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, value->data, value->size);
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf value = CVX_BUF_INIT(XATTR_SIZE_MAX);
	struct session *s = ops_session(req);
	struct node *n = nodes_find(s->nodes, ino);
	int r = -ENODATA;

	if (n && has_xattrs(n)) {
		for (size_t i = 0; i < XATTR_COUNT; i++)
			if (strcmp(name, xattr_names[i]) == 0) {
				ops_settle(req);
				r = print_xattr(s, n, i, &value);
			}
	}
	node_unref(s->nodes, n);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		reply_xattr(req, &value, size);
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf list = CVX_BUF_INIT(XATTR_SIZE_MAX);
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf value = CVX_BUF_INIT(XATTR_SIZE_MAX);
	struct session *s = ops_session(req);
	struct node *n = nodes_find(s->nodes, ino);
	int r = 0;

	if (n && has_xattrs(n)) {
		ops_settle(req);
		for (size_t i = 0; r == 0 && i < XATTR_COUNT; i++)
			if (i != XATTR_ERROR ||
			    print_xattr(s, n, i, &value) == 0)
				r = cvx_buf_append(&list, xattr_names[i],
						   strlen(xattr_names[i]) + 1);
	}
	node_unref(s->nodes, n);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		reply_xattr(req, &list, size);
}
