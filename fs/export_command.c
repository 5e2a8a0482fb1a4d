#include "fs/export_command.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/figures.h"
#include "cache/base/file.h"
#include "fs/cache_dir.h"
#include "fs/command_options.h"
#include "fs/job.h"
#include "fs/json_out.h"
#include "fs/new_file.h"
#include "fs/open_source.h"
#include "fs/option_print.h"
#include "fs/option_read.h"
#include "fs/outcome.h"
#include "fs/progress.h"
#include "fs/source.h"
#include "importer/deployment.h"
#include "importer/export.h"
#include "importer/remote/halt.h"
#include "importer/remote/http.h"
#include "importer/remote/remote_export.h"

struct command {
	const struct export_options *options;
	struct stop stop;
	struct deployment *deployment;
	struct export *e;
	struct export_counts counts;
	struct http *http; /* of a deployment elsewhere; NULL: it is here */
	struct halt *halt; /* of its requests */
	struct remote_export_result archive; /* what it has made */
	char *path;	      /* of the file; NULL: standard output */
	struct new_file file; /* if there is a path */
	int fd;		      /* that is written to; the file's, or our own */
	uint64_t copied_size; /* of it, to standard output */
	struct cvx_err copy_failure;
	uint64_t size;
	_Atomic uint64_t done;
	struct progress progress;
};

/* --- the work, in a thread of its own ------------------------------------ */

/* Writes so little that a pipe that can be written to takes it at once: so a
 * reader that does not read keeps nobody from stopping. */
static int write_piece(struct command *c, const char *bytes, size_t size,
		       struct cvx_err *err)
{
	struct pollfd fds[2] = {{STDOUT_FILENO, POLLOUT, 0},
				{c->stop.fd, POLLIN, 0}};
	int r;

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return cvx_fail(err, -errno, "%s", strerror(errno));
	if (fds[1].revents)
		return cvx_fail(err, -ECANCELED, "the export was canceled");
	r = file_write(STDOUT_FILENO, bytes, size);
	return r < 0 ? cvx_fail(err, r, "cannot write to standard output: %s",
				strerror(-r))
		     : 0;
}

/* Copies what is settled and not copied yet. */
static int copy_to_output(struct command *c, uint64_t settled,
			  struct cvx_err *err)
{
	char bytes[PIPE_BUF];
	size_t n;
	int r = 0;

	while (r == 0 && c->copied_size < settled) {
		n = settled - c->copied_size < sizeof(bytes)
			    ? (size_t)(settled - c->copied_size)
			    : sizeof(bytes);
		r = file_pread(c->fd, bytes, n, c->copied_size, &n);
		if (r == 0 && n == 0)
			r = -EIO;
		if (r < 0)
			return cvx_fail(err, r, "cannot read the archive: %s",
					strerror(-r));
		r = write_piece(c, bytes, n, err);
		c->copied_size += n;
	}
	return r;
}

static void on_progress(void *ctx, const struct export_progress *progress)
{
	struct command *c = ctx;

	c->done = progress->done;
	if (c->path || c->copy_failure.code < 0)
		return;
	if (copy_to_output(c, progress->settled, &c->copy_failure) < 0)
		export_cancel(c->e);
}

static int open_target(struct command *c, struct cvx_err *err);

/* The deployment elsewhere makes it. Its name in a folder is known then. */
static int write_remote(struct command *c, struct cvx_err *err)
{
	const struct remote_export_settings settings = {
		.include_storage = c->options->include_file_storage,
		.halt = c->halt,
	};
	int r = remote_export_make(c->http, &settings, &c->archive.start_ts,
				   err);

	if (r == 0 && c->fd < 0)
		r = open_target(c, err);
	if (r == 0)
		r = remote_export_download(c->http, &settings, c->fd,
					   &c->archive, err);
	if (r < 0)
		return r;
	c->size = c->archive.size;
	return c->path ? new_file_publish(&c->file, err)
		       : copy_to_output(c, c->size, err);
}

static int write_archive(void *ctx, struct cvx_err *err)
{
	struct command *c = ctx;
	const struct export_watcher watcher = {on_progress, c};
	int r;

	if (c->http)
		return write_remote(c, err);
	r = export_write(c->e, c->fd, &watcher, &c->size, err);
	if (c->copy_failure.code < 0) {
		*err = c->copy_failure;
		return err->code;
	}
	if (r < 0)
		return r;
	return c->path ? new_file_publish(&c->file, err)
		       : copy_to_output(c, c->size, err);
}

