#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "importer/remote/deploy_key.h"
#include "importer/remote/dotenv.h"
#include "importer/remote/selector.h"

/* SEL-4. want: NULL for no such name. */
static void expect_read(const char *text, const char *name, const char *want)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct dotenv d = DOTENV_INIT;
	const char *got;

	EXPECT_OK(dotenv_read_text(&d, text, strlen(text), &err), &err);
	got = dotenv_find(&d, name);
	if (!want && got)
		fail_msg("'%s' gives '%s'", text, got);
	if (want && (!got || strcmp(got, want) != 0))
		fail_msg("'%s' gives '%s', not '%s'", text, got ? got : "none",
			 want);
	dotenv_fini(&d);
}

TEST(dotenv_unquoted_value_ends_at_a_comment_and_is_trimmed)
{
	expect_read("A=b", "A", "b");
	expect_read("  A =  b c \t# d\n", "A", "b c");
	expect_read("A=b#c", "A", "b");
	expect_read("A=\nB=c", "A", "");
	expect_read("A=\nB=c", "B", "c");
	expect_read("A= # b", "A", "");
	expect_read("A=b=c", "A", "b=c");
	expect_read("A.b-c_1=x", "A.b-c_1", "x");
}

TEST(dotenv_quoted_value_may_span_lines_and_hold_anything)
{
	expect_read("A='b # c' # d\nE=f", "A", "b # c");
	expect_read("A='b # c' # d\nE=f", "E", "f");
	expect_read("A=\"b\nc\"\n", "A", "b\nc");
	expect_read("A=`b'\"c`", "A", "b'\"c");
	expect_read("A=' b '", "A", " b ");
	expect_read("A=''", "A", "");
	expect_read("A=\n'b'", "A", "b");
	expect_read("A=\"b\\nc\\r\\t\"", "A", "b\nc\r\\t");
	expect_read("A='b\\nc'", "A", "b\\nc");
	expect_read("A='b\\'c'", "A", "b\\'c");
	expect_read("A='b\\'", "A", "b\\");
}

/* A quote that does not end its line is part of the text. */
TEST(dotenv_quote_without_end_is_text)
{
	expect_read("A='b\nC=d", "A", "'b");
	expect_read("A='b\nC=d", "C", "d");
	expect_read("A='b'c", "A", "'b'c");
	expect_read("A=b'c'", "A", "b'c'");
}

TEST(dotenv_export_colon_and_line_ends)
{
	expect_read("export A=b", "A", "b");
	expect_read("export  A = b", "A", "b");
	expect_read("export=b", "export", "b");
	expect_read("A: b", "A", "b");
	expect_read("A:b", "A", NULL);
	expect_read("A : b", "A", NULL);
	expect_read("A=b\r\nC=d\rE=f", "A", "b");
	expect_read("A=b\r\nC=d\rE=f", "C", "d");
	expect_read("A=b\r\nC=d\rE=f", "E", "f");
	expect_read("A='b\r\nc\rd'", "A", "b\nc\nd");
}

TEST(dotenv_other_lines_are_passed_over_and_the_last_wins)
{
	expect_read("", "A", NULL);
	expect_read("export\n", "export", NULL);
	expect_read("#A=b", "A", NULL);
	expect_read("A B=c\n", "B", NULL);
	expect_read("A b\nC=d", "C", "d");
	expect_read("=b", "", NULL);
	expect_read("A=b\nA=c\n", "A", "c");
	expect_read("A=b\nA=\n", "A", "");
	expect_read("A=$B\nB=c", "A", "$B");
	expect_read("A", "A", NULL);
}

TEST(dotenv_nul_is_refused)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct dotenv d = DOTENV_INIT;

	EXPECT_FAIL(dotenv_read_text(&d, "A=b\0c", 5, &err), &err, -EINVAL,
		    "NUL");
}

