#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "importer/remote/local_record.h"
#include "importer/remote/selection.h"
#include "importer/remote/settings.h"
#include "tests/unit/room.h"

/* One decision: what it begins with, and what comes of it. */
struct one {
	const char *environment[3][2];
	const char *file; /* .env.local */
	struct selection_flags flags;
	const char *want; /* as describe() says it, or a part of the error */
	int code;
};

static const char *text(const char *value)
{
	return value ? value : "-";
}

/* KIND:url key name type team project text other_team/other_project bearer */
static void describe(const struct selection *s, char *out, size_t size)
{
	static const char *const kinds[] = {"none",    "direct", "key",
					    "project", "local",	 "anonymous"};
	static const char *const targets[] = {"preview-key", "project-key",
					      "name", "team"};
	static const char *const choices[] = {"default", "prod",  "preview",
					      "name",	 "@prod", "@dev",
					      "@other"};

	switch (s->kind) {
	case SELECTION_DIRECT:
		(void)snprintf(out, size, "direct %s %s", s->url, s->key);
		break;
	case SELECTION_DEPLOY_KEY:
		(void)snprintf(out, size, "key %s by %s", s->key,
			       text(s->credential));
		break;
	case SELECTION_PROJECT:
		(void)snprintf(out, size, "%s %s.%s:%s:%s other=%s %s %s by %s",
			       targets[s->target], text(s->type), text(s->name),
			       text(s->team), text(s->project),
			       text(s->other_project), choices[s->choice],
			       text(s->text), text(s->credential));
		break;
	case SELECTION_NONE:
	case SELECTION_LOCAL:
	case SELECTION_ANONYMOUS:
		(void)snprintf(out, size, "%s %s other=%s:%s", kinds[s->kind],
			       text(s->name), text(s->other_team),
			       text(s->other_project));
		break;
	}
}

static void check(const struct one *one)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct settings_places places;
	struct settings settings;
	struct selection s;
	struct room room;
	char got[512];
	size_t i;
	int r;

	room_init(&room);
	for (i = 0; i < 3 && one->environment[i][0]; i++)
		room_set(&room, one->environment[i][0], one->environment[i][1]);
	if (one->file)
		room_put(&room, ".env.local", one->file);
	room_put_home(&room, ".convex/config.json",
		      "{\"accessToken\":\"token\",\"other\":1}");
	places = room_places(&room, NULL);
	EXPECT_OK(settings_load(&settings, &places, &err), &err);
	r = selection_decide(&s, &one->flags, &settings, &err);
	if (r != one->code)
		fail_msg("for '%s': %d, not %d: %s", one->want, r, one->code,
			 err.msg);
	if (r == 0) {
		describe(&s, got, sizeof(got));
		assert_string_equal(got, one->want);
		selection_fini(&s);
	} else {
		if (!strstr(err.msg, one->want))
			fail_msg("'%s' is not in '%s'", one->want, err.msg);
		assert_null(strstr(err.msg, "SECRET"));
	}
	settings_fini(&settings);
	room_fini(&room);
}

static void check_all(const struct one *cases, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		check(&cases[i]);
}
#define CHECK_ALL(cases) check_all(cases, sizeof(cases) / sizeof(*(cases)))

#define URL "CONVEX_SELF_HOSTED_URL"
#define ADMIN_KEY "CONVEX_SELF_HOSTED_ADMIN_KEY"
#define DEPLOY_KEY "CONVEX_DEPLOY_KEY"
#define DEPLOYMENT "CONVEX_DEPLOYMENT"

/* 2.6, step 1 */
TEST(selection_url_decides_alone)
{
	const struct one cases[] = {
		{.environment = {{DEPLOYMENT, "dev:x"}},
		 .flags = {.url = "http://h", .admin_key = "n|SECRET"},
		 .want = "direct http://h n|SECRET"},
		{.environment = {{ADMIN_KEY, "n|1"}},
		 .flags = {.url = "http://h"},
		 .want = "direct http://h n|1"},
		{.environment = {{ADMIN_KEY, "n|1"}, {URL, "http://h/"}},
		 .flags = {.url = "http://h"},
		 .want = "direct http://h n|1"},
		{.environment = {{ADMIN_KEY, "n|SECRET"}, {URL, "http://i"}},
		 .flags = {.url = "http://h"},
		 .want = "key of another",
		 .code = -EINVAL},
		{.environment = {{DEPLOY_KEY, "prod:a-b-1|2"}},
		 .flags = {.url = "https://a-b-1.convex.cloud"},
		 .want = "direct https://a-b-1.convex.cloud prod:a-b-1|2"},
		{.environment = {{DEPLOY_KEY, "prod:a-b-1|SECRET"}},
		 .flags = {.url = "https://evil.example"},
		 .want = "no key for this URL",
		 .code = -EINVAL},
		{.flags = {.admin_key = "n|SECRET"},
		 .want = "--admin-key needs --url",
		 .code = -EINVAL},
		{.flags = {.url = "http://h",
			   .admin_key = "n|SECRET",
			   .deployment = "dev"},
		 .want = "--deployment cannot",
		 .code = -EINVAL},
	};

	CHECK_ALL(cases);
}

