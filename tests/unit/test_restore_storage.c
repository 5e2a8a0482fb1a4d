/* importer/restore_storage: import.md 6.5, 6.7, 7.1 and 7.3 of stored files. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "cache/base/file.h"
#include "importer/preview.h"
#include "importer/restore.h"
#include "importer/stored_file.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"
#include "tests/unit/vector_files.h"
#include "tests/unit/zip_maker.h"

#define MIB ((size_t)1 << 20)

/* Of number 540. */
#define FIRST "kg2060r30c1g60r30c1g60r30d6hab3t"
#define ID_1 "kg202081040g2081040g2081056ha43g"
#define ID_2 "kg2040g2081040g2081040g2096ha7qn"
#define ID_35 "4c0g2081040g2081040g20819mas71r" /* of number 35 */

#define SHA_OF_ABC "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
#define SHA_OF_NOTHING "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

#define ROWS "_storage/documents.jsonl"

/* Ends the archive and restores it into the component. */
static int restore_into(struct deployment *d, const char *component,
			enum import_mode mode, struct zip_maker *z,
			struct restore_result *ret, struct cvx_err *err)
{
	const struct restore_target target = {component, "backup.zip", mode};
	struct restore_result result = {.table_count = 0};
	struct import_source source;
	struct restore *restore = NULL;
	int r;

	zip_end(z, "");
	source = zip_source_of(&z->file);
	r = restore_new(d, &target, &source, &restore, err);
	if (r == 0)
		r = restore_commit(restore, z->file.size, &result, err);
	restore_free(restore);
	zip_maker_fini(z);
	if (ret)
		*ret = result;
	return r;
}

static int restore_zip(struct deployment *d, enum import_mode mode,
		       struct zip_maker *z, struct cvx_err *err)
{
	return restore_into(d, "", mode, z, NULL, err);
}

/* An archive of rows and, unless id is NULL, one file. */
static int restore_one(struct deployment *d, enum import_mode mode,
		       const char *rows, const char *id, const char *bytes,
		       struct cvx_err *err)
{
	struct zip_maker z;
	char name[100];

	zip_maker_init(&z);
	zip_add_text(&z, ROWS, rows);
	if (id) {
		(void)snprintf(name, sizeof(name), "_storage/%s.bin", id);
		zip_add_text(&z, name, bytes);
	}
	return restore_zip(d, mode, &z, err);
}

static struct storage_info stat_storage(struct deployment *d,
					const char *component)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct storage_info info = {.number = 0};

	EXPECT_OK(deployment_stat_storage(d, component, &info, &err), &err);
	return info;
}

/* The facts of a file that holds the bytes. */
static struct stored_file expect_file(struct deployment *d,
				      const char *component, const char *id,
				      const char *want)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct stored_file f = {.size = 0};
	size_t size = strlen(want), n = 0;
	char *got = malloc(size + 2);
	int fd = -1;

	assert_non_null(got);
	EXPECT_OK(deployment_open_stored_file(d, component, id, &fd, &f, &err),
		  &err);
	EXPECT_INT(file_pread(fd, got, size + 1, 0, &n), 0);
	EXPECT_TEXT(got, n, want);
	EXPECT_INT(f.size, size);
	(void)close(fd);
	free(got);
	return f;
}

static void expect_no_file(struct deployment *d, const char *component,
			   const char *id)
{
	struct stored_file f;

	EXPECT_INT(deployment_find_stored_file(d, component, id, &f, NULL),
		   -ENOENT);
}

/* Nothing is left of what failed. */
static void expect_untouched(struct deployment *d, uint64_t file_count)
{
	EXPECT_INT(stat_storage(d, "").file_count, file_count);
	EXPECT_INT(store_count_files(d, "files"), file_count);
	EXPECT_INT(store_count_files(d, "stage"), 0);
}

static void expect_text(const char *got, const char *want)
{
	EXPECT_TEXT(got ? got : "none", got ? strlen(got) : 4, want);
}

