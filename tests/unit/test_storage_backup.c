/* The rows and files of a backup in _storage, one by one (import.md 6.7). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "cache/base/file.h"
#include "importer/archive/storage_rows.h"
#include "importer/embedded/embedded.h"
#include "importer/stored_file.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"

/* Of the table number 540, which a new storage has, and of another one. */
static const char sha_of_abc[] = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";

static void make_id(uint32_t number, unsigned char n, char ret[ID_TEXT_MAX + 1])
{
	struct internal_id key = {{n}};

	memset(ret, 0, ID_TEXT_MAX + 1);
	(void)id_encode(number, &key, ret);
}

static struct storage_rows read_rows(const char *text)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct storage_rows rows;

	EXPECT_OK(storage_rows_read(text, strlen(text), &rows, &err), &err);
	return rows;
}

static int restore(struct deployment *d, const struct storage_row *row,
		   const char *text, struct cvx_err *err)
{
	int fd = memfd_create("bytes", MFD_CLOEXEC), r;

	assert_true(fd >= 0);
	EXPECT_INT(file_pwrite(fd, text, strlen(text), 0), 0);
	r = deployment_restore_stored_file(d, "", row, fd, strlen(text), err);
	(void)close(fd);
	return r;
}

static struct stored_file find(struct deployment *d, const char *id)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct stored_file f;

	EXPECT_OK(deployment_find_stored_file(d, "", id, &f, &err), &err);
	return f;
}

TEST(rows_are_found_by_id)
{
	char text[600], a[ID_TEXT_MAX + 1], b[ID_TEXT_MAX + 1];
	const struct internal_id none = {{9}}, one = {{1}};
	struct storage_rows rows;

	make_id(540, 2, a);
	make_id(540, 1, b);
	(void)snprintf(text, sizeof(text),
		       "{\"_id\":\"%s\",\"contentType\":\"image/png\"}\n"
		       "{\"_id\":\"%s\"}",
		       a, b);
	rows = read_rows(text);
	EXPECT_INT(rows.count, 2);
	assert_null(storage_rows_find(&rows, 540, &none));
	assert_null(storage_rows_find(&rows, 541, &one));
	assert_true(storage_rows_find(&rows, 540, &one) == &rows.list[0]);
	assert_null(rows.list[0].content_type);
	EXPECT_TEXT(rows.list[1].content_type, 9, "image/png");
	storage_rows_fini(&rows);
	rows = read_rows("");
	EXPECT_INT(rows.count, 0);
	assert_null(storage_rows_find(&rows, 540, &one));
	storage_rows_fini(&rows);
}

TEST(rows_that_are_wrong_are_named)
{
	char text[600], id[ID_TEXT_MAX + 1];
	struct cvx_err err = CVX_ERR_INIT;
	struct storage_rows rows;

	make_id(540, 1, id);
	(void)snprintf(text, sizeof(text), "{\"_id\":\"%s\"}\n{\"_id\":5}\n",
		       id);
	EXPECT_FAIL(storage_rows_read(text, strlen(text), &rows, &err), &err,
		    -EINVAL, "row 2: ");
	(void)snprintf(text, sizeof(text),
		       "{\"_id\":\"%s\"}\n{\"_id\":\"%s\"}\n", id, id);
	EXPECT_FAIL(storage_rows_read(text, strlen(text), &rows, &err), &err,
		    -EINVAL, "twice");
}

TEST(a_file_is_restored_as_its_row_says)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char text[600], id[ID_TEXT_MAX + 1];
	struct storage_rows rows;
	struct stored_file f;

	make_id(540, 1, id);
	(void)snprintf(
		text, sizeof(text),
		"{\"_id\":\"%s\",\"_creationTime\":5.5,\"sha256\":\"%s\","
		"\"contentType\":\"image/png\",\"internalId\":"
		"\"0f7ad3ce-8cfd-4a36-9e1e-4b2f5b8d4d3c\"}",
		id, sha_of_abc);
	rows = read_rows(text);
	EXPECT_FAIL(restore(d, rows.list, "abd", &err), &err, -EINVAL,
		    "SHA-256");
	EXPECT_OK(restore(d, rows.list, "abc", &err), &err);
	f = find(d, id);
	assert_true(f.creation_time == 5.5);
	EXPECT_INT(f.size, 3);
	EXPECT_TEXT(f.content_type, strlen(f.content_type), "image/png");
	EXPECT_TEXT(f.internal_id, 36, "0f7ad3ce-8cfd-4a36-9e1e-4b2f5b8d4d3c");
	stored_file_fini(&f);
	storage_rows_fini(&rows);
	store_close(d);
}

TEST(what_a_row_does_not_tell_is_made)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct storage_row row = {.number = 540, .key = {{1}}};
	char id[ID_TEXT_MAX + 1];
	struct stored_file f;

	make_id(540, 1, id);
	EXPECT_OK(restore(d, &row, "abc", &err), &err);
	f = find(d, id);
	assert_true(f.creation_time > 1.6e12);
	assert_null(f.content_type);
	EXPECT_INT(strlen(f.internal_id), STORED_FILE_UUID_SIZE);
	stored_file_fini(&f);
	store_close(d);
}

