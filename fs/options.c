#include "fs/options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "fs/option_read.h"

#define REJECT_LIMIT_DEFAULT ((uint64_t)1 << 30)
#define CACHE_SIZE_DEFAULT ((uint64_t)10 << 30)
#define TIMEOUT_DEFAULT_S 60
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
	};
}

void mount_options_fini(struct mount_options *o)
{
	free(o->source);
	free(o->mountpoint);
	options_free(&mount_command_options, o);
}

/* Takes the next word that is not an option: SOURCE, then MOUNTPOINT. */
static int add_place(void *options, const char *word, struct cvx_err *err)
{
	struct mount_options *o = options;

	if (!*word)
		return cvx_fail(err, -EINVAL, "an empty word is no folder");
	if (!o->mountpoint)
		return options_set_text(&o->mountpoint, word, err);
	if (o->source)
		return cvx_fail(err, -EINVAL,
				"too many words: only SOURCE and MOUNTPOINT "
				"are expected");
	o->source = CVX_TAKE(o->mountpoint);
	return options_set_text(&o->mountpoint, word, err);
}

static int check_complete(const struct mount_options *o, bool need_source,
			  struct cvx_err *err)
{
	if (!o->mountpoint || (need_source && !o->source))
		return cvx_fail(err, -EINVAL, "the mount point is missing");
	if (o->timeout_s == 0)
		return cvx_fail(err, -EINVAL,
				"option timeout: '0' is no time to wait; "
				"nothing waits for ever");
	return 0;
}

int mount_options_read(struct mount_options *o, int argc, char *const argv[],
		       struct cvx_err *err)
{
	int r = options_read(&mount_command_options, o, argc, argv, add_place,
			     err);

	if (r != 0)
		return r < 0 ? r : 0;
	if (o->debug_in_front)
		o->debug = o->foreground = true;
	return check_complete(o, false, err);
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
			r = options_read_words(o, optarg, err);
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
	case KIND_HELP:
	case KIND_FORMAT:
	case KIND_WORDS:
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

/* Where the key lies is not told. */
static bool is_told(const struct option_spec *spec, bool is_elsewhere)
{
	if (spec->kind == KIND_OFF)
		return false;
	return spec->group == GROUP_COMMON ||
	       (is_elsewhere && spec->group == GROUP_REMOTE &&
		spec->kind != KIND_TEXT);
}

int mount_options_describe(const struct mount_options *o, bool is_elsewhere,
			   struct option_texts *ret, struct cvx_err *err)
{
	struct cvx_buf buf = CVX_BUF_INIT(1 << 20);
	const char **texts = calloc(option_word_count, 2 * sizeof(*texts));
	size_t count = 0, at = 0, i;
	int r = texts ? 0 : -ENOMEM;

	for (i = 0; i < option_word_count && r == 0; i++)
		if (is_told(&option_words[i], is_elsewhere))
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