/* --- vectors ------------------------------------------------------------- */

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

	(void)snprintf(rows, sizeof(rows), "{\"_id\":\"" FIRST "\"}\n%s\n",
		       json);
	r = restore_one(d, IMPORT_REPLACE, rows, ID_1, "abc", &err);
	if (error) {
		if (r != -EINVAL || !err.name || strcmp(err.name, error) != 0 ||
		    !strstr(err.msg, ROWS) || !strstr(err.msg, "row 2"))
			fail_msg("%s: %d %s %s", json, r,
				 err.name ? err.name : "", err.msg);
		return;
	}
	if (r < 0)
		fail_msg("%s: %s", json, err.msg);
	f = expect_file(d, "", ID_1, "abc");
	if (type)
		expect_text(f.content_type, type);
	if (internal_id)
		expect_text(f.internal_id, internal_id);
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
	zip_add_text(z, ROWS, text.data);
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
		f = expect_file(d, "", id->valuestring, id->valuestring);
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
	zip_add_text(&z, ROWS, "");
	add_files(&z, existing);
	EXPECT_OK(restore_zip(d, IMPORT_REPLACE, &z, &err), &err);

	zip_maker_init(&z);
	if (!cJSON_IsNull(rows))
		add_rows(&z, rows);
	add_files(&z, cJSON_GetObjectItem(one, "file_entries"));
	r = restore_zip(d, mode, &z, &err);
	if (error ? (r == 0 || !err.name || strcmp(err.name, error) != 0)
		  : r != 0)
		fail_msg("%s: %d %s %s", what, r, err.name ? err.name : "",
			 err.msg);
	expect_files(d, error ? existing : cJSON_GetObjectItem(expect, "files"),
		     what);
	if (!error)
		EXPECT_INT(
			stat_storage(d, "").number,
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
	if (strcmp(name, ROWS) != 0)
		zip_add_text(&z, ROWS, "");
	zip_add_text(&z, "_components/c/" ROWS, "");
	return restore_zip(d, IMPORT_REPLACE, &z, err);
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
	f = expect_file(d, vector_string(one, "component"),
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

/* --- facts --------------------------------------------------------------- */

TEST(rows_come_out_as_they_went_in)
{
	static const char rows[] =
		"{\"_id\":\"" ID_1 "\",\"_creationTime\":1700000000002.0,"
		"\"sha256\":\"" SHA_OF_ABC "\",\"size\":3,"
		"\"contentType\":\"text/x; a=\\\"b \\\\\\\\ \xc3\xbc\\\"\","
		"\"internalId\":\"3f2504e0-4f89-41d3-9a0c-0305e82c3301\"}\n"
		"{\"_id\":\"" ID_2 "\",\"_creationTime\":1700000000003.5,"
		"\"sha256\":\"" SHA_OF_ABC "\",\"size\":3,"
		"\"contentType\":null,"
		"\"internalId\":\"3f2504e0-4f89-41d3-9a0c-0305e82c3301\"}\n";
	struct deployment *d = store_open(store_new_dir());
	struct cvx_buf out = CVX_BUF_INIT(MIB);
	struct cvx_err err = CVX_ERR_INIT;
	struct restore_result result;
	struct zip_maker z;

	zip_maker_init(&z);
	zip_add_text(&z, "_storage/" ID_2, "abc");
	zip_add_text(&z, "_storage/" ID_1 ".jpeg", "abc");
	zip_add_text(&z, ROWS, rows);
	EXPECT_OK(restore_into(d, "", IMPORT_REQUIRE_EMPTY, &z, &result, &err),
		  &err);
	EXPECT_INT(result.file_count, 2);
	EXPECT_INT(result.table_count, 0);
	EXPECT_INT(result.document_count, 0);
	EXPECT_OK(deployment_print_stored_files(d, "", &out, &err), &err);
	EXPECT_TEXT(out.data, out.size, rows);
	cvx_buf_fini(&out);
	store_close(d);
}

/* import.md 6.7: a file that no row mentions. */
TEST(files_without_rows_get_fresh_facts)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct stored_file a, b;
	double last = 0;
	struct zip_maker z;

	for (int i = 0; i < 2; i++) {
		zip_maker_init(&z);
		zip_add_text(&z, ROWS, "");
		zip_add_text(&z, "_storage/" ID_2 ".jpeg", "two");
		zip_add_text(&z, "_storage/" ID_1 ".jpeg", "one");
		EXPECT_OK(restore_zip(d, IMPORT_REPLACE, &z, &err), &err);
		a = expect_file(d, "", ID_1, "one");
		b = expect_file(d, "", ID_2, "two");
		assert_null(a.content_type);
		EXPECT_INT(a.internal_id[14], '4');
		assert_string_not_equal(a.internal_id, b.internal_id);
		/* In the order of the archive, above all before. */
		assert_true(b.creation_time > last);
		assert_true(a.creation_time > b.creation_time);
		last = a.creation_time;
	}
	store_close(d);
}

TEST(components_restore_their_own_files)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct stored_file f;
	struct zip_maker z;

	zip_maker_init(&z);
	zip_add_text(&z, ROWS, "{\"_id\":\"" ID_1 "\"}\n");
	zip_add_text(&z, "_storage/" ID_1, "root");
	zip_add_text(&z, "_components/a/" ROWS, "{\"_id\":\"" ID_35 "\"}\n");
	zip_add_text(&z, "_components/a/_storage/" ID_35, "a");
	/* Without rows about files these are nobody's. */
	zip_add_text(&z, "_components/b/_storage/" ID_1, "b");
	EXPECT_OK(restore_into(d, "base", IMPORT_REQUIRE_EMPTY, &z, NULL, &err),
		  &err);
	f = expect_file(d, "base", ID_1, "root");
	stored_file_fini(&f);
	f = expect_file(d, "base/a", ID_35, "a");
	stored_file_fini(&f);
	EXPECT_INT(stat_storage(d, "base").number, 540);
	EXPECT_INT(stat_storage(d, "base/a").number, 35);
	EXPECT_INT(deployment_find_component(d, "base/b", &err), -ENOENT);
	expect_no_file(d, "", ID_1);
	store_close(d);
}

