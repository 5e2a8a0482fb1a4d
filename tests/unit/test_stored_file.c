/* importer/stored_file.h in an embedded deployment. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "cache/base/file.h"
#include "cache/catalog.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/sql.h"
#include "importer/stored_file.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"

#define MIB ((size_t)1 << 20)

struct stored {
	char id[ID_TEXT_MAX + 1];
};

static int store_bytes(struct deployment *d, const char *component,
		       const char *type, const void *bytes, size_t size,
		       struct stored *ret, struct cvx_err *err)
{
	int fd = memfd_create("bytes", MFD_CLOEXEC), r;

	assert_true(fd >= 0);
	EXPECT_INT(file_pwrite(fd, bytes, size, 0), 0);
	r = deployment_store_file(d, component, type, fd, size, ret->id, err);
	(void)close(fd);
	return r;
}

static struct stored store_text(struct deployment *d, const char *type,
				const char *text)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct stored ret = {""};

	EXPECT_OK(store_bytes(d, "", type, text, strlen(text), &ret, &err),
		  &err);
	return ret;
}

static struct storage_info stat_storage(struct deployment *d)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct storage_info info = {.number = 0};

	EXPECT_OK(deployment_stat_storage(d, "", &info, &err), &err);
	return info;
}

static void expect_bytes(int fd, const char *want)
{
	char got[1000];
	size_t n = 0;

	EXPECT_INT(file_pread(fd, got, sizeof(got), 0, &n), 0);
	EXPECT_TEXT(got, n, want);
}

TEST(a_stored_file_has_facts_and_bytes)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_buf out = CVX_BUF_INIT(MIB);
	struct cvx_err err = CVX_ERR_INIT;
	struct stored_file f;
	struct stored s;
	char want[500];
	int fd = -1;

	EXPECT_INT(stat_storage(d).number, 540);
	EXPECT_INT(stat_storage(d).revision, 0);
	s = store_text(d, "Image/JPEG", "abc");
	EXPECT_INT(strncmp(s.id, "kg2", 3), 0);
	EXPECT_OK(deployment_open_stored_file(d, "", s.id, &fd, &f, &err),
		  &err);
	expect_bytes(fd, "abc");
	(void)close(fd);
	EXPECT_INT(f.size, 3);
	EXPECT_TEXT(f.content_type, strlen(f.content_type), "image/jpeg");
	EXPECT_TEXT(f.id, strlen(f.id), s.id);
	EXPECT_INT(strlen(f.internal_id), STORED_FILE_UUID_SIZE);
	EXPECT_INT(f.internal_id[14], '4');

	EXPECT_OK(deployment_print_stored_files(d, "", &out, &err), &err);
	(void)snprintf(want, sizeof(want),
		       "\"sha256\":\"ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/"
		       "YfIAFa0=\",\"size\":3,\"contentType\":\"image/jpeg\","
		       "\"internalId\":\"%s\"}\n",
		       f.internal_id);
	assert_true(out.size > strlen(want));
	EXPECT_TEXT(out.data + out.size - strlen(want), strlen(want), want);
	EXPECT_INT(strncmp(out.data, "{\"_id\":\"kg2", 11), 0);
	EXPECT_INT(stat_storage(d).documents_size, out.size);
	cvx_buf_fini(&out);
	stored_file_fini(&f);
	store_close(d);
}

TEST(files_are_listed_by_id_in_the_order_of_storing)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct stored_file *list = NULL;
	struct stored s[20];
	struct storage_info last = {0}, info;
	size_t count = 0;

	EXPECT_OK(deployment_list_stored_files(d, "", &list, &count, &err),
		  &err);
	EXPECT_INT(count, 0);
	stored_files_free(list, count);
	for (int i = 0; i < 20; i++) {
		s[i] = store_text(d, i % 2 ? NULL : "text/plain", "x");
		info = stat_storage(d);
		assert_true(info.revision > last.revision);
		assert_true(info.committed_ns > last.committed_ns);
		EXPECT_INT(info.file_count, i + 1);
		EXPECT_INT(info.size, i + 1);
		last = info;
	}
	EXPECT_OK(deployment_list_stored_files(d, "", &list, &count, &err),
		  &err);
	EXPECT_INT(count, 20);
	for (int i = 0; i < 20; i++) {
		EXPECT_TEXT(list[i].id, strlen(list[i].id), s[i].id);
		assert_true((list[i].content_type == NULL) == (i % 2 == 1));
		assert_true(i == 0 ||
			    list[i].creation_time > list[i - 1].creation_time);
	}
	stored_files_free(list, count);
	EXPECT_INT(store_count_files(d, "files"), 20);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	store_close(d);
}

TEST(an_open_file_outlives_its_deletion)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct stored a = store_text(d, NULL, "one");
	struct stored b = store_text(d, NULL, "two");
	struct stored_file f;
	uint64_t revision;
	int fd = -1;

	EXPECT_OK(deployment_open_stored_file(d, "", a.id, &fd, NULL, &err),
		  &err);
	revision = stat_storage(d).revision;
	EXPECT_OK(deployment_delete_stored_file(d, "", a.id, &err), &err);
	assert_true(stat_storage(d).revision > revision);
	EXPECT_INT(stat_storage(d).file_count, 1);
	EXPECT_INT(store_count_files(d, "files"), 1);
	expect_bytes(fd, "one");
	(void)close(fd);
	EXPECT_FAIL(deployment_find_stored_file(d, "", a.id, &f, &err), &err,
		    -ENOENT, a.id);
	EXPECT_FAIL(deployment_delete_stored_file(d, "", a.id, &err), &err,
		    -ENOENT, a.id);
	EXPECT_OK(deployment_find_stored_file(d, "", b.id, &f, &err), &err);
	stored_file_fini(&f);
	store_close(d);
}

TEST(what_is_not_there_is_told)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct storage_info info;
	struct stored_file f;
	struct stored s;
	int fd;

	EXPECT_FAIL(deployment_find_stored_file(d, "", "nonsense", &f, &err),
		    &err, -ENOENT, "nonsense");
	/* An id of another table number. */
	EXPECT_FAIL(deployment_open_stored_file(
			    d, "", "j57060r30c1g60r30c1g60r30d6hatwy", &fd, &f,
			    &err),
		    &err, -ENOENT, "j57060r30c1g60r30c1g60r30d6hatwy");
	EXPECT_FAIL(deployment_stat_storage(d, "nope", &info, &err), &err,
		    -ENOENT, "nope");
	EXPECT_FAIL(store_bytes(d, "nope", NULL, "x", 1, &s, &err), &err,
		    -ENOENT, "nope");
	EXPECT_FAIL(store_bytes(d, "", "no type", "x", 1, &s, &err), &err,
		    -EINVAL, "no type");
	assert_string_equal(err.name, "InvalidConvexValue");
	EXPECT_INT(stat_storage(d).revision, 0);
	EXPECT_INT(store_count_files(d, "files"), 0);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	store_close(d);
}

