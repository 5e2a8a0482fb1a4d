#include "fs/outcome.h"

#include <stdio.h>
#include <string.h>

#include "cache/base/err.h"
#include "fs/json_out.h"

void outcome_begin(struct json_out *j)
{
	json_out_init(j);
	json_out_open(j, "", "{");
}

void outcome_add_state(struct json_out *j, enum exit_status status)
{
	json_out_text(j, "state",
		      status == EXIT_STATUS_DONE ? "completed" : "failed");
}

static void add_place(void *ctx, const char *line)
{
	json_out_text(ctx, "", line);
}

void outcome_add_error(struct json_out *j, enum exit_status status,
		       const struct cvx_err *cause, char *places)
{
	const char *code;

	if (status == EXIT_STATUS_DONE) {
		json_out_text(j, "error", NULL);
		return;
	}
	code = cause->name ? cause->name : strerrorname_np(-cause->code);
	json_out_open(j, "error", "{");
	json_out_text(j, "code", code ? code : "EIO");
	json_out_text(j, "message", cause->msg);
	if (places) {
		json_out_open(j, "places", "[");
		outcome_each_line(places, add_place, j);
		json_out_close(j, "]");
	}
	json_out_close(j, "}");
}

enum exit_status outcome_flush(struct json_out *j, const char *what,
			       enum exit_status status)
{
	int r;

	json_out_close(j, "}");
	r = json_out_flush(j);
	json_out_fini(j);
	if (r == 0 || status != EXIT_STATUS_DONE)
		return status;
	fprintf(stderr,
		"convexfs: the %s is done, but standard output cannot be "
		"written to: %s\n",
		what, strerror(-r));
	return EXIT_STATUS_LOCAL_TROUBLE;
}

void outcome_each_line(char *text, void (*use)(void *ctx, const char *line),
		       void *ctx)
{
	char *line;

	while ((line = strsep(&text, "\n")))
		if (*line)
			use(ctx, line);
}
