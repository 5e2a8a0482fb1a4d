/* Schemas of a deployment, and imports that are held to them (import.md 8). */

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/catalog.h"
#include "importer/deployment_schema.h"
#include "importer/embedded/sql.h"
#include "importer/preview.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"
#include "tests/unit/vector_files.h"

/* A schema of one table with the fields of an object. */
#define OBJECT(fields) "{\"type\":\"object\",\"value\":{" fields "}}"
#define TABLE(name, type)                                                      \
	"{\"tableName\":\"" name "\",\"indexes\":[],\"documentType\":" type "}"
#define SCHEMA(tables) "{\"schemaValidation\":true,\"tables\":[" tables "]}"
#define FIELD(name, type, optional)                                            \
	"\"" name "\":{\"fieldType\":" type ",\"optional\":" optional "}"
#define STRING "{\"type\":\"string\"}"
#define NUMBER "{\"type\":\"number\"}"
#define ID(table) "{\"type\":\"id\",\"tableName\":\"" table "\"}"

#define N_IS_NUMBER SCHEMA(TABLE("t", OBJECT(FIELD("n", NUMBER, "false"))))
#define N_IS_STRING SCHEMA(TABLE("t", OBJECT(FIELD("n", STRING, "false"))))

static char *print_schema(struct deployment *d)
{
	struct cvx_buf out = CVX_BUF_INIT(DEPLOYMENT_SCHEMA_MAX);
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(deployment_print_schema(d, "", &out, &err), &err);
	EXPECT_INT(cvx_buf_append(&out, "", 1), 0);
	return out.data;
}

static int set_schema(struct deployment *d, const char *text,
		      struct cvx_err *err)
{
	return deployment_set_schema(d, "", text, strlen(text), err);
}

static void expect_name(const struct cvx_err *err, const char *name)
{
	if (!err->name || strcmp(err->name, name) != 0)
		fail_msg("%s, not %s: %s", err->name ? err->name : "no name",
			 name, err->msg);
}

static void seed(struct deployment *d, const char *table, const char *rows)
{
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(store_import(d, table, IMPORT_REPLACE, rows, &err), &err);
}

TEST(schema_is_shown_as_it_was_set)
{
	const char *dir = store_new_dir();
	struct deployment *d = store_open(dir);
	struct cvx_err err = CVX_ERR_INIT;
	char *text = print_schema(d), *again;

	assert_string_equal(text, "");
	free(text);
	store_set_schema(d, N_IS_NUMBER);
	text = print_schema(d);
	assert_non_null(strstr(text, "\"tableName\":\"t\""));
	/* What is shown may be set, and says the same. */
	store_set_schema(d, text);
	store_close(d);
	d = store_open(dir);
	again = print_schema(d);
	assert_string_equal(again, text);
	free(again);
	free(text);
	EXPECT_OK(set_schema(d, " null\n", &err), &err);
	text = print_schema(d);
	assert_string_equal(text, "");
	free(text);
	store_set_schema(d, N_IS_NUMBER);
	store_set_schema(d, "");
	text = print_schema(d);
	assert_string_equal(text, "");
	free(text);
	EXPECT_FAIL(deployment_set_schema(d, "no/such", "", 0, &err), &err,
		    -ENOENT, "no/such");
	store_close(d);
}

TEST(schema_that_is_none_is_refused)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char *text;

	store_set_schema(d, N_IS_NUMBER);
	EXPECT_FAIL(set_schema(d, "{\"tables\":", &err), &err, -EINVAL,
		    "schema");
	EXPECT_FAIL(set_schema(d, "[]", &err), &err, -EINVAL, "schema");
	EXPECT_FAIL(set_schema(d, "nul", &err), &err, -EINVAL, "schema");
	text = print_schema(d);
	assert_non_null(strstr(text, "\"tableName\":\"t\""));
	free(text);
	store_close(d);
}

