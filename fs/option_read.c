#include "fs/option_read.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "fs/closest.h"
#include "fs/command_options.h"
#include "importer/import.h"

/* Sets the field, which the options own. */
int options_set_text(char **field, const char *value, struct cvx_err *err)
{
	char *copy = strdup(value);

	if (!copy)
		return cvx_fail_memory(err);
	free(*field);
	*field = copy;
	return 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits, and one letter of the units if any; false if it is not such. */
static bool read_number(const char *text, unsigned base, const char *units,
			const uint64_t *factors, uint64_t *ret)
{
	uint64_t n = 0;
	const char *unit;

	if (!is_digit(*text))
		return false;
	for (; is_digit(*text); text++) {
		unsigned digit = (unsigned)(*text - '0');

		if (digit >= base || __builtin_mul_overflow(n, base, &n) ||
		    __builtin_add_overflow(n, digit, &n))
			return false;
	}
	if (*text) {
		unit = strchr(units, *text);
		if (!unit || text[1] ||
		    __builtin_mul_overflow(n, factors[unit - units], &n))
			return false;
	}
	*ret = n;
	return true;
}

static bool read_size(const char *text, uint64_t *ret)
{
	const uint64_t factors[] = {
		1u << 10, 1u << 10, 1u << 20,	       1u << 20,
		1u << 30, 1u << 30, (uint64_t)1 << 40, (uint64_t)1 << 40};

	return read_number(text, 10, "KkMmGgTt", factors, ret);
}

static bool read_seconds(const char *text, uint64_t *ret)
{
	const uint64_t factors[] = {1, 60, 3600};

	return read_number(text, 10, "smh", factors, ret);
}

/* The largest 32-bit number means "no user" to the kernel. */
static bool read_id(const char *text, uint32_t *ret)
{
	uint64_t n;

	if (!read_number(text, 10, "", NULL, &n) || n >= UINT32_MAX)
		return false;
	*ret = (uint32_t)n;
	return true;
}

static bool read_octal(const char *text, mode_t *ret)
{
	uint64_t n;

	if (!read_number(text, 8, "", NULL, &n) || n > 0777)
		return false;
	*ret = (mode_t)n;
	return true;
}

static bool read_mode(const char *text, enum import_mode *ret)
{
	const enum import_mode modes[] = {IMPORT_REQUIRE_EMPTY, IMPORT_APPEND,
					  IMPORT_REPLACE, IMPORT_REPLACE_ALL};
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		if (strcmp(text, import_mode_name(modes[i])) == 0) {
			*ret = modes[i];
			return true;
		}
	}
	return false;
}

static bool read_format(const char *text, enum file_format *ret)
{
	const char *const *names = option_choices(KIND_FORMAT);
	size_t i;

	for (i = 0; names[i]; i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret = FILE_FORMAT_CSV + (enum file_format)i;
			return true;
		}
	}
	return false;
}

static int fail_value(const struct option_spec *spec, const char *value,
		      const char *wanted, struct cvx_err *err)
{
	return cvx_fail(err, -EINVAL, "option %s: '%s' is not %s", spec->name,
			value, wanted);
}

static int refuse(const struct option_spec *spec, struct cvx_err *err)
{
	return cvx_fail(err, -EINVAL, "option %s: %s", spec->name, spec->help);
}