/* 2.4 */
TEST(deploy_key_kinds)
{
	const struct {
		const char *key;
		enum deploy_key_kind kind;
		bool bearer;
		const char *name;
	} cases[] = {
		{"prod:a-b-1|s", DEPLOY_KEY_DEPLOYMENT, true, "a-b-1"},
		{"dev:a-b-1|s|t:u", DEPLOY_KEY_DEPLOYMENT, true, "a-b-1"},
		{"custom:a-b-1|s", DEPLOY_KEY_DEPLOYMENT, false, "a-b-1"},
		{"preview:a-b-1|s", DEPLOY_KEY_DEPLOYMENT, false, "a-b-1"},
		{"preview:t:p|s", DEPLOY_KEY_PREVIEW, false, "p"},
		{"preview:t:p:q|s", DEPLOY_KEY_DEPLOYMENT, false, "q"},
		{"preview:a|s:t:u", DEPLOY_KEY_DEPLOYMENT, false, "a"},
		{"project:t:p|s", DEPLOY_KEY_PROJECT, false, "p"},
		{"a-b-1|0123", DEPLOY_KEY_DEPLOYMENT, false, "a-b-1"},
		{"prod:a-b-1", DEPLOY_KEY_INVALID, false, "a-b-1"},
		{"", DEPLOY_KEY_INVALID, false, ""},
	};
	size_t i, size;
	const char *name;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		EXPECT_INT(deploy_key_kind(cases[i].key), cases[i].kind);
		EXPECT_INT(deploy_key_is_bearer(cases[i].key), cases[i].bearer);
		deploy_key_name(cases[i].key, &name, &size);
		EXPECT_TEXT(name, size, cases[i].name);
	}
}

/* 2.5 */
TEST(selector_forms)
{
	const struct {
		const char *text;
		enum selector_kind kind;
		const char *team, *project, *rest;
	} cases[] = {
		{"happy-otter-123", SELECTOR_NAME, "", "", "happy-otter-123"},
		{"happy-otter-", SELECTOR_REFERENCE, "", "", "happy-otter-"},
		{"Happy-otter-1", SELECTOR_REFERENCE, "", "", "Happy-otter-1"},
		{"a-b-1-c", SELECTOR_REFERENCE, "", "", "a-b-1-c"},
		{"dev", SELECTOR_DEV, "", "", ""},
		{"prod", SELECTOR_PROD, "", "", ""},
		{"local", SELECTOR_LOCAL, "", "", ""},
		{"preview/pr-42", SELECTOR_REFERENCE, "", "", "preview/pr-42"},
		{"chat:prod", SELECTOR_PROD, "", "chat", ""},
		{"acme:chat:dev", SELECTOR_DEV, "acme", "chat", ""},
		{"acme:chat:a-b-1", SELECTOR_REFERENCE, "acme", "chat",
		 "a-b-1"},
	};
	struct cvx_err err = CVX_ERR_INIT;
	struct selector s;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		EXPECT_OK(selector_read(&s, cases[i].text, &err), &err);
		EXPECT_INT(s.kind, cases[i].kind);
		assert_string_equal(s.team ? s.team : "", cases[i].team);
		assert_string_equal(s.project ? s.project : "",
				    cases[i].project);
		assert_string_equal(s.text ? s.text : "", cases[i].rest);
		selector_fini(&s);
	}
	EXPECT_FAIL(selector_read(&s, "", &err), &err, -EINVAL, "empty");
	EXPECT_FAIL(selector_read(&s, "a:b:c:d", &err), &err, -EINVAL,
		    "two colons");
	EXPECT_FAIL(selector_read(&s, ":dev", &err), &err, -EINVAL,
		    "before or behind");
	EXPECT_FAIL(selector_read(&s, "a::dev", &err), &err, -EINVAL,
		    "before or behind");
	EXPECT_FAIL(selector_read(&s, "a:b:", &err), &err, -EINVAL,
		    "before or behind");
}

UNIT_MAIN(UNIT_CASE(dotenv_unquoted_value_ends_at_a_comment_and_is_trimmed),
	  UNIT_CASE(dotenv_quoted_value_may_span_lines_and_hold_anything),
	  UNIT_CASE(dotenv_quote_without_end_is_text),
	  UNIT_CASE(dotenv_export_colon_and_line_ends),
	  UNIT_CASE(dotenv_other_lines_are_passed_over_and_the_last_wins),
	  UNIT_CASE(dotenv_nul_is_refused), UNIT_CASE(deploy_key_kinds),
	  UNIT_CASE(selector_forms))