TEST(schema_names_the_first_document_that_breaks_it)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char *text;

	seed(d, "a", "{\"n\":1}\n");
	seed(d, "t",
	     "{\"n\":1}\n{\"_id\":\"j97040g2081040g2081040g2096haqhb\","
	     "\"n\":\"x\"}\n{\"n\":true}\n");
	EXPECT_FAIL(set_schema(d, N_IS_NUMBER, &err), &err, -EINVAL,
		    "table t, line 2, _id j97040g2081040g2081040g2096haqhb: ");
	expect_name(&err, "SchemaEnforcementError");
	assert_non_null(strstr(err.msg, "field n: expected a"));
	text = print_schema(d);
	assert_string_equal(text, "");
	free(text);
	seed(d, "t", "{\"n\":1}\n");
	store_set_schema(d, N_IS_NUMBER);
	store_close(d);
}

TEST(schema_holds_ids_to_the_tables_that_there_are)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	static const char posts[] = SCHEMA(
		TABLE("posts", OBJECT(FIELD("by", ID("users"), "false"))));
	static const char files[] = SCHEMA(
		TABLE("posts", OBJECT(FIELD("by", ID("_storage"), "false"))));

	seed(d, "users", "{}\n");
	seed(d, "posts", "{\"by\":\"j5702081040g2081040g2081056hakwm\"}\n");
	store_set_schema(d, posts);
	EXPECT_FAIL(set_schema(d, files, &err), &err, -EINVAL, "field by");
	seed(d, "posts", "");
	store_set_schema(d, files);
	EXPECT_FAIL(store_import(d, "posts", IMPORT_APPEND,
				 "{\"by\":\"j5702081040g2081040g2081056hakwm\"}"
				 "\n",
				 &err),
		    &err, -EINVAL, "row 1");
	EXPECT_OK(store_import(d, "posts", IMPORT_APPEND,
			       "{\"by\":\"kg202081040g2081040g2081040g3c64\"}"
			       "\n",
			       &err),
		  &err);
	store_close(d);
}

/* Rows of an import. */

TEST(schema_refuses_rows_with_their_places)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_buf rows = CVX_BUF_INIT(1 << 20), text = CVX_BUF_INIT(65536);
	struct import_target target = store_target("t", IMPORT_REPLACE);
	struct cvx_err err = CVX_ERR_INIT;
	struct import *imp = NULL;
	struct import_source source;
	struct import_result result;
	struct store_text bytes;
	int i;

	seed(d, "t", "{\"n\":0}\n");
	store_set_schema(d, N_IS_NUMBER);
	for (i = 1; i <= 40; i++)
		EXPECT_INT(cvx_buf_puts(&rows, i % 2 ? "{\"n\":1}\n"
						     : "{\"n\":\"x\"}\n"),
			   0);
	bytes = (struct store_text){rows.data, rows.size};
	source = store_source(&bytes);
	EXPECT_OK(import_new(d, &target, &source, &imp, &err), &err);
	EXPECT_FAIL(import_commit(imp, bytes.size, &result, &err), &err,
		    -EINVAL, "row 2: does not match the schema: field n: ");
	expect_name(&err, "SchemaEnforcementError");
	EXPECT_INT(import_print_error(imp, &text), 0);
	EXPECT_INT(cvx_buf_append(&text, "", 1), 0);
	assert_non_null(strstr(text.data, "row 20: "));
	assert_null(strstr(text.data, "row 22: "));
	assert_non_null(strstr(text.data, "10"));
	import_free(imp);
	EXPECT_INT(store_stat(d, "t").document_count, 1);
	cvx_buf_fini(&rows);
	cvx_buf_fini(&text);
	store_close(d);
}

TEST(schema_is_looked_at_before_the_size)
{
	static const struct {
		enum format_kind format;
		const char *before, *behind;
	} cases[] = {
		{FORMAT_JSONL, "{\"n\":\"", "\"}\n"},
		{FORMAT_JSON, "[{\"n\":\"", "\"}]\n"},
		{FORMAT_CSV, "n\n", "\n"},
	};
	struct deployment *d = store_open(store_new_dir());
	const size_t size = 2 << 20;
	char *text = malloc(size + 100);
	struct cvx_err err = CVX_ERR_INIT;
	size_t i, n;

	assert_non_null(text);
	for (i = 0; i < 3; i++) {
		struct import_target target = store_target("t", IMPORT_REPLACE);

		target.format = cases[i].format;
		n = strlen(cases[i].before);
		memcpy(text, cases[i].before, n);
		memset(text + n, 'x', size);
		n += size;
		memcpy(text + n, cases[i].behind, strlen(cases[i].behind));
		n += strlen(cases[i].behind);
		store_set_schema(d, N_IS_NUMBER);
		EXPECT_FAIL(
			store_import_target(d, &target, text, n, NULL, &err),
			&err, -EINVAL, "does not match the schema");
		store_set_schema(d, N_IS_STRING);
		EXPECT_FAIL(
			store_import_target(d, &target, text, n, NULL, &err),
			&err, -EFBIG, "1 MiB");
		expect_name(&err, "ValueTooLargeError");
	}
	free(text);
	store_close(d);
}