TEST(components_have_storages_of_their_own)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct storage_info info;
	struct stored s;

	EXPECT_OK(deployment_create_component(d, "a/b", &err), &err);
	EXPECT_OK(store_bytes(d, "a/b", NULL, "x", 1, &s, &err), &err);
	EXPECT_OK(deployment_stat_storage(d, "a/b", &info, &err), &err);
	EXPECT_INT(info.file_count, 1);
	EXPECT_OK(deployment_stat_storage(d, "a", &info, &err), &err);
	EXPECT_INT(info.file_count, 0);
	EXPECT_INT(stat_storage(d).file_count, 0);
	store_close(d);
}

TEST(an_empty_file_and_a_large_one_are_stored)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	size_t size = 3 * MIB + 17, n = 0;
	char *bytes = malloc(size), *got = malloc(size);
	struct stored_file f;
	struct stored s;
	int fd = -1;

	assert_true(bytes && got);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	EXPECT_OK(store_bytes(d, "", NULL, bytes, size, &s, &err), &err);
	EXPECT_OK(deployment_open_stored_file(d, "", s.id, &fd, &f, &err),
		  &err);
	EXPECT_INT(file_pread(fd, got, size, 0, &n), 0);
	EXPECT_INT(n, size);
	EXPECT_INT(memcmp(got, bytes, size), 0);
	EXPECT_INT(f.size, size);
	(void)close(fd);
	stored_file_fini(&f);
	s = store_text(d, NULL, "");
	EXPECT_OK(deployment_find_stored_file(d, "", s.id, &f, &err), &err);
	EXPECT_INT(f.size, 0);
	stored_file_fini(&f);
	free(bytes);
	free(got);
	store_close(d);
}

