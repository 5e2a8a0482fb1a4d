/*
 * print-options: makes what is installed beside the program out of the tables
 * of options. Run by the build; not installed.
 *
 *   print-options page TEMPLATE   the manual page, with the lines that are
 *                                 @options COMMAND@ and @words@ filled in
 *   print-options bash|zsh|fish   a completion
 *   print-options list            each option that people are told of:
 *                                 "COMMAND --NAME", "mount -o NAME"
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "fs/option_table.h"

static const char *const sources[] = {"local", "local:", NULL};

static bool is_shown(const struct option_spec *spec)
{
	return spec->group != GROUP_HIDDEN;
}

/* Whether the value is the name of a file or folder. */
static bool is_path(const struct option_spec *spec)
{
	return spec->kind == KIND_TEXT && (strcmp(spec->value, "FILE") == 0 ||
					   strcmp(spec->value, "DIR") == 0 ||
					   strcmp(spec->value, "PATH") == 0);
}

/* The words that the value can be; NULL: others, too. */
static const char *const *words_of(const struct option_spec *spec)
{
	if (spec->value && strcmp(spec->value, "SOURCE") == 0)
		return sources;
	return option_choices(spec->kind);
}

/* --- manual pages, in mdoc ----------------------------------------------- */

/* Text, in lines that begin with no control character. */
static void print_mdoc_text(const char *text)
{
	size_t column = 0, size;

	while (*text) {
		size = strcspn(text, " ");
		if (column > 0 && column + 1 + size > 72) {
			putchar('\n');
			column = 0;
		} else if (column > 0) {
			putchar(' ');
			column++;
		}
		if (column == 0 && (*text == '.' || *text == '\''))
			fputs("\\&", stdout);
		for (column += size; size > 0; size--, text++) {
			if (*text == '\\')
				fputs("\\e", stdout);
			else
				putchar(*text);
		}
		text += strspn(text, " ");
	}
	fputs(".\n", stdout);
}

static void print_mdoc_switches(const struct command_options *c)
{
	const struct option_spec *spec;
	size_t i;

	fputs(".Bl -tag -width Ds\n", stdout);
	for (i = 0; i < c->switch_count; i++) {
		spec = &c->switches[i].spec;
		if (!is_shown(spec))
			continue;
		fputs(".It ", stdout);
		if (c->switches[i].letter)
			printf("Fl %c , ", c->switches[i].letter);
		printf("Fl -%s", spec->name);
		if (spec->value)
			printf(" Ar %s", spec->value);
		putchar('\n');
		print_mdoc_text(spec->help);
	}
	fputs(".El\n", stdout);
}

static void print_mdoc_words(void)
{
	size_t i;

	fputs(".Bl -tag -width Ds\n", stdout);
	for (i = 0; i < option_word_count; i++) {
		if (!is_shown(&option_words[i]))
			continue;
		printf(".It Cm %s", option_words[i].name);
		if (option_words[i].value)
			printf(" Ns = Ns Ar %s", option_words[i].value);
		putchar('\n');
		print_mdoc_text(option_words[i].help);
	}
	fputs(".El\n", stdout);
}

static int fill_in(const char *line)
{
	char name[32];
	size_t i;

	if (strcmp(line, "@words@\n") == 0) {
		print_mdoc_words();
		return 0;
	}
	if (sscanf(line, "@options %31[a-z]@", name) != 1)
		return fputs(line, stdout) < 0 ? 1 : 0;
	for (i = 0; i < command_options_count; i++) {
		if (strcmp(command_options[i]->name, name) == 0) {
			print_mdoc_switches(command_options[i]);
			return 0;
		}
	}
	fprintf(stderr, "print-options: there is no command %s\n", name);
	return 1;
}

static int print_page(const char *template)
{
	FILE *f = fopen(template, "re");
	CVX_AUTO(cvx_freep) char *line = NULL;
	size_t size = 0;
	int r = 0;

	if (!f) {
		fprintf(stderr, "print-options: %s: %s\n", template,
			strerror(errno));
		return 1;
	}
	while (r == 0 && getline(&line, &size, f) > 0)
		r = fill_in(line);
	(void)fclose(f); /* only read from */
	return r;
}

/* --- bash ---------------------------------------------------------------- */

/* The pattern "import:--table", for a value behind it. */
static void print_bash_pattern(const struct command_options *c,
			       const struct option_switch *s)
{
	printf("\t%s:--%s", c->name, s->spec.name);
	if (s->letter)
		printf(" | %s:-%c", c->name, s->letter);
	fputs(")\n", stdout);
}

static void print_bash_words(const char *const *words)
{
	fputs("\t\t_convexfs_words \"", stdout);
	for (; *words; words++)
		printf("%s%s", *words, words[1] ? " " : "");
	fputs("\"\n", stdout);
}