TEST(a_table_named_like_the_storage_restores)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;

	zip_maker_init(&z);
	zip_add_text(&z, "my_storage/documents.jsonl", "{\"n\":1}\n");
	zip_add_text(&z, "my_storage/generated_schema.jsonl", "\"uniform\"\n");
	EXPECT_OK(restore_zip(d, IMPORT_REQUIRE_EMPTY, &z, &err), &err);
	EXPECT_INT(store_stat(d, "my_storage").document_count, 1);
	store_close(d);
}

/* --- numbers ------------------------------------------------------------- */

TEST(the_storage_keeps_the_number_that_it_was_given)
{
	struct deployment *d = store_open(store_new_dir());
	char id[ID_TEXT_MAX + 1];
	struct cvx_err err = CVX_ERR_INIT;
	int fd = memfd_create("bytes", MFD_CLOEXEC);

	EXPECT_OK(restore_one(d, IMPORT_REPLACE, "{\"_id\":\"" ID_35 "\"}\n",
			      ID_35, "x", &err),
		  &err);
	EXPECT_OK(deployment_store_file(d, "", NULL, fd, 0, id, &err), &err);
	(void)close(fd);
	EXPECT_INT(strncmp(id, "4c", 2), 0);
	/* Its old number is free now, the new one is not. */
	EXPECT_OK(deployment_register_tables(
			  d, "", "{\"name\":\"t\",\"id\":540}\n", 22, &err),
		  &err);
	EXPECT_FAIL(deployment_register_tables(
			    d, "", "{\"name\":\"u\",\"id\":35}\n", 21, &err),
		    &err, -EINVAL, "belongs to table _storage");
	/* An id that was of another number has gone with it. */
	expect_no_file(d, "", ID_1);
	store_close(d);
}

