#include "fs/mount_status.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/figures.h"
#include "cache/base/file.h"
#include "fs/json_in.h"
#include "fs/json_out.h"
#include "fs/mountinfo.h"

/* As long as a generated file can be. */
#define TEXT_MAX ((size_t)64 << 20)
#define PIECE_SIZE ((size_t)64 << 10)

/* So many imports that are over are shown, the newest ones. */
#define IMPORTS_SHOWN 5
#define FIELD_SIZE 512

static int read_to_end(int fd, struct cvx_buf *out)
{
	size_t n = 1;
	int r = 0;

	while (r == 0 && n > 0) {
		r = cvx_buf_reserve(out, PIECE_SIZE);
		if (r == 0)
			r = file_pread(fd, out->data + out->size, PIECE_SIZE,
				       out->size, &n);
		if (r == 0)
			out->size += n;
	}
	return r;
}

static int read_control_file(const struct mounted *mounted, const char *name,
			     struct cvx_buf *out)
{
	CVX_AUTO(cvx_freep) char *path = NULL;
	CVX_AUTO(cvx_closep) int fd = -1;

	cvx_buf_init(out, TEXT_MAX);
	if (asprintf(&path, "%s/.convex/%s", mounted->dir, name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : read_to_end(fd, out);
}

void mount_status_read(const struct mounted *mounted, struct mount_status *ret)
{
	int r;

	*ret = (struct mount_status){.mounted = mounted};
	r = read_control_file(mounted, "deployment.json", &ret->deployment);
	if (r == 0)
		r = read_control_file(mounted, "imports.jsonl", &ret->imports);
	if (r == 0)
		r = read_control_file(mounted, "staged.jsonl", &ret->staged);
	/* A mount of an older convexfs does not have it. */
	ret->failure = r == -ENOENT ? 0 : r;
}

void mount_status_fini(struct mount_status *s)
{
	cvx_buf_fini(&s->deployment);
	cvx_buf_fini(&s->staged);
	cvx_buf_fini(&s->imports);
}

static struct json_in text_of(const struct cvx_buf *buf)
{
	return (struct json_in){buf->data, buf->size};
}

/* Whether an import is over. */
static bool is_over(struct json_in import)
{
	char state[FIELD_SIZE];

	json_in_text(json_in_field(import, "state"), state, sizeof(state));
	return strcmp(state, "in_progress") != 0;
}

/* The lines of imports that are over and of those that are not. */
struct lists {
	struct json_in over[IMPORTS_SHOWN]; /* a ring */
	size_t over_count;
	struct json_in text; /* where the others begin: they come last */
};

static struct lists find_imports(const struct mount_status *s)
{
	struct lists lists = {.text = text_of(&s->imports)};
	struct json_in rest = lists.text, line;

	while (json_in_line(&rest, &line)) {
		if (!is_over(line))
			continue;
		lists.over[lists.over_count++ % IMPORTS_SHOWN] = line;
		lists.text = rest;
	}
	return lists;
}

/* The nth of those that are shown, the oldest first; empty behind the last. */
static struct json_in shown_import(const struct lists *lists, size_t n)
{
	size_t shown = lists->over_count < IMPORTS_SHOWN ? lists->over_count
							 : IMPORTS_SHOWN;

	if (n >= shown)
		return (struct json_in){NULL, 0};
	return lists->over[(lists->over_count - shown + n) % IMPORTS_SHOWN];
}

/* --- for people ---------------------------------------------------------- */

struct field {
	char text[FIELD_SIZE];
};

static struct field field_of(struct json_in object, const char *name)
{
	struct field f;

	json_in_text(json_in_field(object, name), f.text, sizeof(f.text));
	return f;
}

/* Names of folders can hold anything; a terminal is to see none of it. */
static struct field cleaned(const char *name)
{
	struct field f;

	json_in_text((struct json_in){name, strlen(name)}, f.text,
		     sizeof(f.text));
	return f;
}

static void print_failure(const struct mount_status *s, FILE *out)
{
	switch (s->failure) {
	case -ENOTCONN:
		fprintf(out,
			"  its program is gone (a crash left it behind); clear "
			"it with: fusermount3 -u %s\n",
			cleaned(s->mounted->dir).text);
		break;
	case -EACCES:
		fputs("  it belongs to another user\n", out);
		break;
	default:
		fprintf(out, "  it cannot be asked: %s\n",
			strerror(-s->failure));
	}
}

static void print_staged(struct json_in staged, FILE *out)
{
	struct field path = field_of(staged, "path");
	struct field state = field_of(staged, "state");
	char size[FIGURES_SIZE];

	figures_print_size(json_in_number(json_in_field(staged, "bytes")),
			   size);
	fprintf(out, "  staged   %s: %s, %s\n", path.text, size, state.text);
}

static void print_running(struct json_in import, FILE *out)
{
	struct field target = field_of(import, "target");
	struct field mode = field_of(import, "mode");
	struct field progress = field_of(import, "progress");
	char rows[FIGURES_SIZE], size[FIGURES_SIZE];

	figures_print_count(json_in_number(json_in_field(import, "rows")),
			    rows);
	figures_print_size(json_in_number(json_in_field(import, "bytes")),
			   size);
	fprintf(out, "  running  %s: %s, %.0f %% of %s, %s rows\n", target.text,
		mode.text, 100 * strtod(progress.text, NULL), size, rows);
}

static void print_over(struct json_in import, FILE *out)
{
	struct field target = field_of(import, "target");
	struct field mode = field_of(import, "mode");
	struct field state = field_of(import, "state");
	struct field finished = field_of(import, "finished");
	struct json_in error = json_in_field(import, "error");
	struct field message = field_of(error, "message");
	char rows[FIGURES_SIZE];

	figures_print_count(json_in_number(json_in_field(import, "rows")),
			    rows);
	/* "2026-11-22T10:28:14.123Z", without the fraction. */
	fprintf(out, "  import   %.10s %.8s  %s: %s, %s", finished.text,
		strlen(finished.text) > 19 ? finished.text + 11 : "",
		target.text, mode.text, state.text);
	if (strcmp(state.text, "failed") == 0)
		fprintf(out, ": %.*s\n", (int)strcspn(message.text, "\n"),
			message.text);
	else
		fprintf(out, ", %s rows\n", rows);
}

void mount_status_print(const struct mount_status *s, FILE *out)
{
	struct json_in deployment = text_of(&s->deployment);
	struct json_in staged = text_of(&s->staged), line;
	struct lists lists = find_imports(s);
	struct field kind, name, folder;
	size_t i;

	fprintf(out, "%s\n", cleaned(s->mounted->dir).text);
	fprintf(out, "  source   %s\n", cleaned(s->mounted->source).text);
	if (s->failure < 0) {
		print_failure(s, out);
		return;
	}
	kind = field_of(deployment, "kind");
	name = field_of(deployment, "name");
	folder = field_of(deployment, "folder");
	fprintf(out, "  mounted  %s deployment %s%s%s\n", kind.text, name.text,
		folder.text[0] ? " in " : "", folder.text);
	while (json_in_line(&staged, &line))
		print_staged(line, out);
	while (json_in_line(&lists.text, &line))
		print_running(line, out);
	for (i = 0; (line = shown_import(&lists, i)).size > 0; i++)
		print_over(line, out);
}

/* --- for programs -------------------------------------------------------- */

/* Whose mount it is, is not known: what is no object would spoil ours. */
static void add_line(struct json_out *j, const char *name, struct json_in line)
{
	if (json_in_is_object(line))
		json_out_raw(j, name, line.text, line.size);
	else if (*name)
		json_out_text(j, name, NULL);
}

static void add_lines(struct json_out *j, const char *name, struct json_in text)
{
	struct json_in line;

	json_out_open(j, name, "[");
	while (json_in_line(&text, &line))
		add_line(j, "", line);
	json_out_close(j, "]");
}

void mount_status_add(const struct mount_status *s, struct json_out *j)
{
	struct json_in deployment = text_of(&s->deployment), line;
	struct lists lists = find_imports(s);
	const char *code = strerrorname_np(-s->failure);
	size_t i;

	json_out_open(j, "", "{");
	json_out_text(j, "mountpoint", s->mounted->dir);
	json_out_text(j, "source", s->mounted->source);
	if (s->failure < 0) {
		json_out_text(j, "error", code ? code : "EIO");
	} else if (json_in_line(&deployment, &line)) {
		add_line(j, "deployment", line);
		add_lines(j, "staged", text_of(&s->staged));
		add_lines(j, "running", lists.text);
		json_out_open(j, "imports", "[");
		for (i = 0; (line = shown_import(&lists, i)).size > 0; i++)
			add_line(j, "", line);
		json_out_close(j, "]");
		json_out_text(j, "error", NULL);
	}
	json_out_close(j, "}");
}
