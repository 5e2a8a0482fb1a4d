#include "fs/options.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "fs/closest.h"
#include "fs/option_table.h"

#define REJECT_LIMIT_DEFAULT ((uint64_t)1 << 30)
#define CACHE_SIZE_DEFAULT ((uint64_t)1 << 30)
#define TIMEOUT_DEFAULT_S 60
#define CACHE_TTL_DEFAULT_S 1
#define UMASK_DEFAULT 022

void mount_options_init(struct mount_options *o)
{
	*o = (struct mount_options){
		.mode = IMPORT_REQUIRE_EMPTY,
		.uid = geteuid(),
		.gid = getegid(),
		.umask = UMASK_DEFAULT,
		.reject_limit = REJECT_LIMIT_DEFAULT,
		.timeout_s = TIMEOUT_DEFAULT_S,
		.cache_size = CACHE_SIZE_DEFAULT,
		.cache_ttl_s = CACHE_TTL_DEFAULT_S,
	};
}

void mount_options_fini(struct mount_options *o)
{
	free(o->source);
	free(o->mountpoint);
	free(o->component);
	free(o->cache_dir);
	free(o->log);
	free(o->env_file);
}

/* Sets the field, which the options own. */
static int set_text(char **field, const char *value, struct cvx_err *err)
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
static int apply(struct mount_options *o, const struct option_spec *spec,
		 const char *value, struct cvx_err *err)
{
	void *field = (char *)o + spec->offset;

	switch (spec->kind) {
	case KIND_ON:
	case KIND_OFF:
		*(bool *)field = spec->kind == KIND_ON;
		return 0;
	case KIND_TEXT:
		if (!*value)
			return fail_value(spec, value, "a name", err);
		return set_text(field, value, err);
	case KIND_PLACE:
		return set_text(field, value, err);
	case KIND_MODE:
		return read_mode(value, field)
			       ? 0
			       : fail_value(spec, value,
					    "require-empty, append, replace or "
					    "replace-all",
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
	case KIND_NONE:
		return 0;
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

/* The name as it stands in the table if one is close, else NULL. */
static const char *closest_word(const char *name)
{
	const char *best = NULL;
	unsigned distance = UINT_MAX;
	size_t i;

	for (i = 0; i < option_word_count; i++) {
		unsigned d = word_distance(name, option_words[i].name);

		if (option_words[i].group != GROUP_HIDDEN && d < distance) {
			best = option_words[i].name;
			distance = d;
		}
	}
	return best && word_is_close(name, best) ? best : NULL;
}

/* name may be what somebody wrote with "--". */
static int fail_unknown(const char *name, struct cvx_err *err)
{
	const char *bare = name + strspn(name, "-"), *best = closest_word(bare);

	if (best)
		return cvx_fail(err, -EINVAL,
				"unknown option '%s'; did you mean '%s%s'?",
				name, bare == name ? "" : "-o ", best);
	return cvx_fail(err, -EINVAL,
			"unknown option '%s'; convexfs mount --help lists them",
			name);
}

/* word: NAME or NAME=VALUE; it is cut at the '='. */
static int apply_word(struct mount_options *o, char *word, struct cvx_err *err)
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
		return apply(o, spec, equals ? equals + 1 : NULL, err);
	}
	return is_fstab_word(word) ? 0 : fail_unknown(word, err);
}

/* The text of -o: words between commas; "\\," is a comma of a value. */
static int apply_words(struct mount_options *o, const char *text,
		       struct cvx_err *err)
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
			r = apply_word(o, word, err);
		if (r < 0 || !*text)
			return r;
		n = 0;
	}
}

/* Takes the next word that is not an option: SOURCE, then MOUNTPOINT. */
static int add_place(struct mount_options *o, const char *word,
		     struct cvx_err *err)
{
	if (!*word)
		return cvx_fail(err, -EINVAL, "an empty word is no folder");
	if (!o->mountpoint)
		return set_text(&o->mountpoint, word, err);
	if (o->source)
		return cvx_fail(err, -EINVAL,
				"too many words: only SOURCE and MOUNTPOINT "
				"are expected");
	o->source = CVX_TAKE(o->mountpoint);
	return set_text(&o->mountpoint, word, err);
}