/* import.md 7.3.2: _storage takes part; its number is anybody's then. */
TEST(a_table_may_take_the_number_of_a_storage_that_takes_part)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;

	zip_maker_init(&z);
	zip_add_text(&z, "t/documents.jsonl", "{\"_id\":\"" ID_1 "\"}\n");
	EXPECT_FAIL(restore_zip(d, IMPORT_REPLACE, &z, &err), &err, -EINVAL,
		    "belongs to the system table _storage");
	zip_maker_init(&z);
	zip_add_text(&z, "t/documents.jsonl", "{\"_id\":\"" ID_1 "\"}\n");
	zip_add_text(&z, ROWS, "");
	EXPECT_OK(restore_zip(d, IMPORT_REPLACE, &z, &err), &err);
	EXPECT_INT(store_stat(d, "t").number, 540);
	EXPECT_INT(stat_storage(d, "").number, 10001);
	/* A new table's number is not the storage's. */
	EXPECT_OK(store_import(d, "u", IMPORT_REPLACE, "{}\n", &err), &err);
	EXPECT_INT(store_stat(d, "u").number, 10002);
	/* And when the storage goes back, its number is the next to be had. */
	EXPECT_OK(restore_one(d, IMPORT_REPLACE, "{\"_id\":\"" ID_35 "\"}\n",
			      ID_35, "x", &err),
		  &err);
	EXPECT_OK(store_import(d, "v", IMPORT_REPLACE, "{}\n", &err), &err);
	EXPECT_INT(store_stat(d, "v").number, 10001);
	store_close(d);
}

/* --- what is replaced ---------------------------------------------------- */

TEST(a_reader_keeps_the_file_that_is_replaced)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct stored_file f;
	char got[10];
	size_t n = 0;
	int fd = -1;

	EXPECT_OK(restore_one(d, IMPORT_REPLACE, "", ID_1, "old", &err), &err);
	EXPECT_OK(deployment_open_stored_file(d, "", ID_1, &fd, NULL, &err),
		  &err);
	EXPECT_OK(restore_one(d, IMPORT_REPLACE, "", ID_1, "new!", &err), &err);
	EXPECT_INT(file_pread(fd, got, sizeof(got), 0, &n), 0);
	EXPECT_TEXT(got, n, "old");
	(void)close(fd);
	f = expect_file(d, "", ID_1, "new!");
	stored_file_fini(&f);
	expect_untouched(d, 1);
	/* An empty list empties the storage. */
	EXPECT_OK(restore_one(d, IMPORT_REPLACE, "", NULL, NULL, &err), &err);
	expect_untouched(d, 0);
	store_close(d);
}

TEST(append_of_nothing_changes_nothing)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	uint64_t revision;

	EXPECT_OK(restore_one(d, IMPORT_REPLACE, "", ID_1, "old", &err), &err);
	revision = stat_storage(d, "").revision;
	EXPECT_OK(restore_one(d, IMPORT_APPEND, "{\"_id\":\"" ID_2 "\"}\n",
			      NULL, NULL, &err),
		  &err);
	EXPECT_INT(stat_storage(d, "").revision, revision);
	store_close(d);
}

/* --- refusals ------------------------------------------------------------ */

struct bad {
	const char *rows;
	const char *entries[2]; /* with the bytes "abc" */
	struct zip_lie lie;	/* of the last one */
	const char *name;	/* of the refusal */
	const char *why;
};

/* With a table beside it and a file that is there already. */
static void expect_refused(struct deployment *d, const struct bad *bad)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;
	int r;

	zip_maker_init(&z);
	zip_add_text(&z, "t/documents.jsonl", "{\"n\":1}\n");
	zip_add_text(&z, ROWS, bad->rows);
	for (size_t i = 0; i < 2 && bad->entries[i]; i++)
		zip_add(&z, bad->entries[i], "abc", 3,
			i == 1 || !bad->entries[1] ? &bad->lie : NULL);
	r = restore_zip(d, IMPORT_APPEND, &z, &err);
	if (r >= 0 || !err.name || strcmp(err.name, bad->name) != 0 ||
	    !strstr(err.msg, bad->why))
		fail_msg("%s: %d %s %s", bad->why, r, err.name ? err.name : "",
			 err.msg);
	EXPECT_INT(store_has(d, "t"), false);
	expect_untouched(d, 1);
}

