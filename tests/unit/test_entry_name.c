/* importer/archive/entry_name: import.md 6.5. */
#include <errno.h>
#include <string.h>

#include "cache/base/buf.h"
#include "importer/archive/entry_name.h"
#include "tests/unit/unit.h"
#include "tests/unit/vector_files.h"

#define MIB ((size_t)1 << 20)

static enum entry_kind kind_of(const char *kind)
{
	if (strcmp(kind, "documents") == 0)
		return ENTRY_DOCUMENTS;
	if (strcmp(kind, "generated_schema") == 0)
		return ENTRY_GENERATED_SCHEMA;
	if (strcmp(kind, "skipped_system") == 0)
		return ENTRY_SKIPPED;
	return ENTRY_IGNORED;
}

/* What the vector wants, with the recommendation of import.md for quirks. */
static void check(const cJSON *one)
{
	const char *name = vector_string(one, "name");
	const char *kind = vector_string(one, "kind");
	const char *base = vector_string(one, "base_component");
	const char *error = vector_string(one, "error");
	const char *when = vector_string(one, "when");
	bool is_quirk = cJSON_HasObjectItem(one, "quirk");
	struct cvx_buf component = CVX_BUF_INIT(MIB);
	struct cvx_err err = CVX_ERR_INIT;
	struct entry_name entry;
	int r = entry_name_read(name, strlen(name), base ? base : "", &entry,
				&component, &err);

	if (error && strcmp(when, "parse") == 0) {
		if (r == 0 || !err.name || strcmp(err.name, error) != 0)
			fail_msg("%s: %d %s", name, r, err.msg);
		cvx_buf_fini(&component);
		return;
	}
	if (r < 0)
		fail_msg("%s: %s", name, err.msg);
	if (entry.kind != kind_of(kind))
		fail_msg("%s: kind %d", name, entry.kind);
	if (vector_string(one, "component") && !is_quirk)
		EXPECT_TEXT(component.data ? component.data : "",
			    component.size, vector_string(one, "component"));
	if (vector_string(one, "table"))
		EXPECT_TEXT(entry.table, strlen(entry.table),
			    vector_string(one, "table"));
	error = error ? error : vector_string(one, "also_error");
	if (is_quirk)
		EXPECT_INT(entry.is_storage_file, false);
	else if (entry.is_storage_file !=
		 (error || strcmp(kind, "storage_file") == 0))
		fail_msg("%s: taken for a file: %d", name,
			 entry.is_storage_file);
	if (entry.is_storage_file) {
		r = entry_name_check_storage_id(&entry, &err);
		EXPECT_INT(r == 0, error == NULL);
		if (error)
			EXPECT_TEXT(err.name, strlen(err.name), error);
		else
			EXPECT_TEXT(entry.storage_id, entry.storage_id_size,
				    vector_string(one, "id"));
	}
	cvx_buf_fini(&component);
}

TEST(entry_names_are_what_the_vectors_say)
{
	cJSON *root = vector_read("tests/data/vectors/zip_entries.json");
	const cJSON *one;
	int count = 0;

	cJSON_ArrayForEach(one, cJSON_GetObjectItem(root, "cases"))
	{
		check(one);
		count++;
	}
	EXPECT_INT(count > 60, true);
	cJSON_Delete(root);
}

TEST(entry_name_component_of_a_stored_file_is_that_of_its_folder)
{
	static const char name[] = "x/_components/a/_components/b/_storage/"
				   "kg2ah8mk1xtg35g7zyexyc96e96yr74f.png";
	struct cvx_buf component = CVX_BUF_INIT(MIB);
	struct cvx_err err = CVX_ERR_INIT;
	struct entry_name entry;

	EXPECT_OK(entry_name_read(name, strlen(name), "top", &entry, &component,
				  &err),
		  &err);
	EXPECT_INT(entry.is_storage_file, true);
	EXPECT_TEXT(component.data, component.size, "top/a/b");
	cvx_buf_fini(&component);
}

TEST(entry_name_components_beyond_the_room_are_refused)
{
	struct cvx_buf name = CVX_BUF_INIT(MIB), component = CVX_BUF_INIT(64);
	struct cvx_err err = CVX_ERR_INIT;
	struct entry_name entry;
	int i;

	for (i = 0; i < 1000; i++)
		EXPECT_INT(cvx_buf_puts(&name, "_components/a/"), 0);
	EXPECT_INT(cvx_buf_puts(&name, "t/documents.jsonl"), 0);
	EXPECT_FAIL(entry_name_read(name.data, name.size, "", &entry,
				    &component, &err),
		    &err, -EINVAL, "too deep");
	cvx_buf_fini(&name);
	cvx_buf_fini(&component);
}

UNIT_MAIN(
	UNIT_CASE(entry_names_are_what_the_vectors_say),
	UNIT_CASE(entry_name_component_of_a_stored_file_is_that_of_its_folder),
	UNIT_CASE(entry_name_components_beyond_the_room_are_refused), )
