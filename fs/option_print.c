#include "fs/option_print.h"

#include <string.h>

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

static void print_switches(FILE *out, const struct command_options *command,
			   enum option_group group)
{
	const struct option_switch *s;
	size_t i;
	int n;

	for (i = 0; i < command->switch_count; i++) {
		s = &command->switches[i];
		if (s->spec.group != group)
			continue;
		if (s->letter)
			n = fprintf(out, "  -%c, --%s", s->letter,
				    s->spec.name);
		else
			n = fprintf(out, "      --%s", s->spec.name);
		if (s->spec.value)
			n += fprintf(out, " %s", s->spec.value);
		print_wrapped(out, n > 0 ? (size_t)n : 0, s->spec.help);
	}
}

static void print_sources(FILE *out)
{
	int n;

	fputs("SOURCE is one of\n", out);
	n = fprintf(out, "  local");
	print_wrapped(out, (size_t)n,
		      "the embedded deployment in "
		      "$XDG_DATA_HOME/convexfs/local, else "
		      "~/.local/share/convexfs/local");
	n = fprintf(out, "  local:DIR");
	print_wrapped(out, (size_t)n, "the embedded deployment in DIR");
	n = fprintf(out, "  URL");
	print_wrapped(out, (size_t)n,
		      "a deployment elsewhere; its key is in "
		      "CONVEX_SELF_HOSTED_ADMIN_KEY or CONVEX_DEPLOY_KEY");
	n = fprintf(out, "  NAME");
	print_wrapped(out, (size_t)n,
		      "a deployment elsewhere, as in CONVEX_DEPLOYMENT");
	fputs("and if nothing is said what the environment, .env.local or .env "
	      "select, else local.\n"
	      "A deployment elsewhere can be imported into, exported, and "
	      "mounted: what is shown is a\ncopy, and rows and archives that "
	      "are written there are imported.\n",
	      out);
}

/* Lines, each a command. */
static void print_examples(FILE *out, const char *lines)
{
	size_t size;

	fputs("\nExamples\n", out);
	for (; *lines; lines += size + (lines[size] == '\n')) {
		size = strcspn(lines, "\n");
		fprintf(out, "  %.*s\n", (int)size, lines);
	}
}

void options_print_help(const struct command_options *command, FILE *out)
{
	fprintf(out, "Usage: convexfs %s %s\n\n%s\n\n", command->name,
		command->usage, command->about);
	print_switches(out, command, GROUP_COMMON);
	print_switches(out, command, GROUP_REMOTE);
	if (command->takes_words) {
		fputs("\nOPT is one of\n", out);
		print_words(out, GROUP_COMMON);
		fputs("or, for deployments that are not on this machine,\n",
		      out);
		print_words(out, GROUP_REMOTE);
		fputs("or a word of fstab that means nothing here: _netdev, "
		      "nofail, noauto, user, x-...\n",
		      out);
	}
	if (command->takes_source) {
		fputs("\n", out);
		print_sources(out);
	}
	if (command->examples)
		print_examples(out, command->examples);
}
