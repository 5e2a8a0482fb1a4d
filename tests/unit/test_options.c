#include "tests/unit/unit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/closest.h"
#include "fs/option_print.h"
#include "fs/options.h"

#define WORDS_MAX 16

static struct mount_options options;

/* Splits at spaces; "mount" comes before it. */
static int read_line(const char *line, bool helper, struct cvx_err *err)
{
	char copy[512], *argv[WORDS_MAX], *p = copy, *word;
	int argc = 0, r;

	(void)snprintf(copy, sizeof(copy), "mount %s", line);
	while ((word = strsep(&p, " ")) && argc < WORDS_MAX - 1)
		argv[argc++] = word;
	argv[argc] = NULL;
	mount_options_init(&options);
	r = helper ? mount_options_read_helper(&options, argc, argv, err)
		   : mount_options_read(&options, argc, argv, err);
	return r;
}

static void expect_read(const char *line)
{
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(read_line(line, false, &err), &err);
}

static void expect_refused(const char *line, const char *text)
{
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_FAIL(read_line(line, false, &err), &err, -EINVAL, text);
	mount_options_fini(&options);
}

/* The same as an option and its refusal. */
static void expect_word_refused(const char *word, const char *text)
{
	char line[256];

	(void)snprintf(line, sizeof(line), "-o %s m", word);
	expect_refused(line, text);
}

TEST(options_defaults)
{
	expect_read("/mnt");
	assert_null(options.source);
	assert_string_equal(options.mountpoint, "/mnt");
	assert_false(options.foreground || options.debug || options.read_only ||
		     options.allow_delete || options.allow_other ||
		     options.help || options.dry_run);
	EXPECT_INT(options.mode, IMPORT_REQUIRE_EMPTY);
	EXPECT_INT(options.uid, geteuid());
	EXPECT_INT(options.gid, getegid());
	EXPECT_INT(options.umask, 022);
	EXPECT_INT(options.reject_limit, 1 << 30);
	EXPECT_INT(options.timeout_s, 60);
	assert_null(options.component);
	assert_null(options.cache_dir);
	assert_null(options.log);
	mount_options_fini(&options);
}

/* C-4 */
TEST(options_every_word_is_read)
{
	expect_read("local:/s /mnt -o mode=append,component=a/b,ro,allow_delete"
		    ",uid=10,gid=20,umask=077,allow_other,cache_dir=/c"
		    ",reject_limit=3M,log=/l,debug,timeout=2m,cache_size=4g"
		    ",cache_ttl=1h,env_file=/e");
	assert_string_equal(options.source, "local:/s");
	assert_string_equal(options.mountpoint, "/mnt");
	EXPECT_INT(options.mode, IMPORT_APPEND);
	assert_string_equal(options.component, "a/b");
	assert_true(options.read_only && options.allow_delete &&
		    options.allow_other && options.debug);
	assert_false(options.foreground);
	EXPECT_INT(options.uid, 10);
	EXPECT_INT(options.gid, 20);
	EXPECT_INT(options.umask, 077);
	assert_string_equal(options.cache_dir, "/c");
	EXPECT_INT(options.reject_limit, 3 << 20);
	assert_string_equal(options.log, "/l");
	EXPECT_INT(options.timeout_s, 120);
	EXPECT_INT(options.cache_size, (uint64_t)4 << 30);
	EXPECT_INT(options.cache_ttl_s, 3600);
	assert_string_equal(options.env_file, "/e");
	mount_options_fini(&options);
}

TEST(options_stand_anywhere_and_the_last_wins)
{
	expect_read(
		"-f -o ro,mode=append local -orw m -o mode=replace,umask=0");
	assert_true(options.foreground);
	assert_false(options.read_only);
	EXPECT_INT(options.mode, IMPORT_REPLACE);
	EXPECT_INT(options.umask, 0);
	assert_string_equal(options.source, "local");
	mount_options_fini(&options);
	expect_read("-o log=a,log=b m");
	assert_string_equal(options.log, "b");
	mount_options_fini(&options);
}