TEST(a_stored_file_is_not_replaced)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct storage_row row = {.number = 540, .key = {{1}}};
	struct storage_info before, after;

	EXPECT_OK(restore(d, &row, "abc", &err), &err);
	EXPECT_OK(deployment_stat_storage(d, "", &before, &err), &err);
	EXPECT_OK(restore(d, &row, "abc", &err), &err);
	EXPECT_FAIL(restore(d, &row, "abd", &err), &err, -EPERM,
		    "do not change");
	EXPECT_FAIL(restore(d, &row, "abcd", &err), &err, -EPERM,
		    "do not change");
	EXPECT_OK(deployment_stat_storage(d, "", &after, &err), &err);
	EXPECT_INT(after.revision, before.revision);
	EXPECT_INT(after.file_count, 1);
	store_close(d);
}

/* It is only hashed: nothing is copied, and no commit is waited for. */
TEST(a_stored_file_that_comes_again_is_only_read)
{
	const char *dir = store_new_dir();
	struct deployment *d = store_open(dir), *other = store_open(dir);
	struct cvx_err err = CVX_ERR_INIT;
	struct storage_row row = {.number = 540, .key = {{1}}};

	EXPECT_OK(restore(d, &row, "abc", &err), &err);
	EXPECT_OK(embedded_begin(other, &err), &err);
	EXPECT_OK(restore(d, &row, "abc", &err), &err);
	EXPECT_FAIL(restore(d, &row, "abd", &err), &err, -EPERM,
		    "do not change");
	row.has_sha256 = true;
	EXPECT_FAIL(restore(d, &row, "abc", &err), &err, -EINVAL, "SHA-256");
	embedded_rollback(other);
	store_close(other);
	store_close(d);
}

TEST(an_empty_storage_takes_the_number_of_an_id)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct storage_row row = {.number = 10001, .key = {{1}}};
	struct storage_info info;

	EXPECT_OK(deployment_create_table(d, "", "t", &err), &err);
	EXPECT_FAIL(restore(d, &row, "abc", &err), &err, -EINVAL, "table t");
	row.number = 10002;
	EXPECT_OK(restore(d, &row, "abc", &err), &err);
	EXPECT_OK(deployment_stat_storage(d, "", &info, &err), &err);
	EXPECT_INT(info.number, 10002);
	row = (struct storage_row){.number = 540, .key = {{2}}};
	EXPECT_FAIL(restore(d, &row, "abc", &err), &err, -EINVAL,
		    "number 10002");
	store_close(d);
}

TEST(rows_describe_files_all_or_none)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct storage_row rows[] = {
		{.number = 540, .key = {{1}}},
		{.number = 540, .key = {{2}}},
		{.number = 540, .key = {{3}}}, /* is not there */
	};
	struct cvx_buf out = CVX_BUF_INIT(10000);
	struct storage_info before, after;
	char id[ID_TEXT_MAX + 1], type[] = "text/plain";
	struct stored_file f;

	make_id(540, 1, id);
	EXPECT_OK(restore(d, &rows[0], "abc", &err), &err);
	EXPECT_OK(restore(d, &rows[1], "abd", &err), &err);
	EXPECT_OK(deployment_stat_storage(d, "", &before, &err), &err);
	EXPECT_OK(deployment_describe_stored_files(d, "", rows, 3, &err), &err);
	EXPECT_OK(deployment_stat_storage(d, "", &after, &err), &err);
	EXPECT_INT(after.revision, before.revision);

	rows[0].content_type = type;
	rows[0].has_time = true;
	rows[0].creation_time = 7;
	rows[1].has_sha256 = true; /* of no file */
	EXPECT_FAIL(deployment_describe_stored_files(d, "", rows, 3, &err),
		    &err, -EINVAL, "SHA-256");
	f = find(d, id);
	assert_null(f.content_type);
	stored_file_fini(&f);

	rows[1].has_sha256 = false;
	EXPECT_OK(deployment_describe_stored_files(d, "", rows, 3, &err), &err);
	f = find(d, id);
	EXPECT_TEXT(f.content_type, strlen(f.content_type), "text/plain");
	assert_true(f.creation_time == 7);
	stored_file_fini(&f);
	EXPECT_OK(deployment_stat_storage(d, "", &after, &err), &err);
	assert_true(after.revision > before.revision);
	EXPECT_OK(deployment_print_stored_files(d, "", &out, &err), &err);
	EXPECT_INT(after.documents_size, out.size);
	cvx_buf_fini(&out);
	store_close(d);
}

UNIT_MAIN(UNIT_CASE(rows_are_found_by_id),
	  UNIT_CASE(rows_that_are_wrong_are_named),
	  UNIT_CASE(a_file_is_restored_as_its_row_says),
	  UNIT_CASE(what_a_row_does_not_tell_is_made),
	  UNIT_CASE(a_stored_file_is_not_replaced),
	  UNIT_CASE(a_stored_file_that_comes_again_is_only_read),
	  UNIT_CASE(an_empty_storage_takes_the_number_of_an_id),
	  UNIT_CASE(rows_describe_files_all_or_none))
