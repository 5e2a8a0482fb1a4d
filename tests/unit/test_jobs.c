/* importer/embedded/jobs: imports of a server pass through their states, and
 * happen once (import.md 10). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/spool.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/export_jobs.h"
#include "importer/embedded/jobs.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"
#include "tests/unit/vector_files.h"

#define ROW "{\"n\":1}\n"

static char *copy(const char *text)
{
	char *made = strdup(text);

	assert_non_null(made);
	return made;
}

/* A new job in state uploaded, of one row for table t; its number. */
static int64_t add_job(struct deployment *d, char id[ID_TEXT_MAX + 1])
{
	struct job job = {
		.component = copy(""),
		.table = copy("t"),
		.format = copy("jsonLines"),
		.mode = copy("append"),
		.size = sizeof(ROW) - 1,
		.extent_count = 1,
	};
	struct cvx_err err = CVX_ERR_INIT;
	struct spool *bytes;
	int64_t number;
	bool in_doubt;

	job.extents = calloc(1, sizeof(*job.extents));
	assert_non_null(job.extents);
	job.extents[0].size = job.size;
	EXPECT_OK(spool_new(d->stage_fd, &bytes, &err), &err);
	EXPECT_OK(spool_write(bytes, 0, ROW, sizeof(ROW) - 1, &err), &err);
	EXPECT_OK(job_insert(d, &job, bytes, &in_doubt, &err), &err);
	spool_free(bytes);
	number = job.number;
	if (id)
		memcpy(id, job.id, sizeof(job.id));
	job_fini(&job);
	return number;
}

static enum job_state state_of(struct deployment *d, const char *id)
{
	struct cvx_err err = CVX_ERR_INIT;
	enum job_state state;
	struct job job;

	EXPECT_INT(job_find(d, id, &job, &err), 1);
	state = job.state;
	job_fini(&job);
	return state;
}

/* An import of the row that completes the job. */
static int commit(struct deployment *d, int64_t number, struct cvx_err *err)
{
	struct import_target target = store_target("t", IMPORT_APPEND);
	struct store_text bytes = {ROW, sizeof(ROW) - 1};
	const struct import_source source = store_source(&bytes);
	struct import_result result;
	struct import *imp;
	int r;

	EXPECT_OK(import_new(d, &target, &source, &imp, err), err);
	import_set_job(imp, number);
	r = import_commit(imp, bytes.size, &result, err);
	import_free(imp);
	return r;
}

/* A job in the state of this name. */
static int64_t make_state(struct deployment *d, const char *name,
			  char id[ID_TEXT_MAX + 1])
{
	int64_t number = add_job(d, id);
	struct cvx_err err = CVX_ERR_INIT;
	bool happened = true;

	if (strcmp(name, "uploaded") == 0)
		return number;
	if (strcmp(name, "failed") == 0) {
		EXPECT_OK(job_fail(d, number, "x", &happened, &err), &err);
		return number;
	}
	EXPECT_OK(job_parsed(d, number, "", false, "null", &happened, &err),
		  &err);
	if (strcmp(name, "waiting_for_confirmation") == 0)
		return number;
	EXPECT_OK(job_confirm(d, number, &happened, &err), &err);
	if (strcmp(name, "completed") == 0)
		EXPECT_OK(commit(d, number, &err), &err);
	assert_true(happened);
	return number;
}

/* What the server does for each event of lifecycle.json. */
static void do_event(struct deployment *d, int64_t number, const char *event,
		     bool *ret_happened)
{
	struct cvx_err err = CVX_ERR_INIT;

	*ret_happened = true;
	if (strcmp(event, "confirm") == 0)
		EXPECT_OK(job_confirm(d, number, ret_happened, &err), &err);
	else if (strcmp(event, "parse ok") == 0)
		EXPECT_OK(job_parsed(d, number, "", false, "null", ret_happened,
				     &err),
			  &err);
	else if (strcmp(event, "finished") == 0)
		EXPECT_OK(commit(d, number, &err), &err);
	else if (strstr(event, "fewer than 5"))
		EXPECT_OK(job_delay(d, number, 0, &err), &err);
	else /* cancel, bad request, or one failure too many */
		EXPECT_OK(job_fail(d, number, "x", ret_happened, &err), &err);
}

TEST(states_change_as_in_the_vectors)
{
	cJSON *root = vector_read("tests/data/vectors/lifecycle.json"), *one;
	struct deployment *d = store_open(store_new_dir());
	char id[ID_TEXT_MAX + 1];
	int count = 0;

	cJSON_ArrayForEach(one, cJSON_GetObjectItem(root, "cases"))
	{
		const char *from = vector_string(one, "state");
		const char *event = vector_string(one, "event");
		const char *to = vector_string(one, "to");
		int64_t number = make_state(d, from, id);
		bool happened;

		do_event(d, number, event, &happened);
		if (!to)
			assert_false(happened); /* CannotCancelImport */
		if (strcmp(job_state_name(state_of(d, id)), to ? to : from))
			fail_msg("%s, %s", from, event);
		count++;
	}
	EXPECT_INT(count, 18);
	cJSON_Delete(root);
	store_close(d);
}