static void cancel(void *ctx)
{
	struct command *c = ctx;

	if (c->http)
		halt_request(c->halt);
	else
		export_cancel(c->e);
}

static void show(void *ctx)
{
	struct command *c = ctx;
	const struct progress_state state = {
		.done_size = c->done,
		.total_size = c->counts.size,
	};

	progress_show(&c->progress, &state);
}

/* --- before it ----------------------------------------------------------- */

static int open_unnamed(struct command *c, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *dir = NULL;
	CVX_AUTO(cvx_closep) int dir_fd = -1;
	int r = cache_dir_resolve(NULL, &dir, err);

	if (r == 0)
		r = cache_dir_open(dir, &dir_fd, err);
	if (r < 0)
		return r;
	c->fd = file_open_unnamed(dir_fd);
	return c->fd < 0 ? cvx_fail(err, c->fd, "cannot make a file in %s: %s",
				    dir, strerror(-c->fd))
			 : 0;
}

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* EXP-9: a folder gets a file of the snapshot's own name. */
static int name_file(struct command *c, struct cvx_err *err)
{
	const char *path = c->options->path;
	const char *slash = path[strlen(path) - 1] == '/' ? "" : "/";
	int n;

	if (is_dir(path) && c->http)
		n = asprintf(&c->path, "%s%ssnapshot_%" PRId64 ".zip", path,
			     slash, c->archive.start_ts);
	else if (is_dir(path))
		n = asprintf(&c->path, "%s%s%s", path, slash,
			     export_file_name(c->e));
	else
		n = asprintf(&c->path, "%s", path);
	if (n < 0) {
		c->path = NULL;
		return cvx_fail_memory(err);
	}
	return 0;
}

static int open_target(struct command *c, struct cvx_err *err)
{
	int r;

	if (strcmp(c->options->path, "-") == 0)
		return open_unnamed(c, err);
	r = name_file(c, err);
	if (r == 0)
		r = new_file_create(c->path, &c->file, err);
	if (r == 0)
		c->fd = c->file.fd;
	return r;
}

static int begin(struct command *c, struct cvx_err *err)
{
	const struct export_settings settings = {
		.include_storage = c->options->include_file_storage,
	};
	int r;

	if (c->http)
		return halt_new(&c->halt, err);
	r = export_new(c->deployment, &settings, &c->e, err);
	if (r == 0)
		export_count(c->e, &c->counts);
	return r;
}

static enum exit_status prepare(struct command *c, struct cvx_err *err)
{
	const struct export_options *o = c->options;
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
	enum exit_status status = open_any_source(&flags, true, &c->deployment,
						  &c->http, NULL, err);
	int r;

	if (status != EXIT_STATUS_DONE)
		return status;
	r = begin(c, err);
	if (r < 0)
		return EXIT_STATUS_LOCAL_TROUBLE;
	if (!c->http || !is_dir(o->path))
		r = open_target(c, err);
	if (r == -EEXIST || r == -ENOENT || r == -ENOTDIR)
		return EXIT_STATUS_WRONG_CALL;
	return r < 0 ? EXIT_STATUS_LOCAL_TROUBLE : EXIT_STATUS_DONE;
}

/* --- telling the outcome ------------------------------------------------- */

static void add_counts(struct json_out *j, const struct export_counts *n)
{
	json_out_number(j, "components", n->component_count);
	json_out_number(j, "tables", n->table_count);
	json_out_number(j, "documents", n->document_count);
	json_out_number(j, "files", n->file_count);
}

static enum exit_status print_json(const struct command *c,
				   enum exit_status status,
				   const struct cvx_err *cause)
{
	char timestamp[32];
	struct json_out j;

	outcome_begin(&j);
	json_out_text(&j, "path", c->path ? c->path : c->options->path);
	outcome_add_state(&j, status);
	if (status == EXIT_STATUS_DONE) {
		/* Above what a double holds. */
		(void)snprintf(timestamp, sizeof(timestamp), "%" PRId64,
			       c->http ? c->archive.start_ts
				       : export_snapshot_ns(c->e));
		json_out_text(&j, "timestamp", timestamp);
		if (!c->http)
			add_counts(&j, &c->counts);
		json_out_number(&j, "bytes", c->size);
	}
	outcome_add_error(&j, status, cause, NULL);
	return outcome_flush(&j, "export", status);
}

