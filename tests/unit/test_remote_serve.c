#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "importer/embedded/held.h"
#include "importer/remote/fetch.h"
#include "importer/remote/http.h"
#include "importer/remote/listing.h"
#include "importer/remote/mirror.h"
#include "importer/remote/provision.h"
#include "importer/remote/remote_export.h"
#include "importer/remote/remote_import.h"
#include "importer/server/auth.h"
#include "importer/server/server.h"
#include "tests/unit/store.h"

/* Our client at our server: an embedded deployment behind its URL. */
struct pair {
	struct deployment *d;
	struct server *server;
	struct http *http;
	int dir_fd;
};

static void begin(struct pair *p)
{
	const struct server_settings settings = {.address = "127.0.0.1"};
	struct http_settings client = {.backoff_ms = 1};
	struct cvx_err err = CVX_ERR_INIT;
	char authorization[512];
	struct auth auth;

	p->d = store_open(store_new_dir());
	EXPECT_OK(server_start(p->d, &settings, &p->server, &err), &err);
	EXPECT_OK(auth_init(&auth, p->d, &err), &err);
	(void)snprintf(authorization, sizeof(authorization), "Convex %s",
		       auth.key);
	auth_fini(&auth);
	client.origin = server_url(p->server);
	client.authorization = authorization;
	EXPECT_OK(http_new(&client, &p->http, &err), &err);
	p->dir_fd = open(unit_temp_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(p->dir_fd >= 0);
}

static void end(struct pair *p)
{
	(void)close(p->dir_fd);
	http_free(p->http);
	server_stop(p->server);
	store_close(p->d);
}

static int import(struct pair *p, const char *table, enum import_mode mode,
		  const char *text, uint64_t *ret_count, struct cvx_err *err)
{
	const struct remote_import_target target = {.component = "",
						    .table = table,
						    .format = REMOTE_JSON_LINES,
						    .mode = mode};
	const struct remote_import_settings settings = {.part_size = 1000,
							.poll_ms = 5};
	struct store_text bytes = {text, strlen(text)};
	const struct import_source source = store_source(&bytes);
	struct remote_import *imp;
	int r;

	EXPECT_OK(remote_import_new(p->http, &target, &source, &settings, &imp,
				    err),
		  err);
	r = remote_import_commit(imp, bytes.size, ret_count, err);
	remote_import_free(imp);
	return r;
}

/* What is fetched is byte for byte the documents.jsonl of the deployment. */
static void expect_same(struct pair *p, const char *table)
{
	const struct fetch_target target = {.component = "", .table = table};
	struct cvx_err err = CVX_ERR_INIT;
	char *want = store_cat(p->d, table), *got;
	struct fetched fetched;
	int fd;

	EXPECT_OK(fetch_table(p->http, &target, p->dir_fd, NULL, &fd, &fetched,
			      &err),
		  &err);
	EXPECT_INT(fetched.size, strlen(want));
	got = calloc(1, fetched.size + 1);
	assert_non_null(got);
	EXPECT_INT(pread(fd, got, fetched.size, 0), fetched.size);
	assert_string_equal(got, want);
	(void)close(fd);
	free(fetched.cursor);
	free(got);
	free(want);
}

TEST(remote_serve_import_then_fetch_is_what_the_deployment_holds)
{
	char *rows = store_make_rows(0, 2500, 20);
	struct cvx_err err = CVX_ERR_INIT;
	struct remote_table *tables;
	uint64_t count = 0;
	struct pair p;
	size_t n;

	begin(&p);
	EXPECT_OK(import(&p, "t", IMPORT_REQUIRE_EMPTY, rows, &count, &err),
		  &err);
	EXPECT_INT(count, 2500);
	EXPECT_OK(import(&p, "t", IMPORT_APPEND, "{\"a\":\"\xc3\xa4\"}\n",
			 &count, &err),
		  &err);
	EXPECT_INT(count, 1);
	EXPECT_INT(store_stat(p.d, "t").document_count, 2501);
	EXPECT_FAIL(import(&p, "t", IMPORT_REQUIRE_EMPTY, rows, &count, &err),
		    &err, -EEXIST, "");
	EXPECT_FAIL(import(&p, "t", IMPORT_REPLACE, "{\"a\":}\n", &count, &err),
		    &err, -EINVAL, "");
	EXPECT_INT(store_stat(p.d, "t").document_count, 2501);
	expect_same(&p, "t");
	EXPECT_OK(import(&p, "t", IMPORT_REPLACE, "", &count, &err), &err);
	EXPECT_INT(store_stat(p.d, "t").document_count, 0);
	expect_same(&p, "t");

	EXPECT_OK(remote_list_tables(p.http, NULL, NULL, &tables, &n, &err),
		  &err);
	EXPECT_INT(n, 1);
	assert_string_equal(tables[0].name, "t");
	EXPECT_INT(tables[0].number, store_stat(p.d, "t").number);
	free(tables);
	free(rows);
	end(&p);
}

TEST(remote_serve_export_is_downloaded_whole)
{
	const struct remote_export_settings settings = {.poll_ms = 5};
	struct remote_export_result result;
	struct cvx_err err = CVX_ERR_INIT;
	uint64_t count;
	struct pair p;
	char magic[4];
	int fd;

	begin(&p);
	EXPECT_OK(import(&p, "t", IMPORT_REQUIRE_EMPTY, "{\"a\":1}\n", &count,
			 &err),
		  &err);
	fd = openat(p.dir_fd, "x.zip", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	EXPECT_OK(remote_export(p.http, &settings, fd, &result, &err), &err);
	EXPECT_INT(lseek(fd, 0, SEEK_END), result.size);
	EXPECT_INT(pread(fd, magic, 4, 0), 4);
	assert_memory_equal(magic, "PK\3\4", 4);
	assert_non_null(strstr(result.file_name, "snapshot_"));
	free(result.file_name);
	(void)close(fd);
	end(&p);
}

/* All tables by the deployment's own snapshot, for want of another way. */
TEST(remote_serve_mirror_holds_all_tables)
{
	struct held held = {.cursor = NULL};
	struct cvx_err err = CVX_ERR_INIT;
	struct mirror_settings settings = {.poll_ms = 5};
	struct deployment *copy;
	uint64_t count;
	struct pair p;

	begin(&p);
	copy = store_open(store_new_dir());
	settings.http = p.http;
	settings.copy = copy;
	settings.dir_fd = p.dir_fd;
	EXPECT_OK(import(&p, "t", IMPORT_REPLACE, "{\"a\":1}\n", &count, &err),
		  &err);
	EXPECT_OK(import(&p, "u", IMPORT_REPLACE, "{\"b\":1}\n", &count, &err),
		  &err);
	EXPECT_OK(mirror_fetch(&settings, &err), &err);
	EXPECT_INT(store_stat(copy, "t").document_count, 1);
	EXPECT_INT(held_find(copy, "", "u", &held, &err), 1);
	held_fini(&held);
	EXPECT_OK(import(&p, "t", IMPORT_APPEND, "{\"a\":2}\n", &count, &err),
		  &err);
	EXPECT_OK(mirror_fetch(&settings, &err), &err);
	EXPECT_INT(store_stat(copy, "t").document_count, 2);
	store_close(copy);
	end(&p);
}

/* Rows are made of what has arrived, long before the file is whole; nothing is
 * left of those that nobody finishes. */
TEST(remote_serve_upload_is_read_while_it_arrives_W_2)
{
	char *rows = store_make_rows(0, 3000, 1000);
	const struct remote_import_target target = {.component = "",
						    .table = "t",
						    .format = REMOTE_JSON_LINES,
						    .mode = IMPORT_REPLACE};
	const struct remote_import_settings settings = {.part_size = 1 << 20};
	struct store_text bytes = {rows, strlen(rows)};
	const struct import_source source = store_source(&bytes);
	struct cvx_err err = CVX_ERR_INIT;
	struct remote_import *imp;
	struct pair p;
	unsigned i;

	begin(&p);
	EXPECT_OK(remote_import_new(p.http, &target, &source, &settings, &imp,
				    &err),
		  &err);
	remote_import_available(imp, bytes.size);
	for (i = 0; i < 20000 && store_count_files(p.d, "stage") == 0; i++)
		usleep(1000);
	EXPECT_INT(store_count_files(p.d, "stage") > 0, 1);
	assert_false(store_has(p.d, "t"));
	remote_import_free(imp);
	server_stop(p.server);
	p.server = NULL;
	EXPECT_INT(store_count_files(p.d, "stage"), 0);
	free(rows);
	end(&p);
}

UNIT_MAIN(
	UNIT_CASE(remote_serve_import_then_fetch_is_what_the_deployment_holds),
	UNIT_CASE(remote_serve_export_is_downloaded_whole),
	UNIT_CASE(remote_serve_mirror_holds_all_tables),
	UNIT_CASE(remote_serve_upload_is_read_while_it_arrives_W_2))
