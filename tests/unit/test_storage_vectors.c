/* importer/restore_storage: import.md 6.5, 6.7 and 7.1 of stored files, as the
 * vectors say it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "importer/stored_file.h"
#include "tests/unit/backup.h"
#include "tests/unit/storage.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"
#include "tests/unit/vector_files.h"
#include "tests/unit/zip_maker.h"

#define MIB ((size_t)1 << 20)

static void check_row(struct deployment *d, const cJSON *one)
{
	const char *json = vector_string(one, "json");
	const char *error = vector_string(one, "error");
	const char *type = vector_string(one, "stored_content_type");
	const char *internal_id = vector_string(one, "stored_internal_id");
	struct cvx_err err = CVX_ERR_INIT;
	struct stored_file f;
	char rows[2000];
	int r;

	(void)snprintf(rows, sizeof(rows),
		       "{\"_id\":\"" STORED_FIRST "\"}\n%s\n", json);
	r = storage_restore_one(d, IMPORT_REPLACE, rows, STORED_1, "abc", &err);
	if (error) {
		if (r != -EINVAL || !err.name || strcmp(err.name, error) != 0 ||
		    !strstr(err.msg, STORED_ROWS) || !strstr(err.msg, "row 2"))
			fail_msg("%s: %d %s %s", json, r,
				 err.name ? err.name : "", err.msg);
		return;
	}
	if (r < 0)
		fail_msg("%s: %s", json, err.msg);
	f = storage_expect_file(d, "", STORED_1, "abc");
	if (type)
		storage_expect_text(f.content_type, type);
	if (internal_id)
		storage_expect_text(f.internal_id, internal_id);
	EXPECT_INT(strlen(f.internal_id), STORED_FILE_UUID_SIZE);
	stored_file_fini(&f);
}

TEST(rows_are_read_as_the_vectors_say)
{
	cJSON *file = vector_read("tests/data/vectors/storage_metadata.json");
	struct deployment *d = store_open(store_new_dir());
	const cJSON *one;
	int count = 0;

	cJSON_ArrayForEach(one, cJSON_GetObjectItem(file, "cases"))
	{
		check_row(d, one);
		count++;
	}
	EXPECT_INT(count, 28);
	cJSON_Delete(file);
	store_close(d);
}

static void add_files(struct zip_maker *z, const cJSON *names)
{
	const cJSON *name;
	char entry[100];

	cJSON_ArrayForEach(name, names)
	{
		(void)snprintf(entry, sizeof(entry), "_storage/%s.txt",
			       name->valuestring);
		zip_add_text(z, entry, name->valuestring);
	}
}

static void add_rows(struct zip_maker *z, const cJSON *rows)
{
	struct cvx_buf text = CVX_BUF_INIT(MIB);
	const cJSON *row;

	cJSON_ArrayForEach(row, rows)
	{
		char *line = cJSON_PrintUnformatted(row);

		EXPECT_INT(cvx_buf_printf(&text, "%s\n", line), 0);
		free(line);
	}
	EXPECT_INT(cvx_buf_append(&text, "", 1), 0);
	zip_add_text(z, STORED_ROWS, text.data);
	cvx_buf_fini(&text);
}

static void expect_files(struct deployment *d, const cJSON *want,
			 const char *what)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct stored_file *list = NULL, f;
	size_t count = 0;
	const cJSON *id;

	EXPECT_OK(deployment_list_stored_files(d, "", &list, &count, &err),
		  &err);
	if (count != (size_t)cJSON_GetArraySize(want))
		fail_msg("%s: %zu files", what, count);
	stored_files_free(list, count);
	EXPECT_INT(store_count_files(d, "files"), count);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	cJSON_ArrayForEach(id, want)
	{
		f = storage_expect_file(d, "", id->valuestring,
					id->valuestring);
		stored_file_fini(&f);
	}
}

static void check_mode(const cJSON *one, enum import_mode mode,
		       const cJSON *expect)
{
	struct deployment *d = store_open(store_new_dir());
	const cJSON *existing = cJSON_GetObjectItem(one, "existing_files");
	const cJSON *rows = cJSON_GetObjectItem(one, "documents_entry");
	const char *error = vector_string(expect, "error");
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;
	char what[200];
	int r;

	(void)snprintf(what, sizeof(what), "%s, %s", vector_string(one, "name"),
		       import_mode_name(mode));
	zip_maker_init(&z);
	zip_add_text(&z, STORED_ROWS, "");
	add_files(&z, existing);
	EXPECT_OK(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err);

	zip_maker_init(&z);
	if (!cJSON_IsNull(rows))
		add_rows(&z, rows);
	add_files(&z, cJSON_GetObjectItem(one, "file_entries"));
	r = backup_end_and_restore(d, mode, &z, &err);
	if (error ? (r == 0 || !err.name || strcmp(err.name, error) != 0)
		  : r != 0)
		fail_msg("%s: %d %s %s", what, r, err.name ? err.name : "",
			 err.msg);
	expect_files(d, error ? existing : cJSON_GetObjectItem(expect, "files"),
		     what);
	if (!error)
		EXPECT_INT(
			storage_stat(d, "").number,
			cJSON_GetObjectItem(expect, "table_number")->valueint);
	store_close(d);
}

TEST(modes_are_those_of_the_vectors)
{
	static const struct {
		const char *name;
		enum import_mode mode;
	} modes[] = {{"append", IMPORT_APPEND},
		     {"replace", IMPORT_REPLACE},
		     {"replaceAll", IMPORT_REPLACE_ALL},
		     {"requireEmpty", IMPORT_REQUIRE_EMPTY}};
	cJSON *file = vector_read("tests/data/vectors/storage_modes.json");
	const cJSON *one;
	int count = 0;

	cJSON_ArrayForEach(one, cJSON_GetObjectItem(file, "cases"))
	{
		const cJSON *expect = cJSON_GetObjectItem(one, "expect");

		for (size_t i = 0; i < 4; i++, count++)
			check_mode(one, modes[i].mode,
				   cJSON_GetObjectItem(expect, modes[i].name));
	}
	EXPECT_INT(count, 48);
	cJSON_Delete(file);
}

/* An archive with the entry, and rows about files of the root and of c. */
static int restore_entry(struct deployment *d, const char *name,
			 struct cvx_err *err)
{
	struct zip_maker z;

