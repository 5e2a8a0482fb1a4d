/* fs/import_options: import.md 6.1, protocol.md IMP-1 and IMP-2. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/import_command.h"
#include "fs/option_read.h"

#define WORDS_MAX 16

static struct import_options options;

static void drop(void)
{
	free(options.path);
	options_free(&import_command_options, &options);
}

/* Splits at spaces; "import" comes before it. */
static int read_line(const char *line, const char **ret_warning,
		     struct cvx_err *err)
{
	char copy[512], *argv[WORDS_MAX], *p = copy, *word;
	int argc = 0;

	(void)snprintf(copy, sizeof(copy), "import %s", line);
	while ((word = strsep(&p, " ")) && argc < WORDS_MAX - 1)
		argv[argc++] = word;
	argv[argc] = NULL;
	options = (struct import_options){.path = NULL};
	return import_options_read(&options, argc, argv, ret_warning, err);
}

TEST(import_format_is_that_of_the_name_or_the_one_given)
{
	static const struct {
		const char *line;
		enum file_format format;
		bool warns;
	} cases[] = {
		{"--table t a.csv", FILE_FORMAT_CSV, false},
		{"--table t a.jsonl", FILE_FORMAT_JSON_LINES, false},
		{"--table t a.json", FILE_FORMAT_JSON_ARRAY, false},
		{"a.zip", FILE_FORMAT_ZIP, false},
		{"--table t b.zip/a.csv", FILE_FORMAT_CSV, false},
		{"--table t a.zip.csv", FILE_FORMAT_CSV, false},
		{"--table t --format csv a.csv", FILE_FORMAT_CSV, false},
		{"--table t --format csv a.json", FILE_FORMAT_CSV, true},
		{"--table t --format jsonLines a.txt", FILE_FORMAT_JSON_LINES,
		 false},
		{"--format=zip --append -", FILE_FORMAT_ZIP, false},
		{"--table t --format jsonArray -", FILE_FORMAT_JSON_ARRAY,
		 false},
	};
	struct cvx_err err = CVX_ERR_INIT;
	const char *warning;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		EXPECT_OK(read_line(cases[i].line, &warning, &err), &err);
		EXPECT_INT(options.format, cases[i].format);
		EXPECT_INT(warning != NULL, cases[i].warns);
		drop();
	}
}

TEST(import_mode_is_one_of_four)
{
	static const struct {
		const char *line;
		enum import_mode mode;
	} cases[] = {
		{"a.zip", IMPORT_REQUIRE_EMPTY},
		{"--append a.zip", IMPORT_APPEND},
		{"a.zip --replace -y", IMPORT_REPLACE},
		{"--replace-all a.zip --yes", IMPORT_REPLACE_ALL},
	};
	struct cvx_err err = CVX_ERR_INIT;
	const char *warning;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		EXPECT_OK(read_line(cases[i].line, &warning, &err), &err);
		EXPECT_INT(import_options_mode(&options), cases[i].mode);
		EXPECT_INT(options.yes, i > 1);
		drop();
	}
}

TEST(import_options_that_make_no_sense_are_refused)
{
	static const struct {
		const char *line, *text;
	} cases[] = {
		{"--table t", "the file is missing"},
		{"--table t a.csv b.csv", "too many words"},
		{"a.csv", "--table is missing"},
		{"--table t a.zip", "a zip names its tables itself"},
		{"--table t a", "does not tell the format"},
		{"--table t a.", "does not tell the format"},
		{"--table t a.CSV", "does not tell the format"},
		{"--table t b.csv/a", "does not tell the format"},
		{"--table t -", "does not tell the format"},
		{"--table 1t a.csv", "cannot be the name of a table"},
		{"--table t/u a.csv", "cannot be the name of a table"},
		{"--table t --component /a a.csv",
		 "cannot be the path of a component"},
		{"--append --replace a.zip", "exclude each other"},
		{"--replace --replace-all a.zip", "exclude each other"},
		{"--format xml a.zip", "is not csv, jsonLines"},
		{"--format", "needs a value"},
		{"--yes=1 a.zip", "takes no value"},
		{"--repalce a.zip", "did you mean '--replace'?"},
	};
	struct cvx_err err = CVX_ERR_INIT;
	const char *warning;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		EXPECT_FAIL(read_line(cases[i].line, &warning, &err), &err,
			    -EINVAL, cases[i].text);
		assert_null(strstr(err.msg, "SECRET"));
		drop();
	}
}

/* C-9 */
TEST(import_failures_have_their_exit_status)
{
	static const struct {
		int code;
		const char *name;
		enum exit_status status;
	} cases[] = {
		{-EINVAL, "JsonInvalidRow", EXIT_STATUS_INPUT_REFUSED},
		{-EFBIG, "ValueTooLargeError", EXIT_STATUS_INPUT_REFUSED},
		{-EEXIST, "TableExists", EXIT_STATUS_DEPLOYMENT_REFUSED},
		{-EROFS, NULL, EXIT_STATUS_DEPLOYMENT_REFUSED},
		{-ECANCELED, NULL, EXIT_STATUS_DEPLOYMENT_REFUSED},
		{-ENOSPC, NULL, EXIT_STATUS_LOCAL_TROUBLE},
		{-ENOMEM, NULL, EXIT_STATUS_LOCAL_TROUBLE},
		{-EIO, NULL, EXIT_STATUS_LOCAL_TROUBLE},
	};
	struct cvx_err err = CVX_ERR_INIT;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		err.code = cases[i].code;
		err.name = cases[i].name;
		EXPECT_INT(import_exit_status(&err), cases[i].status);
	}
}

UNIT_MAIN(UNIT_CASE(import_format_is_that_of_the_name_or_the_one_given),
	  UNIT_CASE(import_mode_is_one_of_four),
	  UNIT_CASE(import_options_that_make_no_sense_are_refused),
	  UNIT_CASE(import_failures_have_their_exit_status))
