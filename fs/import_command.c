#include "fs/import_command.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/figures.h"
#include "fs/cache_dir.h"
#include "fs/input.h"
#include "fs/job.h"
#include "fs/json_out.h"
#include "fs/open_source.h"
#include "fs/option_print.h"
#include "fs/option_read.h"
#include "fs/progress.h"
#include "fs/source.h"
#include "importer/preview.h"
#include "importer/remote/http.h"
#include "importer/remote/remote_import.h"
#include "importer/restore.h"

/* Ten places, or a change table. */
#define TEXT_MAX ((size_t)16 << 20)

/* One import on its way. One of imp, restore and remote, once the work has
 * begun. */
struct command {
	const struct import_options *options;
	struct stop stop;
	struct input input;
	struct deployment *deployment;
	int spool_dir_fd;
	struct import *imp;
	struct restore *restore;
	struct http *http; /* of a deployment elsewhere; NULL: it is here */
	struct remote_import *remote;
	struct remote_plan plan; /* of it */
	_Atomic uint64_t available_size;
	struct preview preview;
	bool has_preview;
	uint64_t document_count;
	struct progress progress;
};

/* --- the work, in a thread of its own ------------------------------------ */

static void on_more(void *ctx, uint64_t size)
{
	struct command *c = ctx;

	c->available_size = size;
	if (c->imp)
		import_available(c->imp, size);
	else if (c->remote)
		remote_import_available(c->remote, size);
}

static int preview(void *ctx, struct cvx_err *err)
{
	struct command *c = ctx;
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
	struct command *c = ctx;
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
	struct command *c = ctx;

	if (c->imp)
		import_cancel(c->imp);
	else if (c->restore)
		restore_cancel(c->restore);
	else
		remote_import_cancel(c->remote);
}

static void show(void *ctx)
{
	struct command *c = ctx;
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

static int run(struct command *c, int (*work)(void *ctx, struct cvx_err *err),
	       struct cvx_err *err)
{
	const struct job job = {
		.ctx = c, .run = work, .cancel = cancel, .show = show};
	int r = job_run(&c->stop, &job, err);

	progress_clear(&c->progress);
	return r;
}

/* --- before it ----------------------------------------------------------- */

static int open_spool_dir(struct command *c, struct cvx_err *err)
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
	const struct command *c = ctx;

	if (final && !c->progress.is_terminal)
		fprintf(stderr, "%s\n", message);
}

/* IMP-3: the official client asks here, too; ours waits its turn. */
static bool on_other_import(void *ctx)
{
	const struct command *c = ctx;

	if (!c->progress.is_terminal)
		fprintf(stderr, "Another import of this deployment is in "
				"progress.\n");
	return true;
}

static int begin_remote(struct command *c, struct cvx_err *err)
{
	const struct import_options *o = c->options;
	const struct remote_import_target target = {
		.component = o->component ? o->component : "",
		.table = o->table,
		.format = remote_format_of(o->format),
		.mode = import_options_mode(o),
	};
	const struct remote_import_settings settings = {
		.may_join = on_other_import,
		.report = on_remote_report,
		.ctx = c,
	};
	struct import_source source = input_source(&c->input);

	return remote_import_new(c->http, &target, &source, &settings,
				 &c->remote, err);
}

static int begin(struct command *c, struct cvx_err *err)
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

	if (c->http)
		return begin_remote(c, err);
	return o->format == FILE_FORMAT_ZIP
		       ? restore_new(c->deployment, &archive, &source,
				     &c->restore, err)
		       : import_new(c->deployment, &target, &source, &c->imp,
				    err);
}

static enum exit_status prepare(struct command *c, struct cvx_err *err)
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
	status = open_any_source(&flags, false, &c->deployment, &c->http, err);
	if (status != EXIT_STATUS_DONE)
		return status;
	r = open_spool_dir(c, err);
	if (r == 0)
		r = begin(c, err);
	return r == 0 ? EXIT_STATUS_DONE : EXIT_STATUS_LOCAL_TROUBLE;
}

static void print_beginning(const struct command *c)
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
static enum exit_status confirm(struct command *c, struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini) struct cvx_buf text = CVX_BUF_INIT(TEXT_MAX);
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

