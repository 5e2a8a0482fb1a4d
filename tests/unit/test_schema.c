#include "importer/schema/schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cache/base/buf.h"
#include "importer/schema/validator.h"
#include "tests/unit/model.h"
#include "tests/unit/strict.h"
#include "tests/unit/unit.h"

#define TABLE(name, more) "{\"tableName\":\"" name "\",\"indexes\":[]" more "}"
#define SCHEMA(tables) "{\"tables\":[" tables "],\"schemaValidation\":true}"
#define INDEXES(list) SCHEMA("{\"tableName\":\"t\",\"indexes\":[" list "]}")
#define INDEX(name, fields)                                                    \
	"{\"indexDescriptor\":\"" name "\",\"fields\":[" fields "]}"
#define SEARCH(name, field, filters)                                           \
	"{\"indexDescriptor\":\"" name "\",\"searchField\":\"" field           \
	"\",\"filterFields\":[" filters "]}"
#define VECTOR(name, field, dimensions)                                        \
	"{\"indexDescriptor\":\"" name "\",\"vectorField\":\"" field           \
	"\",\"dimensions\":" dimensions ",\"filterFields\":[]}"
#define LISTS(search, vector)                                                  \
	SCHEMA(TABLE("t", ",\"searchIndexes\":[" search                        \
			  "],\"vectorIndexes\":[" vector "]"))

static struct schema *parse(const char *text, size_t size)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct schema *s = NULL;

	if (schema_parse(text, size, &s, &err) < 0)
		fail_msg("%.*s: %s", (int)size, text, err.msg);
	return s;
}

static void expect_refused(const char *text, size_t size, const char *name,
			   const char *want)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct schema *s = NULL;
	int r = schema_parse(text, size, &s, &err);

	if (r != -EINVAL)
		fail_msg("%.*s: %d: %s", (int)size, text, r, err.msg);
	if ((name == NULL) != (err.name == NULL) ||
	    (name && strcmp(err.name, name) != 0))
		fail_msg("%s: %s, not %s", err.msg, err.name, name);
	if (strcmp(err.msg, want) != 0)
		fail_msg("'%s', not '%s'", err.msg, want);
}