/* Vectors: csv_optional_fields.json. */
static void check_csv(const cJSON *one)
{
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("t", IMPORT_REPLACE);
	const char *csv = vector_string(one, "csv");
	const char *error = vector_string(one, "error");
	char *schema =
		cJSON_PrintUnformatted(cJSON_GetObjectItem(one, "schema"));
	struct cvx_err err = CVX_ERR_INIT;
	char *line;
	cJSON *row;
	int r;

	store_set_schema(d, schema);
	target.format = FORMAT_CSV;
	r = store_import_target(d, &target, csv, strlen(csv), NULL, &err);
	if (error) {
		EXPECT_INT(r, -EINVAL);
		expect_name(&err, error);
	} else {
		EXPECT_OK(r, &err);
		line = store_cat(d, "t");
		row = cJSON_Parse(line);
		assert_non_null(row);
		cJSON_DeleteItemFromObject(row, "_id");
		cJSON_DeleteItemFromObject(row, "_creationTime");
		if (!cJSON_Compare(row, cJSON_GetObjectItem(one, "row"), true))
			fail_msg("%s became %s", csv, line);
		cJSON_Delete(row);
		free(line);
	}
	free(schema);
	store_close(d);
}

TEST(schema_removes_empty_cells_of_optional_fields)
{
	cJSON *vectors =
		vector_read("tests/data/vectors/csv_optional_fields.json");
	const cJSON *one;
	int count = 0;

	cJSON_ArrayForEach(one, cJSON_GetObjectItem(vectors, "cases"))
	{
		check_csv(one);
		count++;
	}
	EXPECT_INT(count, 8);
	cJSON_Delete(vectors);
}

/* What changes while an import runs. */

static struct import *start(struct deployment *d, const char *table,
			    struct store_text *bytes)
{
	struct import_target target = store_target(table, IMPORT_APPEND);
	struct import_source source = store_source(bytes);
	struct cvx_err err = CVX_ERR_INIT;
	struct import *imp = NULL;

	EXPECT_OK(import_new(d, &target, &source, &imp, &err), &err);
	import_available(imp, bytes->size);
	EXPECT_OK(import_check(imp, bytes->size, &err), &err);
	return imp;
}

TEST(schema_set_before_the_close_holds_for_what_was_written)
{
	struct deployment *d = store_open(store_new_dir());
	struct store_text bytes = {"{\"n\":1}\n", 8};
	struct cvx_err err = CVX_ERR_INIT;
	struct import_result result;
	struct import *imp = start(d, "t", &bytes);

	store_set_schema(d, N_IS_STRING);
	EXPECT_FAIL(import_commit(imp, bytes.size, &result, &err), &err,
		    -EINVAL, "field n");
	expect_name(&err, "SchemaEnforcementError");
	import_free(imp);
	imp = start(d, "u", &bytes);
	/* It says the same. */
	store_set_schema(d, N_IS_STRING);
	EXPECT_OK(import_commit(imp, bytes.size, &result, &err), &err);
	import_free(imp);
	EXPECT_INT(store_has(d, "t"), false);
	store_close(d);
}

