#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/paths.h"
#include "fs/source.h"

static char before[1024];
static char *dir;

/* In an empty folder, with nothing in the environment. */
static void begin(void)
{
	const char *names[] = {"CONVEX_DEPLOYMENT", "CONVEX_DEPLOY_KEY",
			       "CONVEX_DEPLOYMENT_TOKEN",
			       "CONVEX_SELF_HOSTED_URL",
			       "CONVEX_SELF_HOSTED_ADMIN_KEY"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		(void)unsetenv(names[i]);
	assert_non_null(getcwd(before, sizeof(before)));
	dir = realpath(unit_temp_dir(), NULL);
	assert_non_null(dir);
	assert_int_equal(chdir(dir), 0);
	(void)unlink(".env");
	(void)unlink(".env.local");
	(void)setenv("HOME", dir, 1);
	(void)unsetenv("XDG_DATA_HOME");
}

static void end(void)
{
	assert_int_equal(chdir(before), 0);
	free(dir);
}

static void put(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	(void)fclose(f);
	assert_int_equal(chmod(name, mode), 0);
}

/* want: below the temporary folder. */
static void expect_dir(const char *source, const char *want)
{
	struct cvx_err err = CVX_ERR_INIT;
	char path[1024], *got = NULL;

	EXPECT_OK(source_find(source, NULL, &got, &err), &err);
	(void)snprintf(path, sizeof(path), "%s%s", dir, want);
	assert_string_equal(got, path);
	free(got);
}

static void expect_refused(const char *source, const char *env_file, int code,
			   const char *text)
{
	struct cvx_err err = CVX_ERR_INIT;
	char *got = NULL;

	EXPECT_FAIL(source_find(source, env_file, &got, &err), &err, code,
		    text);
	assert_null(strstr(err.msg, "SECRET"));
}

/* refused: what the error names; NULL: nothing is selected. */
static void expect_env_text(const char *text, const char *refused, int code)
{
	put(".env.local", text, 0600);
	if (refused) {
		expect_refused(NULL, NULL, code, refused);
		expect_dir("local", "/.local/share/convexfs/local");
	} else {
		expect_dir(NULL, "/.local/share/convexfs/local");
	}
}

/* C-1 */
TEST(source_none_is_the_local_one_at_home)
{
	begin();
	expect_dir(NULL, "/.local/share/convexfs/local");
	expect_dir("local", "/.local/share/convexfs/local");
	(void)setenv("XDG_DATA_HOME", dir, 1);
	expect_dir(NULL, "/convexfs/local");
	(void)setenv("XDG_DATA_HOME", "relative", 1);
	expect_dir(NULL, "/.local/share/convexfs/local");
	end();
}

TEST(source_local_folder_is_made_absolute)
{
	begin();
	expect_dir("local:state", "/state");
	expect_dir("local:.", "");
	assert_int_equal(mkdir("a", 0700), 0);
	assert_int_equal(symlink("a", "link"), 0);
	expect_dir("local:link/x/y/", "/a/x/y");
	expect_dir("local:./a/../b", "/b");
	expect_refused("local:", NULL, -EINVAL, "needs a folder");
	expect_refused("local:nope/../../x", NULL, -ENOENT, "No such file");
	assert_int_equal(unlink("link"), 0);
	assert_int_equal(rmdir("a"), 0);
	end();
}

TEST(source_elsewhere_is_not_built)
{
	begin();
	expect_refused("https://happy-otter-123.convex.cloud", NULL, -ENOTSUP,
		       "not built yet");
	expect_refused("https://u:SECRET@x", NULL, -ENOTSUP, "not built yet");
	expect_refused("happy-otter-123", NULL, -ENOTSUP, "the source local");
	expect_refused("dev:happy-otter-123", NULL, -ENOTSUP, "not built yet");
	expect_refused("prod:happy-otter-123|SECRET", NULL, -EINVAL,
		       "keys do not belong");
	expect_refused("/srv/state", NULL, -EINVAL, "local:/srv/state");
	end();
}

/* Never a silent fallback. */
TEST(source_environment_selects_elsewhere)
{
	const struct {
		const char *name, *value;
		int code;
	} cases[] = {
		{"CONVEX_DEPLOYMENT", "a-b-1", -ENOTSUP},
		{"CONVEX_DEPLOY_KEY", "prod:a-b-1|SECRET", -ENOTSUP},
		{"CONVEX_DEPLOYMENT_TOKEN", "a-b-1|SECRET", -ENOTSUP},
		{"CONVEX_DEPLOY_KEY", "SECRET", -EINVAL},
		{"CONVEX_SELF_HOSTED_URL", "SECRET", -EINVAL}, /* a half */
		{"CONVEX_SELF_HOSTED_ADMIN_KEY", "SECRET", -EINVAL},
	};
	size_t i;

	begin();
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		(void)setenv(cases[i].name, cases[i].value, 1);
		expect_refused(NULL, NULL, cases[i].code, cases[i].name);
		expect_dir("local", "/.local/share/convexfs/local");
		(void)setenv(cases[i].name, "", 1);
		expect_dir(NULL, "/.local/share/convexfs/local");
		(void)unsetenv(cases[i].name);
	}
	(void)setenv("CONVEX_DEPLOY_KEY", "<ignore_deploy_key>", 1);
	expect_dir(NULL, "/.local/share/convexfs/local");
	(void)unsetenv("CONVEX_DEPLOY_KEY");
	end();
}