/* --- telling the outcome ------------------------------------------------- */

enum exit_status import_exit_status(const struct cvx_err *cause)
{
	/* The file is as it should be, but the deployment is not. */
	if (cause->name && strcmp(cause->name, "TableExists") == 0)
		return EXIT_STATUS_DEPLOYMENT_REFUSED;
	if (cause->name)
		return EXIT_STATUS_INPUT_REFUSED;
	switch (cause->code) {
	case -EROFS:
	case -EACCES:
	case -EPERM:
	case -ENOTSUP:
	case -ECANCELED: /* from elsewhere */
		return EXIT_STATUS_DEPLOYMENT_REFUSED;
	default:
		return EXIT_STATUS_LOCAL_TROUBLE;
	}
}

static enum exit_status remote_exit_status(const struct command *c,
					   const struct cvx_err *cause)
{
	if (cause->name && strcmp(cause->name, REMOTE_IMPORT_UNKNOWN) == 0)
		return EXIT_STATUS_OUTCOME_UNKNOWN;
	if (cause->code == -EEXIST || cause->code == -ECANCELED)
		return EXIT_STATUS_DEPLOYMENT_REFUSED;
	if (remote_import_error(c->remote))
		return EXIT_STATUS_INPUT_REFUSED;
	return source_exit_status(cause->code) == EXIT_STATUS_WRONG_CALL
		       ? EXIT_STATUS_DEPLOYMENT_REFUSED
		       : source_exit_status(cause->code);
}

static int print_places(const struct command *c, struct cvx_buf *out)
{
	int r = 0;

	if (c->imp)
		r = import_print_error(c->imp, out);
	else if (c->restore)
		r = restore_print_error(c->restore, out);
	else if (c->remote && remote_import_error(c->remote))
		r = cvx_buf_puts(out, remote_import_error(c->remote));
	return r < 0 ? r : cvx_buf_append(out, "", 1);
}

/* Calls use with each line of the text, which is cut. */
static void for_each_line(char *text, void (*use)(void *ctx, const char *line),
			  void *ctx)
{
	char *line;

	while ((line = strsep(&text, "\n")))
		if (*line)
			use(ctx, line);
}

static void print_line(void *ctx, const char *line)
{
	fprintf(ctx, "  %s\n", line);
}

static void add_place(void *ctx, const char *line)
{
	json_out_text(ctx, "", line);
}

static void print_failure(const struct command *c, const struct cvx_err *cause)
{
	CVX_AUTO(cvx_buf_fini) struct cvx_buf places = CVX_BUF_INIT(TEXT_MAX);
	bool is_refused = cause->name && (c->imp || c->restore);
	const char *text = c->remote ? remote_import_error(c->remote) : NULL;

	if (text) { /* in the deployment's own words, and all of them */
		fprintf(stderr, "convexfs: %s: %s\n", c->input.name, text);
		return;
	}
	fprintf(stderr, "convexfs: %s%s%s\n", is_refused ? c->input.name : "",
		is_refused ? ": " : "", cause->msg);
	if (!is_refused || print_places(c, &places) < 0 || places.size < 2 ||
	    !memchr(places.data, '\n', places.size - 2))
		return;
	for_each_line(places.data, print_line, stderr);
}

static void add_error(struct json_out *j, const struct command *c,
		      const struct cvx_err *cause)
{
	CVX_AUTO(cvx_buf_fini) struct cvx_buf places = CVX_BUF_INIT(TEXT_MAX);
	const char *code =
		cause->name ? cause->name : strerrorname_np(-cause->code);

	json_out_open(j, "error", "{");
	json_out_text(j, "code", code ? code : "EIO");
	json_out_text(j, "message", cause->msg);
	json_out_open(j, "places", "[");
	if (cause->name && print_places(c, &places) == 0)
		for_each_line(places.data, add_place, j);
	json_out_close(j, "]");
	json_out_close(j, "}");
}

