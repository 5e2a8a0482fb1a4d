/* importer/restore_storage: import.md 6.5, 6.7, 7.1 and 7.3 of stored files. */
#include <errno.h>
#include <pthread.h>
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
#include "tests/unit/backup.h"
#include "tests/unit/storage.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"
#include "tests/unit/zip_maker.h"

#define MIB ((size_t)1 << 20)

#define SHA_OF_ABC "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
#define SHA_OF_NOTHING "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

/* Ends the archive and restores it into the component. */
static int restore_into(struct deployment *d, const char *component,
			enum import_mode mode, struct zip_maker *z,
			struct restore_result *ret, struct cvx_err *err)
{
	struct import_source source;
	int r;

	zip_end(z, "");
	source = zip_source_of(&z->file);
	r = backup_restore_source(d, component, mode, &source, z->file.size,
				  ret, err);
	zip_maker_fini(z);
	return r;
}

/* --- facts --------------------------------------------------------------- */

TEST(rows_come_out_as_they_went_in)
{
	static const char rows[] =
		"{\"_id\":\"" STORED_1 "\",\"_creationTime\":1700000000002.0,"
		"\"sha256\":\"" SHA_OF_ABC "\",\"size\":3,"
		"\"contentType\":\"text/x; a=\\\"b \\\\\\\\ \xc3\xbc\\\"\","
		"\"internalId\":\"3f2504e0-4f89-41d3-9a0c-0305e82c3301\"}\n"
		"{\"_id\":\"" STORED_2 "\",\"_creationTime\":1700000000003.5,"
		"\"sha256\":\"" SHA_OF_ABC "\",\"size\":3,"
		"\"contentType\":null,"
		"\"internalId\":\"3f2504e0-4f89-41d3-9a0c-0305e82c3301\"}\n";
	struct deployment *d = store_open(store_new_dir());
	struct cvx_buf out = CVX_BUF_INIT(MIB);
	struct cvx_err err = CVX_ERR_INIT;
	struct restore_result result;
	struct zip_maker z;

	zip_maker_init(&z);
	zip_add_text(&z, "_storage/" STORED_2, "abc");
	zip_add_text(&z, "_storage/" STORED_1 ".jpeg", "abc");
	zip_add_text(&z, STORED_ROWS, rows);
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
		zip_add_text(&z, STORED_ROWS, "");
		zip_add_text(&z, "_storage/" STORED_2 ".jpeg", "two");
		zip_add_text(&z, "_storage/" STORED_1 ".jpeg", "one");
		EXPECT_OK(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err),
			  &err);
		a = storage_expect_file(d, "", STORED_1, "one");
		b = storage_expect_file(d, "", STORED_2, "two");
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
	zip_add_text(&z, STORED_ROWS, "{\"_id\":\"" STORED_1 "\"}\n");
	zip_add_text(&z, "_storage/" STORED_1, "root");
	zip_add_text(&z, "_components/a/" STORED_ROWS,
		     "{\"_id\":\"" STORED_35 "\"}\n");
	zip_add_text(&z, "_components/a/_storage/" STORED_35, "a");
	/* Without rows about files these are nobody's. */
	zip_add_text(&z, "_components/b/_storage/" STORED_1, "b");
	EXPECT_OK(restore_into(d, "base", IMPORT_REQUIRE_EMPTY, &z, NULL, &err),
		  &err);
	f = storage_expect_file(d, "base", STORED_1, "root");
	stored_file_fini(&f);
	f = storage_expect_file(d, "base/a", STORED_35, "a");
	stored_file_fini(&f);
	EXPECT_INT(storage_stat(d, "base").number, 540);
	EXPECT_INT(storage_stat(d, "base/a").number, 35);
	EXPECT_INT(deployment_find_component(d, "base/b", &err), -ENOENT);
	storage_expect_no_file(d, "", STORED_1);
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
	EXPECT_OK(backup_end_and_restore(d, IMPORT_REQUIRE_EMPTY, &z, &err),
		  &err);
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

	EXPECT_OK(storage_restore_one(d, IMPORT_REPLACE,
				      "{\"_id\":\"" STORED_35 "\"}\n",
				      STORED_35, "x", &err),
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
	storage_expect_no_file(d, "", STORED_1);
	store_close(d);
}

