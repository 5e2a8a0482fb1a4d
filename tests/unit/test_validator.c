#include "importer/schema/validator.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cache/base/buf.h"
#include "tests/unit/model.h"
#include "tests/unit/strict.h"
#include "tests/unit/unit.h"

static const struct validator_tables tables = {NULL, model_table_name};

static struct validator *compile(const char *text, size_t size,
				 enum validator_scope scope)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct validator *v = NULL;

	if (validator_new(text, size, scope, &v, &err) < 0)
		fail_msg("%.*s: %s", (int)size, text, err.msg);
	return v;
}

/* Checks text in memory of its own size, so that a sanitizer sees what is read
 * behind it. */
static int check(const struct validator *v, const char *text, size_t size,
		 struct cvx_err *err)
{
	char *copy = malloc(size + (size == 0));
	int r;

	assert_non_null(copy);
	memcpy(copy, text, size);
	r = validator_check(v, &tables, copy, size, err);
	free(copy);
	return r;
}

static void expect(const char *validator, enum validator_scope scope,
		   const char *value, const char *want)
{
	struct validator *v = compile(validator, strlen(validator), scope);
	struct cvx_err err = CVX_ERR_INIT;
	int r = check(v, value, strlen(value), &err);

	validator_free(v);
	if (!want) {
		if (r != 0)
			fail_msg("%s: %s: %s", validator, value, err.msg);
		return;
	}
	if (r != -EINVAL || !err.name ||
	    strcmp(err.name, "SchemaEnforcementError") != 0)
		fail_msg("%s: %s passes, or %s", validator, value, err.msg);
	if (strcmp(err.msg, want) != 0)
		fail_msg("%s: %s: '%s', not '%s'", validator, value, err.msg,
			 want);
}

static void expect_refused(const char *validator, size_t size,
			   enum validator_scope scope, const char *name,
			   const char *text)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct validator *v = NULL;
	int r = validator_new(validator, size, scope, &v, &err);

	if (r != -EINVAL)
		fail_msg("%.*s: %d: %s", (int)size, validator, r, err.msg);
	if ((name == NULL) != (err.name == NULL) ||
	    (name && strcmp(name, err.name) != 0))
		fail_msg("%.*s: %s, not %s", (int)size, validator, err.name,
			 name);
	if (!strstr(err.msg, text))
		fail_msg("%.*s: '%s' is not in '%s'", (int)size, validator,
			 text, err.msg);
}

/* import.md 8.3 */
TEST(validator_accepts_what_the_vectors_say)
{
	struct strict *vectors = strict_read_vectors("schema_validators.json");
	const struct strict *cases = strict_get(vectors, "cases");

	assert_true(cases->count > 50);
	for (size_t i = 0; i < cases->count; i++) {
		const struct strict *one = cases->items[i];
		const char *json = strict_text(one, "json");
		struct strict *value = strict_parse(json, strlen(json), NULL);
		struct cvx_buf text = CVX_BUF_INIT(SIZE_MAX);
		struct cvx_err err = CVX_ERR_INIT;
		struct strict_result canonical;
		struct validator *v;
		int r;

		model_print(strict_get(one, "validator"), &text);
		v = compile(text.data, text.size, VALIDATOR_VALUE);
		strict_decode(value, STRICT_UNIFORM, &canonical);
		assert_true(canonical.valid);
		r = check(v, canonical.text, canonical.text_size, &err);
		if ((r == 0) != strict_is_true(one, "ok"))
			fail_msg("%.*s: %s: %d %s", (int)text.size, text.data,
				 json, r, err.msg);
		free(canonical.text);
		validator_free(v);
		cvx_buf_fini(&text);
		strict_free(value);
	}
	strict_free(vectors);
}

/* import.md 8.3 */
TEST(validator_refuses_validators_as_the_vectors_say)
{
	struct strict *vectors = strict_read_vectors("schema_validators.json");
	const struct strict *cases = strict_get(vectors, "rejected_validators");

	assert_true(cases->count > 5);
	for (size_t i = 0; i < cases->count; i++) {
		const struct strict *one = cases->items[i];
		const struct strict *root =
			strict_get(one, "document_validator");
		struct cvx_buf text = CVX_BUF_INIT(SIZE_MAX);
		const char *name = strict_text(one, "error");

		model_print(root ? root : strict_get(one, "validator"), &text);
		expect_refused(text.data, text.size,
			       root ? VALIDATOR_DOCUMENT : VALIDATOR_VALUE,
			       name[0] == '(' ? NULL : name, "");
		cvx_buf_fini(&text);
	}
	strict_free(vectors);
}

