/* importer/archive/generated_schema: import.md 6.6. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "importer/archive/generated_schema.h"
#include "importer/value/value.h"
#include "tests/unit/unit.h"
#include "tests/unit/vector_files.h"

#define MIB ((size_t)1 << 20)
#define ID_A "j57000820c20a1g7104gm2rc1m70ynr8"

static void put(struct cvx_buf *b, const char *text)
{
	EXPECT_INT(cvx_buf_puts(b, text), 0);
}

/* The shape as the only line of a file. */
static void put_shape(struct cvx_buf *file, const char *shape)
{
	cJSON *json = cJSON_CreateString(shape);
	char *text = cJSON_PrintUnformatted(json);

	put(file, text);
	put(file, "\n");
	free(text);
	cJSON_Delete(json);
}

static void expect_error(const struct cvx_err *err, int r, const char *want,
			 const char *what)
{
	if (r == 0 || !err->name || strcmp(err->name, want) != 0)
		fail_msg("%s: %d %s %s, not %s", what, r,
			 err->name ? err->name : "-", err->msg, want);
}

/* The canonical text of a row that was reshaped. */
static int canonical(const struct cvx_buf *row, struct cvx_buf *out,
		     struct cvx_err *err)
{
	struct value_reader *reader = NULL;
	int r = value_reader_new(VALUE_UNIFORM, &reader, err);

	if (r == 0)
		r = value_read(reader, row->data, row->size, out, err);
	value_reader_free(reader);
	return r;
}

static void check_legacy(const cJSON *one)
{
	const char *shape = vector_string(one, "shape");
	const char *json = vector_string(one, "json");
	const char *error = vector_string(one, "error");
	const cJSON *override = cJSON_GetObjectItem(one, "override");
	char *override_text = cJSON_PrintUnformatted(override);
	struct cvx_buf file = CVX_BUF_INIT(MIB), row = CVX_BUF_INIT(MIB),
		       out = CVX_BUF_INIT(MIB);
	struct generated_schema *g = NULL;
	struct cvx_err err = CVX_ERR_INIT;
	int r;

	put_shape(&file, shape);
	r = generated_schema_read(file.data, file.size, &g, &err);
	if (r == 0)
		r = generated_schema_apply_override(
			g, json, strlen(json), override_text,
			override_text ? strlen(override_text) : 0, &row, &err);
	if (r == 0)
		r = canonical(&row, &out, &err);
	if (error) {
		expect_error(&err, r, error, shape);
	} else {
		if (r < 0)
			fail_msg("%s: %s", shape, err.msg);
		EXPECT_TEXT(out.data, out.size, vector_string(one, "export"));
	}
	generated_schema_free(g);
	cvx_buf_fini(&file);
	cvx_buf_fini(&row);
	cvx_buf_fini(&out);
	free(override_text);
}

TEST(generated_schema_legacy_rows_become_what_the_vectors_say)
{
	cJSON *root =
		vector_read("tests/data/vectors/generated_schema_legacy.json");
	const cJSON *one;
	int count = 0;

	cJSON_ArrayForEach(one, cJSON_GetObjectItem(root, "cases"))
	{
		check_legacy(one);
		count++;
	}
	EXPECT_INT(count > 60, true);
	cJSON_Delete(root);
}

static void check_file(const cJSON *one)
{
	const char *error = vector_string(one, "error");
	const char *schema = vector_string(one, "schema");
	const cJSON *line, *row = cJSON_GetObjectItem(one, "row");
	struct cvx_buf file = CVX_BUF_INIT(MIB);
	struct generated_schema *g = NULL;
	struct cvx_err err = CVX_ERR_INIT;
	char place[32];
	int r;

	cJSON_ArrayForEach(line, cJSON_GetObjectItem(one, "lines"))
	{
		put(&file, line->valuestring);
		put(&file, "\n");
	}
	if (!file.data)
		EXPECT_INT(cvx_buf_reserve(&file, 1), 0);
	r = generated_schema_read(file.data, file.size, &g, &err);
	if (error) {
		expect_error(&err, r, error, file.data);
		if (row) {
			(void)snprintf(place, sizeof(place),
				       "row %d:", row->valueint);
			if (!strstr(err.msg, place))
				fail_msg("no %s in %s", place, err.msg);
		}
		EXPECT_INT(generated_schema_is_uniform(file.data, file.size),
			   false);
	} else {
		EXPECT_OK(r, &err);
		EXPECT_INT(g == NULL, strcmp(schema, "uniform") == 0);
		EXPECT_INT(generated_schema_is_uniform(file.data, file.size),
			   g == NULL);
	}
	generated_schema_free(g);
	cvx_buf_fini(&file);
}

TEST(generated_schema_files_read_as_the_vectors_say)
{
	cJSON *root =
		vector_read("tests/data/vectors/generated_schema_files.json");
	const cJSON *one;
	int count = 0;

	cJSON_ArrayForEach(one, cJSON_GetObjectItem(root, "cases"))
	{
		check_file(one);
		count++;
	}
	EXPECT_INT(count >= 15, true);
	cJSON_Delete(root);
}

/* The row as the schema of the file writes it out. */
static void expect_apply(struct generated_schema *g, const char *row,
			 const char *want)
{
	struct cvx_buf out = CVX_BUF_INIT(MIB);
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(generated_schema_apply(g, row, strlen(row), &out, &err),
		  &err);
	EXPECT_TEXT(out.data, out.size, want);
	cvx_buf_fini(&out);
}

