/*
 * ops_file: open files are read, written, closed.
 *
 * A close of a written file may be the last one or not, and nobody says which
 * (fuse-facts.md c). FLUSH finds out and commits, so that close(2) can return
 * the error; RELEASE commits what is left.
 */
#include "fs/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"

static void reply_bytes(fuse_req_t req, const struct view_bytes *b)
{
	struct fuse_bufvec out = FUSE_BUFVEC_INIT(b->size);

	if (b->fd >= 0) {
		out.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
		out.buf[0].fd = b->fd;
		out.buf[0].pos = (off_t)b->fd_off;
		fuse_reply_data(req, &out, FUSE_BUF_SPLICE_MOVE);
	} else {
		fuse_reply_buf(req, b->data, b->size);
	}
}

static int read_stage(struct stage *stage, uint64_t off, size_t size,
		      struct view_bytes *ret, struct cvx_err *err)
{
	*ret = (struct view_bytes){.fd = -1};
	ret->own = malloc(size);
	if (!ret->own)
		return cvx_fail_memory(err);
	ret->data = ret->own;
	return stage_read(stage, off, ret->own, size, &ret->size, err);
}

static int read_backup(struct backup *b, uint64_t off, size_t size,
		       struct view_bytes *ret)
{
	uint64_t end = backup_size(b);

	*ret = (struct view_bytes){.fd = backup_fd(b), .fd_off = off};
	if (off < end)
		ret->size = end - off < size ? (size_t)(end - off) : size;
	return 0;
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
	     struct fuse_file_info *fi)
{
	struct handle *h = handle_of(fi);
	struct cvx_err err = CVX_ERR_INIT;
	struct view_bytes bytes = {.fd = -1};
	int r;

	if (h->backup)
		r = read_backup(h->backup, (uint64_t)off, size, &bytes);
	else if (h->stage)
		r = read_stage(h->stage, (uint64_t)off, size, &bytes, &err);
	else if (h->view)
		r = view_read(h->view, (uint64_t)off, size, &bytes, &err);
	else
		r = cvx_fail(&err, -ESTALE, "it has been imported");
	log_debug("read %llu: %zu bytes at %lld: %d", (unsigned long long)ino,
		  bytes.size, (long long)off, r);
	if (r == -ESTALE) {
		fuse_reply_err(req, ESTALE);
	} else if (r < 0) {
		ops_refuse(req, h->node->path, &err);
	} else {
		handle_answer(h);
		reply_bytes(req, &bytes);
	}
	view_bytes_fini(&bytes);
}

/*
 * Bytes are taken even if they are refused: the reject shall be whole. They
 * are refused early only to those who were seen to close one of several
 * descriptors before they wrote, as shells do for redirections: these do not
 * look at what their last close returns.
 */
void op_write(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size,
	      off_t off, struct fuse_file_info *fi)
{
	struct handle *h = handle_of(fi);
	struct stage *stage = h->stage;
	struct cvx_err err = CVX_ERR_INIT;
	int r;

	r = stage_write(stage, (uint64_t)off, bytes, size, fi->flags & O_APPEND,
			&err);
	stage_note_writer(stage, ops_caller(req));
	if (r == 0 && stage_facts(stage).was_flushed) {
		r = stage_check(stage, false, &err);
		if (r < 0)
			stage_note_refusal(stage);
	}
	log_debug("write %llu: %zu bytes at %lld: %d", (unsigned long long)ino,
		  size, (long long)off, r);
	if (r < 0) {
		log_error("%s: %s", h->node->path, err.msg);
		handle_answer(h);
		fuse_reply_err(req, -r);
	} else {
		handle_answer(h);
		fuse_reply_write(req, size);
	}
}

static void on_interrupt(fuse_req_t req __attribute__((unused)), void *watch)
{
	watch_signal(watch);
}

/* A commit that its caller can break off. */
static int commit(struct session *s, struct stage *stage, fuse_req_t req,
		  struct cvx_err *err)
{
	struct watch w;
	int r;

	watch_begin(&w, s->interrupts, stage, ops_caller(req));
	fuse_req_interrupt_func(req, on_interrupt, &w);
	r = commit_stage(s->commits, stage, err);
	fuse_req_interrupt_func(req, NULL, NULL);
	watch_end(&w);
	barrier_remove(s->barrier, stage);
	return r;
}