/* The commit and the step to completed are one. */
TEST(a_canceled_import_cannot_be_committed)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char id[ID_TEXT_MAX + 1];
	int64_t number = make_state(d, "in_progress", id);
	bool happened;

	EXPECT_OK(job_fail(d, number, "canceled", &happened, &err), &err);
	EXPECT_INT(commit(d, number, &err), -ECANCELED);
	assert_false(store_has(d, "t"));
	EXPECT_INT(state_of(d, id), JOB_FAILED);
	store_close(d);
}

TEST(an_import_is_committed_once)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char id[ID_TEXT_MAX + 1];
	int64_t number = make_state(d, "completed", id);
	struct job job;

	EXPECT_INT(commit(d, number, &err), -ECANCELED);
	EXPECT_INT(store_stat(d, "t").document_count, 1);
	EXPECT_INT(job_find(d, id, &job, &err), 1);
	EXPECT_INT(job.row_count, 1);
	assert_true(job.finished_ns > 0);
	job_fini(&job);
	store_close(d);
}

/* import.md 10.1: uploaded before in_progress, the oldest first; not those
 * that wait for another try. */
TEST(the_next_one_is_the_oldest_upload)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	int64_t first, second, third;
	struct job job;

	EXPECT_INT(job_next(d, &job, &err), 0);
	first = make_state(d, "in_progress", NULL);
	(void)make_state(d, "waiting_for_confirmation", NULL);
	second = add_job(d, NULL);
	third = add_job(d, NULL);
	EXPECT_INT(job_next(d, &job, &err), 1);
	EXPECT_INT(job.number, second);
	job_fini(&job);
	EXPECT_OK(job_delay(d, second, INT64_MAX, &err), &err);
	EXPECT_OK(job_delay(d, third, INT64_MAX, &err), &err);
	EXPECT_INT(job_next(d, &job, &err), 1);
	EXPECT_INT(job.number, first);
	EXPECT_INT(job.failure_count, 0);
	job_fini(&job);
	store_close(d);
}

TEST(uploads_go_when_nobody_needs_them)
{
	const char *dir = store_new_dir();
	struct deployment *d = store_open(dir);
	struct cvx_err err = CVX_ERR_INIT;
	char id[ID_TEXT_MAX + 1];
	int64_t failed = make_state(d, "failed", NULL);
	int64_t waiting = make_state(d, "waiting_for_confirmation", id);
	int fd;

	EXPECT_OK(job_sweep_uploads(d, &err), &err);
	EXPECT_INT(job_open_upload(d, failed, &fd, &err), -ENOENT);
	store_close(d);
	d = store_open(dir);
	EXPECT_INT(state_of(d, id), JOB_WAITING);
	EXPECT_OK(job_open_upload(d, waiting, &fd, &err), &err);
	(void)close(fd);
	store_close(d);
}

TEST(EXP2_one_export_at_a_time)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct export_job job;
	bool happened;

	EXPECT_INT(export_job_latest(d, &job, &err), 0);
	EXPECT_OK(export_job_insert(d, true, "", INT64_MAX, &err), &err);
	EXPECT_INT(export_job_insert(d, true, "", INT64_MAX, &err), -EINVAL);
	assert_string_equal(err.name, "ExportInProgress");
	EXPECT_INT(export_job_next(d, &job, &err), 1);
	EXPECT_OK(export_job_begin(d, job.number, 7, &happened, &err), &err);
	EXPECT_INT(export_job_insert(d, true, "", INT64_MAX, &err), -EINVAL);
	EXPECT_OK(export_job_complete(d, job.number, 5, &happened, &err), &err);
	assert_true(happened);
	EXPECT_OK(
		export_job_end(d, job.number, EXPORT_CANCELED, &happened, &err),
		&err);
	assert_false(happened);
	export_job_fini(&job);
	EXPECT_INT(export_job_find_start(d, 7, &job, &err), 1);
	EXPECT_INT(job.size, 5);
	assert_true(job.has_storage);
	export_job_fini(&job);
	EXPECT_OK(export_job_insert(d, false, "", INT64_MAX, &err), &err);
	store_close(d);
}

UNIT_MAIN(UNIT_CASE(states_change_as_in_the_vectors),
	  UNIT_CASE(a_canceled_import_cannot_be_committed),
	  UNIT_CASE(an_import_is_committed_once),
	  UNIT_CASE(the_next_one_is_the_oldest_upload),
	  UNIT_CASE(uploads_go_when_nobody_needs_them),
	  UNIT_CASE(EXP2_one_export_at_a_time))