TEST(refusals_name_the_entry_and_the_row_and_leave_nothing)
{
#define E1 "_storage/" ID_1 ".png"
	static const struct bad cases[] = {
		{"{\"_id\":\"" ID_1 "\"}\n{\"_id\":\"" ID_1 "\"}\n",
		 {E1, NULL},
		 {0},
		 "DuplicateId",
		 ROWS ": row 2: row 1 of " ROWS " is about the same file"},
		{"{\"_id\":\"" ID_1 "\",\"sha256\":\"" SHA_OF_NOTHING "\"}\n",
		 {E1, NULL},
		 {0},
		 "Sha256Mismatch",
		 E1 ": its SHA-256 is not the one that row 1 of " ROWS},
		{"",
		 {E1, "_storage/" ID_1},
		 {0},
		 "DocumentExists",
		 "_storage/" ID_1 ": the entry " E1},
		{"",
		 {"_storage/" FIRST, NULL},
		 {0},
		 "DocumentExists",
		 "_storage/" FIRST ": there is a stored file " FIRST},
		{"{\"_id\":\"" ID_1 "\"}\n",
		 {E1, "_storage/" ID_35},
		 {0},
		 "ImportConflict",
		 "_storage/" ID_35 ": its id is of the table number 35"},
		{"", {E1, NULL}, {.crc_xor = 1}, "InvalidZip", E1 ": "},
		{"", {E1, NULL}, {.size_more = -1}, "InvalidZip", E1 ": "},
		{"", {E1, NULL}, {.size_more = 1}, "InvalidZip", E1 ": "},
		{"", {E1, NULL}, {.flags = 1}, "InvalidZip", E1 ": "},
		{"{\"_id\":\"" ID_1 "\"}\n\n",
		 {E1, NULL},
		 {0},
		 "JsonInvalidRow",
		 ROWS ": row 2: "},
		{"{\"_id\":\"" ID_1 "\"",
		 {E1, NULL},
		 {0},
		 "JsonInvalidRow",
		 ROWS ": row 1: "},
		{"\xef\xbb\xbf{\"_id\":\"" ID_1 "\"}\n",
		 {E1, NULL},
		 {0},
		 "JsonInvalidRow",
		 ROWS ": row 1: "},
		{"{\"_id\":\"" ID_1 "\",\"contentType\":\"\xff\"}\n",
		 {E1, NULL},
		 {0},
		 "InvalidZip",
		 ROWS ": row 1: "},
		{"",
		 {"_storage/nope.png", NULL},
		 {0},
		 "InvalidStorageId",
		 "_storage/nope.png: "},
	};
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(restore_one(d, IMPORT_REPLACE, "", FIRST, "old", &err), &err);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_refused(d, &cases[i]);
	store_close(d);
}

TEST(members_of_rows_have_their_types)
{
	static const struct {
		const char *member;
		bool fits;
	} cases[] = {
		{"\"size\":9223372036854775807", true},
		{"\"size\":-9223372036854775808", true},
		{"\"size\":9223372036854775808", false},
		{"\"size\":-9223372036854775809", false},
		{"\"size\":100000000000000000000", false},
		{"\"size\":1e3", false},
		{"\"size\":true", false},
		{"\"size\":[3]", false},
		{"\"size\":{\"a\":[1,{}]}", false},
		{"\"sha256\":5", false},
		{"\"sha256\":[\"" SHA_OF_ABC "\"]", false},
		{"\"contentType\":{}", false},
		{"\"contentType\":\"a/b\\u0000\"", false},
		{"\"contentType\":\"a\\u002fb\"", true},
		{"\"internalId\":\"{3F2504E0-4F89-41D3-9A0C-0305E82C3301}\"",
		 true},
		{"\"internalId\":"
		 "\"urn:uuid:3F2504E0-4F89-41D3-9A0C-0305E82C3301\"",
		 true},
		{"\"internalId\":\"{3F2504E04F8941D39A0C0305E82C3301}\"",
		 false},
		{"\"internalId\":\"3F2504E0-4F8941D3-9A0C-0305E82C33-01\"",
		 false},
		{"\"internalId\":\"3F2504E0-4F89-41D3-9A0C-0305E82C330G\"",
		 false},
		{"\"internalId\":\"\"", false},
		{"\"_creationTime\":{\"$float\":\"AAAAAAAA8H8=\"}", false},
		{"\"x\":[{\"_id\":5}],\"\\u005fid\":\"" ID_1 "\"", true},
		{"\"x\":{\"_id\":5},\"_id\":5", false},
	};
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char row[500];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int r;

		(void)snprintf(row, sizeof(row), "{\"_id\":\"" ID_1 "\",%s}\n",
			       cases[i].member);
		r = restore_one(d, IMPORT_REPLACE, row, ID_1, "abc", &err);
		if (cases[i].fits
			    ? r != 0
			    : r != -EINVAL || strcmp(err.name,
						     "InvalidConvexValue") != 0)
			fail_msg("%s: %d %s", row, r, err.msg);
	}
	store_close(d);
}