static void ask(struct session *s, struct stage *stage, pid_t tid,
		struct close_answer *ret)
{
	const struct stage_facts f = stage_facts(stage);
	const struct close_question q = {
		.inode = stage_shown(stage),
		.closer = tid,
		.opener = f.opener.process,
		.opener_sid = f.opener.sid,
		.witness = f.witness,
	};

	*ret = (struct close_answer){.holders = HOLDERS_UNKNOWN};
	if (tid != 0)
		last_close_ask(s->last_close, &q, ret);
}

/* The errno of a close: some of them programs take for success, or the kernel
 * for never to be called again (fuse-facts.md a6). */
static int close_errno(int r)
{
	switch (-r) {
	case EINTR:
	case EINPROGRESS:
	case EBADF:
	case ENOSYS:
		return EIO;
	default:
		return -r;
	}
}

void op_flush(fuse_req_t req, fuse_ino_t ino __attribute__((unused)),
	      struct fuse_file_info *fi)
{
	struct session *s = ops_session(req);
	struct handle *h = handle_of(fi);
	struct cvx_err err = CVX_ERR_INIT;
	struct close_answer a = {.holders = HOLDERS_NONE};
	int r = 0;

	if (!h->writes || !h->stage) {
		handle_answer(h);
		fuse_reply_err(req, 0);
		return;
	}
	if (stage_facts(h->stage).is_dirty)
		ask(s, h->stage, ops_caller(req), &a);
	if (a.died_of)
		stage_note_death(h->stage, a.closer, a.died_of,
				 a.holders == HOLDERS_NONE);
	if (a.holders == HOLDERS_NONE) {
		r = commit(s, h->stage, req, &err);
	} else {
		/* RELEASE could not tell its caller of an error any more. */
		if (a.error) {
			(void)cvx_fail(&err, a.error,
				       "no memory to see who holds it");
			stage_break(h->stage, &err);
		}
		stage_set_witness(h->stage, a.holder);
		stage_note_flush(h->stage);
		barrier_add(s->barrier, h->stage);
		r = stage_check(h->stage, true, &err);
	}
	log_debug("flush %s by %d: holders %d, died of %d: %d", h->node->path,
		  (int)ops_caller(req), a.holders, a.died_of, r);
	handle_answer(h);
	fuse_reply_err(req, close_errno(r));
}

void op_release(fuse_req_t req, fuse_ino_t ino __attribute__((unused)),
		struct fuse_file_info *fi)
{
	struct session *s = ops_session(req);
	struct handle *h = handle_of(fi);
	char path[TREE_PATH_MAX + 1];
	struct cvx_err err = CVX_ERR_INIT;
	int r = 0;

	if (h->writes && stage_closed(h->stage) == 0) {
		if (stage_facts(h->stage).is_dirty)
			r = commit_stage(s->commits, h->stage, &err);
		barrier_remove(s->barrier, h->stage);
		if (stage_facts(h->stage).was_opened_for_nothing) {
			(void)stage_place(h->stage, path);
			names_put_back(s->names, path, h->stage);
			stage_spend(h->stage);
		}
	}
	log_debug("release %s: %d", h->node->path, r);
	handle_free(s->handles, h);
	fuse_reply_err(req, 0);
}

/* Never commits; tells how the last import through the path ended, which
 * `sync FILE` shows in every shell (fuse-facts.md a6). */
void op_fsync(fuse_req_t req, fuse_ino_t ino __attribute__((unused)),
	      int datasync __attribute__((unused)), struct fuse_file_info *fi)
{
	struct session *s = ops_session(req);
	struct handle *h = handle_of(fi);
	struct cvx_err err = CVX_ERR_INIT;
	int r;

	if (h->stage)
		r = stage_sync(h->stage, &err);
	else
		r = report_outcome(s->report, h->node->path);
	log_debug("fsync %s: %d", h->node->path, r);
	if (r < 0 && h->stage) {
		ops_refuse(req, h->node->path, &err);
	} else {
		handle_answer(h);
		fuse_reply_err(req, close_errno(r));
	}
}
