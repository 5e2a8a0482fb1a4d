/* cache/base/cancel: whoever waits for another's commit, or copies, can give
 * up. A wait that does not hear of it ends after a minute with -EBUSY. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "cache/base/cancel.h"
#include "importer/deployment_schema.h"
#include "importer/embedded/embedded.h"
#include "importer/restore.h"
#include "importer/stored_file.h"
#include "tests/unit/backup.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"
#include "tests/unit/zip_maker.h"

#define SCHEMA "{\"tables\":[],\"schemaValidation\":true}"

/* Two who work with one folder, as two processes do; or, if same, one. The
 * first is in the middle of a commit. */
struct pair {
	struct deployment *holder, *waiter;
};

static struct pair begin_pair(bool same)
{
	const char *dir = store_new_dir();
	struct cvx_err err = CVX_ERR_INIT;
	struct pair p;

	p.holder = store_open(dir);
	p.waiter = same ? p.holder : store_open(dir);
	EXPECT_OK(embedded_begin(p.holder, &err), &err);
	return p;
}

/* Once the commit has ended, the other can commit. */
static void end_pair(struct pair *p)
{
	struct cvx_err err = CVX_ERR_INIT;

	assert_false(store_has(p->waiter, "t"));
	embedded_rollback(p->holder);
	EXPECT_OK(store_import(p->waiter, "t", IMPORT_REPLACE, "{\"n\":1}\n",
			       &err),
		  &err);
	if (p->waiter != p->holder)
		store_close(p->waiter);
	store_close(p->holder);
}

/* Cancels a bit later. */
struct canceler {
	pthread_t thread;
	struct import *import;
	struct restore *restore;
	atomic_bool flag;
};

static void *cancel_later(void *arg)
{
	struct canceler *c = arg;

	(void)usleep(100000);
	if (c->import)
		import_cancel(c->import);
	if (c->restore)
		restore_cancel(c->restore);
	c->flag = true;
	return NULL;
}

static void start(struct canceler *c)
{
	EXPECT_INT(pthread_create(&c->thread, NULL, cancel_later, c), 0);
}

static void check_import(bool same)
{
	struct store_text text = {"{\"n\":0}\n", 8};
	const struct import_source source = store_source(&text);
	const struct import_target target = store_target("t", IMPORT_REPLACE);
	struct pair p = begin_pair(same);
	struct canceler c = {.import = NULL};
	struct cvx_err err = CVX_ERR_INIT;
	struct import_result result;

	EXPECT_OK(import_new(p.waiter, &target, &source, &c.import, &err),
		  &err);
	start(&c);
	EXPECT_FAIL(import_commit(c.import, text.size, &result, &err), &err,
		    -ECANCELED, "canceled");
	EXPECT_INT(pthread_join(c.thread, NULL), 0);
	assert_false(cancel_is_watched());
	import_free(c.import);
	end_pair(&p);
}

TEST(cancel_ends_an_import_that_waits_for_a_process)
{
	check_import(false);
}

TEST(cancel_ends_an_import_that_waits_for_a_thread)
{
	check_import(true);
}

/* Runs the import, which is to be canceled. */
static void *commit_canceled(void *arg)
{
	struct import_result result;

	return import_commit(arg, 8, &result, NULL) == -ECANCELED ? arg : NULL;
}

/* The lock is free again only after the quarter of a second that a canceled
 * one waits for it. */
TEST(cancel_is_recorded_when_the_lock_stays_taken)
{
	struct store_text text = {"{\"n\":0}\n", 8};
	const struct import_source source = store_source(&text);
	const struct import_target target = store_target("t", IMPORT_REPLACE);
	struct pair p = begin_pair(false);
	struct cvx_buf out = CVX_BUF_INIT(1 << 20);
	struct cvx_err err = CVX_ERR_INIT;
	struct import *imp = NULL;
	pthread_t thread;
	void *was_canceled;

	EXPECT_OK(import_new(p.waiter, &target, &source, &imp, &err), &err);
	EXPECT_INT(pthread_create(&thread, NULL, commit_canceled, imp), 0);
	(void)usleep(100000);
	import_cancel(imp);
	(void)usleep(700000);
	embedded_rollback(p.holder);
	EXPECT_INT(pthread_join(thread, &was_canceled), 0);
	assert_non_null(was_canceled);
	import_free(imp);
	EXPECT_OK(deployment_print_imports(p.waiter, &out, &err), &err);
	EXPECT_INT(cvx_buf_append(&out, "", 1), 0);
	assert_non_null(strstr(out.data, "\"code\":\"ECANCELED\""));
	cvx_buf_fini(&out);
	store_close(p.waiter);
	store_close(p.holder);
}