TEST(generated_schema_override_is_used_once)
{
	static const char file[] = "\"unknown\"\n"
				   "{\"" ID_A "\":{\"n\":\"int64\"}}\n";
	struct generated_schema *g = NULL;
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(generated_schema_read(file, strlen(file), &g, &err), &err);
	expect_apply(g, "{\"_id\":\"" ID_A "\",\"n\":\"1\"}",
		     "{\"_id\":\"" ID_A "\",\"n\":1}");
	expect_apply(g, "{\"_id\":\"" ID_A "\",\"n\":\"1\"}",
		     "{\"_id\":\"" ID_A "\",\"n\":\"1\"}");
	expect_apply(g, "{\"n\":\"1\"}", "{\"n\":\"1\"}");
	generated_schema_free(g);
}

TEST(generated_schema_fields_that_are_overwritten_do_not_count)
{
	static const char file[] = "\"{\\\"n\\\": int64}\"\n";
	struct generated_schema *g = NULL;
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(generated_schema_read(file, strlen(file), &g, &err), &err);
	expect_apply(g, "{\"n\":\"no\",\"n\":\"7\"}", "{\"n\":7}");
	generated_schema_free(g);
}

TEST(generated_schema_row_that_is_no_json_stays_as_it_is)
{
	static const char file[] = "\"unknown\"\n";
	struct generated_schema *g = NULL;
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(generated_schema_read(file, strlen(file), &g, &err), &err);
	expect_apply(g, "{\"n\":", "{\"n\":");
	generated_schema_free(g);
}

TEST(generated_schema_refuses_keys_and_ids_that_mislead)
{
	static const char file[] = "\"unknown\"\n";
	static const char *const rows[] = {
		"{\"a\":{\"$bytes\":\"\"}}",
		"{\"\\u0024bytes\":\"\"}",
		"{\"_id\":\"nope\"}",
		"{\"_id\":\"" ID_A "x\"}",
	};
	struct cvx_buf out = CVX_BUF_INIT(MIB);
	struct generated_schema *g = NULL;
	struct cvx_err err = CVX_ERR_INIT;
	size_t i;
	int r;

	EXPECT_OK(generated_schema_read(file, strlen(file), &g, &err), &err);
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		r = generated_schema_apply(g, rows[i], strlen(rows[i]), &out,
					   &err);
		expect_error(&err, r, "InvalidConvexValue", rows[i]);
		EXPECT_INT(out.size, 0);
	}
	cvx_buf_fini(&out);
	generated_schema_free(g);
}

/* F-6 */
static void expect_refused_shape(const char *shape, const char *why)
{
	struct cvx_buf file = CVX_BUF_INIT(8 * MIB);
	struct generated_schema *g = NULL;
	struct cvx_err err = CVX_ERR_INIT;
	int r;

	put_shape(&file, shape);
	r = generated_schema_read(file.data, file.size, &g, &err);
	expect_error(&err, r, "InvalidGeneratedSchema", why);
	if (!strstr(err.msg, why))
		fail_msg("%s", err.msg);
	cvx_buf_fini(&file);
}

static char *repeat(const char *part, unsigned count, const char *end)
{
	struct cvx_buf text = CVX_BUF_INIT(8 * MIB);

	while (count-- > 0)
		put(&text, part);
	put(&text, end);
	EXPECT_INT(cvx_buf_append(&text, "", 1), 0);
	return text.data;
}

TEST(generated_schema_shape_nested_10000_deep_is_refused)
{
	static const char *const parts[] = {"array<", "record<string, ",
					    "{\"a\": "};
	size_t i;

	for (i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		char *shape = repeat(parts[i], 10000, "int64");

		expect_refused_shape(shape, "too deep");
		free(shape);
	}
}

TEST(generated_schema_shape_that_is_too_large_is_refused)
{
	char *shape = repeat("array<int64> | ", 20000, "int64");

	expect_refused_shape(shape, "too large");
	free(shape);
	shape = repeat("int64 | ", 200000, "int64");
	expect_refused_shape(shape, "more than 1 MiB");
	free(shape);
}

TEST(generated_schema_object_of_65_fields_is_refused)
{
	struct cvx_buf shape = CVX_BUF_INIT(MIB);
	int i;

	put(&shape, "{\"f\": int64");
	for (i = 1; i < 65; i++)
		EXPECT_INT(cvx_buf_printf(&shape, ", \"f%d\": int64", i), 0);
	EXPECT_INT(cvx_buf_append(&shape, "}", 2), 0);
	expect_refused_shape(shape.data, "64 fields");
	cvx_buf_fini(&shape);
}

UNIT_MAIN(UNIT_CASE(generated_schema_legacy_rows_become_what_the_vectors_say),
	  UNIT_CASE(generated_schema_files_read_as_the_vectors_say),
	  UNIT_CASE(generated_schema_override_is_used_once),
	  UNIT_CASE(generated_schema_fields_that_are_overwritten_do_not_count),
	  UNIT_CASE(generated_schema_row_that_is_no_json_stays_as_it_is),
	  UNIT_CASE(generated_schema_refuses_keys_and_ids_that_mislead),
	  UNIT_CASE(generated_schema_shape_nested_10000_deep_is_refused),
	  UNIT_CASE(generated_schema_shape_that_is_too_large_is_refused),
	  UNIT_CASE(generated_schema_object_of_65_fields_is_refused), )