	zip_maker_init(&z);
	zip_add_text(&z, name, "bytes");
	if (strcmp(name, STORED_ROWS) != 0)
		zip_add_text(&z, STORED_ROWS, "");
	zip_add_text(&z, "_components/c/" STORED_ROWS, "");
	return backup_end_and_restore(d, IMPORT_REPLACE, &z, err);
}

static bool check_entry(struct deployment *d, const cJSON *one)
{
	const char *name = vector_string(one, "name");
	const char *kind = vector_string(one, "kind");
	const char *error = vector_string(one, "error");
	const char *when = vector_string(one, "when");
	bool is_quirk = cJSON_HasObjectItem(one, "quirk");
	struct cvx_err err = CVX_ERR_INIT;
	struct stored_file f;
	int r;

	if (!error)
		error = vector_string(one, "also_error");
	if (strcmp(kind, "storage_file") != 0 &&
	    !(when && strcmp(when, "import") == 0))
		return false;
	r = restore_entry(d, name, &err);
	if (error && !is_quirk &&
	    (r != -EINVAL || !err.name || strcmp(err.name, error) != 0 ||
	     strncmp(err.msg, name, strlen(name)) != 0))
		fail_msg("%s: %d %s", name, r, err.msg);
	if ((!error || is_quirk) && r != 0)
		fail_msg("%s: %d %s", name, r, err.msg);
	if (error || is_quirk) /* recommended: it is no stored file */
		return true;
	f = storage_expect_file(d, vector_string(one, "component"),
				vector_string(one, "id"), "bytes");
	stored_file_fini(&f);
	return true;
}

TEST(entries_are_stored_files_as_the_vectors_say)
{
	cJSON *file = vector_read("tests/data/vectors/zip_entries.json");
	struct deployment *d = store_open(store_new_dir());
	const cJSON *one;
	int count = 0;

	cJSON_ArrayForEach(one, cJSON_GetObjectItem(file, "cases")) count +=
		check_entry(d, one);
	assert_true(count >= 10);
	cJSON_Delete(file);
	store_close(d);
}

UNIT_MAIN(UNIT_CASE(rows_are_read_as_the_vectors_say),
	  UNIT_CASE(modes_are_those_of_the_vectors),
	  UNIT_CASE(entries_are_stored_files_as_the_vectors_say))