TEST(cancel_ends_a_restore_that_waits)
{
	const struct restore_target target = {"", "b.zip", IMPORT_REPLACE};
	struct pair p = begin_pair(false);
	struct canceler c = {.import = NULL};
	struct cvx_err err = CVX_ERR_INIT;
	struct import_source source;
	struct restore_result result;
	struct zip_maker z;

	zip_maker_init(&z);
	backup_add_table(&z, "", "t", "{\"n\":0}\n", NULL);
	zip_end(&z, "");
	source = zip_source_of(&z.file);
	EXPECT_OK(restore_new(p.waiter, &target, &source, &c.restore, &err),
		  &err);
	start(&c);
	EXPECT_FAIL(restore_commit(c.restore, z.file.size, &result, &err), &err,
		    -ECANCELED, "canceled");
	EXPECT_INT(pthread_join(c.thread, NULL), 0);
	restore_free(c.restore);
	zip_maker_fini(&z);
	end_pair(&p);
}

TEST(cancel_ends_a_schema_that_waits)
{
	struct pair p = begin_pair(false);
	struct canceler c = {.import = NULL};
	struct cvx_err err = CVX_ERR_INIT;

	start(&c);
	(void)cancel_watch(&c.flag);
	EXPECT_FAIL(deployment_set_schema(p.waiter, "", SCHEMA, strlen(SCHEMA),
					  &err),
		    &err, -ECANCELED, "another process");
	(void)cancel_watch(NULL);
	EXPECT_INT(pthread_join(c.thread, NULL), 0);
	end_pair(&p);
}

static int new_file(const char *bytes)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	assert_true(fd >= 0);
	EXPECT_INT(write(fd, bytes, strlen(bytes)), strlen(bytes));
	return fd;
}

TEST(cancel_ends_a_file_that_waits)
{
	struct pair p = begin_pair(false);
	struct canceler c = {.import = NULL};
	struct cvx_err err = CVX_ERR_INIT;
	char id[ID_TEXT_MAX + 1];
	int fd = new_file("abc");

	start(&c);
	(void)cancel_watch(&c.flag);
	EXPECT_FAIL(deployment_store_file(p.waiter, "", NULL, fd, 3, id, &err),
		    &err, -ECANCELED, "another process");
	(void)cancel_watch(NULL);
	EXPECT_INT(pthread_join(c.thread, NULL), 0);
	EXPECT_INT(store_count_files(p.waiter, "files"), 0);
	EXPECT_INT(store_count_files(p.waiter, "stage"), 0);
	end_pair(&p);
	(void)close(fd);
}

TEST(cancel_ends_a_file_that_is_copied)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	atomic_bool flag = true;
	char id[ID_TEXT_MAX + 1];
	int fd = new_file("abc");

	(void)cancel_watch(&flag);
	EXPECT_FAIL(deployment_store_file(d, "", NULL, fd, 3, id, &err), &err,
		    -ECANCELED, "while the file was stored");
	flag = false;
	EXPECT_OK(deployment_store_file(d, "", NULL, fd, 3, id, &err), &err);
	assert_ptr_equal(cancel_watch(NULL), &flag);
	EXPECT_INT(store_count_files(d, "files"), 1);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	store_close(d);
	(void)close(fd);
}

UNIT_MAIN(UNIT_CASE(cancel_ends_an_import_that_waits_for_a_process),
	  UNIT_CASE(cancel_ends_an_import_that_waits_for_a_thread),
	  UNIT_CASE(cancel_is_recorded_when_the_lock_stays_taken),
	  UNIT_CASE(cancel_ends_a_restore_that_waits),
	  UNIT_CASE(cancel_ends_a_schema_that_waits),
	  UNIT_CASE(cancel_ends_a_file_that_waits),
	  UNIT_CASE(cancel_ends_a_file_that_is_copied))