static int check_complete(const struct mount_options *o, bool need_source,
			  struct cvx_err *err)
{
	if (!o->mountpoint || (need_source && !o->source))
		return cvx_fail(err, -EINVAL, "the mount point is missing");
	return 0;
}

#define SHORT_OPTIONS "-:o:fdh"
#define FIRST_LONG 256 /* above every letter */

static void make_long_options(struct option *out)
{
	size_t i;

	for (i = 0; i < OPTION_SWITCH_COUNT; i++)
		out[i] = (struct option){
			.name = option_switches[i].spec.name,
			.has_arg = option_switches[i].spec.value
					   ? required_argument
					   : no_argument,
			.val = FIRST_LONG + (int)i,
		};
	out[i] = (struct option){NULL, 0, NULL, 0};
}

/* What getopt calls '?' (unknown, or a value where none belongs) or ':'
 * (without its value). */
static int fail_switch(int c, const char *word, struct cvx_err *err)
{
	char name[64];

	if (optopt >= FIRST_LONG)
		(void)snprintf(name, sizeof(name), "--%s",
			       option_switches[optopt - FIRST_LONG].spec.name);
	else if (optopt)
		(void)snprintf(name, sizeof(name), "-%c", optopt);
	else /* what follows the name may be a secret */
		(void)snprintf(name, sizeof(name), "%.*s",
			       (int)strcspn(word, "="), word);
	if (c == ':')
		return cvx_fail(err, -EINVAL, "option %s needs a value", name);
	if (optopt >= FIRST_LONG)
		return cvx_fail(err, -EINVAL, "option %s takes no value", name);
	return fail_unknown(name, err);
}

static int apply_switch(struct mount_options *o, int c, const char *value,
			struct cvx_err *err)
{
	const struct option_spec *spec;
	size_t i = 0;

	while (c != FIRST_LONG + (int)i && c != option_switches[i].letter) {
		i++;
		assert(i < OPTION_SWITCH_COUNT); /* getopt knows no others */
	}
	spec = &option_switches[i].spec;
	if (option_switches[i].letter == 'o')
		return apply_words(o, value, err);
	if (option_switches[i].letter == 'd')
		o->foreground = true;
	return apply(o, spec, value, err);
}

int mount_options_read(struct mount_options *o, int argc, char *const argv[],
		       struct cvx_err *err)
{
	struct option long_options[OPTION_SWITCH_COUNT + 1];
	int c, r = 0;

	make_long_options(long_options);
	opterr = 0;
	optind = 0; /* glibc: start anew */
	while (r == 0 && !o->help &&
	       (c = getopt_long(argc, argv, SHORT_OPTIONS, long_options,
				NULL)) != -1) {
		if (c == 1)
			r = add_place(o, optarg, err);
		else if (c == '?' || c == ':')
			r = fail_switch(c, argv[optind - 1], err);
		else
			r = apply_switch(o, c, optarg, err);
	}
	for (; r == 0 && !o->help && optind < argc; optind++)
		r = add_place(o, argv[optind], err);
	if (r == 0 && !o->help)
		r = check_complete(o, false, err);
	return r;
}

int mount_options_read_helper(struct mount_options *o, int argc,
			      char *const argv[], struct cvx_err *err)
{
	int c, r = 0;

	opterr = 0;
	optind = 0;
	while (r == 0 && (c = getopt(argc, argv, "-sfnvN:o:t:")) != -1) {
		switch (c) {
		case 1:
			r = add_place(o, optarg, err);
			break;
		case 'o':
			r = apply_words(o, optarg, err);
			break;
		case 'f':
			o->dry_run = true;
			break;
		case 's': /* sloppy: we know fstab's words anyway */
		case 'n': /* there is no mtab to write to */
		case 'v':
		case 't':
			break;
		case 'N':
			r = cvx_fail(err, -EINVAL,
				     "mounting into another namespace is not "
				     "built yet");
			break;
		default:
			r = cvx_fail(err, -EINVAL,
				     "called by mount(8) in a way that is not "
				     "understood");
		}
	}
	for (; r == 0 && optind < argc; optind++)
		r = add_place(o, argv[optind], err);
	return r < 0 ? r : check_complete(o, true, err);
}