/* Stores a value in the field that the table names. */
static int apply(void *options, const struct option_spec *spec,
		 const char *value, struct cvx_err *err)
{
	void *field = (char *)options + spec->offset;

	switch (spec->kind) {
	case KIND_ON:
	case KIND_OFF:
	case KIND_HELP:
		*(bool *)field = spec->kind != KIND_OFF;
		return 0;
	case KIND_TEXT:
		if (!*value)
			return fail_value(spec, value, "a name", err);
		return options_set_text(field, value, err);
	case KIND_PLACE:
		return options_set_text(field, value, err);
	case KIND_MODE:
		return read_mode(value, field)
			       ? 0
			       : fail_value(spec, value,
					    "require-empty, append, replace or "
					    "replace-all",
					    err);
	case KIND_FORMAT:
		return read_format(value, field)
			       ? 0
			       : fail_value(spec, value,
					    "csv, jsonLines, jsonArray or zip",
					    err);
	case KIND_SIZE:
		return read_size(value, field)
			       ? 0
			       : fail_value(spec, value,
					    "a size such as 500M or 2G", err);
	case KIND_SECONDS:
		return read_seconds(value, field)
			       ? 0
			       : fail_value(spec, value,
					    "a time such as 30s, 5m or 1h",
					    err);
	case KIND_ID:
		return read_id(value, field)
			       ? 0
			       : fail_value(spec, value,
					    "a number of a user or group", err);
	case KIND_OCTAL:
		return read_octal(value, field)
			       ? 0
			       : fail_value(spec, value,
					    "an octal number up to 777", err);
	case KIND_WORDS:
		return options_read_words(options, value, err);
	case KIND_REFUSED:
		return refuse(spec, err);
	}
	return 0;
}

static bool is_fstab_word(const char *name)
{
	size_t i;

	if (strncasecmp(name, "x-", 2) == 0)
		return true;
	for (i = 0; i < option_fstab_word_count; i++)
		if (strcmp(name, option_fstab_words[i]) == 0)
			return true;
	return false;
}

/* The known word that is closest so far. */
struct guess {
	const char *prefix, *name;
	unsigned distance;
};

static void consider(struct guess *g, const char *typed, const char *prefix,
		     const struct option_spec *spec)
{
	unsigned d = word_distance(typed, spec->name);

	if (spec->group != GROUP_HIDDEN && d < g->distance)
		*g = (struct guess){prefix, spec->name, d};
}

/* name may be what somebody wrote with "--". */
static int fail_unknown(const struct command_options *command, const char *name,
			struct cvx_err *err)
{
	const char *bare = name + strspn(name, "-");
	struct guess g = {"", NULL, UINT_MAX};
	size_t i;

	for (i = 0; command->takes_words && i < option_word_count; i++)
		consider(&g, bare, bare == name ? "" : "-o ", &option_words[i]);
	for (i = 0; bare != name && i < command->switch_count; i++)
		consider(&g, bare, "--", &command->switches[i].spec);
	if (g.name && word_is_close(bare, g.name))
		return cvx_fail(err, -EINVAL,
				"unknown option '%s'; did you mean '%s%s'?",
				name, g.prefix, g.name);
	return cvx_fail(err, -EINVAL,
			"unknown option '%s'; convexfs %s --help lists them",
			name, command->name);
}

/* word: NAME or NAME=VALUE; it is cut at the '='. */
static int apply_word(void *options, char *word, struct cvx_err *err)
{
	char *equals = strchr(word, '=');
	const struct option_spec *spec;
	size_t i;

	if (equals)
		*equals = '\0';
	for (i = 0; i < option_word_count; i++) {
		spec = &option_words[i];
		if (strcmp(spec->name, word) != 0)
			continue;
		if (spec->kind == KIND_REFUSED)
			return refuse(spec, err);
		if (spec->value && !equals)
			return cvx_fail(err, -EINVAL,
					"option %s needs a value: %s=%s", word,
					word, spec->value);
		if (!spec->value && equals)
			return cvx_fail(err, -EINVAL,
					"option %s takes no value", word);
		return apply(options, spec, equals ? equals + 1 : NULL, err);
	}
	return is_fstab_word(word)
		       ? 0
		       : fail_unknown(&mount_command_options, word, err);
}

int options_read_words(void *options, const char *text, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *word = malloc(strlen(text) + 1);
	size_t n = 0;
	int r = 0;

	if (!word)
		return cvx_fail_memory(err);
	for (;; text++) {
		if (*text && *text != ',') {
			if (*text == '\\' &&
			    (text[1] == ',' || text[1] == '\\'))
				text++;
			word[n++] = *text;
			continue;
		}
		word[n] = '\0';
		if (n > 0)
			r = apply_word(options, word, err);
		if (r < 0 || !*text)
			return r;
		n = 0;
	}
}

#define FIRST_LONG 256 /* above every letter */