static void add_tables(struct json_out *j, const struct preview *p)
{
	const struct preview_table *t;
	size_t i;

	json_out_open(j, "tables", "[");
	for (i = 0; i < p->table_count; i++) {
		t = &p->tables[i];
		json_out_open(j, "", "{");
		json_out_text(j, "component", t->component);
		json_out_text(j, "table", t->table);
		json_out_number(j, "create", t->create_count);
		json_out_number(j, "delete", t->delete_count);
		json_out_number(j, "existing", t->existing_count);
		json_out_close(j, "}");
	}
	json_out_close(j, "]");
}

/* As a line of .convex/imports.jsonl (T-5), with what was to change. */
static enum exit_status print_json(const struct command *c,
				   enum exit_status status,
				   const struct cvx_err *cause)
{
	const struct import_options *o = c->options;
	struct json_out j;
	int r;

	json_out_init(&j);
	json_out_open(&j, "", "{");
	json_out_text(&j, "target", o->path);
	json_out_text(&j, "format", file_format_name(o->format));
	json_out_text(&j, "mode", import_mode_name(import_options_mode(o)));
	json_out_text(&j, "component", o->component ? o->component : "");
	json_out_text(&j, "table", o->table);
	json_out_text(&j, "state",
		      status == EXIT_STATUS_DONE ? "completed" : "failed");
	json_out_number(&j, "rows", c->document_count);
	json_out_number(&j, "bytes", c->input.size);
	if (c->has_preview)
		add_tables(&j, &c->preview);
	if (status == EXIT_STATUS_DONE)
		json_out_text(&j, "error", NULL);
	else
		add_error(&j, c, cause);
	json_out_close(&j, "}");
	r = json_out_flush(&j);
	json_out_fini(&j);
	if (r == 0 || status != EXIT_STATUS_DONE)
		return status;
	fprintf(stderr,
		"convexfs: the import is done, but standard output "
		"cannot be written to: %s\n",
		strerror(-r));
	return EXIT_STATUS_LOCAL_TROUBLE;
}

static void print_success(const struct command *c)
{
	char count[FIGURES_SIZE];
	const char *s = c->document_count == 1 ? "" : "s";

	figures_print_count(c->document_count, count);
	if (c->options->table)
		fprintf(stderr, "Added %s document%s to table \"%s\".\n", count,
			s, c->options->table);
	else
		fprintf(stderr, "Added %s document%s.\n", count, s);
}

static enum exit_status tell(const struct command *c, enum exit_status status,
			     const struct cvx_err *cause)
{
	if (status == EXIT_STATUS_DONE && !c->options->json)
		print_success(c);
	else if (status != EXIT_STATUS_DONE)
		print_failure(c, cause);
	return c->options->json ? print_json(c, status, cause) : status;
}

/* ------------------------------------------------------------------------- */

static enum exit_status work(struct command *c, struct cvx_err *err)
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
	return c->remote ? remote_exit_status(c, err) : import_exit_status(err);
}

static enum exit_status import_with(const struct import_options *options)
{
	struct command c = {
		.options = options,
		.input = {.fd = -1},
		.spool_dir_fd = -1,
	};
	struct cvx_err err = CVX_ERR_INIT;
	enum exit_status status = EXIT_STATUS_LOCAL_TROUBLE;

	progress_init(&c.progress, strcmp(options->path, "-") == 0
					   ? "standard input"
					   : options->path);
	if (stop_init(&c.stop, &err) == 0)
		status = work(&c, &err);
	status = tell(&c, status, &err);
	preview_fini(&c.preview);
	import_free(c.imp);
	restore_free(c.restore);
	remote_import_free(c.remote);
	http_free(c.http);
	deployment_close(c.deployment);
	input_fini(&c.input);
	if (c.spool_dir_fd >= 0)
		(void)close(c.spool_dir_fd);
	stop_fini(&c.stop);
	return status;
}

enum exit_status import_command(int argc, char *const argv[])
{
	struct import_options options = {.path = NULL};
	struct cvx_err err = CVX_ERR_INIT;
	const char *warning = NULL;
	enum exit_status status = EXIT_STATUS_DONE;

	if (import_options_read(&options, argc, argv, &warning, &err) < 0) {
		fprintf(stderr, "convexfs: %s\n", err.msg);
		status = EXIT_STATUS_WRONG_CALL;
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