#define OBJECT(fields) "{\"type\":\"object\",\"value\":{" fields "}}"
#define FIELD(name, type)                                                      \
	"\"" name "\":{\"fieldType\":" type ",\"optional\":false}"
#define OPTIONAL(name, type)                                                   \
	"\"" name "\":{\"fieldType\":" type ",\"optional\":true}"
#define TYPE(name) "{\"type\":\"" name "\"}"
#define LITERAL(value) "{\"type\":\"literal\",\"value\":" value "}"
#define UNION(members) "{\"type\":\"union\",\"value\":[" members "]}"
#define ARRAY(element) "{\"type\":\"array\",\"value\":" element "}"
#define ID(table) "{\"type\":\"id\",\"tableName\":\"" table "\"}"
#define RECORD(keys, values)                                                   \
	"{\"type\":\"record\",\"keys\":" keys                                  \
	",\"values\":{\"fieldType\":" values ",\"optional\":false}}"

/* import.md 8.3: only outermost, in the validator and in the document */
TEST(validator_of_documents_ignores_system_fields)
{
	/* clang-format off */
	static const char user[] = OBJECT(
		FIELD("_creationTime", TYPE("null")) ","
		FIELD("_id", ID("users")) ","
		FIELD("A", TYPE("number")) ","
		FIELD("name", TYPE("string")) ","
		OPTIONAL("o", OBJECT(OPTIONAL("_x", TYPE("null")))));
	/* clang-format on */

	expect(user, VALIDATOR_DOCUMENT,
	       "{\"A\":1.0,\"_creationTime\":5.0,\"_id\":\"x\",\"name\":\"\"}",
	       NULL);
	expect(user, VALIDATOR_DOCUMENT, "{\"A\":1.0,\"name\":\"\"}", NULL);
	expect(user, VALIDATOR_DOCUMENT,
	       "{\"A\":1.0,\"_y\":[{\"a\":\"]\"}],\"name\":\"\"}", NULL);
	expect(user, VALIDATOR_DOCUMENT,
	       "{\"A\":1.0,\"_id\":\"x\",\"name\":\"\",\"o\":{\"_x\":1}}",
	       "does not match the schema: field o._x: expected null, found "
	       "the bigint (int64) 1");
	expect(user, VALIDATOR_DOCUMENT,
	       "{\"A\":1.0,\"_id\":\"x\",\"name\":\"\",\"o\":{\"_y\":1}}",
	       "does not match the schema: field o._y is not in the schema");
	expect(user, VALIDATOR_VALUE, "{\"A\":1.0,\"name\":\"\"}",
	       "does not match the schema: field _creationTime is missing");
}