/* "-:" and the letters, each with ":" if it has a value. */
static void make_short_options(const struct command_options *command,
			       char out[2 * OPTION_SWITCHES_MAX + 3])
{
	size_t i;

	*out++ = '-';
	*out++ = ':';
	for (i = 0; i < command->switch_count; i++) {
		if (!command->switches[i].letter)
			continue;
		*out++ = command->switches[i].letter;
		if (command->switches[i].spec.value)
			*out++ = ':';
	}
	*out = '\0';
}

static void make_long_options(const struct command_options *command,
			      struct option *out)
{
	const struct option_spec *spec;
	size_t i;

	assert(command->switch_count <= OPTION_SWITCHES_MAX);
	for (i = 0; i < command->switch_count; i++) {
		spec = &command->switches[i].spec;
		out[i] = (struct option){
			.name = spec->name,
			.has_arg =
				spec->value ? required_argument : no_argument,
			.val = FIRST_LONG + (int)i,
		};
	}
	out[i] = (struct option){NULL, 0, NULL, 0};
}

/* What getopt calls '?' (unknown, or a value where none belongs) or ':'
 * (without its value). */
static int fail_switch(const struct command_options *command, int c,
		       const char *word, struct cvx_err *err)
{
	char name[64];

	if (optopt >= FIRST_LONG)
		(void)snprintf(
			name, sizeof(name), "--%s",
			command->switches[optopt - FIRST_LONG].spec.name);
	else if (optopt)
		(void)snprintf(name, sizeof(name), "-%c", optopt);
	else /* what follows the name may be a secret */
		(void)snprintf(name, sizeof(name), "%.*s",
			       (int)strcspn(word, "="), word);
	if (c == ':')
		return cvx_fail(err, -EINVAL, "option %s needs a value", name);
	if (optopt >= FIRST_LONG)
		return cvx_fail(err, -EINVAL, "option %s takes no value", name);
	return fail_unknown(command, name, err);
}

static const struct option_spec *
find_switch(const struct command_options *command, int c)
{
	size_t i = 0;

	while (c != FIRST_LONG + (int)i && c != command->switches[i].letter) {
		i++;
		assert(i < command->switch_count); /* getopt knows no others */
	}
	return &command->switches[i].spec;
}

/* The first failure is the one to tell; what comes behind it has no sentence.
 */
static void keep_first(int r, int *failure, struct cvx_err **err)
{
	if (r == 0 || *failure < 0)
		return;
	*failure = r;
	*err = NULL;
}

int options_read(const struct command_options *command, void *options, int argc,
		 char *const argv[],
		 int (*add_word)(void *options, const char *word,
				 struct cvx_err *err),
		 struct cvx_err *err)
{
	struct option long_options[OPTION_SWITCHES_MAX + 1];
	char short_options[2 * OPTION_SWITCHES_MAX + 3];
	const struct option_spec *spec;
	int c, r = 0, failure = 0;

	make_short_options(command, short_options);
	make_long_options(command, long_options);
	opterr = 0;
	optind = 0; /* glibc: start anew */
	while ((c = getopt_long(argc, argv, short_options, long_options,
				NULL)) != -1) {
		if (c == 1) {
			r = add_word(options, optarg, err);
		} else if (c == '?' || c == ':') {
			r = fail_switch(command, c, argv[optind - 1], err);
		} else {
			spec = find_switch(command, c);
			r = apply(options, spec, optarg, err);
			if (r == 0 && failure == 0 && spec->kind == KIND_HELP)
				return 1;
		}
		keep_first(r, &failure, &err);
	}
	for (; optind < argc; optind++) {
		r = add_word(options, argv[optind], err);
		keep_first(r, &failure, &err);
	}
	return failure;
}

static void free_text(const struct option_spec *spec, void *options)
{
	char **field = (void *)((char *)options + spec->offset);

	if (spec->kind != KIND_TEXT && spec->kind != KIND_PLACE)
		return;
	free(*field);
	*field = NULL;
}

void options_free(const struct command_options *command, void *options)
{
	size_t i;

	for (i = 0; i < command->switch_count; i++)
		free_text(&command->switches[i].spec, options);
	for (i = 0; command->takes_words && i < option_word_count; i++)
		free_text(&option_words[i], options);
}