/* import.md 7.3.2: _storage takes part; its number is anybody's then. */
TEST(a_table_may_take_the_number_of_a_storage_that_takes_part)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;

	zip_maker_init(&z);
	zip_add_text(&z, "t/documents.jsonl", "{\"_id\":\"" STORED_1 "\"}\n");
	EXPECT_FAIL(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err,
		    -EINVAL, "belongs to the system table _storage");
	zip_maker_init(&z);
	zip_add_text(&z, "t/documents.jsonl", "{\"_id\":\"" STORED_1 "\"}\n");
	zip_add_text(&z, STORED_ROWS, "");
	EXPECT_OK(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err);
	EXPECT_INT(store_stat(d, "t").number, 540);
	EXPECT_INT(storage_stat(d, "").number, 10001);
	/* A new table's number is not the storage's. */
	EXPECT_OK(store_import(d, "u", IMPORT_REPLACE, "{}\n", &err), &err);
	EXPECT_INT(store_stat(d, "u").number, 10002);
	/* And when the storage goes back, its number is the next to be had. */
	EXPECT_OK(storage_restore_one(d, IMPORT_REPLACE,
				      "{\"_id\":\"" STORED_35 "\"}\n",
				      STORED_35, "x", &err),
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

	EXPECT_OK(storage_restore_one(d, IMPORT_REPLACE, "", STORED_1, "old",
				      &err),
		  &err);
	EXPECT_OK(deployment_open_stored_file(d, "", STORED_1, &fd, NULL, &err),
		  &err);
	EXPECT_OK(storage_restore_one(d, IMPORT_REPLACE, "", STORED_1, "new!",
				      &err),
		  &err);
	EXPECT_INT(file_pread(fd, got, sizeof(got), 0, &n), 0);
	EXPECT_TEXT(got, n, "old");
	(void)close(fd);
	f = storage_expect_file(d, "", STORED_1, "new!");
	stored_file_fini(&f);
	storage_expect_count(d, 1);
	/* An empty list empties the storage. */
	EXPECT_OK(storage_restore_one(d, IMPORT_REPLACE, "", NULL, NULL, &err),
		  &err);
	storage_expect_count(d, 0);
	store_close(d);
}

TEST(append_of_nothing_changes_nothing)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	uint64_t revision;

	EXPECT_OK(storage_restore_one(d, IMPORT_REPLACE, "", STORED_1, "old",
				      &err),
		  &err);
	revision = storage_stat(d, "").revision;
	EXPECT_OK(storage_restore_one(d, IMPORT_APPEND,
				      "{\"_id\":\"" STORED_2 "\"}\n", NULL,
				      NULL, &err),
		  &err);
	EXPECT_INT(storage_stat(d, "").revision, revision);
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
	zip_add_text(&z, STORED_ROWS, bad->rows);
	for (size_t i = 0; i < 2 && bad->entries[i]; i++)
		zip_add(&z, bad->entries[i], "abc", 3,
			i == 1 || !bad->entries[1] ? &bad->lie : NULL);
	r = backup_end_and_restore(d, IMPORT_APPEND, &z, &err);
	if (r >= 0 || !err.name || strcmp(err.name, bad->name) != 0 ||
	    !strstr(err.msg, bad->why))
		fail_msg("%s: %d %s %s", bad->why, r, err.name ? err.name : "",
			 err.msg);
	EXPECT_INT(store_has(d, "t"), false);
	storage_expect_count(d, 1);
}

