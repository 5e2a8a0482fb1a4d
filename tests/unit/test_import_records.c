/* importer/import: what .convex/imports.jsonl and last-error tell of imports
 * (filesystem.md T-5, F-2). */
#include <errno.h>
#include <string.h>

#include "cache/base/buf.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"
#include "tests/unit/vector_files.h"

#define MIB ((size_t)1 << 20)

/* The fields of T-5, all of them in every line. */
static void expect_fields(const cJSON *line)
{
	static const char *const fields[] = {
		"id",	 "target",  "format",	"mode",	    "state", "rows",
		"bytes", "started", "finished", "progress", "error",
	};
	size_t i;

	EXPECT_INT(cJSON_GetArraySize(line), sizeof(fields) / sizeof(*fields));
	for (i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		assert_string_equal(cJSON_GetArrayItem(line, (int)i)->string,
				    fields[i]);
}

TEST(import_is_listed_while_it_runs_and_after)
{
	struct deployment *d = store_open(store_new_dir());
	struct store_text bytes = {"{\"n\":0}\n", 8};
	struct import *imp = store_start_import(d, "t", IMPORT_REPLACE, &bytes);
	struct cvx_buf out = CVX_BUF_INIT(MIB);
	struct cvx_err err = CVX_ERR_INIT;
	const cJSON *progress;
	cJSON *line;

	EXPECT_OK(deployment_print_imports(d, &out, &err), &err);
	line = cJSON_ParseWithLength(out.data, out.size);
	assert_string_equal(vector_string(line, "state"), "in_progress");
	assert_string_equal(vector_string(line, "target"), "users/data.jsonl");
	assert_string_equal(vector_string(line, "mode"), "replace");
	progress = cJSON_GetObjectItem(line, "progress");
	assert_true(cJSON_IsNumber(progress) && progress->valuedouble == 1);
	expect_fields(line);
	cJSON_Delete(line);

	store_finish_import(imp, &bytes);
	cvx_buf_clear(&out);
	EXPECT_OK(deployment_print_imports(d, &out, &err), &err);
	line = cJSON_ParseWithLength(out.data, out.size);
	assert_string_equal(vector_string(line, "state"), "completed");
	EXPECT_INT(cJSON_GetObjectItem(line, "rows")->valueint, 1);
	EXPECT_INT(cJSON_GetObjectItem(line, "bytes")->valueint, 8);
	assert_true(cJSON_IsNull(cJSON_GetObjectItem(line, "error")));
	expect_fields(line);
	EXPECT_INT(strlen(vector_string(line, "finished")), 24);
	cJSON_Delete(line);
	cvx_buf_fini(&out);
	store_close(d);
}

TEST(import_that_failed_is_recorded_with_its_text)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_buf out = CVX_BUF_INIT(MIB);
	struct cvx_err err = CVX_ERR_INIT;
	const cJSON *error;
	const char *text;
	cJSON *line;

	EXPECT_INT(store_import(d, "t", IMPORT_REPLACE, "!\n{}\n?\n", &err),
		   -EINVAL);
	EXPECT_OK(deployment_print_last_error(d, "", NULL, &out, &err), &err);
	assert_true(out.size > 0 && strncmp(out.data, "row 1: ", 7) == 0);
	assert_non_null(memmem(out.data, out.size, "\nrow 3: ", 8));
	cvx_buf_clear(&out);
	EXPECT_OK(deployment_print_last_error(d, "", "t", &out, &err), &err);
	assert_true(out.size > 0);

	cvx_buf_clear(&out);
	EXPECT_OK(deployment_print_imports(d, &out, &err), &err);
	line = cJSON_ParseWithLength(out.data, out.size);
	assert_string_equal(vector_string(line, "state"), "failed");
	expect_fields(line);
	error = cJSON_GetObjectItem(line, "error");
	assert_string_equal(vector_string(error, "code"), "JsonInvalidRow");
	text = vector_string(error, "message");
	assert_non_null(strstr(text, "row 3: "));
	EXPECT_INT(text[strlen(text) - 1] == '\n', false);
	cJSON_Delete(line);

	/* The table's own error goes with its next success. */
	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, "{}\n", &err), &err);
	cvx_buf_clear(&out);
	EXPECT_OK(deployment_print_last_error(d, "", "t", &out, &err), &err);
	EXPECT_INT(out.size, 0);
	EXPECT_OK(deployment_print_last_error(d, "", NULL, &out, &err), &err);
	assert_true(out.size > 0);
	cvx_buf_fini(&out);
	store_close(d);
}

TEST(import_that_could_not_start_is_recorded)
{
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("t", IMPORT_REPLACE);
	struct cvx_err cause = CVX_ERR_INIT, err = CVX_ERR_INIT;
	struct cvx_buf out = CVX_BUF_INIT(MIB);

	(void)cvx_fail(&cause, -ENOSPC, "no room for the spool");
	EXPECT_INT(import_record_failure(d, &target, &cause), 0);
	EXPECT_OK(deployment_print_imports(d, &out, &err), &err);
	assert_non_null(memmem(out.data, out.size, "\"code\":\"ENOSPC\"", 15));
	cvx_buf_fini(&out);
	store_close(d);
}

UNIT_MAIN(UNIT_CASE(import_is_listed_while_it_runs_and_after),
	  UNIT_CASE(import_that_failed_is_recorded_with_its_text),
	  UNIT_CASE(import_that_could_not_start_is_recorded))