/* Steps 2 and 3 */
TEST(selection_by_selector_and_key)
{
	const struct one cases[] = {
		{.environment = {{DEPLOYMENT, "dev:x-y-1"}},
		 .flags = {.deployment = "acme:chat:prod"},
		 .want = "team -.-:acme:chat other=- @prod - by token"},
		{.environment = {{DEPLOY_KEY, "dev:x-y-1|s"}},
		 .flags = {.deployment = "acme:chat:staging"},
		 .want = "team -.-:acme:chat other=- @other staging by "
			 "dev:x-y-1|s"},
		{.flags = {.deployment = "a-b-1"},
		 .want = "name -.a-b-1:-:- other=- name a-b-1 by token"},
		{.flags = {.deployment = "acme:chat:local"},
		 .want = "local - other=acme:chat"},
		{.environment = {{DEPLOY_KEY, "preview:acme:chat|s"}},
		 .want = "preview-key -.-:acme:chat other=- default - by "
			 "token"},
		{.environment = {{DEPLOY_KEY, "preview:acme:chat|s"}},
		 .flags = {.deployment = "site:dev"},
		 .want = "preview-key -.-:acme:chat other=site @dev - by "
			 "token"},
		{.environment = {{DEPLOY_KEY, "project:acme:chat|s"}},
		 .flags = {.prod = true},
		 .want = "project-key -.-:-:- other=- prod - by "
			 "project:acme:chat|s"},
		{.environment = {{DEPLOY_KEY, "project:acme:chat|SECRET"}},
		 .flags = {.deployment = "dev"},
		 .want = "project key",
		 .code = -EINVAL},
		{.environment = {{DEPLOY_KEY, "prod:x-y-1|s"}, {URL, "u"}},
		 .want = "key prod:x-y-1|s by prod:x-y-1|s"},
		{.environment = {{DEPLOY_KEY, "x-y-1|s"},
				 {"CONVEX_OVERRIDE_ACCESS_TOKEN", "o"}},
		 .want = "key x-y-1|s by o"},
		{.environment = {{DEPLOY_KEY, "prod:x-y-1|SECRET"}},
		 .flags = {.deployment = "dev"},
		 .want = "--deployment cannot be used with a deploy key",
		 .code = -EINVAL},
		{.environment = {{DEPLOY_KEY, "prod:x-y-1|SECRET"}},
		 .flags = {.source = "dev:a-b-1"},
		 .want = "key of another deployment",
		 .code = -EINVAL},
		{.environment = {{DEPLOY_KEY, "SECRET"}},
		 .want = "CONVEX_DEPLOY_KEY is not a deploy key",
		 .code = -EINVAL},
		{.environment = {{DEPLOY_KEY, "<missing_deploy_key:ask Bo>"}},
		 .want = "ask Bo",
		 .code = -EINVAL},
	};

	CHECK_ALL(cases);
}

/* Steps 4 and 5 */
TEST(selection_by_self_hosted_variables_and_name)
{
	const struct one cases[] = {
		{.environment = {{URL, "u"}, {ADMIN_KEY, "k"}},
		 .want = "direct u k"},
		{.environment = {{URL, "u"}, {ADMIN_KEY, "SECRET"}},
		 .flags = {.source = "a-b-1"},
		 .want = "must not be set when",
		 .code = -EINVAL},
		{.environment = {{URL, "u"}, {ADMIN_KEY, "SECRET"}},
		 .flags = {.deployment = "prod"},
		 .want = "--deployment cannot",
		 .code = -EINVAL},
		{.environment = {{URL, "u"}},
		 .want = "CONVEX_SELF_HOSTED_URL selects a deployment only",
		 .code = -EINVAL},
		{.file = ADMIN_KEY "=SECRET",
		 .want = "CONVEX_SELF_HOSTED_ADMIN_KEY in .env.local selects",
		 .code = -EINVAL},
		{.environment = {{URL, ""}, {ADMIN_KEY, ""}},
		 .file = URL "=u\n" ADMIN_KEY "=k",
		 .want = "none - other=-:-"},
		{.environment = {{DEPLOYMENT, "dev:x-y-1"}},
		 .flags = {.deployment_name = "a-b-1"},
		 .want = "name -.a-b-1:-:- other=- name a-b-1 by token"},
	};

	CHECK_ALL(cases);
}