TEST(options_long_forms)
{
	expect_read("--foreground --options=ro --debug m");
	assert_true(options.foreground && options.read_only && options.debug);
	mount_options_fini(&options);
}

/* -d implies -f; -o debug does not */
TEST(options_debug_in_the_foreground)
{
	expect_read("-d m");
	assert_true(options.debug && options.foreground);
	mount_options_fini(&options);
	expect_read("-o debug m");
	assert_true(options.debug && !options.foreground);
	mount_options_fini(&options);
}

TEST(options_after_two_dashes_are_places)
{
	expect_read("-o ro -- -source -mnt");
	assert_string_equal(options.source, "-source");
	assert_string_equal(options.mountpoint, "-mnt");
	mount_options_fini(&options);
}

TEST(options_help_needs_nothing_else)
{
	expect_read("--help");
	assert_true(options.help);
	mount_options_fini(&options);
	expect_read("-h a b c d");
	assert_true(options.help);
	mount_options_fini(&options);
}

TEST(options_commas_in_values)
{
	expect_read("-o cache_dir=/a\\,b\\\\c,ro,,log=d\\e m");
	assert_string_equal(options.cache_dir, "/a,b\\c");
	assert_string_equal(options.log, "d\\e");
	assert_true(options.read_only);
	mount_options_fini(&options);
}

TEST(options_words_of_fstab_are_accepted)
{
	expect_read("-o defaults,_netdev,nofail,noauto,auto,user,users,user=me,"
		    "x-systemd.automount,X-mount.mkdir=0755,comment=x,dev,"
		    "nodev,suid,nosuid,exec,noexec,relatime,noatime,ro m");
	assert_true(options.read_only);
	mount_options_fini(&options);
}

TEST(options_sizes)
{
	const struct {
		const char *text;
		uint64_t size;
	} good[] = {
		{"0", 0},
		{"1", 1},
		{"1k", 1 << 10},
		{"1K", 1 << 10},
		{"7M", 7 << 20},
		{"2G", (uint64_t)2 << 30},
		{"3t", (uint64_t)3 << 40},
		{"18446744073709551615", UINT64_MAX},
		{"16777215T", (uint64_t)16777215 << 40},
	};
	const char *bad[] = {"",    "-1",	 "1.5G", "G",
			     "1GB", "16777216T", "1 G",	 "18446744073709551616",
			     "0x1", "1P"};
	char line[128];
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
		(void)snprintf(line, sizeof(line), "-o reject_limit=%s m",
			       good[i].text);
		expect_read(line);
		assert_true(options.reject_limit == good[i].size);
		mount_options_fini(&options);
	}
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct cvx_err err = CVX_ERR_INIT;
		char word[64], *argv[] = {"mount", "-o", word, "m", NULL};

		(void)snprintf(word, sizeof(word), "reject_limit=%s", bad[i]);
		mount_options_init(&options);
		EXPECT_FAIL(mount_options_read(&options, 4, argv, &err), &err,
			    -EINVAL, "a size such as");
		mount_options_fini(&options);
	}
}

TEST(options_wrong_values)
{
	expect_word_refused("mode=appendix",
			    "require-empty, append, replace or replace-all");
	expect_word_refused("uid=-1", "option uid: '-1'");
	expect_word_refused("uid=4294967295", "option uid");
	expect_word_refused("gid=root", "option gid");
	expect_word_refused("umask=8", "octal");
	expect_word_refused("umask=1000", "octal");
	expect_word_refused("timeout=1d", "a time such as");
	expect_word_refused("timeout=5124095576030432h", "a time such as");
	expect_word_refused("timeout=0", "nothing waits for ever");
	expect_word_refused("cache_dir=", "option cache_dir");
}