TEST(refusals_name_the_entry_and_the_row_and_leave_nothing)
{
#define E1 "_storage/" STORED_1 ".png"
	static const struct bad cases[] = {
		{"{\"_id\":\"" STORED_1 "\"}\n{\"_id\":\"" STORED_1 "\"}\n",
		 {E1, NULL},
		 {0},
		 "DuplicateId",
		 STORED_ROWS ": row 2: row 1 of " STORED_ROWS
			     " is about the same file"},
		{"{\"_id\":\"" STORED_1 "\",\"sha256\":\"" SHA_OF_NOTHING
		 "\"}\n",
		 {E1, NULL},
		 {0},
		 "Sha256Mismatch",
		 E1 ": its SHA-256 is not the one that row 1 of " STORED_ROWS},
		{"",
		 {E1, "_storage/" STORED_1},
		 {0},
		 "DocumentExists",
		 "_storage/" STORED_1 ": the entry " E1},
		{"",
		 {"_storage/" STORED_FIRST, NULL},
		 {0},
		 "DocumentExists",
		 "_storage/" STORED_FIRST
		 ": there is a stored file " STORED_FIRST},
		{"{\"_id\":\"" STORED_1 "\"}\n",
		 {E1, "_storage/" STORED_35},
		 {0},
		 "ImportConflict",
		 "_storage/" STORED_35 ": its id is of the table number 35"},
		{"", {E1, NULL}, {.crc_xor = 1}, "InvalidZip", E1 ": "},
		{"", {E1, NULL}, {.size_more = -1}, "InvalidZip", E1 ": "},
		{"", {E1, NULL}, {.size_more = 1}, "InvalidZip", E1 ": "},
		{"", {E1, NULL}, {.flags = 1}, "InvalidZip", E1 ": "},
		{"{\"_id\":\"" STORED_1 "\"}\n\n",
		 {E1, NULL},
		 {0},
		 "JsonInvalidRow",
		 STORED_ROWS ": row 2: "},
		{"{\"_id\":\"" STORED_1 "\"",
		 {E1, NULL},
		 {0},
		 "JsonInvalidRow",
		 STORED_ROWS ": row 1: "},
		{"\xef\xbb\xbf{\"_id\":\"" STORED_1 "\"}\n",
		 {E1, NULL},
		 {0},
		 "JsonInvalidRow",
		 STORED_ROWS ": row 1: "},
		{"{\"_id\":\"" STORED_1 "\",\"contentType\":\"\xff\"}\n",
		 {E1, NULL},
		 {0},
		 "InvalidZip",
		 STORED_ROWS ": row 1: "},
		{"",
		 {"_storage/nope.png", NULL},
		 {0},
		 "InvalidStorageId",
		 "_storage/nope.png: "},
	};
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(storage_restore_one(d, IMPORT_REPLACE, "", STORED_FIRST,
				      "old", &err),
		  &err);
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
		{"\"x\":[{\"_id\":5}],\"\\u005fid\":\"" STORED_1 "\"", true},
		{"\"x\":{\"_id\":5},\"_id\":5", false},
	};
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char row[500];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int r;

		(void)snprintf(row, sizeof(row),
			       "{\"_id\":\"" STORED_1 "\",%s}\n",
			       cases[i].member);
		r = storage_restore_one(d, IMPORT_REPLACE, row, STORED_1, "abc",
					&err);
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
	zip_add(&z, STORED_ROWS, text, size, NULL);
	EXPECT_FAIL(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err,
		    -EFBIG, STORED_ROWS ": ");
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
	zip_add_text(&z, STORED_ROWS, "{\"_id\":\"" STORED_1 "\"}\n");
	zip_add_text(&z, "_storage/" STORED_1, large);
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
	EXPECT_OK(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err);
	EXPECT_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
	storage_expect_count(d, 151);
	f = storage_expect_file(d, "", STORED_1, large);
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

	if (storage_restore_one(arg, IMPORT_REPLACE,
				"{\"_id\":\"" STORED_35 "\"}\n", STORED_35, "x",
				&err) < 0)
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
	zip_add_text(&z, STORED_ROWS, "");
	zip_add(&z, "_storage/" STORED_1, large, 4 * MIB, &stored);
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
	storage_expect_count(d, 0);
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
		    "_storage/" STORED_1 ": its id is of the table number");
	assert_string_equal(err.name, "ImportConflict");
	f = storage_expect_file(d, "", STORED_35, "x");
	stored_file_fini(&f);
	storage_expect_count(d, 1);
	store_close(d);
}