/* import.md 8.2 */
TEST(schema_refusals_name_the_place)
{
	static const struct {
		const char *text, *name, *want;
	} cases[] = {
		{"", NULL,
		 "schema: not JSON, byte 1: the text ends where a value "
		 "should be"},
		{"[]", NULL, "schema: \"tables\" must be an array"},
		{"{}", NULL, "schema: \"tables\" must be an array"},
		{"{\"tables\":[],\"schemaValidation\":1}", NULL,
		 "schema: \"schemaValidation\" must be true or false"},
		{SCHEMA("5"), NULL, "schema: a table without \"tableName\""},
		{SCHEMA(TABLE("a b", "")), "InvalidTableName",
		 "schema: invalid name \"a b\" of a table; it must be an "
		 "identifier"},
		{SCHEMA(TABLE("_t", "")), "TableNameReserved",
		 "schema: the name _t is that of a system table"},
		{SCHEMA(TABLE("t", "") "," TABLE("s", "") "," TABLE("t", "")),
		 NULL, "schema: table t twice"},
		{SCHEMA("{\"tableName\":\"t\"}"), NULL,
		 "schema: table t: no \"indexes\""},
		{SCHEMA(TABLE("t", ",\"searchIndexes\":{}")), NULL,
		 "schema: table t: \"searchIndexes\" must be an array"},
		{SCHEMA(TABLE("t", ",\"documentType\":{\"type\":\"object\","
				   "\"value\":{\"a\":5}}")),
		 NULL, "schema: table t: field a: no \"fieldType\""},
		{SCHEMA(TABLE("t", ",\"documentType\":{\"type\":\"null\"}")),
		 "InvalidTopLevelTypeInSchemaError",
		 "schema: table t: documents must be an object, a union of "
		 "objects, or any, not null"},
		{INDEXES("{}"), NULL,
		 "schema: table t: an index without \"indexDescriptor\""},
		{INDEXES(INDEX("x", "")), "EmptyIndex",
		 "schema: table t: index x: it must have at least one field"},
		{INDEXES("{\"indexDescriptor\":\"x\"}"), NULL,
		 "schema: table t: index x: \"fields\" must be an array"},
		{INDEXES(INDEX("x", "5")), "InvalidIndexField",
		 "schema: table t: index x: a field must be a string"},
		{INDEXES(INDEX("x", "\"a\",\"b..c\"")), "InvalidIndexField",
		 "schema: table t: index x: invalid field \"b..c\"; it must "
		 "be identifiers joined by '.'"},
		{INDEXES(INDEX("x", "\"a\",\"b\",\"a\"")),
		 "FieldsNotUniqueWithinIndex",
		 "schema: table t: index x: field a twice"},
		{INDEXES(INDEX("x", "\"_id\"")), "IndexFieldsContainId",
		 "schema: table t: index x: _id is no field for an index; "
		 "documents are found by it without one"},
		{INDEXES(INDEX("x", "\"a\"") "," INDEX("x", "\"b\"")),
		 "IndexNamesNotUnique", "schema: table t: index x twice"},
		{INDEXES(INDEX("x", "\"a\"") "," INDEX("y", "\"a\"")),
		 "IndexNotUnique",
		 "schema: table t: index x and index y are of the same "
		 "fields"},
		{LISTS(SEARCH("x", "a", "") "," SEARCH("y", "a", "\"b\""), ""),
		 "SearchIndexFieldNotUnique",
		 "schema: table t: index x and index y are of the same "
		 "fields"},
		{LISTS("", VECTOR("x", "a", "2") "," VECTOR("y", "a", "2")),
		 "VectorIndexFieldNotUnique",
		 "schema: table t: index x and index y are of the same "
		 "fields"},
		{LISTS(SEARCH("x", "a", ""), VECTOR("x", "a", "2")),
		 "IndexNamesNotUnique", "schema: table t: index x twice"},
		{LISTS("{\"indexDescriptor\":\"x\",\"filterFields\":[]}", ""),
		 NULL, "schema: table t: index x: no \"searchField\""},
		{LISTS("{\"indexDescriptor\":\"x\",\"searchField\":\"a\"}", ""),
		 NULL,
		 "schema: table t: index x: \"filterFields\" must be an "
		 "array"},
		{LISTS("", VECTOR("x", "a", "1")),
		 "InvalidVectorDimensionError",
		 "schema: table t: index x: dimensions must be from 2 to "
		 "4096"},
		{LISTS("", VECTOR("x", "a", "4097")),
		 "InvalidVectorDimensionError",
		 "schema: table t: index x: dimensions must be from 2 to "
		 "4096"},
		{LISTS("", VECTOR("x", "a", "4294967298")),
		 "InvalidVectorDimensionError",
		 "schema: table t: index x: dimensions must be from 2 to "
		 "4096"},
		{LISTS("", VECTOR("x", "a", "-2")), NULL,
		 "schema: table t: index x: \"dimensions\" must be an "
		 "integer"},
		{LISTS("", VECTOR("x", "a", "2.0")), NULL,
		 "schema: table t: index x: \"dimensions\" must be an "
		 "integer"},
		{LISTS("", VECTOR("x", "a", "null")), NULL,
		 "schema: table t: index x: no \"dimensions\""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_refused(cases[i].text, strlen(cases[i].text),
			       cases[i].name, cases[i].want);
}

/* import.md 1.1 */
TEST(schema_index_names_are_as_in_the_vectors)
{
	struct strict *vectors = strict_read_vectors("names_indexes.json");
	const struct strict *cases = strict_get(vectors, "cases");

	assert_true(cases->count > 5);
	for (size_t i = 0; i < cases->count; i++) {
		const struct strict *one = cases->items[i];
		const char *name = strict_text(one, "name");
		struct cvx_err err = CVX_ERR_INIT;
		struct schema *s = NULL;
		char text[512];
		int r;

		(void)snprintf(text, sizeof(text),
			       INDEXES(INDEX("%s", "\"a\"")), name);
		r = schema_parse(text, strlen(text), &s, &err);
		if ((r == 0) != strict_is_true(one, "valid_in_schema"))
			fail_msg("%s: %d %s", name, r, err.msg);
		if (r < 0)
			assert_string_equal(err.name,
					    strict_text(one, "error"));
		schema_free(s);
	}
	strict_free(vectors);
}

/* Appends count texts, numbered, with commas between. */
static void put_many(struct cvx_buf *out, const char *format, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *number = strchr(format, '#');
		const char *text = format;

		if (i > 0)
			EXPECT_INT(cvx_buf_puts(out, ","), 0);
		for (; number; number = strchr(text, '#')) {
			EXPECT_INT(cvx_buf_append(out, text,
						  (size_t)(number - text)),
				   0);
			EXPECT_INT(cvx_buf_printf(out, "%zu", i), 0);
			text = number + 1;
		}
		EXPECT_INT(cvx_buf_puts(out, text), 0);
	}
}

/* Of what stands between start and end, most are fine and one more is not. */
static void expect_limit(const char *start, const char *format, const char *end,
			 size_t most, const char *name, const char *want)
{
	for (size_t count = most; count <= most + 1; count++) {
		struct cvx_buf text = CVX_BUF_INIT(SIZE_MAX);

		EXPECT_INT(cvx_buf_puts(&text, start), 0);
		put_many(&text, format, count);
		EXPECT_INT(cvx_buf_puts(&text, end), 0);
		if (count == most)
			schema_free(parse(text.data, text.size));
		else
			expect_refused(text.data, text.size, name, want);
		cvx_buf_fini(&text);
	}
}

/* clang-format off */

/* import.md 8.2 */
TEST(schema_limits_are_held)
{
	expect_limit("{\"tables\":[{\"tableName\":\"t\",\"indexes\":["
		     INDEX("x", "\"x\"") "],\"stagedSearchIndexes\":["
		     SEARCH("y", "x", "") "],\"stagedVectorIndexes\":["
		     VECTOR("z", "x", "2") "],\"stagedDbIndexes\":[",
		     INDEX("i#", "\"a#\""), "]}]}", 61, "TooManyIndexes",
		     "schema: table t: more than 64 indexes");
	expect_limit("{\"tables\":[{\"tableName\":\"t\",\"indexes\":[{"
		     "\"indexDescriptor\":\"x\",\"fields\":[",
		     "\"a.b#\"", "]}]}]}", 16, "IndexTooManyFields",
		     "schema: table t: index x: more than 16 fields");
	/* Filter fields are a set: the first one twice is one. */
	expect_limit("{\"tables\":[{\"tableName\":\"t\",\"indexes\":[],"
		     "\"searchIndexes\":[{\"indexDescriptor\":\"x\","
		     "\"searchField\":\"a\",\"filterFields\":[\"a0\",",
		     "\"a#\"", "]}]}]}", 16, "IndexTooManyFilterFields",
		     "schema: table t: index x: more than 16 filter fields");
}

/* clang-format on */

static void expect_printed(const char *text, size_t size, const char *want)
{
	struct cvx_buf out = CVX_BUF_INIT(SIZE_MAX);
	struct cvx_err err = CVX_ERR_INIT;
	struct schema *s = parse(text, size);

	EXPECT_OK(schema_print(s, &out, &err), &err);
	EXPECT_TEXT(out.data, out.size, want);
	schema_free(s);

	/* What is canonical stays so. */
	s = parse(want, strlen(want));
	cvx_buf_clear(&out);
	EXPECT_OK(schema_print(s, &out, &err), &err);
	EXPECT_TEXT(out.data, out.size, want);
	schema_free(s);
	cvx_buf_fini(&out);
}

/* clang-format off */

#define REST                                                                   \
	",\"stagedDbIndexes\":[],\"searchIndexes\":[],"                        \
	"\"stagedSearchIndexes\":[],\"vectorIndexes\":[],"                     \
	"\"stagedVectorIndexes\":[],\"documentType\":"

TEST(schema_print_is_canonical)
{
	static const char full[] =
		" {\"schemaValidation\":true, \"tables\":["
		TABLE("b", ",\"documentType\":{\"type\":\"map\"}") ","
		"{\"tableName\":\"a\",\"indexes\":["
		INDEX("y", "\"b.c\",\"a\"") "," INDEX("x", "\"b\"") "],"
		"\"vectorIndexes\":[" VECTOR("v", "e", "1536") "],"
		"\"stagedVectorIndexes\":null,"
		"\"searchIndexes\":[" SEARCH("s", "t", "\"q\",\"p\",\"q\"")
		"],\"documentType\":null}]} ";
	static const char want[] =
		"{\"tables\":[{\"tableName\":\"a\",\"indexes\":["
		INDEX("x", "\"b\"") "," INDEX("y", "\"b.c\",\"a\"")
		"],\"stagedDbIndexes\":[],\"searchIndexes\":["
		SEARCH("s", "t", "\"p\",\"q\"") "],"
		"\"stagedSearchIndexes\":[],\"vectorIndexes\":[{"
		"\"indexDescriptor\":\"v\",\"vectorField\":\"e\","
		"\"dimensions\":1536,\"dimension\":null,"
		"\"filterFields\":[]}],\"stagedVectorIndexes\":[],"
		"\"documentType\":null},{\"tableName\":\"b\",\"indexes\":[]"
		REST "{\"type\":\"any\"}}],\"schemaValidation\":true}";

	expect_printed(full, strlen(full), want);
	/* Absent in schemas older than the checks (import.md 8.1). */
	expect_printed("{\"tables\":[]}", strlen("{\"tables\":[]}"),
		       "{\"tables\":[],\"schemaValidation\":false}");
}

/* clang-format on */

/* The name of the first releases (protocol.md SCH-1). */
TEST(schema_reads_the_old_name_of_dimensions)
{
	static const char text[] =
		LISTS("", "{\"indexDescriptor\":\"v\",\"vectorField\":\"a.b\","
			  "\"dimensions\":null,\"dimension\":3,"
			  "\"filterFields\":[\"c\"]}");
	struct schema *s = parse(text, strlen(text));
	const struct schema_table *t = schema_find_table(s, "t");
	const struct schema_index *index;

	EXPECT_INT(schema_table_index_count(t), 1);
	index = schema_table_index(t, 0);
	EXPECT_INT(index->kind, SCHEMA_INDEX_VECTOR);
	EXPECT_INT(index->dimensions, 3);
	assert_string_equal(index->fields[0], "a.b");
	EXPECT_INT(index->filter_count, 1);
	assert_string_equal(index->filters[0], "c");
	schema_free(s);
}

TEST(schema_lists_indexes_by_kind_and_name)
{
	/* clang-format off */
	static const char text[] = SCHEMA(
		"{\"tableName\":\"t\","
		"\"stagedDbIndexes\":["
		INDEX("a", "\"a\",\"_creationTime\"") "],"
		"\"stagedSearchIndexes\":[" SEARCH("d", "a", "") "],"
		"\"searchIndexes\":[" SEARCH("e", "b", "") "],"
		"\"indexes\":[" INDEX("c", "\"c\"") "," INDEX("b", "\"b\"")
		"]}");
	/* clang-format on */
	static const char *const names[] = {"b", "c", "a", "e", "d"};
	static const bool staged[] = {false, false, true, false, true};
	struct schema *s = parse(text, strlen(text));
	const struct schema_table *t = schema_table_at(s, 0);

	EXPECT_INT(schema_table_count(s), 1);
	assert_ptr_equal(t, schema_find_table(s, "t"));
	assert_string_equal(schema_table_name(t), "t");
	assert_null(schema_table_validator(t));
	EXPECT_INT(schema_table_index_count(t), 5);
	for (size_t i = 0; i < 5; i++) {
		const struct schema_index *index = schema_table_index(t, i);

		assert_string_equal(index->name, names[i]);
		EXPECT_INT(index->staged, staged[i]);
	}
	EXPECT_INT(schema_table_index(t, 2)->field_count, 2);
	schema_free(s);
}

#define OBJECT(fields) "{\"type\":\"object\",\"value\":{" fields "}}"
#define ID(table) "{\"type\":\"id\",\"tableName\":\"" table "\"}"

/* import.md 8.1 and 7.6.2 */
TEST(schema_tells_what_is_enforced_and_what_cannot_be_deleted)
{
	/* clang-format off */
	static const char text[] = SCHEMA(
		TABLE("users", ",\"documentType\":" OBJECT("")) ","
		TABLE("posts", ",\"documentType\":" OBJECT(
			"\"author\":{\"fieldType\":" ID("authors")
			",\"optional\":true}")) ","
		TABLE("any", ",\"documentType\":{\"type\":\"any\"}") ","
		TABLE("none", ""));
	static const char off[] =
		"{\"tables\":["
		TABLE("users", ",\"documentType\":" OBJECT("")) "]}";
	/* clang-format on */
	struct schema *s = parse(text, strlen(text));
	struct cvx_err err = CVX_ERR_INIT;

	assert_true(schema_validates(s));
	assert_non_null(schema_enforced(s, "users"));
	assert_null(schema_enforced(s, "any"));
	assert_null(schema_enforced(s, "none"));
	assert_null(schema_enforced(s, "other"));
	assert_null(schema_find_table(s, "user"));
	EXPECT_FAIL(schema_check_deletion(s, "users", &err), &err, -EINVAL,
		    "table users cannot be deleted: the schema has a "
		    "validator");
	assert_string_equal(err.name, "SchemaEnforcementError");
	EXPECT_FAIL(schema_check_deletion(s, "authors", &err), &err, -EINVAL,
		    "ids of it in table posts");
	assert_string_equal(err.name, "SchemaEnforcementError");
	EXPECT_FAIL(schema_check_deletion(s, "any", &err), &err, -EINVAL,
		    "has a validator");
	EXPECT_OK(schema_check_deletion(s, "none", &err), &err);
	EXPECT_OK(schema_check_deletion(s, "other", &err), &err);
	assert_string_equal(
		schema_table_name(schema_find_reference(s, "authors")),
		"posts");
	assert_null(schema_find_reference(s, "users"));
	schema_free(s);

	s = parse(off, strlen(off));
	assert_false(schema_validates(s));
	assert_null(schema_enforced(s, "users"));
	schema_free(s);
}

/* The cell at the index of a CSV line without commas in cells. */
static bool cell_is_empty(const char *line, size_t index)
{
	for (; index > 0; index--)
		line = strchr(line, ',') + 1;
	return line[0] == ',' || line[0] == '\n' ||
	       (strncmp(line, "\"\"", 2) == 0 && line[2] != '"');
}

static void check_optional(const struct strict *one)
{
	const char *csv = strict_text(one, "csv");
	const struct strict *row = strict_get(one, "row");
	struct cvx_buf text = CVX_BUF_INIT(SIZE_MAX);
	const char *header = csv + strspn(csv, "\n");
	const char *line = strchr(header, '\n') + 1;
	struct schema *s;
	size_t i = 0;

	model_print(strict_get(one, "schema"), &text);
	s = parse(text.data, text.size);
	for (const char *name = header; name < line; i++) {
		size_t size = strcspn(name, ",\n");
		bool dropped = schema_field_is_optional(
				       schema_find_table(s, "t"), name, size) &&
			       cell_is_empty(line, i);
		char key[16];

		(void)snprintf(key, sizeof(key), "%.*s", (int)size, name);
		/* Without a row, the empty string stayed and was refused. */
		if (dropped != (row && !strict_get(row, key)))
			fail_msg("%.*s: %s: %d", (int)text.size, text.data, key,
				 dropped);
		name += size + 1;
	}
	schema_free(s);
	cvx_buf_fini(&text);
}

/* import.md 6.2 */
TEST(schema_optional_fields_are_as_in_the_vectors)
{
	struct strict *vectors =
		strict_read_vectors("csv_optional_fields.json");
	const struct strict *cases = strict_get(vectors, "cases");

	assert_true(cases->count > 5);
	for (size_t i = 0; i < cases->count; i++)
		check_optional(cases->items[i]);
	strict_free(vectors);
}

/* As many tables as a text may hold. */
TEST(schema_of_the_largest_size_is_read)
{
	struct cvx_buf text = CVX_BUF_INIT(SIZE_MAX);
	struct cvx_err err = CVX_ERR_INIT;
	struct schema *s;

	EXPECT_INT(cvx_buf_puts(&text, "{\"tables\":["), 0);
	put_many(&text, TABLE("t#", ""), 25000);
	EXPECT_INT(cvx_buf_puts(&text, "]}"), 0);
	s = parse(text.data, text.size);
	EXPECT_INT(schema_table_count(s), 25000);
	assert_non_null(schema_find_table(s, "t24999"));
	schema_free(s);
	cvx_buf_fini(&text);

	put_many(&text, "#", 200000);
	EXPECT_FAIL(schema_parse(text.data, text.size, &s, &err), &err, -EFBIG,
		    "schema: more than 1048576 bytes");
	cvx_buf_fini(&text);
}

/* Whatever the text, it is a schema or an error. */
TEST(schema_survives_broken_json)
{
	/* clang-format off */
	static const char text[] = SCHEMA(
		"{\"tableName\":\"t\",\"indexes\":["
		INDEX("a", "\"a.b\",\"c\"") "],"
		"\"searchIndexes\":[" SEARCH("d", "a", "\"x\",\"y\"") "],"
		"\"vectorIndexes\":[" VECTOR("e", "b", "12") "],"
		"\"documentType\":" OBJECT("\"a\":{\"fieldType\":" ID("t")
					   ",\"optional\":true}") "}");
	/* clang-format on */
	struct model_random random = {.state = 45};
	const size_t size = strlen(text);

	for (size_t i = 0; i < 10000; i++) {
		struct cvx_err err = CVX_ERR_INIT;
		struct schema *s = NULL;
		size_t length = i < size ? i : size;
		char *copy = malloc(length + (length == 0));

		assert_non_null(copy);
		memcpy(copy, text, length);
		for (uint32_t n = model_below(&random, 4); i >= size && n > 0;
		     n--)
			copy[model_below(&random, (uint32_t)size)] =
				"\"{}[],:a1"[model_below(&random, 9)];
		if (schema_parse(copy, length, &s, &err) == 0)
			schema_free(s);
		else
			EXPECT_INT(err.code, -EINVAL);
		free(copy);
	}
}

UNIT_MAIN(UNIT_CASE(schema_refusals_name_the_place),
	  UNIT_CASE(schema_index_names_are_as_in_the_vectors),
	  UNIT_CASE(schema_limits_are_held),
	  UNIT_CASE(schema_print_is_canonical),
	  UNIT_CASE(schema_reads_the_old_name_of_dimensions),
	  UNIT_CASE(schema_lists_indexes_by_kind_and_name),
	  UNIT_CASE(schema_tells_what_is_enforced_and_what_cannot_be_deleted),
	  UNIT_CASE(schema_optional_fields_are_as_in_the_vectors),
	  UNIT_CASE(schema_of_the_largest_size_is_read),
	  UNIT_CASE(schema_survives_broken_json))
