#include "fs/import_command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/figures.h"
#include "cache/base/log.h"
#include "fs/cache_dir.h"
#include "fs/import_command-private.h"
#include "fs/open_source.h"
#include "fs/option_print.h"
#include "fs/option_read.h"
#include "fs/source.h"
#include "importer/remote/http.h"
#include "importer/restore.h"

/* --- the work, in a thread of its own ------------------------------------ */

static void on_more(void *ctx, uint64_t size)
{
	struct import_run *c = ctx;

	c->available_size = size;
	if (c->imp)
		import_available(c->imp, size);
	else if (c->remote)
		remote_import_available(c->remote, size);
}

static int preview(void *ctx, struct cvx_err *err)
{
	struct import_run *c = ctx;
	int r = input_fill(&c->input, c->spool_dir_fd, c->stop.fd, on_more, c,
			   err);

	if (r == 0 && c->remote)
		return remote_import_prepare(c->remote, c->input.size, &c->plan,
					     err);
	if (r == 0 && c->imp)
		r = import_preview(c->imp, c->input.size, &c->preview, err);
	else if (r == 0)
		r = restore_preview(c->restore, c->input.size, &c->preview,
				    err);
	c->has_preview = r == 0;
	return r;
}

static int commit(void *ctx, struct cvx_err *err)
{
	struct import_run *c = ctx;
	struct import_result imported = {0, 0};
	struct restore_result restored = {.document_count = 0};
	int r;

	if (c->remote) {
		r = remote_import_perform(c->remote, &c->document_count, err);
		if (c->document_count == UINT64_MAX) /* it does not say */
			c->document_count = 0;
		return r;
	}
	if (c->imp)
		r = import_commit(c->imp, c->input.size, &imported, err);
	else
		r = restore_commit(c->restore, c->input.size, &restored, err);
	c->document_count = imported.document_count + restored.document_count;
	return r;
}

static void cancel(void *ctx)
{
	struct import_run *c = ctx;

	if (c->imp)
		import_cancel(c->imp);
	else if (c->restore)
		restore_cancel(c->restore);
	else
		remote_import_cancel(c->remote);
}

static void show(void *ctx)
{
	struct import_run *c = ctx;
	struct import_progress at = {.row_count = 0};
	struct progress_state state;

	if (c->imp)
		import_get_progress(c->imp, &at);
	else if (c->restore)
		restore_get_progress(c->restore, &at);
	else
		at.consumed_size = remote_import_sent_size(c->remote);
	state = (struct progress_state){
		.done_size = at.consumed_size,
		.total_size = c->input.is_stream ? 0 : c->input.size,
		.row_count = at.row_count,
	};
	/* An archive from a pipe is read once all of it is there. */
	if (c->input.is_stream && c->restore && at.consumed_size == 0)
		state.done_size = c->available_size;
	progress_show(&c->progress, &state);
}

static int run(struct import_run *c,
	       int (*work)(void *ctx, struct cvx_err *err), struct cvx_err *err)
{
	const struct job job = {
		.ctx = c, .run = work, .cancel = cancel, .show = show};
	int r = job_run(&c->stop, &job, err);

	progress_clear(&c->progress);
	return r;
}

/* --- before it ----------------------------------------------------------- */

static int open_spool_dir(struct import_run *c, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *dir = NULL;
	int r;

	if (!c->input.is_stream)
		return 0;
	r = cache_dir_resolve(NULL, &dir, err);
	return r < 0 ? r : cache_dir_open(dir, &c->spool_dir_fd, err);
}

static enum format_kind format_kind_of(enum file_format format)
{
	switch (format) {
	case FILE_FORMAT_CSV:
		return FORMAT_CSV;
	case FILE_FORMAT_JSON_ARRAY:
		return FORMAT_JSON;
	case FILE_FORMAT_JSON_LINES:
	case FILE_FORMAT_NONE:
	case FILE_FORMAT_ZIP:
		break;
	}
	return FORMAT_JSONL;
}

