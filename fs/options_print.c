#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "fs/option_table.h"
#include "fs/options.h"

#define HELP_WIDTH 100
#define HELP_INDENT 30

/* Prints the text in lines that begin at HELP_INDENT, after a first line that
 * is at column already. */
static void print_wrapped(FILE *out, size_t column, const char *text)
{
	size_t size;

	if (column + 2 > HELP_INDENT) {
		fputc('\n', out);
		column = 0;
	}
	fprintf(out, "%*s", (int)(HELP_INDENT - column), "");
	column = HELP_INDENT;
	while (*text) {
		size = strcspn(text, " ");
		if (column > HELP_INDENT && column + 1 + size > HELP_WIDTH) {
			fprintf(out, "\n%*s", HELP_INDENT, "");
			column = HELP_INDENT;
		} else if (column > HELP_INDENT) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", (int)size, text);
		column += size;
		text += size;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void print_words(FILE *out, enum option_group group)
{
	size_t i;
	int n;

	for (i = 0; i < option_word_count; i++) {
		if (option_words[i].group != group)
			continue;
		n = fprintf(out, "  %s%s%s", option_words[i].name,
			    option_words[i].value ? "=" : "",
			    option_words[i].value ? option_words[i].value : "");
		print_wrapped(out, n > 0 ? (size_t)n : 0, option_words[i].help);
	}
}

void mount_options_print_help(FILE *out)
{
	size_t i;
	int n;

	fputs("Usage: convexfs mount [-o OPT[,OPT...]] [-f] [-d] [SOURCE] "
	      "MOUNTPOINT\n\n"
	      "Mounts a deployment as a file system. Returns when the mount "
	      "answers.\n"
	      "Unmount with: fusermount3 -u MOUNTPOINT\n\n"
	      "SOURCE is one of\n",
	      out);
	n = fprintf(out, "  local");
	print_wrapped(out, (size_t)n,
		      "the embedded deployment in "
		      "$XDG_DATA_HOME/convexfs/local, else "
		      "~/.local/share/convexfs/local");
	n = fprintf(out, "  local:DIR");
	print_wrapped(out, (size_t)n, "the embedded deployment in DIR");
	fputs("and local if nothing is said, unless the environment, "
	      ".env.local or .env select a deployment\n"
	      "elsewhere, which is not built yet.\n\n",
	      out);
	for (i = 0; i < OPTION_SWITCH_COUNT; i++) {
		if (option_switches[i].spec.group == GROUP_HIDDEN)
			continue;
		n = fprintf(out, "  -%c, --%s%s%s", option_switches[i].letter,
			    option_switches[i].spec.name,
			    option_switches[i].spec.value ? " " : "",
			    option_switches[i].spec.value
				    ? option_switches[i].spec.value
				    : "");
		print_wrapped(out, n > 0 ? (size_t)n : 0,
			      option_switches[i].spec.help);
	}
	fputs("\nOPT is one of\n", out);
	print_words(out, GROUP_COMMON);
	fputs("or, for deployments that are not on this machine (mounting "
	      "them is not built yet),\n",
	      out);
	print_words(out, GROUP_REMOTE);
	fputs("or a word of fstab that means nothing here: _netdev, nofail, "
	      "noauto, user, x-...\n",
	      out);
}

/* The value as one would write it; "true" and "false" for what has none. */
static int print_value(const struct mount_options *o,
		       const struct option_spec *spec, struct cvx_buf *out)
{
	const void *field = (const char *)o + spec->offset;

	switch (spec->kind) {
	case KIND_ON:
		return cvx_buf_puts(out,
				    *(const bool *)field ? "true" : "false");
	case KIND_TEXT:
	case KIND_PLACE:
		return cvx_buf_puts(out, *(char *const *)field
						 ? *(char *const *)field
						 : "");
	case KIND_MODE:
		return cvx_buf_puts(
			out,
			import_mode_name(*(const enum import_mode *)field));
	case KIND_SIZE:
	case KIND_SECONDS:
		return cvx_buf_printf(out, "%" PRIu64,
				      *(const uint64_t *)field);
	case KIND_ID:
		return cvx_buf_printf(out, "%" PRIu32,
				      *(const uint32_t *)field);
	case KIND_OCTAL:
		return cvx_buf_printf(out, "%03o",
				      (unsigned)*(const mode_t *)field);
	case KIND_OFF:
	case KIND_NONE:
	case KIND_REFUSED:
		break;
	}
	return 0;
}

/* Appends name and value, each with its NUL. */
static int print_pair(const struct mount_options *o,
		      const struct option_spec *spec, struct cvx_buf *out)
{
	int r = cvx_buf_append(out, spec->name, strlen(spec->name) + 1);

	if (r == 0)
		r = print_value(o, spec, out);
	return r < 0 ? r : cvx_buf_append(out, "", 1);
}

int mount_options_describe(const struct mount_options *o,
			   struct option_texts *ret, struct cvx_err *err)
{
	struct cvx_buf buf = CVX_BUF_INIT(1 << 20);
	const char **texts = calloc(option_word_count, 2 * sizeof(*texts));
	size_t count = 0, at = 0, i;
	int r = texts ? 0 : -ENOMEM;

	for (i = 0; i < option_word_count && r == 0; i++)
		if (option_words[i].group == GROUP_COMMON &&
		    option_words[i].kind != KIND_OFF)
			r = print_pair(o, &option_words[i], &buf);
	if (r < 0) {
		free(texts);
		cvx_buf_fini(&buf);
		return cvx_fail_memory(err);
	}
	for (; at < buf.size; at += strlen(buf.data + at) + 1)
		texts[count++] = buf.data + at;
	*ret = (struct option_texts){texts, count / 2, buf.data};
	return 0;
}

void option_texts_fini(struct option_texts *t)
{
	free(t->texts);
	free(t->storage);
}