TEST(options_values_where_they_belong)
{
	expect_word_refused("mode", "option mode needs a value: mode=MODE");
	expect_word_refused("cache_dir", "needs a value");
	expect_word_refused("ro=1", "option ro takes no value");
	expect_refused("m -o", "option -o needs a value");
	expect_refused("m --options", "option --options needs a value");
	expect_refused("m --foreground=1",
		       "option --foreground takes no value");
}

TEST(options_unknown_ones_name_the_closest)
{
	expect_word_refused("mod=append", "did you mean 'mode'?");
	expect_word_refused("alow_other", "did you mean 'allow_other'?");
	expect_word_refused("cachedir=/x", "did you mean 'cache_dir'?");
	expect_word_refused("rejectlimit=1", "did you mean 'reject_limit'?");
	expect_word_refused("or", "did you mean 'ro'?");
	expect_word_refused("frobnicate", "--help lists them");
	expect_word_refused("=x", "unknown option ''");
	expect_refused("m --mode=append", "did you mean '-o mode'?");
	expect_refused("m --frobnicate", "unknown option '--frobnicate'");
	expect_refused("m -x", "unknown option '-x'");
	expect_refused("m -fx", "unknown option '-x'");
}

TEST(options_remount_is_refused)
{
	expect_word_refused("remount,ro", "unmount it");
}

/* C-5: and what was typed is not repeated. */
TEST(options_secrets_are_refused)
{
	const char *lines[] = {
		"m -o admin_key=SECRET", "m -o deploy_key=SECRET",
		"m -o key=SECRET",	 "m -o token=SECRET",
		"m -o password=SECRET",	 "m --admin-key SECRET",
		"m --admin-key=SECRET",	 "m -o adminkey=SECRET",
		"m --adminkey=SECRET",	 "m -o ro=SECRET",
		"m --prod=SECRET"};
	struct cvx_err err = CVX_ERR_INIT;
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		EXPECT_INT(read_line(lines[i], false, &err), -EINVAL);
		mount_options_fini(&options);
		assert_null(strstr(err.msg, "SECRET"));
		if (i < 7)
			assert_non_null(
				strstr(err.msg, "do not belong on a command"));
	}
}

/* C-1 */
TEST(options_that_select_a_deployment_elsewhere)
{
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_INT(
		read_line("--prod --env-file a --deployment b m", false, &err),
		0);
	assert_true(options.prod);
	assert_string_equal(options.env_file, "a");
	assert_string_equal(options.deployment, "b");
	mount_options_fini(&options);
	EXPECT_INT(read_line("--url u --preview-name p --deployment-name d m",
			     false, &err),
		   0);
	assert_string_equal(options.url, "u");
	assert_string_equal(options.preview_name, "p");
	assert_string_equal(options.deployment_name, "d");
	mount_options_fini(&options);
}

TEST(options_places)
{
	expect_refused("", "an empty word");
	expect_refused("-f", "the mount point is missing");
	expect_refused("a b c", "too many words");
}

/* C-3: as mount(8) and fstab do it. */
TEST(options_of_the_mount_helper)
{
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(read_line("local:/s /mnt -n -s -v -t convexfs "
			    "-o rw,_netdev,x-a=b,mode=append",
			    true, &err),
		  &err);
	assert_string_equal(options.source, "local:/s");
	assert_string_equal(options.mountpoint, "/mnt");
	EXPECT_INT(options.mode, IMPORT_APPEND);
	assert_false(options.foreground || options.dry_run);
	mount_options_fini(&options);

	EXPECT_OK(read_line("-f local:/s /mnt", true, &err), &err);
	assert_true(options.dry_run && !options.foreground);
	mount_options_fini(&options);

	EXPECT_FAIL(read_line("/mnt", true, &err), &err, -EINVAL, "missing");
	mount_options_fini(&options);
	EXPECT_FAIL(read_line("a b -N /proc/1/ns/mnt", true, &err), &err,
		    -EINVAL, "namespace");
	mount_options_fini(&options);
	EXPECT_FAIL(read_line("a b -x", true, &err), &err, -EINVAL, "mount(8)");
	mount_options_fini(&options);
}