TEST(schema_set_behind_a_preview_holds_for_the_import)
{
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("t", IMPORT_APPEND);
	struct store_text bytes = {"{\"n\":1}\n", 8};
	struct import_source source = store_source(&bytes);
	struct cvx_err err = CVX_ERR_INIT;
	struct preview preview = {.tables = NULL};
	struct import_result result;
	struct import *imp = NULL;

	store_set_schema(d, N_IS_STRING);
	EXPECT_OK(import_new(d, &target, &source, &imp, &err), &err);
	EXPECT_OK(import_preview(imp, bytes.size, &preview, &err), &err);
	EXPECT_INT(preview.refusal.code, -EINVAL);
	preview_fini(&preview);
	store_set_schema(d, N_IS_NUMBER);
	EXPECT_OK(import_commit(imp, bytes.size, &result, &err), &err);
	import_free(imp);
	EXPECT_INT(store_stat(d, "t").document_count, 1);
	store_close(d);
}

/* A source that sets a schema while it is read. */
struct meddler {
	struct deployment *d;
	struct store_text bytes;
	_Atomic bool is_done;
};

static int read_meddling(void *ctx, uint64_t off, void *buf, size_t size,
			 size_t *ret_n, struct cvx_err *err)
{
	struct meddler *m = ctx;
	struct import_source source = store_source(&m->bytes);

	if (off > (2 << 20) && !atomic_exchange(&m->is_done, true))
		store_set_schema(m->d, N_IS_NUMBER);
	return source.read(source.ctx, off, buf, size, ret_n, err);
}

TEST(schema_set_while_an_import_runs_fails_it)
{
	struct deployment *d = store_open(store_new_dir());
	struct import_target target = store_target("other", IMPORT_REPLACE);
	char *rows = store_make_rows(1, 20000, 200);
	struct meddler m = {.d = d, .bytes = {rows, strlen(rows)}};
	struct import_source source = {&m, read_meddling};
	struct cvx_err err = CVX_ERR_INIT;
	struct import_result result;
	struct import *imp = NULL;

	EXPECT_OK(import_new(d, &target, &source, &imp, &err), &err);
	EXPECT_FAIL(import_commit(imp, m.bytes.size, &result, &err), &err,
		    -EINVAL, "schema was changed");
	expect_name(&err, "ImportSchemaChanged");
	import_free(imp);
	EXPECT_INT(store_has(d, "other"), false);
	EXPECT_INT(store_count_files(d, "segments"), 0);
	free(rows);
	store_close(d);
}

TEST(schema_looks_at_ids_again_when_a_number_has_changed)
{
	static const char row[] =
		"{\"by\":\"j5702081040g2081040g2081056hakwm\"}\n";
	static const char list[] = "{\"name\":\"users\",\"id\":10009}\n";
	struct deployment *d = store_open(store_new_dir());
	struct store_text bytes = {row, sizeof(row) - 1};
	struct cvx_err err = CVX_ERR_INIT;
	struct import_result result;
	struct import *imp;

	seed(d, "users", "");
	store_set_schema(
		d, SCHEMA(TABLE("posts",
				OBJECT(FIELD("by", ID("users"), "false")))));
	imp = start(d, "posts", &bytes);
	EXPECT_OK(
		deployment_register_tables(d, "", list, sizeof(list) - 1, &err),
		&err);
	EXPECT_FAIL(import_commit(imp, bytes.size, &result, &err), &err,
		    -EINVAL, "row 1: ");
	expect_name(&err, "SchemaEnforcementError");
	import_free(imp);
	store_close(d);
}

TEST(schema_protects_the_tables_that_ids_name)
{
	static const char list[] = "{\"name\":\"users\",\"id\":10009}\n";
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;

	seed(d, "users", "");
	seed(d, "free", "");
	store_set_schema(
		d, SCHEMA(TABLE("posts",
				OBJECT(FIELD("by", ID("users"), "false")))));
	seed(d, "posts", "{\"by\":\"j5702081040g2081040g2081056hakwm\"}\n");
	EXPECT_FAIL(deployment_delete_table(d, "", "users", &err), &err,
		    -EINVAL, "users");
	expect_name(&err, "SchemaEnforcementError");
	EXPECT_FAIL(
		deployment_register_tables(d, "", list, sizeof(list) - 1, &err),
		&err, -EINVAL, "row 1: table users");
	expect_name(&err, "ImportForeignKey");
	EXPECT_OK(deployment_delete_table(d, "", "free", &err), &err);
	seed(d, "posts", "");
	EXPECT_FAIL(deployment_delete_table(d, "", "posts", &err), &err,
		    -EINVAL, "posts");
	EXPECT_OK(
		deployment_register_tables(d, "", list, sizeof(list) - 1, &err),
		&err);
	store_close(d);
}