TEST(require_empty_looks_again_under_the_lock)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_FAIL(restore_watched(d, IMPORT_REQUIRE_EMPTY, false, &err), &err,
		    -EEXIST, "stored files already");
	assert_string_equal(err.name, "TableExists");
	storage_expect_count(d, 1);
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
	zip_add_text(&z, "t/documents.jsonl", "{\"file\":\"" STORED_35 "\"}\n");
	zip_add_text(&z, STORED_ROWS, "");
	EXPECT_FAIL(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err,
		    -EINVAL, "t/documents.jsonl: row 1: ");
	assert_string_equal(err.name, "SchemaEnforcementError");
	zip_maker_init(&z);
	zip_add_text(&z, "t/documents.jsonl", "{\"file\":\"" STORED_35 "\"}\n");
	zip_add_text(&z, STORED_ROWS, "{\"_id\":\"" STORED_35 "\"}\n");
	EXPECT_OK(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err);
	EXPECT_INT(storage_stat(d, "").number, 35);

	/* import.md 7.6.4: t is left, and its ids would be nobody's. */
	EXPECT_FAIL(storage_restore_one(d, IMPORT_REPLACE,
					"{\"_id\":\"" STORED_1 "\"}\n",
					STORED_1, "x", &err),
		    &err, -EINVAL, STORED_ROWS ": ");
	assert_string_equal(err.name, "ImportForeignKey");
	EXPECT_INT(storage_stat(d, "").number, 35);
	storage_expect_count(d, 0);
	store_close(d);
}

TEST(several_lists_of_rows_are_one)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct stored_file f;
	struct zip_maker z;

	zip_maker_init(&z);
	zip_add_text(&z, "a/" STORED_ROWS, "{\"_id\":\"" STORED_2 "\"}\n");
	zip_add_text(&z, "b/" STORED_ROWS,
		     "{\"_id\":\"" STORED_1 "\",\"contentType\":\"a/b\"}");
	zip_add_text(&z, "b/_storage/" STORED_1, "one");
	zip_add_text(&z, "a/_storage/" STORED_2, "two");
	EXPECT_OK(backup_end_and_restore(d, IMPORT_APPEND, &z, &err), &err);
	f = storage_expect_file(d, "", STORED_1, "one");
	storage_expect_text(f.content_type, "a/b");
	stored_file_fini(&f);
	f = storage_expect_file(d, "", STORED_2, "two");
	stored_file_fini(&f);

	zip_maker_init(&z);
	zip_add_text(&z, "a/" STORED_ROWS, "{\"_id\":\"" STORED_2 "\"}\n");
	zip_add_text(&z, "b/" STORED_ROWS, "{\"_id\":\"" STORED_35 "\"}\n");
	EXPECT_FAIL(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err,
		    -EINVAL,
		    "b/" STORED_ROWS
		    ": row 1: its _id is of the table number 35");
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

	EXPECT_OK(storage_restore_one(d, IMPORT_REPLACE, "", STORED_FIRST,
				      "old", &err),
		  &err);
	zip_maker_init(&z);
	zip_add_text(&z, STORED_ROWS,
		     "{\"_id\":\"" STORED_1 "\"}\n{\"_id\":\"" STORED_2
		     "\"}\n");
	zip_add_text(&z, "_storage/" STORED_1, "one");
	zip_end(&z, "");
	source = zip_source_of(&z.file);
	EXPECT_OK(restore_new(d, &target, &source, &restore, &err), &err);
	EXPECT_OK(restore_preview(restore, z.file.size, &preview, &err), &err);
	EXPECT_INT(preview.table_count, 1);
	storage_expect_text(preview.tables[0].table, "_storage");
	EXPECT_INT(preview.tables[0].create_count, 2);
	EXPECT_INT(preview.tables[0].existing_count, 1);
	EXPECT_INT(preview.tables[0].delete_count, 1);
	EXPECT_INT(preview.needs_confirmation, true);
	preview_fini(&preview);
	EXPECT_OK(restore_commit(restore, z.file.size, &result, &err), &err);
	EXPECT_INT(result.file_count, 1);
	restore_free(restore);
	zip_maker_fini(&z);
	storage_expect_count(d, 1);
	store_close(d);
}

UNIT_MAIN(UNIT_CASE(rows_come_out_as_they_went_in),
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