TEST(validator_messages_have_path_wanted_and_found)
{
	static const struct {
		const char *validator, *value, *want;
	} cases[] = {
		{TYPE("string"), "5",
		 "expected a string, found the bigint "
		 "(int64) 5"},
		{TYPE("bigint"), "5.0",
		 "expected a bigint (int64), found the "
		 "number (float64) 5.0"},
		{TYPE("number"), "\"x\\\"\"",
		 "expected a number (float64), "
		 "found the string \"x\\\"\""},
		{TYPE("boolean"), "null", "expected a boolean, found null"},
		{TYPE("null"), "false", "expected null, found false"},
		{TYPE("bytes"), "[]", "expected bytes, found an array"},
		{ARRAY(TYPE("any")), "{}",
		 "expected an array, found an "
		 "object"},
		{TYPE("null"), "{\"$bytes\":\"\"}",
		 "expected null, found "
		 "bytes"},
		{TYPE("bigint"), "{\"$float\":\"AAAAAAAA+H8=\"}",
		 "expected a bigint (int64), found the number (float64) NaN or "
		 "Infinity"},
		{OBJECT(FIELD("a", ARRAY(OBJECT(FIELD("b", TYPE("null")))))),
		 "{\"a\":[{\"b\":null},{\"b\":1}]}",
		 "field a[1].b: expected null, found the bigint (int64) 1"},
		{OBJECT(FIELD("a", ARRAY(OBJECT(FIELD("b", TYPE("null")))))),
		 "{\"a\":[{\"b\":null},{}]}", "field a[1].b is missing"},
		{OBJECT(FIELD("a", TYPE("null"))), "{\"a\":null,\"x y\":1}",
		 "field [\"x y\"] is not in the schema"},
		{RECORD(TYPE("string"), TYPE("null")), "{\"\":1}",
		 "field [\"\"]: expected null, found the bigint (int64) 1"},
		{OBJECT(FIELD("r", RECORD(ID("users"), TYPE("any")))),
		 "{\"r\":{\"x\":1}}",
		 "field r.x: expected an id of table \"users\" as the name of "
		 "the field"},
		{ID("users"), "\"abc\"",
		 "expected an id of table \"users\", found the string "
		 "\"abc\", which is no id"},
		{ID("users"), "\"j9702081040g2081040g2081056ham56\"",
		 "expected an id of table \"users\", found the string "
		 "\"j9702081040g2081040g2081056ham56\", which is an id of "
		 "table \"posts\""},
		{ID("users"), "\"vn702081040g2081040g2081056hb6zc\"",
		 "expected an id of table \"users\", found the string "
		 "\"vn702081040g2081040g2081056hb6zc\", which is an id of "
		 "table number 10077, and there is no such table"},
		{UNION(TYPE("string") "," LITERAL("1") "," LITERAL("true")),
		 "null", "expected 1.0, true or a string, found null"},
		{UNION(""), "null",
		 "expected nothing, as the union is empty, found null"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char want[512];

		(void)snprintf(want, sizeof(want),
			       "does not match the schema: %s", cases[i].want);
		expect(cases[i].validator, VALIDATOR_VALUE, cases[i].value,
		       want);
	}
}

/* The member that got furthest is most likely the one that was meant. */
TEST(validator_reports_the_union_member_that_got_furthest)
{
	/* clang-format off */
	static const char shapes[] = UNION(
		OBJECT(FIELD("kind", LITERAL("\"circle\"")) ","
		       FIELD("r", TYPE("number"))) ","
		OBJECT(FIELD("kind", LITERAL("\"square\"")) ","
		       FIELD("side", TYPE("number"))));
	/* clang-format on */

	expect(shapes, VALIDATOR_DOCUMENT,
	       "{\"_id\":\"\",\"kind\":\"square\",\"side\":1.0}", NULL);
	expect(shapes, VALIDATOR_DOCUMENT,
	       "{\"kind\":\"square\",\"side\":\"1\"}",
	       "does not match the schema: field side: expected a number "
	       "(float64), found the string \"1\"");
	expect(shapes, VALIDATOR_DOCUMENT, "{\"kind\":\"square\",\"r\":1.0}",
	       "does not match the schema: field r is not in the schema");
	expect(shapes, VALIDATOR_DOCUMENT, "{\"kind\":\"x\",\"r\":1.0}",
	       "does not match the schema: field kind: expected \"circle\" or "
	       "\"square\", found the string \"x\"");
	expect(shapes, VALIDATOR_DOCUMENT, "{\"r\":1.0}",
	       "does not match the schema: field kind is missing");
}

/* A failure of a member whose union passed after all is forgotten. */
TEST(validator_reports_no_failure_that_did_not_matter)
{
	/* clang-format off */
	static const char v[] = OBJECT(
		FIELD("a", UNION(ARRAY(TYPE("null")) ","
				 ARRAY(TYPE("string")))) ","
		FIELD("b", TYPE("null")));
	/* clang-format on */

	expect(v, VALIDATOR_VALUE, "{\"a\":[\"x\"],\"b\":1.5}",
	       "does not match the schema: field b: expected null, found the "
	       "number (float64) 1.5");
}

/* import.md 4.1: bit for bit, and int64 is no float64 */
TEST(validator_literals_are_equal_bit_for_bit)
{
	static const struct {
		const char *literal, *value;
		bool ok;
	} cases[] = {
		{"0", "0.0", true},
		{"0", "-0.0", false},
		{"0", "0", false},
		{"-0", "-0.0", true},
		{"-0.0", "0.0", false},
		{"{\"$float\":\"AAAAAAAAAIA=\"}", "-0.0", true},
		{"{\"$float\":\"AAAAAAAAAIA\"}", "-0.0", true},
		{"1e2", "100.0", true},
		{"12", "1.0", false},
		{"1", "12.0", false},
		{"0.1", "0.1", true},
		{"0.1000000000000000055", "0.1", true},
		{"0.1", "0.10000000000000002", false},
		{"9007199254740993", "9007199254740992.0", true},
		{"{\"$integer\":\"AQAAAAAAAAA=\"}", "1", true},
		{"{\"$integer\":\"AQAAAAAAAAA=\"}", "12", false},
		{"{\"$integer\":\"AQAAAAAAAAA=\"}", "1.0", false},
		{"{\"$integer\":\"AAAAAAAAAIA=\"}", "-9223372036854775808",
		 true},
		{"\"a\\u0000b\"", "\"a\\u0000b\"", true},
		{"\"a\\u0000b\"", "\"a\\u0000c\"", false},
		{"\"a\\u0000b\"", "\"a\"", false},
		{"\"a\"", "\"ab\"", false},
		{"\"ab\"", "\"a\"", false},
		{"\"\\u00e9\\/\\n\"", "\"\u00e9/\\n\"", true},
		{"\"true\"", "true", false},
		{"true", "\"true\"", false},
		{"true", "false", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cvx_err err = CVX_ERR_INIT;
		struct validator *v;
		char text[256];
		int r;

		(void)snprintf(text, sizeof(text), LITERAL("%s"),
			       cases[i].literal);
		v = compile(text, strlen(text), VALIDATOR_VALUE);
		r = check(v, cases[i].value, strlen(cases[i].value), &err);
		if (r != (cases[i].ok ? 0 : -EINVAL))
			fail_msg("%s: %s: %d", text, cases[i].value, r);
		validator_free(v);
	}
}

/* Fields are compared as they stand in the text, but sorted as they are. */
TEST(validator_key_with_escapes_is_a_field_too_many)
{
	static const char v[] = OBJECT(
		OPTIONAL("aZ", TYPE("null")) "," OPTIONAL("b", TYPE("null")));

	expect(v, VALIDATOR_VALUE, "{\"aZ\":null,\"b\":null}", NULL);
	expect(v, VALIDATOR_VALUE, "{\"a\\\"b\":1,\"aZ\":null}",
	       "does not match the schema: field [\"a\\\"b\"] is not in the "
	       "schema");
}

TEST(validator_refuses_what_is_no_validator)
{
	static const struct {
		const char *validator, *name, *text;
	} cases[] = {
		{"", NULL, "not JSON"},
		{"{\"type\":\"null\"", NULL, "not JSON, byte 15"},
		{"{\"type\":\"null\"}x", NULL, "not JSON"},
		{"{\"type\":\"null\",\"type\":\"any\"}", NULL, "twice"},
		{"5", NULL, "must be an object with a \"type\""},
		{"{}", NULL, "must be an object with a \"type\""},
		{"{\"type\":null}", NULL, "must be an object with a \"type\""},
		{TYPE("Null"), NULL, "unknown type \"Null\""},
		{TYPE("array"), NULL, "array without \"value\""},
		{TYPE("union"), NULL, "union must be an array"},
		{TYPE("object"), NULL, "object must be an object"},
		{TYPE("record"), NULL, "record without"},
		{TYPE("literal"), NULL, "literal without \"value\""},
		{TYPE("id"), NULL, "id without \"tableName\""},
		{ID("a b"), "InvalidTableName", "\"a b\""},
		{LITERAL("null"), NULL, "a literal must be"},
		{LITERAL("[]"), NULL, "a literal must be"},
		{LITERAL("{}"), NULL, "a literal must be"},
		{LITERAL("{\"$bytes\":\"\"}"), NULL, "a literal must be"},
		{LITERAL("{\"$integer\":\"AQ==\"}"), NULL, "literal: "},
		{LITERAL("{\"$float\":\"AAAAAAAA+H8=\"}"),
		 "UnsupportedFloatLiteral", "NaN"},
		{LITERAL("{\"$float\":\"AAAAAAAA8H8=\"}"),
		 "UnsupportedFloatLiteral", "infinite"},
		{OBJECT("\"a\":{\"fieldType\":" TYPE("null") "}"), NULL,
		 "field a: \"optional\""},
		{OBJECT("\"a\":{\"optional\":true}"), NULL,
		 "field a: no \"fieldType\""},
		{OBJECT("\"a\":5"), NULL, "field a: no \"fieldType\""},
		{OBJECT(FIELD("", TYPE("any"))), NULL, "identifier"},
		{OBJECT(FIELD("$a", TYPE("any"))), NULL, "identifier"},
		{OBJECT(FIELD("a", ARRAY(OBJECT(FIELD("b", TYPE("x")))))), NULL,
		 "field a[].b: unknown type \"x\""},
		{OBJECT(FIELD("a", UNION(TYPE("null") "," TYPE("x")))), NULL,
		 "field a: unknown type \"x\""},
		{OBJECT(FIELD("a", RECORD(TYPE("string"), TYPE("x")))), NULL,
		 "field a.values(): unknown type \"x\""},
		{OBJECT(FIELD("a", RECORD(TYPE("bigint"), TYPE("null")))),
		 "InvalidRecordType", "field a: the keys of a record"},
		{RECORD(UNION(TYPE("string") "," UNION(LITERAL("\"a\""))),
			TYPE("null")),
		 "InvalidRecordType", "the keys of a record"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_refused(cases[i].validator, strlen(cases[i].validator),
			       VALIDATOR_VALUE, cases[i].name, cases[i].text);
}

/* import.md 8.3 */
TEST(validator_of_documents_is_objects_or_any)
{
	static const char name[] = "InvalidTopLevelTypeInSchemaError";
	static const char *const refused[] = {
		TYPE("null"),
		ID("users"),
		ARRAY(TYPE("any")),
		UNION(UNION(OBJECT(""))),
		UNION(OBJECT("") "," TYPE("any")),
		LITERAL("1"),
	};
	static const char *const accepted[] = {
		TYPE("any"),	   TYPE("map"), OBJECT(""),
		UNION(OBJECT("")), UNION(""),
	};

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		expect_refused(refused[i], strlen(refused[i]),
			       VALIDATOR_DOCUMENT, name, "documents must be");
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		struct validator *v = compile(accepted[i], strlen(accepted[i]),
					      VALIDATOR_DOCUMENT);

		EXPECT_INT(validator_is_any(v), i < 2);
		validator_free(v);
	}
	expect(UNION(""), VALIDATOR_DOCUMENT, "{}",
	       "does not match the schema: expected nothing, as the union is "
	       "empty, found an object");
	/* What is wrong inside comes first. */
	expect_refused(ARRAY(TYPE("x")), strlen(ARRAY(TYPE("x"))),
		       VALIDATOR_DOCUMENT, NULL, "unknown type");
}

static void expect_text(const char *json, enum validator_scope scope,
			const char *want)
{
	struct validator *v = compile(json, strlen(json), scope);
	size_t size;
	const char *text = validator_text(v, &size);

	EXPECT_TEXT(text, size, want);
	validator_free(v);
}

/* clang-format off */
TEST(validator_text_is_canonical)
{
	expect_text(" { \"value\" : [ {\"type\":\"set\"} ,"
		    LITERAL("1") "," LITERAL("-0") ","
		    LITERAL("\"\\u0041\\/\"") ","
		    LITERAL("{\"$integer\":\"AQAAAAAAAAA\"}") ","
		    ID("users") "], \"type\":\"union\"}",
		    VALIDATOR_VALUE,
		    UNION(TYPE("any") "," LITERAL("1.0") ","
			  LITERAL("{\"$float\":\"AAAAAAAAAIA=\"}") ","
			  LITERAL("\"A/\"") ","
			  LITERAL("{\"$integer\":\"AQAAAAAAAAA=\"}") ","
			  ID("users")));
	expect_text(UNION(OBJECT(
			FIELD("b", RECORD(TYPE("string"),
					  ARRAY(TYPE("commitTs")))) ","
			OPTIONAL("_x", TYPE("null")) ","
			OPTIONAL("a", OBJECT(FIELD("_x", TYPE("any")))))),
		    VALIDATOR_DOCUMENT,
		    OBJECT(
			OPTIONAL("a", OBJECT(FIELD("_x", TYPE("any")))) ","
			FIELD("b", RECORD(TYPE("string"),
					  ARRAY(TYPE("commitTs"))))));
}
/* clang-format on */

/* import.md 7.6.2, 7.6.4 and 6.2 */
TEST(validator_tells_references_and_optional_fields)
{
	/* clang-format off */
	static const char text[] = UNION(
		OBJECT(OPTIONAL("b", ARRAY(ID("posts"))) ","
		       FIELD("a", UNION(ID("users") "," TYPE("null"))) ","
		       FIELD("_x", ID("gone"))) ","
		OBJECT(FIELD("b", RECORD(ID("keys"), ID("users"))) ","
		       OPTIONAL("a", OBJECT(OPTIONAL("n", ID("_storage")))) ","
		       OPTIONAL("_y", TYPE("any"))));
	/* clang-format on */
	static const char *const want[] = {"_storage", "keys", "posts",
					   "users"};
	struct validator *v = compile(text, strlen(text), VALIDATOR_DOCUMENT);

	EXPECT_INT(validator_reference_count(v), 4);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(validator_reference(v, i), want[i]);
		assert_true(validator_references(v, want[i]));
	}
	assert_false(validator_references(v, "gone"));
	assert_false(validator_references(v, "user"));
	assert_true(validator_has_optional(v, "a", 1));
	assert_true(validator_has_optional(v, "bc", 1));
	assert_false(validator_has_optional(v, "n", 1));
	assert_false(validator_has_optional(v, "_y", 2));
	assert_false(validator_has_optional(v, "", 0));
	validator_free(v);
}

static void repeat(struct cvx_buf *out, const char *text, size_t times)
{
	while (times-- > 0)
		EXPECT_INT(cvx_buf_puts(out, text), 0);
}

/* As deep as JSON may be (import.md 4.2); one deeper is no JSON. */
TEST(validator_nesting_is_bounded)
{
	for (size_t deep = 126; deep <= 127; deep++) {
		struct cvx_buf text = CVX_BUF_INIT(SIZE_MAX);
		struct cvx_buf value = CVX_BUF_INIT(SIZE_MAX);
		struct cvx_err err = CVX_ERR_INIT;
		struct validator *v;

		repeat(&text, "{\"type\":\"array\",\"value\":", deep);
		repeat(&text, TYPE("null"), 1);
		repeat(&text, "}", deep);
		if (deep == 127) {
			expect_refused(text.data, text.size, VALIDATOR_VALUE,
				       NULL, "more than 127 deep");
		} else {
			v = compile(text.data, text.size, VALIDATOR_VALUE);
			repeat(&value, "[", deep);
			repeat(&value, "null", 1);
			repeat(&value, "]", deep);
			EXPECT_OK(check(v, value.data, value.size, &err), &err);
			EXPECT_INT(
				check(v, value.data + 1, value.size - 2, &err),
				-EINVAL);
			validator_free(v);
		}
		cvx_buf_fini(&text);
		cvx_buf_fini(&value);
	}
}

/* A union of very many literals is looked up; very many fields are merged. */
TEST(validator_of_the_largest_size_is_fast_enough_to_test)
{
	struct cvx_buf text = CVX_BUF_INIT(SIZE_MAX);
	struct cvx_buf value = CVX_BUF_INIT(SIZE_MAX);
	struct cvx_err err = CVX_ERR_INIT;
	struct validator *v;

	repeat(&text,
	       "{\"type\":\"array\",\"value\":{\"type\":\"union\","
	       "\"value\":[",
	       1);
	for (unsigned i = 0; i < 25000; i++)
		EXPECT_INT(cvx_buf_printf(&text, LITERAL("\"%u\"") ",", i), 0);
	repeat(&text, TYPE("null") "]}}", 1);
	v = compile(text.data, text.size, VALIDATOR_VALUE);
	repeat(&value, "[null", 1);
	for (unsigned i = 0; i < 100000; i++)
		EXPECT_INT(cvx_buf_printf(&value, ",\"%u\"", i % 25000), 0);
	repeat(&value, "]", 1);
	EXPECT_OK(check(v, value.data, value.size, &err), &err);
	validator_free(v);

	cvx_buf_clear(&value);
	repeat(&value, "[\"25000\"]", 1);
	v = compile(text.data, text.size, VALIDATOR_VALUE);
	EXPECT_FAIL(check(v, value.data, value.size, &err), &err, -EINVAL,
		    "found the string \"25000\"");
	validator_free(v);
	cvx_buf_clear(&text);
	repeat(&text, " ", ((size_t)1 << 20) + 1);
	EXPECT_FAIL(
		validator_new(text.data, text.size, VALIDATOR_VALUE, &v, &err),
		&err, -EFBIG, "more than 1048576 bytes");
	cvx_buf_fini(&text);
	cvx_buf_fini(&value);
}

/* Damage is an error, and never read past. */
TEST(validator_survives_damaged_text)
{
	/* clang-format off */
	static const char text[] = UNION(
		OBJECT(FIELD("a", ARRAY(TYPE("any"))) ","
		       FIELD("b", UNION(TYPE("bytes") "," TYPE("number"))) ","
		       FIELD("c", RECORD(TYPE("string"), ID("users"))) ","
		       FIELD("d", TYPE("string"))) ","
		OBJECT(FIELD("a", TYPE("any")) ","
		       OPTIONAL("b", LITERAL("1"))));
	/* clang-format on */
	static const char line[] =
		"{\"_id\":\"\",\"a\":[1,{\"x\\\"\":\"y\\\\\"},-0.5],\"b\":"
		"{\"$bytes\":\"YQ==\"},\"c\":{\"k\":"
		"\"j5702081040g2081040g2081056hakwm\"},\"d\":\"é\\n\"}";
	struct validator *v = compile(text, strlen(text), VALIDATOR_DOCUMENT);
	struct model_random random = {.state = 7};
	struct cvx_err err = CVX_ERR_INIT;
	size_t size = strlen(line);
	char broken[sizeof(line)];

	EXPECT_OK(check(v, line, size, &err), &err);
	for (size_t i = 0; i < size; i++)
		EXPECT_INT(check(v, line, i, &err), -EINVAL);
	for (size_t i = 0; i < 20000; i++) {
		size_t length = size;

		memcpy(broken, line, sizeof(line));
		for (uint32_t n = 1 + model_below(&random, 3); n > 0; n--)
			broken[model_below(&random, (uint32_t)size)] =
				"\"\\{}[],:$1.etnbf\x80"[model_below(&random,
								     17)];
		if (model_below(&random, 2) > 0)
			length = model_below(&random, (uint32_t)size + 1);
		(void)check(v, broken, length, &err);
	}
	validator_free(v);
}

static void compare_with_model(struct model_random *random, uint64_t *accepted)
{
	struct cvx_buf text = CVX_BUF_INIT(SIZE_MAX);
	struct cvx_buf value = CVX_BUF_INIT(SIZE_MAX);
	struct strict *json, *tree;
	struct validator *v, *again;
	const char *canonical;
	size_t size;

	model_random_validator(random, 3, &text);
	json = strict_parse(text.data, text.size, NULL);
	assert_non_null(json);
	v = compile(text.data, text.size, VALIDATOR_VALUE);
	for (unsigned i = 0; i < 10; i++) {
		struct cvx_err err = CVX_ERR_INIT;
		bool want;
		int r;

		cvx_buf_clear(&value);
		model_random_match(random, json, &value);
		tree = strict_parse(value.data, value.size, NULL);
		assert_non_null(tree);
		want = model_accepts(json, tree, false);
		strict_free(tree);
		r = check(v, value.data, value.size, &err);
		if (r != (want ? 0 : -EINVAL) || (!want && !err.name))
			fail_msg("%.*s: %.*s: %d %s", (int)text.size, text.data,
				 (int)value.size, value.data, r, err.msg);
		*accepted += want;
	}
	/* canonical(canonical(x)) = canonical(x) */
	canonical = validator_text(v, &size);
	again = compile(canonical, size, VALIDATOR_VALUE);
	cvx_buf_clear(&value);
	EXPECT_INT(cvx_buf_append(&value, canonical, size), 0);
	EXPECT_INT(cvx_buf_append(&value, "", 1), 0);
	canonical = validator_text(again, &size);
	EXPECT_TEXT(canonical, size, value.data);
	validator_free(again);
	validator_free(v);
	strict_free(json);
	cvx_buf_fini(&text);
	cvx_buf_fini(&value);
}

TEST(validator_random_ones_accept_what_the_model_accepts)
{
	struct model_random random = {.state = 42};
	uint64_t accepted = 0;

	for (unsigned i = 0; i < 3000; i++)
		compare_with_model(&random, &accepted);
	/* Neither nearly all nor nearly none, or it would show little. */
	assert_true(accepted > 3000 && accepted < 28000);
}

static void compare_documents(struct model_random *random)
{
	struct cvx_buf text = CVX_BUF_INIT(SIZE_MAX);
	struct cvx_buf value = CVX_BUF_INIT(SIZE_MAX);
	struct cvx_err err = CVX_ERR_INIT;
	struct strict *json, *tree;
	struct validator *v = NULL;

	do {
		cvx_buf_clear(&text);
		model_random_validator(random, 3, &text);
	} while (validator_new(text.data, text.size, VALIDATOR_DOCUMENT, &v,
			       &err) < 0);
	json = strict_parse(text.data, text.size, NULL);
	for (unsigned i = 0; i < 10; i++) {
		cvx_buf_clear(&value);
		model_random_match(random, json, &value);
		tree = strict_parse(value.data, value.size, NULL);
		if (tree->kind == STRICT_OBJECT &&
		    (check(v, value.data, value.size, &err) == 0) !=
			    model_accepts(json, tree, true))
			fail_msg("%.*s: %.*s: %s", (int)text.size, text.data,
				 (int)value.size, value.data, err.msg);
		strict_free(tree);
	}
	validator_free(v);
	strict_free(json);
	cvx_buf_fini(&text);
	cvx_buf_fini(&value);
}

TEST(validator_of_random_documents_accepts_what_the_model_accepts)
{
	struct model_random random = {.state = 43};

	for (unsigned i = 0; i < 1000; i++)
		compare_documents(&random);
}

/* Whatever the text, it is a validator or an error. */
TEST(validator_survives_broken_json)
{
	struct model_random random = {.state = 44};

	for (unsigned i = 0; i < 5000; i++) {
		struct cvx_buf text = CVX_BUF_INIT(SIZE_MAX);
		struct cvx_err err = CVX_ERR_INIT;
		struct validator *v = NULL;
		char *copy;

		model_random_validator(&random, 2, &text);
		copy = malloc(text.size);
		assert_non_null(copy);
		memcpy(copy, text.data, text.size);
		for (uint32_t n = model_below(&random, 3); n > 0; n--)
			copy[model_below(&random, (uint32_t)text.size)] =
				"\"{}[],:a\\"[model_below(&random, 9)];
		if (validator_new(copy, text.size,
				  i % 2 ? VALIDATOR_VALUE : VALIDATOR_DOCUMENT,
				  &v, &err) == 0)
			validator_free(v);
		else
			EXPECT_INT(err.code, -EINVAL);
		free(copy);
		cvx_buf_fini(&text);
	}
}

UNIT_MAIN(
	UNIT_CASE(validator_accepts_what_the_vectors_say),
	UNIT_CASE(validator_refuses_validators_as_the_vectors_say),
	UNIT_CASE(validator_of_documents_ignores_system_fields),
	UNIT_CASE(validator_messages_have_path_wanted_and_found),
	UNIT_CASE(validator_reports_the_union_member_that_got_furthest),
	UNIT_CASE(validator_reports_no_failure_that_did_not_matter),
	UNIT_CASE(validator_literals_are_equal_bit_for_bit),
	UNIT_CASE(validator_key_with_escapes_is_a_field_too_many),
	UNIT_CASE(validator_refuses_what_is_no_validator),
	UNIT_CASE(validator_of_documents_is_objects_or_any),
	UNIT_CASE(validator_text_is_canonical),
	UNIT_CASE(validator_tells_references_and_optional_fields),
	UNIT_CASE(validator_nesting_is_bounded),
	UNIT_CASE(validator_of_the_largest_size_is_fast_enough_to_test),
	UNIT_CASE(validator_survives_damaged_text),
	UNIT_CASE(validator_random_ones_accept_what_the_model_accepts),
	UNIT_CASE(validator_of_random_documents_accepts_what_the_model_accepts),
	UNIT_CASE(validator_survives_broken_json))