TEST(a_row_without_end_is_refused)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	size_t size = 40 * MIB;
	char *text = malloc(size);
	struct zip_maker z;

	assert_non_null(text);
	memset(text, ' ', size);
	zip_maker_init(&z);
	zip_add(&z, ROWS, text, size, NULL);
	EXPECT_FAIL(restore_zip(d, IMPORT_REPLACE, &z, &err), &err, -EFBIG,
		    ROWS ": ");
	free(text);
	store_close(d);
}

/* --- amounts ------------------------------------------------------------- */

/* More files than a process may have open, one of them large. */
TEST(many_files_need_few_descriptors)
{
	struct rlimit limit, few;
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct internal_id key = {{0}};
	size_t size = 2 * MIB + 3;
	char *large = malloc(size + 1), name[100];
	struct stored_file f;
	struct zip_maker z;

	assert_non_null(large);
	for (size_t i = 0; i < size; i++)
		large[i] = (char)('a' + i * i % 23);
	large[size] = '\0';
	zip_maker_init(&z);
	zip_add_text(&z, ROWS, "{\"_id\":\"" ID_1 "\"}\n");
	zip_add_text(&z, "_storage/" ID_1, large);
	for (unsigned i = 0; i < 150; i++) {
		char text[ID_TEXT_MAX];

		key.bytes[3] = (uint8_t)i;
		(void)snprintf(name, sizeof(name), "_storage/%.*s",
			       (int)id_encode(540, &key, text), text);
		zip_add_text(&z, name, "x");
	}
	EXPECT_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = limit;
	few.rlim_cur = 64;
	EXPECT_INT(setrlimit(RLIMIT_NOFILE, &few), 0);
	EXPECT_OK(restore_zip(d, IMPORT_REPLACE, &z, &err), &err);
	EXPECT_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
	expect_untouched(d, 151);
	f = expect_file(d, "", ID_1, large);
	stored_file_fini(&f);
	free(large);
	store_close(d);
}

/* A source that does something when the second half of the archive is read. */
struct watched {
	const struct cvx_buf *file;
	struct deployment *d;
	struct restore *restore; /* is canceled; NULL: a file is stored */
	uint64_t trigger;
	bool is_armed, is_done;
};

/* As somebody else would: in a thread that holds no locks. */
static void *restore_meanwhile(void *arg)
{
	struct cvx_err err = CVX_ERR_INIT;

	if (restore_one(arg, IMPORT_REPLACE, "{\"_id\":\"" ID_35 "\"}\n", ID_35,
			"x", &err) < 0)
		abort();
	return NULL;
}

static int read_watched(void *ctx, uint64_t off, void *buf, size_t size,
			size_t *ret_n, struct cvx_err *err)
{
	struct watched *w = ctx;
	const struct import_source source = zip_source_of(w->file);
	pthread_t thread;

	if (w->is_armed && !w->is_done && off >= w->trigger &&
	    off < w->trigger + 2 * MIB) {
		w->is_done = true;
		if (w->restore) {
			restore_cancel(w->restore);
		} else {
			EXPECT_INT(pthread_create(&thread, NULL,
						  restore_meanwhile, w->d),
				   0);
			EXPECT_INT(pthread_join(thread, NULL), 0);
		}
	}
	return source.read(source.ctx, off, buf, size, ret_n, err);
}