/* Steps 6 and 7 */
TEST(selection_by_deployment_variable_or_none)
{
	const struct one cases[] = {
		{.environment = {{DEPLOYMENT, "prod:a-b-1"}},
		 .want = "name prod.a-b-1:-:- other=- name a-b-1 by token"},
		{.file = DEPLOYMENT "=a-b-1 # team\n",
		 .want = "name -.a-b-1:-:- other=- name a-b-1 by token"},
		{.flags = {.source = "dev:a-b-1"},
		 .want = "name dev.a-b-1:-:- other=- name a-b-1 by token"},
		{.environment = {{DEPLOYMENT, "dev:a-b-1"}},
		 .flags = {.deployment = "site:staging"},
		 .want = "name dev.a-b-1:-:- other=site @other staging by "
			 "token"},
		{.environment = {{DEPLOYMENT, "local:l"}},
		 .want = "local l other=-:-"},
		{.environment = {{DEPLOYMENT, "local:l"}},
		 .flags = {.prod = true},
		 .want = "name local.l:-:- other=- prod - by token"},
		{.environment = {{DEPLOYMENT, "dev:a-b-1"}},
		 .flags = {.deployment = "site:local"},
		 .want = "local - other=-:site"},
		{.flags = {.deployment = "local"}, .want = "local - other=-:-"},
		{.environment = {{DEPLOYMENT, "anonymous:anonymous-x"}},
		 .want = "anonymous anonymous-x other=-:-"},
		{.environment = {{DEPLOYMENT, "anonymous:anonymous-x"},
				 {"CONVEX_ALLOW_ANONYMOUS", "false"}},
		 .want = "CONVEX_ALLOW_ANONYMOUS=false refuses",
		 .code = -EINVAL},
		{.environment = {{DEPLOYMENT, "anonymous-x"}},
		 .flags = {.prod = true},
		 .want = "anonymous deployment",
		 .code = -EINVAL},
		{.environment = {{DEPLOYMENT, "prod:a-b-1|SECRET"}},
		 .want = "holds a key",
		 .code = -EINVAL},
		{.environment = {{DEPLOYMENT, "dev:"}},
		 .want = "names no deployment",
		 .code = -EINVAL},
		{.environment = {{"VERCEL", "1"}},
		 .want = "CONVEX_DEPLOY_KEY",
		 .code = -EINVAL},
		{.flags = {.prod = true},
		 .want = "in which project",
		 .code = -EINVAL},
		{.flags = {.prod = true, .preview_name = "p"},
		 .want = "give only one of",
		 .code = -EINVAL},
	};

	CHECK_ALL(cases);
}

/* SEL-3, C-5 */
TEST(selection_env_file_is_private_and_decides_alone)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct selection_flags flags = {0};
	struct settings_places places;
	struct settings settings;
	struct selection s;
	struct room room;
	char path[300];

	room_init(&room);
	room_set(&room, DEPLOYMENT, "dev:x-y-1");
	room_set(&room, "CONVEX_OVERRIDE_ACCESS_TOKEN", "o");
	room_put(&room, ".env.local", DEPLOYMENT "=dev:z-z-2");
	room_put(&room, "keys", DEPLOYMENT "=dev:a-b-1");
	places = room_places(&room, "keys");
	EXPECT_OK(settings_load(&settings, &places, &err), &err);
	EXPECT_OK(selection_decide(&s, &flags, &settings, &err), &err);
	assert_string_equal(s.name, "a-b-1");
	assert_string_equal(s.credential, "o");
	selection_fini(&s);
	settings_fini(&settings);

	room_put(&room, "keys", "A=b");
	EXPECT_OK(settings_load(&settings, &places, &err), &err);
	EXPECT_FAIL(selection_decide(&s, &flags, &settings, &err), &err,
		    -EINVAL, "env file keys: none of its variables");
	settings_fini(&settings);

	(void)snprintf(path, sizeof(path), "%s/keys", room.dir);
	assert_int_equal(chmod(path, 0640), 0);
	EXPECT_FAIL(settings_load(&settings, &places, &err), &err, -EPERM,
		    "chmod 600");
	places.env_file = "absent";
	EXPECT_FAIL(settings_load(&settings, &places, &err), &err, -ENOENT,
		    "env file: absent");
	places.env_file = ".";
	EXPECT_FAIL(settings_load(&settings, &places, &err), &err, -EINVAL,
		    "not a file");
	room_fini(&room);
}

