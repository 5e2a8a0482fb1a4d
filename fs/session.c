#include "fs/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "fs/listing.h"
#include "fs/loop.h"
#include "fs/ops.h"

/* The words of -o for libfuse; a source is a path or an address. */
#define MOUNT_WORDS_MAX ((size_t)8192)

static int64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int make_backups(struct session *s, struct cvx_err *err)
{
	const uint64_t numbers[2] = {nodes_number(s->nodes),
				     nodes_number(s->nodes)};

	return backups_new(s->settings.deployment, s->settings.component,
			   s->settings.spool_dir_fd, numbers, &s->backups, err);
}

static int make_parts(struct session *s, struct cvx_err *err)
{
	const struct session_settings *set = &s->settings;
	struct commit_env commit_env;
	int r;

	s->stage_env = (struct stage_env){
		.deployment = set->deployment,
		.changes = set->changes,
		.spool_dir_fd = set->spool_dir_fd,
		.mode = set->mode,
	};
	r = components_new(&s->components, err);
	if (r == 0)
		r = nodes_new(set->component, &s->nodes, err);
	if (r == 0)
		r = names_new(&s->names, err);
	if (r == 0)
		r = marks_new(&s->marks, err);
	if (r == 0)
		r = hidden_new(&s->hidden, err);
	if (r == 0)
		r = expected_new(&s->expected, err);
	if (r == 0)
		r = handles_new(s->nodes, &s->handles, err);
	if (r == 0)
		r = listings_new(&s->listings, err);
	if (r == 0)
		r = report_new(set->deployment, &s->report, err);
	if (r == 0)
		r = last_close_new(&s->last_close, err);
	if (r == 0)
		r = barrier_new(s->last_close, &s->barrier, err);
	if (r == 0)
		r = interrupts_new(&s->interrupts, err);
	if (r == 0)
		r = make_backups(s, err);
	if (r < 0)
		return r;
	s->view_env = (struct view_env){
		.deployment = set->deployment,
		.rejects = set->rejects,
		.report = s->report,
		.names = s->names,
		.options = set->options,
		.option_count = set->option_count,
	};
	commit_env = (struct commit_env){
		.stage = &s->stage_env,
		.rejects = set->rejects,
		.report = s->report,
		.names = s->names,
		.expected = s->expected,
	};
	return commits_new(&commit_env, &s->commits, err);
}

/* A comma or backslash in the source would end the word. */
static int put_escaped(struct cvx_buf *out, const char *text)
{
	int r = 0;

	for (; r == 0 && *text; text++) {
		if (*text == ',' || *text == '\\')
			r = cvx_buf_append(out, "\\", 1);
		if (r == 0)
			r = cvx_buf_append(out, text, 1);
	}
	return r;
}

static int print_words(const struct session_settings *set, struct cvx_buf *out)
{
	int r = cvx_buf_puts(out, "-osubtype=convexfs,default_permissions");

	if (r == 0 && set->read_only)
		r = cvx_buf_puts(out, ",ro");
	if (r == 0 && set->allow_other)
		r = cvx_buf_puts(out, ",allow_other");
	if (r == 0)
		r = cvx_buf_puts(out, ",fsname=");
	if (r == 0)
		r = put_escaped(out, set->source);
	return r == 0 ? cvx_buf_append(out, "", 1) : r;
}

static int make_fuse(struct session *s, struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf words = CVX_BUF_INIT(MOUNT_WORDS_MAX);
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	int r = print_words(&s->settings, &words);

	if (r < 0)
		return cvx_fail(err, r, "the source is too long: %s",
				strerror(-r));
	if (fuse_opt_add_arg(&args, "convexfs") < 0 ||
	    fuse_opt_add_arg(&args, words.data) < 0 ||
	    (s->settings.debug && fuse_opt_add_arg(&args, "-d") < 0)) {
		fuse_opt_free_args(&args);
		return cvx_fail_memory(err);
	}
	s->fuse = fuse_session_new(&args, &ops_table, sizeof(ops_table), s);
	fuse_opt_free_args(&args);
	if (!s->fuse)
		return cvx_fail(err, -EINVAL,
				"libfuse does not take the mount options");
	return loop_new(s->fuse, &s->loop, err);
}

int session_new(const struct session_settings *settings, struct session **ret,
		struct cvx_err *err)
{
	struct session *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return cvx_fail_memory(err);
	s->settings = *settings;
	s->started_ns = now_ns();
	r = make_parts(s, err);
	if (r == 0)
		r = make_fuse(s, err);
	if (r == 0) {
		errno = 0;
		if (fuse_session_mount(s->fuse, settings->mountpoint) < 0)
			r = cvx_fail(err, errno ? -errno : -EIO,
				     "cannot mount at %s",
				     settings->mountpoint);
		else
			s->mounted = true;
	}
	if (r < 0) {
		session_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

/*
 * What was closed by all who had it, but whose RELEASE was still on its way
 * when the mount ended, is committed now (W-13).
 */
static void commit_closed(struct session *s)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct stage *stage;

	while ((stage = barrier_take_closed(s->barrier))) {
		(void)commit_stage(s->commits, stage, &err); /* it reports */
		stage_unref(stage);
	}
}

static void report_dropped(struct stage *stage)
{
	char path[TREE_PATH_MAX + 1];

	if (!stage_facts(stage).is_dirty)
		return;
	(void)stage_place(stage, path);
	log_warning("%s: was not closed before the mount ended; what was "
		    "written is dropped",
		    path);
}

int session_run(struct session *s, struct cvx_err *err)
{
	int r;

	log_info("%s: mounted at %s", s->settings.source,
		 s->settings.mountpoint);
	r = loop_run(s->loop, err);
	commit_closed(s);
	handles_each_stage(s->handles, report_dropped);
	log_info("%s: the mount at %s ends", s->settings.source,
		 s->settings.mountpoint);
	return r;
}

void session_stop(struct session *s)
{
	loop_stop(s->loop);
}

void session_free(struct session *s)
{
	if (!s)
		return;
	if (s->mounted)
		fuse_session_unmount(s->fuse);
	if (s->fuse)
		fuse_session_destroy(s->fuse);
	loop_free(s->loop);
	handles_free(s->handles);
	listings_free(s->listings);
	marks_free(s->marks);
	hidden_free(s->hidden);
	expected_free(s->expected);
	names_free(s->names);
	barrier_free(s->barrier);
	nodes_free(s->nodes);
	backups_free(s->backups);
	interrupts_free(s->interrupts);
	last_close_free(s->last_close);
	commits_free(s->commits);
	report_free(s->report);
	components_free(s->components);
	free(s);
}