/* SEL-4 */
TEST(source_env_files_select_elsewhere)
{
	begin();
	expect_env_text("", NULL, 0);
	expect_env_text("CONVEX_DEPLOYMENT=dev:a-b-1\n",
			"CONVEX_DEPLOYMENT in .env.local", -ENOTSUP);
	expect_env_text("A=1\r\n  export CONVEX_DEPLOY_KEY = 'a|SECRET'",
			"CONVEX_DEPLOY_KEY", -ENOTSUP);
	expect_env_text("CONVEX_SELF_HOSTED_URL: http://x\n",
			"CONVEX_SELF_HOSTED_URL in .env.local", -EINVAL);
	expect_env_text("CONVEX_DEPLOYMENT=x\nCONVEX_DEPLOYMENT=\n", NULL, 0);
	assert_int_equal(unlink(".env.local"), 0);
	put(".env", "CONVEX_DEPLOYMENT=x\n", 0644);
	expect_refused(NULL, NULL, -ENOTSUP,
		       "CONVEX_DEPLOYMENT in .env selects");
	end();
}

/* SEL-2 */
TEST(source_environment_hides_env_files)
{
	begin();
	put(".env.local", "CONVEX_DEPLOYMENT=x\n", 0600);
	(void)setenv("CONVEX_DEPLOYMENT", "", 1);
	expect_dir(NULL, "/.local/share/convexfs/local");
	(void)unsetenv("CONVEX_DEPLOYMENT");
	end();
}

/* SEL-3, C-5 */
TEST(source_env_file_is_private_and_decides_alone)
{
	begin();
	(void)setenv("CONVEX_DEPLOYMENT", "dev:x", 1);
	put("keys", "CONVEX_DEPLOY_KEY=a-b-1|SECRET\n", 0644);
	expect_refused(NULL, "keys", -EPERM, "chmod 600");
	expect_refused("local", "keys", -EPERM, "chmod 600");
	put("keys", "CONVEX_DEPLOY_KEY=a-b-1|SECRET\n", 0600);
	expect_refused(NULL, "keys", -ENOTSUP, "CONVEX_DEPLOY_KEY in keys");
	put("keys", "A=b\n", 0600);
	expect_refused(NULL, "keys", -EINVAL, "none of its variables");
	expect_refused(NULL, "absent", -ENOENT, "absent");
	expect_refused(NULL, ".", -EINVAL, "not a file");
	(void)unsetenv("CONVEX_DEPLOYMENT");
	end();
}

TEST(source_env_file_that_cannot_be_read_is_an_error)
{
	char *big = malloc((2 << 20) + 1);

	begin();
	assert_non_null(big);
	memset(big, '\n', 2 << 20);
	big[2 << 20] = '\0';
	put(".env", big, 0600);
	expect_refused(NULL, NULL, -EFBIG,
		       "cannot tell which deployment is selected: .env");
	free(big);
	end();
}

TEST(paths_inside)
{
	assert_true(path_is_inside("/a/b", "/a"));
	assert_true(path_is_inside("/a", "/a"));
	assert_true(path_is_inside("/a", "/"));
	assert_false(path_is_inside("/ab", "/a"));
	assert_false(path_is_inside("/", "/a"));
}

UNIT_MAIN(UNIT_CASE(source_none_is_the_local_one_at_home),
	  UNIT_CASE(source_local_folder_is_made_absolute),
	  UNIT_CASE(source_elsewhere_is_not_built),
	  UNIT_CASE(source_environment_selects_elsewhere),
	  UNIT_CASE(source_env_files_select_elsewhere),
	  UNIT_CASE(source_environment_hides_env_files),
	  UNIT_CASE(source_env_file_is_private_and_decides_alone),
	  UNIT_CASE(source_env_file_that_cannot_be_read_is_an_error),
	  UNIT_CASE(paths_inside))