static void print_bash_option_words(void)
{
	size_t i;

	fputs("\t\t_convexfs_list \"", stdout);
	for (i = 0; i < option_word_count; i++)
		if (is_shown(&option_words[i]))
			printf("%s%s%s", i ? " " : "", option_words[i].name,
			       option_words[i].value ? "=" : "");
	fputs("\"\n", stdout);
}

static void print_bash_value(const struct command_options *c,
			     const struct option_switch *s)
{
	if (!s->spec.value || !is_shown(&s->spec))
		return;
	print_bash_pattern(c, s);
	if (s->spec.kind == KIND_WORDS)
		print_bash_option_words();
	else if (words_of(&s->spec))
		print_bash_words(words_of(&s->spec));
	else if (is_path(&s->spec))
		fputs("\t\tcompopt -o default\n", stdout);
	fputs("\t\treturn\n\t\t;;\n", stdout);
}

static void print_bash(void)
{
	size_t i, k;

	fputs("# bash completion for convexfs; made from its tables of "
	      "options\n\n"
	      "_convexfs_words()\n{\n"
	      "\tmapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$cur\")\n"
	      "}\n\n"
	      "# Words between commas.\n"
	      "_convexfs_list()\n{\n"
	      "\tlocal before=\n\n"
	      "\t[[ $cur != *,* ]] || before=${cur%,*},\n"
	      "\tmapfile -t COMPREPLY < <(compgen -P \"$before\" -W \"$1\" -- "
	      "\"${cur##*,}\")\n"
	      "\tcompopt -o nospace\n"
	      "}\n\n"
	      "_convexfs()\n{\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} "
	      "command=${COMP_WORDS[1]}\n"
	      "\tlocal prev=${COMP_WORDS[COMP_CWORD - 1]}\n\n"
	      "\tCOMPREPLY=()\n"
	      "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
	      "\t\t_convexfs_words \"",
	      stdout);
	for (i = 0; i < command_options_count; i++)
		printf("%s ", command_options[i]->name);
	fputs("--help --version\"\n\t\treturn\n\tfi\n"
	      "\tcase $command:$prev in\n",
	      stdout);
	for (i = 0; i < command_options_count; i++)
		for (k = 0; k < command_options[i]->switch_count; k++)
			print_bash_value(command_options[i],
					 &command_options[i]->switches[k]);
	fputs("\tesac\n"
	      "\tif [[ $cur != -* ]]; then\n"
	      "\t\tcompopt -o default\n\t\treturn\n\tfi\n"
	      "\tcase $command in\n",
	      stdout);
	for (i = 0; i < command_options_count; i++) {
		printf("\t%s)\n\t\t_convexfs_words \"",
		       command_options[i]->name);
		for (k = 0; k < command_options[i]->switch_count; k++)
			if (is_shown(&command_options[i]->switches[k].spec))
				printf("--%s ", command_options[i]
							->switches[k]
							.spec.name);
		fputs("\"\n\t\t;;\n", stdout);
	}
	fputs("\tesac\n}\n\ncomplete -F _convexfs convexfs\n", stdout);
}

/* --- zsh ----------------------------------------------------------------- */

/* For text between brackets in single quotes. */
static void print_zsh_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else if (strchr("[]:\\", *text))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

static void print_zsh_value(const struct option_spec *spec)
{
	const char *const *words = words_of(spec);

	if (!spec->value)
		return;
	fputs(":", stdout);
	print_zsh_text(spec->value);
	fputs(":", stdout);
	if (spec->kind == KIND_WORDS)
		fputs("_convexfs_options", stdout);
	else if (words) {
		fputs("(", stdout);
		for (; *words; words++) {
			print_zsh_text(*words);
			fputs(words[1] ? " " : ")", stdout);
		}
	} else if (is_path(spec)) {
		fputs("_files", stdout);
	} else {
		fputs(" ", stdout);
	}
}

static void print_zsh_switch(const struct option_switch *s)
{
	const struct option_spec *spec = &s->spec;

	if (!is_shown(spec))
		return;
	fputs(" \\\n\t\t\t'", stdout);
	if (s->letter)
		printf("(-%c --%s)'{-%c,--%s%s}'", s->letter, spec->name,
		       s->letter, spec->name, spec->value ? "=" : "");
	else
		printf("--%s%s", spec->name, spec->value ? "=" : "");
	fputs("[", stdout);
	print_zsh_text(spec->help);
	fputs("]", stdout);
	print_zsh_value(spec);
	fputs("'", stdout);
}

