#include "importer/value/name.h"

#include <string.h>

#include "tests/unit/strict.h"
#include "tests/unit/unit.h"

typedef void check_name(const struct strict *one, const char *name,
			size_t size);

/* Calls the check for every case; a name may be given as a repetition. */
static void for_each(const char *file, const char *key, check_name *check)
{
	struct strict *vectors = strict_read_vectors(file);
	const struct strict *cases = strict_get(vectors, "cases");

	assert_true(cases->count > 0);
	for (size_t i = 0; i < cases->count; i++) {
		const struct strict *one = cases->items[i];
		const struct strict *name = strict_get(one, key);
		const struct strict *repeat = strict_get(one, "repeat");
		char text[2048];

		if (name) {
			check(one, name->text, name->size);
		} else {
			size_t n = (size_t)strtol(repeat->items[1]->text, NULL,
						  10);

			assert_true(n <= sizeof(text));
			memset(text, repeat->items[0]->text[0], n);
			check(one, text, n);
		}
	}
	strict_free(vectors);
}

static void expect(const char *rule, const char *name, size_t size, bool got,
		   bool want)
{
	if (got != want)
		fail_msg("'%.*s': %s is %d", (int)size, name, rule, got);
}

static void check_identifier(const struct strict *one, const char *name,
			     size_t size)
{
	expect("identifier", name, size, name_is_identifier(name, size),
	       strict_is_true(one, "identifier"));
	expect("user table", name, size, name_is_user_table(name, size),
	       strict_is_true(one, "importable_user_table"));
}

/* import.md 1.1 */
TEST(name_identifiers_and_tables_are_as_in_the_vectors)
{
	for_each("names_identifiers.json", "name", check_identifier);
}

static void check_field(const struct strict *one, const char *name, size_t size)
{
	expect("field", name, size, name_is_field(name, size),
	       strict_is_true(one, "valid"));
	expect("identifier field", name, size,
	       name_is_identifier_field(name, size),
	       strict_is_true(one, "identifier_field"));
}

/* import.md 1.2 */
TEST(name_fields_are_as_in_the_vectors)
{
	for_each("names_fields.json", "name", check_field);
}

TEST(name_field_has_at_most_1024_bytes)
{
	char name[FIELD_NAME_MAX_SIZE + 1];

	memset(name, 'x', sizeof(name));
	assert_true(name_is_field(name, FIELD_NAME_MAX_SIZE));
	assert_false(name_is_field(name, FIELD_NAME_MAX_SIZE + 1));
}

static void check_path(const struct strict *one, const char *path, size_t size)
{
	expect("path", path, size, name_is_component_path(path, size),
	       strict_is_true(one, "valid"));
}

/* import.md 1.3 */
TEST(name_component_paths_are_as_in_the_vectors)
{
	for_each("names_component_paths.json", "path", check_path);
}

static void check_index(const struct strict *one, const char *name, size_t size)
{
	enum index_name want = INDEX_NAME_VALID;

	if (!strict_is_true(one, "valid_in_schema"))
		want = strcmp(strict_text(one, "error"), "IndexNameReserved")
			       ? INDEX_NAME_INVALID
			       : INDEX_NAME_RESERVED;
	if (name_check_index(name, size) != want)
		fail_msg("'%.*s' is %d", (int)size, name,
			 name_check_index(name, size));
}

TEST(name_indexes_are_as_in_the_vectors)
{
	for_each("names_indexes.json", "name", check_index);
}

UNIT_MAIN(UNIT_CASE(name_identifiers_and_tables_are_as_in_the_vectors),
	  UNIT_CASE(name_fields_are_as_in_the_vectors),
	  UNIT_CASE(name_field_has_at_most_1024_bytes),
	  UNIT_CASE(name_component_paths_are_as_in_the_vectors),
	  UNIT_CASE(name_indexes_are_as_in_the_vectors))