/* SEL-1 */
TEST(settings_login_is_looked_for_where_the_client_keeps_it)
{
	const char *const cases[][2] = {
		{"https://api.convex.dev", ".convex-test"},
		{"http://127.0.0.1:8050", ".convex-test"},
		{"http://127.0.0.1:8051", ".convex-test-8051"},
		{NULL, ".convex"},
	};
	struct cvx_err err = CVX_ERR_INIT;
	struct settings_places places;
	struct settings settings;
	struct room room;
	char path[64];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		room_init(&room);
		if (cases[i][0])
			room_set(&room, "CONVEX_PROVISION_HOST", cases[i][0]);
		(void)snprintf(path, sizeof(path), "%s/config.json",
			       cases[i][1]);
		room_put_home(&room, path, "{\"accessToken\":\"here\"}");
		places = room_places(&room, NULL);
		EXPECT_OK(settings_load(&settings, &places, &err), &err);
		assert_string_equal(settings.access_token, "here");
		settings_fini(&settings);
		room_put_home(&room, path, "{not JSON");
		EXPECT_OK(settings_load(&settings, &places, &err), &err);
		assert_null(settings.access_token);
		assert_non_null(settings.warning);
		settings_fini(&settings);
		room_fini(&room);
	}
}

static void expect_record(const struct settings *settings, const char *name,
			  bool anonymous, const char *url)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct local_record record;

	EXPECT_OK(local_record_find(&record, settings, name, anonymous, &err),
		  &err);
	assert_string_equal(record.url, url);
	local_record_fini(&record);
}

/* LOC-1 */
TEST(local_record_of_the_folder_then_of_the_home)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct local_record record;
	struct settings_places places;
	struct settings s;
	struct room room;

	room_init(&room);
	places = room_places(&room, NULL);
	EXPECT_OK(settings_load(&s, &places, &err), &err);
	EXPECT_FAIL(local_record_find(&record, &s, "l", false, &err), &err,
		    -ENOENT, "called l");
	room_put(&room, ".convex/local/default/config.json",
		 "{\"ports\":{\"cloud\":1},\"adminKey\":\"SECRET\","
		 "\"deploymentName\":\"l\"}");
	expect_record(&s, "l", false, "http://127.0.0.1:1");
	expect_record(&s, NULL, false, "http://127.0.0.1:1");
	room_put_home(&room, ".convex/convex-backend-state/m/config.json",
		      "{\"ports\":{\"cloud\":2},\"adminKey\":\"SECRET\"}");
	room_put_home(&room,
		      ".convex/anonymous-convex-backend-state/m/config.json",
		      "{\"ports\":{\"cloud\":3},\"adminKey\":\"SECRET\"}");
	expect_record(&s, "m", false, "http://127.0.0.1:2");
	expect_record(&s, "m", true, "http://127.0.0.1:3");
	EXPECT_FAIL(local_record_find(&record, &s, "../m", false, &err), &err,
		    -ENOENT, "no record");
	room_put(&room, ".convex/local/default/config.json",
		 "{\"ports\":{\"cloud\":1},\"adminKey\":\"SECRET\"}");
	expect_record(&s, "m", false, "http://127.0.0.1:1");
	room_put(&room, ".convex/local/default/config.json",
		 "{\"ports\":{\"cloud\":99999},\"adminKey\":\"SECRET\"}");
	EXPECT_FAIL(local_record_find(&record, &s, "m", false, &err), &err,
		    -EINVAL, "ports.cloud is missing");
	room_put(&room, ".convex/local/default/config.json", "[");
	EXPECT_FAIL(local_record_find(&record, &s, "m", false, &err), &err,
		    -EINVAL, "not JSON");
	settings_fini(&s);
	room_fini(&room);
}

UNIT_MAIN(UNIT_CASE(selection_url_decides_alone),
	  UNIT_CASE(selection_by_selector_and_key),
	  UNIT_CASE(selection_by_self_hosted_variables_and_name),
	  UNIT_CASE(selection_by_deployment_variable_or_none),
	  UNIT_CASE(selection_env_file_is_private_and_decides_alone),
	  UNIT_CASE(settings_login_is_looked_for_where_the_client_keeps_it),
	  UNIT_CASE(local_record_of_the_folder_then_of_the_home))