static void print_zsh(void)
{
	const struct command_options *c;
	size_t i, k;

	fputs("#compdef convexfs\n"
	      "# made from its tables of options\n\n"
	      "_convexfs_options() {\n"
	      "\t_values -s , option",
	      stdout);
	for (i = 0; i < option_word_count; i++) {
		if (!is_shown(&option_words[i]))
			continue;
		printf(" \\\n\t\t'%s[", option_words[i].name);
		print_zsh_text(option_words[i].help);
		fputs("]", stdout);
		print_zsh_value(&option_words[i]);
		fputs("'", stdout);
	}
	fputs("\n}\n\n_convexfs() {\n\tlocal -a commands=(", stdout);
	for (i = 0; i < command_options_count; i++) {
		printf("\n\t\t'%s:", command_options[i]->name);
		print_zsh_text(command_options[i]->summary);
		fputs("'", stdout);
	}
	fputs("\n\t)\n\n"
	      "\tif (( CURRENT == 2 )); then\n"
	      "\t\t_describe command commands\n"
	      "\t\treturn\n"
	      "\tfi\n"
	      "\tshift words\n"
	      "\t(( CURRENT-- ))\n"
	      "\tcase $words[1] in\n",
	      stdout);
	for (i = 0; i < command_options_count; i++) {
		c = command_options[i];
		printf("\t%s)\n\t\t_arguments -s", c->name);
		for (k = 0; k < c->switch_count; k++)
			print_zsh_switch(&c->switches[k]);
		fputs(" \\\n\t\t\t'*:file:_files'\n\t\t;;\n", stdout);
	}
	fputs("\tesac\n}\n\n_convexfs \"$@\"\n", stdout);
}

/* --- fish ---------------------------------------------------------------- */

static void print_fish_text(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('\'');
}

static void print_fish_switch(const struct command_options *c,
			      const struct option_switch *s)
{
	const struct option_spec *spec = &s->spec;
	const char *const *words = words_of(spec);
	size_t i;

	if (!is_shown(spec))
		return;
	printf("complete -c convexfs -n '__fish_seen_subcommand_from %s'",
	       c->name);
	if (s->letter)
		printf(" -s %c", s->letter);
	printf(" -l %s", spec->name);
	if (spec->value)
		fputs(is_path(spec) ? " -r -F" : " -x", stdout);
	if (spec->kind == KIND_WORDS) {
		fputs(" -a '(__fish_append , ", stdout);
		for (i = 0; i < option_word_count; i++)
			if (is_shown(&option_words[i]))
				printf("%s%s ", option_words[i].name,
				       option_words[i].value ? "=" : "");
		fputs(")'", stdout);
	} else if (words) {
		fputs(" -a '", stdout);
		for (; *words; words++)
			printf("%s%s", *words, words[1] ? " " : "'");
	}
	fputs(" -d ", stdout);
	print_fish_text(spec->help);
	putchar('\n');
}

static void print_fish(void)
{
	const struct command_options *c;
	size_t i, k;

	fputs("# fish completion for convexfs; made from its tables of "
	      "options\n\n"
	      "complete -c convexfs -n __fish_use_subcommand -f\n"
	      "complete -c convexfs -n __fish_use_subcommand -l help -d "
	      "'print this'\n"
	      "complete -c convexfs -n __fish_use_subcommand -l version -d "
	      "'print the version'\n",
	      stdout);
	for (i = 0; i < command_options_count; i++) {
		c = command_options[i];
		printf("complete -c convexfs -n __fish_use_subcommand -a %s "
		       "-d ",
		       c->name);
		print_fish_text(c->summary);
		putchar('\n');
		for (k = 0; k < c->switch_count; k++)
			print_fish_switch(c, &c->switches[k]);
	}
}

/* ------------------------------------------------------------------------- */

static void print_list(void)
{
	const struct command_options *c;
	size_t i, k;

	for (i = 0; i < command_options_count; i++) {
		c = command_options[i];
		for (k = 0; k < c->switch_count; k++)
			if (is_shown(&c->switches[k].spec))
				printf("%s --%s\n", c->name,
				       c->switches[k].spec.name);
		for (k = 0; c->takes_words && k < option_word_count; k++)
			if (is_shown(&option_words[k]))
				printf("%s -o %s\n", c->name,
				       option_words[k].name);
	}
}

int main(int argc, char *argv[])
{
	static const struct {
		const char *name;
		void (*print)(void);
	} outputs[] = {{"bash", print_bash},
		       {"zsh", print_zsh},
		       {"fish", print_fish},
		       {"list", print_list}};
	size_t i;

	if (argc == 3 && strcmp(argv[1], "page") == 0)
		return print_page(argv[2]);
	for (i = 0; argc == 2 && i < sizeof(outputs) / sizeof(*outputs); i++) {
		if (strcmp(argv[1], outputs[i].name) == 0) {
			outputs[i].print();
			return fflush(stdout) == 0 ? 0 : 1;
		}
	}
	fputs("usage: print-options page TEMPLATE | bash | zsh | fish | list\n",
	      stderr);
	return 1;
}