static enum remote_format remote_format_of(enum file_format format)
{
	switch (format) {
	case FILE_FORMAT_CSV:
		return REMOTE_CSV;
	case FILE_FORMAT_JSON_ARRAY:
		return REMOTE_JSON_ARRAY;
	case FILE_FORMAT_ZIP:
		return REMOTE_ZIP;
	case FILE_FORMAT_JSON_LINES:
	case FILE_FORMAT_NONE:
		break;
	}
	return REMOTE_JSON_LINES;
}

/* The deployment's own words, in the thread of the work. On a terminal the bar
 * says enough. */
static void on_remote_report(void *ctx, const char *message, bool final)
{
	const struct import_run *c = ctx;

	if (final && !c->progress.is_terminal)
		fprintf(stderr, "%s\n", message);
}

/* IMP-3: the official client asks here, too; ours waits its turn. */
static bool on_other_import(void *ctx)
{
	const struct import_run *c = ctx;

	if (!c->progress.is_terminal)
		fprintf(stderr, "Another import of this deployment is in "
				"progress.\n");
	return true;
}

/* Nothing depends on it but what a run after this one has to send. */
static void open_uploads(struct import_run *c)
{
	CVX_AUTO(cvx_freep) char *dir = NULL;
	struct cvx_err err = CVX_ERR_INIT;
	int r = cache_dir_resolve(NULL, &dir, &err);

	if (r == 0)
		r = cache_dir_open_uploads(dir, http_site(c->http),
					   &c->uploads_fd, &err);
	if (r < 0)
		log_warning("%s; should this import be killed, another one "
			    "sends all of it again",
			    err.msg);
}

static int begin_remote(struct import_run *c, struct cvx_err *err)
{
	const struct import_options *o = c->options;
	const struct remote_import_target target = {
		.component = o->component ? o->component : "",
		.table = o->table,
		.format = remote_format_of(o->format),
		.mode = import_options_mode(o),
	};
	const struct remote_import_settings settings = {
		.part_size = c->part_size,
		.keeps_records = c->uploads_fd >= 0,
		.record_dir_fd = c->uploads_fd,
		.may_join = on_other_import,
		.report = on_remote_report,
		.ctx = c,
	};
	struct import_source source = input_source(&c->input);

	return remote_import_new(c->http, &target, &source, &settings,
				 &c->remote, err);
}

static int begin(struct import_run *c, struct cvx_err *err)
{
	const struct import_options *o = c->options;
	const char *component = o->component ? o->component : "";
	const struct import_target target = {
		.component = component,
		.table = o->table ? o->table : "",
		.path = o->path,
		.format = format_kind_of(o->format),
		.mode = import_options_mode(o),
		.makes_component = true,
	};
	const struct restore_target archive = {
		.component = component,
		.path = o->path,
		.mode = target.mode,
	};
	struct import_source source = input_source(&c->input);

	if (c->http) {
		open_uploads(c);
		return begin_remote(c, err);
	}
	return o->format == FILE_FORMAT_ZIP
		       ? restore_new(c->deployment, &archive, &source,
				     &c->restore, err)
		       : import_new(c->deployment, &target, &source, &c->imp,
				    err);
}

static enum exit_status prepare(struct import_run *c, struct cvx_err *err)
{
	const struct import_options *o = c->options;
	const struct source_flags flags = {
		.source = o->source,
		.env_file = o->env_file,
		.url = o->url,
		.admin_key = o->admin_key,
		.prod = o->prod,
		.preview_name = o->preview_name,
		.deployment_name = o->deployment_name,
		.deployment = o->deployment,
	};
	enum exit_status status;
	int r = input_open(c->options->path, &c->input, err);

	if (r < 0)
		return r == -ENOENT || r == -EISDIR ? EXIT_STATUS_WRONG_CALL
						    : EXIT_STATUS_LOCAL_TROUBLE;
	status = open_any_source(&flags, false, &c->deployment, &c->http,
				 &c->part_size, err);
	if (status != EXIT_STATUS_DONE)
		return status;
	r = open_spool_dir(c, err);
	if (r == 0)
		r = begin(c, err);
	return r == 0 ? EXIT_STATUS_DONE : EXIT_STATUS_LOCAL_TROUBLE;
}

static void print_beginning(const struct import_run *c)
{
	char size[FIGURES_SIZE];

	if (c->progress.is_terminal)
		return; /* the bar says it */
	if (c->input.is_stream) {
		fprintf(stderr, "Importing %s\n", c->input.name);
		return;
	}
	figures_print_size(c->input.size, size);
	fprintf(stderr, "Importing %s (%s)\n", c->input.name, size);
}