/* A stored file of 4 MiB that does not deflate is under way. */
static int restore_watched(struct deployment *d, enum import_mode mode,
			   bool cancels, struct cvx_err *err)
{
	static const struct zip_lie stored = {.is_stored = true};
	const struct restore_target target = {"", "backup.zip", mode};
	struct watched w = {.d = d};
	const struct import_source source = {&w, read_watched};
	struct restore_result result;
	struct restore *restore;
	char *large = calloc(1, 4 * MIB);
	struct zip_maker z;
	int r;

	assert_non_null(large);
	zip_maker_init(&z);
	zip_add_text(&z, "t/documents.jsonl", "{\"n\":1}\n");
	zip_add_text(&z, ROWS, "");
	zip_add(&z, "_storage/" ID_1, large, 4 * MIB, &stored);
	zip_end(&z, "");
	w.file = &z.file;
	w.trigger = MIB;
	EXPECT_OK(restore_new(d, &target, &source, &restore, err), err);
	w.restore = cancels ? restore : NULL;
	w.is_armed = true;
	r = restore_commit(restore, z.file.size, &result, err);
	EXPECT_INT(w.is_done, true);
	restore_free(restore);
	zip_maker_fini(&z);
	free(large);
	return r;
}

TEST(a_canceled_restore_leaves_nothing)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_FAIL(restore_watched(d, IMPORT_REPLACE, true, &err), &err,
		    -ECANCELED, "canceled");
	EXPECT_INT(store_has(d, "t"), false);
	expect_untouched(d, 0);
	store_close(d);
}

/* Another restore gives the storage another number meanwhile. */
TEST(numbers_are_looked_at_again_under_the_lock)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct stored_file f;

	EXPECT_FAIL(restore_watched(d, IMPORT_REPLACE, false, &err), &err,
		    -EINVAL,
		    "_storage/" ID_1 ": its id is of the table number");
	assert_string_equal(err.name, "ImportConflict");
	f = expect_file(d, "", ID_35, "x");
	stored_file_fini(&f);
	expect_untouched(d, 1);
	store_close(d);
}

TEST(require_empty_looks_again_under_the_lock)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_FAIL(restore_watched(d, IMPORT_REQUIRE_EMPTY, false, &err), &err,
		    -EEXIST, "stored files already");
	assert_string_equal(err.name, "TableExists");
	expect_untouched(d, 1);
	store_close(d);
}

/* --- schemas ------------------------------------------------------------- */

#define SCHEMA                                                                 \
	"{\"tables\":[{\"tableName\":\"t\",\"indexes\":[],\"searchIndexes\":[" \
	"],"                                                                   \
	"\"vectorIndexes\":[],\"documentType\":{\"type\":\"object\","          \
	"\"value\":{"                                                          \
	"\"file\":{\"fieldType\":{\"type\":\"id\",\"tableName\":\"_storage\"}" \
	","                                                                    \
	"\"optional\":false}}}}],\"schemaValidation\":true}"

/* Rows are held to the number that the storage has after the import. */
TEST(ids_of_files_are_checked_against_the_new_number)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;

	store_set_schema(d, SCHEMA);
	zip_maker_init(&z);
	zip_add_text(&z, "t/documents.jsonl", "{\"file\":\"" ID_35 "\"}\n");
	zip_add_text(&z, ROWS, "");
	EXPECT_FAIL(restore_zip(d, IMPORT_REPLACE, &z, &err), &err, -EINVAL,
		    "t/documents.jsonl: row 1: ");
	assert_string_equal(err.name, "SchemaEnforcementError");
	zip_maker_init(&z);
	zip_add_text(&z, "t/documents.jsonl", "{\"file\":\"" ID_35 "\"}\n");
	zip_add_text(&z, ROWS, "{\"_id\":\"" ID_35 "\"}\n");
	EXPECT_OK(restore_zip(d, IMPORT_REPLACE, &z, &err), &err);
	EXPECT_INT(stat_storage(d, "").number, 35);

	/* import.md 7.6.4: t is left, and its ids would be nobody's. */
	EXPECT_FAIL(restore_one(d, IMPORT_REPLACE, "{\"_id\":\"" ID_1 "\"}\n",
				ID_1, "x", &err),
		    &err, -EINVAL, ROWS ": ");
	assert_string_equal(err.name, "ImportForeignKey");
	EXPECT_INT(stat_storage(d, "").number, 35);
	expect_untouched(d, 0);
	store_close(d);
}

