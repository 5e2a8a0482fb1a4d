#include "fs/ops.h"

#include <errno.h>

#include "cache/base/cancel.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "fs/process.h"

struct session *ops_session(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

pid_t ops_caller(fuse_req_t req)
{
	return fuse_req_ctx(req)->pid;
}

static bool is_interrupted(void *req)
{
	return fuse_req_interrupted(req) != 0;
}

void ops_settle(fuse_req_t req)
{
	struct session *s = ops_session(req);

	/* Who is sent round has waited already, and shall not be overtaken. */
	if (!marks_has_ticket(s->marks, ops_caller(req)))
		barrier_wait(s->barrier, is_interrupted, req);
}

/* Any signal interrupts a request, also one that its caller lives on with. */
static bool has_ended(void *ctx)
{
	const struct ops_waiting *w = ctx;
	struct process_status status;
	pid_t tid = ops_caller(w->req);

	if (fuse_session_exited(w->s->fuse))
		return true;
	if (!fuse_req_interrupted(w->req))
		return false;
	return tid == 0 || process_read_status(tid, &status) < 0 ||
	       process_is_asked_to_end(&status);
}

struct patience ops_patience(struct ops_waiting *w)
{
	return (struct patience){has_ended, w};
}

static void on_interrupt(fuse_req_t req __attribute__((unused)), void *watch)
{
	watch_signal(watch);
}

void ops_begin_change(struct ops_change *c, fuse_req_t req)
{
	c->req = req;
	watch_begin(&c->watch, ops_session(req)->interrupts, NULL,
		    ops_caller(req));
	c->outer = cancel_watch(&c->watch.is_asked);
	fuse_req_interrupt_func(req, on_interrupt, &c->watch);
}

void ops_end_change(struct ops_change *c)
{
	fuse_req_interrupt_func(c->req, NULL, NULL);
	(void)cancel_watch(c->outer);
	watch_end(&c->watch);
}

void ops_refuse(fuse_req_t req, const char *path, const struct cvx_err *err)
{
	report_refusal(ops_session(req)->report, path, err);
	/* The kernel would take it for a connect(2) that goes on. */
	fuse_reply_err(req, err->code == -EINPROGRESS ? EIO : -err->code);
}

void ops_give_up(fuse_req_t req, const char *path, const struct cvx_err *err)
{
	struct session *s = ops_session(req);

	if (!origin_is_set(s->settings.deployment) || err->code == -ENOENT ||
	    err->code == -ESTALE)
		fuse_reply_err(req, -err->code);
	else if (err->code == -ECANCELED || err->code == -EINTR)
		fuse_reply_err(req, EINTR);
	else
		ops_refuse(req, path, err);
}

bool ops_is_held(struct session *s, struct stage *stage, pid_t tid)
{
	const struct stage_facts f = stage_facts(stage);
	const struct close_question q = {
		.inode = stage_shown(stage),
		.closer = tid,
		.opener = f.opener.process,
		.opener_sid = f.opener.sid,
	};
	struct close_answer a;

	if (f.open_count == 0)
		return false;
	last_close_ask(s->last_close, &q, &a);
	return a.holders != HOLDERS_NONE;
}

/*
 * What a mount needs, and nothing that costs more than it brings
 * (fuse-facts.md e). The writeback cache would hide appends and sizes from us,
 * and what is looked at cannot be spliced in; replies are spliced from the
 * segments.
 */
static void op_init(void *userdata __attribute__((unused)),
		    struct fuse_conn_info *conn)
{
	static const unsigned off =
		FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_SPLICE_READ |
		FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_READDIRPLUS |
		FUSE_CAP_READDIRPLUS_AUTO;
	static const unsigned on = FUSE_CAP_ATOMIC_O_TRUNC |
				   FUSE_CAP_ASYNC_READ | FUSE_CAP_SPLICE_WRITE |
				   FUSE_CAP_SPLICE_MOVE |
				   FUSE_CAP_PARALLEL_DIROPS;

	conn->want &= ~off;
	conn->want |= on & conn->capable;
	conn->max_background = 128; /* RELEASE and readahead share it */
	log_debug("init: protocol %u.%u, %u bytes a write", conn->proto_major,
		  conn->proto_minor, conn->max_write);
}

/*
 * Not here on purpose: what the kernel does itself when told ENOSYS once
 * (access, lseek, copy_file_range, fallocate, ioctl, poll, locks).
 */
const struct fuse_lowlevel_ops ops_table = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.statfs = op_statfs,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.setxattr = op_setxattr,
	.removexattr = op_removexattr,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.releasedir = op_releasedir,
	.mkdir = op_mkdir,
	.rmdir = op_rmdir,
	.open = op_open,
	.create = op_create,
	.read = op_read,
	.write = op_write,
	.flush = op_flush,
	.fsync = op_fsync,
	.release = op_release,
	.unlink = op_unlink,
	.rename = op_rename,
	.link = op_link,
	.symlink = op_symlink,
	.mknod = op_mknod,
};