TEST(options_help_is_readable)
{
	char *text = NULL, *line, *p;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	options_print_help(&mount_command_options, out);
	assert_int_equal(fclose(out), 0);
	assert_non_null(strstr(text, "mode=MODE"));
	assert_non_null(strstr(text, "-f, --foreground"));
	assert_null(strstr(text, "admin"));
	for (p = text; (line = strsep(&p, "\n"));) {
		size_t n = strlen(line);

		if (n > 100 || (n > 0 && line[n - 1] == ' '))
			fail_msg("%zu columns: '%s'", n, line);
	}
	free(text);
}

TEST(options_are_described_without_secrets)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct option_texts texts;
	const char *mode = NULL, *ro = NULL, *umask_text = NULL;
	const char *timeout = NULL;
	size_t i;

	expect_read("-o mode=append,ro,timeout=2m,env_file=/e m");
	EXPECT_OK(mount_options_describe(&options, false, &texts, &err), &err);
	for (i = 0; i < texts.pair_count; i++)
		assert_string_not_equal(texts.texts[2 * i], "timeout");
	option_texts_fini(&texts);
	EXPECT_OK(mount_options_describe(&options, true, &texts, &err), &err);
	for (i = 0; i < texts.pair_count; i++) {
		const char *name = texts.texts[2 * i];
		const char *value = texts.texts[2 * i + 1];

		if (strcmp(name, "mode") == 0)
			mode = value;
		if (strcmp(name, "ro") == 0)
			ro = value;
		if (strcmp(name, "umask") == 0)
			umask_text = value;
		if (strcmp(name, "timeout") == 0)
			timeout = value;
		assert_string_not_equal(name, "rw");
		assert_string_not_equal(name, "env_file");
		assert_null(strstr(name, "key"));
	}
	assert_true(mode && ro && umask_text && timeout);
	assert_string_equal(timeout, "120");
	assert_string_equal(mode, "append");
	assert_string_equal(ro, "true");
	assert_string_equal(umask_text, "022");
	option_texts_fini(&texts);
	mount_options_fini(&options);
}

TEST(closest_counts_changes)
{
	EXPECT_INT(word_distance("", ""), 0);
	EXPECT_INT(word_distance("", "abc"), 3);
	EXPECT_INT(word_distance("mode", "mode"), 0);
	EXPECT_INT(word_distance("moed", "mode"), 1);
	EXPECT_INT(word_distance("kitten", "sitting"), 3);
	assert_true(word_distance("0123456789012345678901234567890123", "a") >
		    1000);
	assert_false(word_is_close("x", "ro"));
	assert_false(word_is_close("frobnicate", "allow_other"));
}

UNIT_MAIN(UNIT_CASE(options_defaults), UNIT_CASE(options_every_word_is_read),
	  UNIT_CASE(options_stand_anywhere_and_the_last_wins),
	  UNIT_CASE(options_long_forms),
	  UNIT_CASE(options_debug_in_the_foreground),
	  UNIT_CASE(options_after_two_dashes_are_places),
	  UNIT_CASE(options_help_needs_nothing_else),
	  UNIT_CASE(options_commas_in_values),
	  UNIT_CASE(options_words_of_fstab_are_accepted),
	  UNIT_CASE(options_sizes), UNIT_CASE(options_wrong_values),
	  UNIT_CASE(options_values_where_they_belong),
	  UNIT_CASE(options_unknown_ones_name_the_closest),
	  UNIT_CASE(options_remount_is_refused),
	  UNIT_CASE(options_secrets_are_refused),
	  UNIT_CASE(options_that_select_a_deployment_elsewhere),
	  UNIT_CASE(options_places), UNIT_CASE(options_of_the_mount_helper),
	  UNIT_CASE(options_help_is_readable),
	  UNIT_CASE(options_are_described_without_secrets),
	  UNIT_CASE(closest_counts_changes))