/* --- between preview and commit ------------------------------------------ */

/* The change table, and the question; 0: go on. */
static enum exit_status confirm(struct import_run *c, struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf text = CVX_BUF_INIT(IMPORT_TEXT_MAX);
	bool yes = c->options->yes;
	int r;

	if (c->remote ? !c->plan.asks
		      : !c->preview.needs_confirmation ||
				c->preview.refusal.code < 0)
		return EXIT_STATUS_DONE;
	r = c->remote ? cvx_buf_puts(&text, c->plan.message)
		      : preview_print(&c->preview, &text);
	if (r < 0) {
		(void)cvx_fail_memory(err);
		return EXIT_STATUS_LOCAL_TROUBLE;
	}
	fprintf(stderr, "%.*s\n", (int)text.size, text.data);
	if (yes)
		return EXIT_STATUS_DONE;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
		(void)cvx_fail_named(err, -EPERM, "ConfirmationRequired",
				     "documents would be deleted, and there is "
				     "no terminal to ask at; with -y nothing "
				     "is asked");
		return EXIT_STATUS_WRONG_CALL;
	}
	if (stop_ask(&c->stop, "Perform import? (Y/n)", &yes, err) < 0)
		return EXIT_STATUS_LOCAL_TROUBLE;
	if (yes)
		return EXIT_STATUS_DONE;
	(void)cvx_fail_named(err, -ECANCELED, "NotConfirmed",
			     "nothing was imported");
	return c->stop.signal ? EXIT_STATUS_INTERRUPTED
			      : EXIT_STATUS_WRONG_CALL;
}

/* ------------------------------------------------------------------------- */

static enum exit_status work(struct import_run *c, struct cvx_err *err)
{
	enum exit_status status = prepare(c, err);
	int r;

	if (status != EXIT_STATUS_DONE)
		return status;
	print_beginning(c);
	r = run(c, preview, err);
	if (r == 0) {
		status = confirm(c, err);
		if (status != EXIT_STATUS_DONE)
			return status;
		r = run(c, commit, err);
	}
	if (r == 0)
		return EXIT_STATUS_DONE;
	if (r == -ECANCELED && c->stop.signal)
		return EXIT_STATUS_INTERRUPTED;
	return import_failure_status(c, err);
}

static enum exit_status import_with(const struct import_options *options)
{
	struct import_run c = {
		.options = options,
		.input = {.fd = -1},
		.spool_dir_fd = -1,
		.uploads_fd = -1,
	};
	struct cvx_err err = CVX_ERR_INIT;
	enum exit_status status = EXIT_STATUS_LOCAL_TROUBLE;

	progress_init(&c.progress, strcmp(options->path, "-") == 0
					   ? "standard input"
					   : options->path);
	if (stop_init(&c.stop, &err) == 0)
		status = work(&c, &err);
	status = import_tell(&c, status, &err);
	preview_fini(&c.preview);
	import_free(c.imp);
	restore_free(c.restore);
	remote_import_free(c.remote);
	http_free(c.http);
	deployment_close(c.deployment);
	input_fini(&c.input);
	if (c.spool_dir_fd >= 0)
		(void)close(c.spool_dir_fd);
	cvx_closep(&c.uploads_fd);
	stop_fini(&c.stop);
	return status;
}

enum exit_status import_command(int argc, char *const argv[])
{
	struct import_options options = {.path = NULL};
	const struct import_run nothing = {.options = &options};
	struct cvx_err err = CVX_ERR_INIT;
	const char *warning = NULL;
	enum exit_status status = EXIT_STATUS_DONE;

	if (import_options_read(&options, argc, argv, &warning, &err) < 0) {
		status = import_tell(&nothing, EXIT_STATUS_WRONG_CALL, &err);
	} else if (options.help) {
		options_print_help(&import_command_options, stdout);
	} else {
		if (warning)
			fprintf(stderr, "convexfs: warning: %s\n", warning);
		status = import_with(&options);
	}
	free(options.path);
	options_free(&import_command_options, &options);
	return status;
}
