/* How an import ended, for people and for programs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/figures.h"
#include "fs/import_command-private.h"
#include "fs/import_command.h"
#include "fs/json_out.h"
#include "fs/open_source.h"
#include "fs/outcome.h"
#include "importer/restore.h"

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

static enum exit_status remote_exit_status(const struct import_run *c,
					   const struct cvx_err *cause)
{
	if (cause->name && strcmp(cause->name, REMOTE_IMPORT_UNKNOWN) == 0)
		return EXIT_STATUS_OUTCOME_UNKNOWN;
	if (cause->code == -EEXIST || cause->code == -ECANCELED)
		return EXIT_STATUS_DEPLOYMENT_REFUSED;
	if (remote_import_error(c->remote))
		return EXIT_STATUS_INPUT_REFUSED;
	return source_work_status(cause->code);
}

enum exit_status import_failure_status(const struct import_run *c,
				       const struct cvx_err *cause)
{
	return c->remote ? remote_exit_status(c, cause)
			 : import_exit_status(cause);
}

static int print_places(const struct import_run *c, struct cvx_buf *out)
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

static void print_line(void *ctx, const char *line)
{
	fprintf(ctx, "  %s\n", line);
}

static void print_failure(const struct import_run *c,
			  const struct cvx_err *cause)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf places = CVX_BUF_INIT(IMPORT_TEXT_MAX);
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
	outcome_each_line(places.data, print_line, stderr);
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
static enum exit_status print_json(const struct import_run *c,
				   enum exit_status status,
				   const struct cvx_err *cause)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf places = CVX_BUF_INIT(IMPORT_TEXT_MAX);
	const struct import_options *o = c->options;
	bool has_places = cause->name && print_places(c, &places) == 0;
	char none[] = "";
	struct json_out j;

	outcome_begin(&j);
	json_out_text(&j, "target", o->path);
	json_out_text(&j, "format", file_format_name(o->format));
	json_out_text(&j, "mode", import_mode_name(import_options_mode(o)));
	json_out_text(&j, "component", o->component ? o->component : "");
	json_out_text(&j, "table", o->table);
	outcome_add_state(&j, status);
	json_out_number(&j, "rows", c->document_count);
	json_out_number(&j, "bytes", c->input.size);
	if (c->has_preview)
		add_tables(&j, &c->preview);
	outcome_add_error(&j, status, cause, has_places ? places.data : none);
	return outcome_flush(&j, "import", status);
}

static void print_success(const struct import_run *c)
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

enum exit_status import_tell(const struct import_run *c,
			     enum exit_status status,
			     const struct cvx_err *cause)
{
	if (status == EXIT_STATUS_DONE && !c->options->json)
		print_success(c);
	else if (status != EXIT_STATUS_DONE)
		print_failure(c, cause);
	return c->options->json ? print_json(c, status, cause) : status;
}