static void print_success(const struct command *c)
{
	char documents[FIGURES_SIZE], size[FIGURES_SIZE], files[FIGURES_SIZE];
	const struct export_counts *n = &c->counts;

	figures_print_count(n->document_count, documents);
	figures_print_count(n->file_count, files);
	figures_print_size(c->size, size);
	if (c->http) { /* what is in it only the deployment has counted */
		fprintf(stderr, "Exported to %s (%s).\n",
			c->path ? c->path : "standard output", size);
		return;
	}
	fprintf(stderr, "Exported %s document%s of %" PRIu64 " table%s",
		documents, n->document_count == 1 ? "" : "s", n->table_count,
		n->table_count == 1 ? "" : "s");
	if (c->options->include_file_storage)
		fprintf(stderr, " and %s file%s", files,
			n->file_count == 1 ? "" : "s");
	fprintf(stderr, " to %s (%s).\n", c->path ? c->path : "standard output",
		size);
}

static enum exit_status tell(const struct command *c, enum exit_status status,
			     const struct cvx_err *cause)
{
	if (status != EXIT_STATUS_DONE)
		fprintf(stderr, "convexfs: %s\n", cause->msg);
	else if (!c->options->json)
		print_success(c);
	return c->options->json ? print_json(c, status, cause) : status;
}

/* ------------------------------------------------------------------------- */

static enum exit_status work(struct command *c, struct cvx_err *err)
{
	const struct job job = {
		.ctx = c, .run = write_archive, .cancel = cancel, .show = show};
	enum exit_status status = prepare(c, err);
	int r;

	if (status != EXIT_STATUS_DONE)
		return status;
	r = job_run(&c->stop, &job, err);
	progress_clear(&c->progress);
	if (r == 0)
		return EXIT_STATUS_DONE;
	if (r == -ECANCELED && c->stop.signal)
		return EXIT_STATUS_INTERRUPTED;
	if (r == -EEXIST) /* somebody else was quicker */
		return EXIT_STATUS_WRONG_CALL;
	return c->http ? source_work_status(r) : EXIT_STATUS_LOCAL_TROUBLE;
}

static enum exit_status export_with(const struct export_options *options)
{
	struct command c = {
		.options = options,
		.file = {.fd = -1, .dir_fd = -1},
		.fd = -1,
	};
	struct cvx_err err = CVX_ERR_INIT;
	enum exit_status status = EXIT_STATUS_LOCAL_TROUBLE;

	progress_init(&c.progress, "Exporting");
	if (stop_init(&c.stop, &err) == 0)
		status = work(&c, &err);
	status = tell(&c, status, &err);
	free(c.archive.file_name);
	http_free(c.http);
	halt_free(c.halt);
	export_free(c.e);
	deployment_close(c.deployment);
	if (!c.path && c.fd >= 0)
		(void)close(c.fd);
	new_file_fini(&c.file);
	free(c.path);
	stop_fini(&c.stop);
	return status;
}

static int refuse_word(void *options __attribute__((unused)),
		       const char *word __attribute__((unused)),
		       struct cvx_err *err)
{
	return cvx_fail(err, -EINVAL,
			"too many words: where the archive goes is told with "
			"--path, which deployment with --source");
}

static int read_options(struct export_options *o, int argc, char *const argv[],
			struct cvx_err *err)
{
	int r = options_read(&export_command_options, o, argc, argv,
			     refuse_word, err);

	if (r != 0)
		return r < 0 ? r : 0;
	if (!o->path)
		return cvx_fail(err, -EINVAL,
				"--path is missing: where the archive goes");
	if (strcmp(o->path, "-") != 0)
		return 0;
	if (o->json)
		return cvx_fail(err, -EINVAL,
				"--json and --path - both want standard "
				"output");
	if (isatty(STDOUT_FILENO))
		return cvx_fail(err, -EINVAL,
				"an archive is nothing for a terminal to "
				"show; redirect standard output");
	return 0;
}

enum exit_status export_command(int argc, char *const argv[])
{
	struct export_options options = {.path = NULL};
	const struct command nothing = {.options = &options};
	struct cvx_err err = CVX_ERR_INIT;
	enum exit_status status = EXIT_STATUS_DONE;

	if (read_options(&options, argc, argv, &err) < 0) {
		status = tell(&nothing, EXIT_STATUS_WRONG_CALL, &err);
	} else if (options.help) {
		options_print_help(&export_command_options, stdout);
	} else {
		status = export_with(&options);
	}
	options_free(&export_command_options, &options);
	return status;
}