TEST(a_file_shorter_than_said_is_not_stored)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char id[ID_TEXT_MAX + 1];
	int fd = memfd_create("bytes", MFD_CLOEXEC);

	EXPECT_INT(file_pwrite(fd, "abc", 3, 0), 0);
	EXPECT_FAIL(deployment_store_file(d, "", NULL, fd, 4, id, &err), &err,
		    -EIO, "cannot read the file");
	(void)close(fd);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	store_close(d);
}

TEST(files_survive_a_new_start_and_leftovers_do_not)
{
	const char *dir = store_new_dir();
	struct deployment *d = store_open(dir);
	struct stored s = store_text(d, "text/plain", "abc");
	struct cvx_err err = CVX_ERR_INIT;
	struct stored_file f;
	char path[500];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/files/77", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	(void)snprintf(path, sizeof(path), "%s/stage/stage-77", dir);
	EXPECT_INT(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/stage/stage-77/0", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	store_close(d);

	d = store_open(dir);
	EXPECT_INT(store_count_files(d, "files"), 1);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	EXPECT_OK(deployment_open_stored_file(d, "", s.id, &fd, &f, &err),
		  &err);
	expect_bytes(fd, "abc");
	(void)close(fd);
	stored_file_fini(&f);
	store_close(d);
}

/* What embedded_check() says when the file's bytes are damaged. */
static void check_damage(int flags, off_t size, const char *bytes,
			 const char *want)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char path[500];
	int fd;

	(void)store_text(d, NULL, "abc");
	(void)snprintf(path, sizeof(path), "%s/files/1", deployment_dir(d));
	fd = open(path, O_WRONLY | O_CLOEXEC | flags);
	assert_true(fd >= 0);
	EXPECT_INT(file_pwrite(fd, bytes, strlen(bytes), 0), 0);
	if (size == 0)
		EXPECT_INT(unlink(path), 0);
	(void)close(fd);
	EXPECT_FAIL(embedded_check(d, &err), &err, -EIO, want);
	deployment_close(d);
}

TEST(the_check_sees_damaged_files)
{
	check_damage(0, 1, "abX", "SHA-256");
	check_damage(0, 1, "abcd", "size");
	check_damage(O_TRUNC, 1, "", "size");
	check_damage(0, 0, "", "missing");
}

TEST(a_deployment_of_version_1_is_migrated)
{
	const char *dir = store_new_dir();
	struct catalog_settings settings = {
		.application_id = SQL_APPLICATION_ID,
		.migrations = sql_migrations,
		.migration_count = 1,
	};
	struct deployment_settings read_only = {.dir = dir, .read_only = true};
	struct cvx_err err = CVX_ERR_INIT;
	struct catalog *c = NULL;
	struct deployment *d = NULL;
	char path[500];

	EXPECT_INT(mkdir(dir, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/catalog.sqlite3", dir);
	settings.path = path;
	EXPECT_OK(catalog_open(&settings, &c, &err), &err);
	catalog_close(c);
	/* It cannot be read before it is migrated. */
	EXPECT_FAIL(deployment_open(&read_only, &d, &err), &err, -EROFS,
		    "older version");

	d = store_open(dir);
	EXPECT_INT(stat_storage(d).number, 540);
	(void)store_text(d, NULL, "abc");
	store_close(d);
	EXPECT_OK(deployment_open(&read_only, &d, &err), &err);
	EXPECT_INT(stat_storage(d).file_count, 1);
	deployment_close(d);
}

UNIT_MAIN(UNIT_CASE(a_stored_file_has_facts_and_bytes),
	  UNIT_CASE(files_are_listed_by_id_in_the_order_of_storing),
	  UNIT_CASE(an_open_file_outlives_its_deletion),
	  UNIT_CASE(what_is_not_there_is_told),
	  UNIT_CASE(components_have_storages_of_their_own),
	  UNIT_CASE(an_empty_file_and_a_large_one_are_stored),
	  UNIT_CASE(a_file_shorter_than_said_is_not_stored),
	  UNIT_CASE(files_survive_a_new_start_and_leftovers_do_not),
	  UNIT_CASE(the_check_sees_damaged_files),
	  UNIT_CASE(a_deployment_of_version_1_is_migrated))