/* Another process appends numbers and strings as long as it may. */
static void append_for_ever(const char *dir, int ready_fd)
{
	struct deployment *d = store_open(dir);
	struct cvx_err err = CVX_ERR_INIT;
	int i, failures = 0;

	for (i = 0; i < 20000 && failures < 5; i++) {
		if (store_import(d, "t", IMPORT_APPEND,
				 i % 4 ? "{\"n\":1}\n" : "{\"n\":\"x\"}\n",
				 &err) < 0)
			failures++;
		(void)usleep(1000);
		if (i == 10 && write(ready_fd, "", 1) != 1)
			break;
	}
	deployment_close(d);
	_exit(failures >= 5 ? 0 : 1);
}

TEST(schema_is_set_while_another_process_imports)
{
	const char *dir = store_new_dir();
	struct deployment *d = store_open(dir);
	struct cvx_err err = CVX_ERR_INIT;
	char any[] = SCHEMA(
		TABLE("t", OBJECT(FIELD("n",
					"{\"type\":\"union\",\"value\":[" STRING
					"," NUMBER "]}",
					"false"))));
	int fds[2], status, tries;
	char byte, *text;
	pid_t pid;

	/* A catalog is not carried over a fork. */
	deployment_close(d);
	EXPECT_INT(pipe(fds), 0);
	pid = fork();
	if (pid == 0)
		append_for_ever(dir, fds[1]);
	EXPECT_INT(read(fds[0], &byte, 1), 1);
	d = store_open(dir);
	store_set_schema(d, any);
	EXPECT_FAIL(set_schema(d, N_IS_NUMBER, &err), &err, -EINVAL, "table t");
	/* A replace and the schema, until no row comes in between. */
	for (tries = 0; tries < 1000; tries++) {
		seed(d, "t", "");
		if (set_schema(d, N_IS_NUMBER, &err) == 0)
			break;
	}
	EXPECT_INT(waitpid(pid, &status, 0), pid);
	EXPECT_INT(status, 0);
	text = store_cat(d, "t");
	assert_null(strstr(text, "\"n\":\"x\""));
	free(text);
	(void)close(fds[0]);
	(void)close(fds[1]);
	store_close(d);
}

TEST(schema_is_kept_by_a_deployment_of_the_first_version)
{
	const char *dir = store_new_dir();
	char path[400];
	struct catalog_settings settings = {
		.path = path,
		.application_id = SQL_APPLICATION_ID,
		.migrations = sql_migrations,
		.migration_count = 1,
	};
	struct cvx_err err = CVX_ERR_INIT;
	struct catalog *c = NULL;
	struct deployment *d;

	EXPECT_INT(mkdir(dir, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/catalog.sqlite3", dir);
	EXPECT_OK(catalog_open(&settings, &c, &err), &err);
	catalog_close(c);
	d = store_open(dir);
	seed(d, "t", "{\"n\":1}\n");
	store_set_schema(d, N_IS_NUMBER);
	store_close(d);
}

UNIT_MAIN(UNIT_CASE(schema_is_shown_as_it_was_set),
	  UNIT_CASE(schema_that_is_none_is_refused),
	  UNIT_CASE(schema_names_the_first_document_that_breaks_it),
	  UNIT_CASE(schema_holds_ids_to_the_tables_that_there_are),
	  UNIT_CASE(schema_refuses_rows_with_their_places),
	  UNIT_CASE(schema_is_looked_at_before_the_size),
	  UNIT_CASE(schema_removes_empty_cells_of_optional_fields),
	  UNIT_CASE(schema_set_before_the_close_holds_for_what_was_written),
	  UNIT_CASE(schema_set_behind_a_preview_holds_for_the_import),
	  UNIT_CASE(schema_set_while_an_import_runs_fails_it),
	  UNIT_CASE(schema_looks_at_ids_again_when_a_number_has_changed),
	  UNIT_CASE(schema_protects_the_tables_that_ids_name),
	  UNIT_CASE(schema_is_set_while_another_process_imports),
	  UNIT_CASE(schema_is_kept_by_a_deployment_of_the_first_version))