TEST(several_lists_of_rows_are_one)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct stored_file f;
	struct zip_maker z;

	zip_maker_init(&z);
	zip_add_text(&z, "a/" ROWS, "{\"_id\":\"" ID_2 "\"}\n");
	zip_add_text(&z, "b/" ROWS,
		     "{\"_id\":\"" ID_1 "\",\"contentType\":\"a/b\"}");
	zip_add_text(&z, "b/_storage/" ID_1, "one");
	zip_add_text(&z, "a/_storage/" ID_2, "two");
	EXPECT_OK(restore_zip(d, IMPORT_APPEND, &z, &err), &err);
	f = expect_file(d, "", ID_1, "one");
	expect_text(f.content_type, "a/b");
	stored_file_fini(&f);
	f = expect_file(d, "", ID_2, "two");
	stored_file_fini(&f);

	zip_maker_init(&z);
	zip_add_text(&z, "a/" ROWS, "{\"_id\":\"" ID_2 "\"}\n");
	zip_add_text(&z, "b/" ROWS, "{\"_id\":\"" ID_35 "\"}\n");
	EXPECT_FAIL(restore_zip(d, IMPORT_REPLACE, &z, &err), &err, -EINVAL,
		    "b/" ROWS ": row 1: its _id is of the table number 35");
	store_close(d);
}

/* --- before it is committed ---------------------------------------------- */

TEST(a_preview_counts_files)
{
	const struct restore_target target = {"", "backup.zip", IMPORT_REPLACE};
	struct deployment *d = store_open(store_new_dir());
	struct preview preview = {.tables = NULL};
	struct cvx_err err = CVX_ERR_INIT;
	struct restore_result result;
	struct import_source source;
	struct restore *restore;
	struct zip_maker z;

	EXPECT_OK(restore_one(d, IMPORT_REPLACE, "", FIRST, "old", &err), &err);
	zip_maker_init(&z);
	zip_add_text(&z, ROWS,
		     "{\"_id\":\"" ID_1 "\"}\n{\"_id\":\"" ID_2 "\"}\n");
	zip_add_text(&z, "_storage/" ID_1, "one");
	zip_end(&z, "");
	source = zip_source_of(&z.file);
	EXPECT_OK(restore_new(d, &target, &source, &restore, &err), &err);
	EXPECT_OK(restore_preview(restore, z.file.size, &preview, &err), &err);
	EXPECT_INT(preview.table_count, 1);
	expect_text(preview.tables[0].table, "_storage");
	EXPECT_INT(preview.tables[0].create_count, 2);
	EXPECT_INT(preview.tables[0].existing_count, 1);
	EXPECT_INT(preview.tables[0].delete_count, 1);
	EXPECT_INT(preview.needs_confirmation, true);
	preview_fini(&preview);
	EXPECT_OK(restore_commit(restore, z.file.size, &result, &err), &err);
	EXPECT_INT(result.file_count, 1);
	restore_free(restore);
	zip_maker_fini(&z);
	expect_untouched(d, 1);
	store_close(d);
}

UNIT_MAIN(UNIT_CASE(rows_are_read_as_the_vectors_say),
	  UNIT_CASE(modes_are_those_of_the_vectors),
	  UNIT_CASE(entries_are_stored_files_as_the_vectors_say),
	  UNIT_CASE(rows_come_out_as_they_went_in),
	  UNIT_CASE(files_without_rows_get_fresh_facts),
	  UNIT_CASE(components_restore_their_own_files),
	  UNIT_CASE(a_table_named_like_the_storage_restores),
	  UNIT_CASE(the_storage_keeps_the_number_that_it_was_given),
	  UNIT_CASE(a_table_may_take_the_number_of_a_storage_that_takes_part),
	  UNIT_CASE(a_reader_keeps_the_file_that_is_replaced),
	  UNIT_CASE(append_of_nothing_changes_nothing),
	  UNIT_CASE(refusals_name_the_entry_and_the_row_and_leave_nothing),
	  UNIT_CASE(members_of_rows_have_their_types),
	  UNIT_CASE(a_row_without_end_is_refused),
	  UNIT_CASE(many_files_need_few_descriptors),
	  UNIT_CASE(a_canceled_restore_leaves_nothing),
	  UNIT_CASE(numbers_are_looked_at_again_under_the_lock),
	  UNIT_CASE(require_empty_looks_again_under_the_lock),
	  UNIT_CASE(ids_of_files_are_checked_against_the_new_number),
	  UNIT_CASE(several_lists_of_rows_are_one),
	  UNIT_CASE(a_preview_counts_files))
