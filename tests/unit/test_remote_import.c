/* importer/remote/remote_import: its outcome is true, whatever goes wrong. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "importer/remote/http.h"
#include "importer/remote/remote_import.h"
#include "tests/unit/loopback.h"
#include "tests/unit/upload.h"

/* A deployment that keeps what it is given. */

#define UPLOADS_MAX 16

enum model_state {
	MODEL_UPLOADED,
	MODEL_WAITING,
	MODEL_IN_PROGRESS,
	MODEL_COMPLETED,
	MODEL_CANCELED,
};

/* One fault, at one request or from one on. */
struct plan {
	unsigned at;   /* the number of the request, from 0 */
	bool for_ever; /* and at all behind it */
	const struct loopback_trouble *trouble;
};

struct model {
	bool in_order; /* parts are appended as they come, without tokens */
	struct plan plan;
	unsigned request_count;
	char *uploads[UPLOADS_MAX];
	size_t upload_sizes[UPLOADS_MAX];
	unsigned upload_count;
	struct {
		unsigned upload;
		enum model_state state;
		unsigned looks;
	} imports[UPLOADS_MAX];
	unsigned import_count;
	unsigned applied_count; /* imports that have become visible */
	char *table;
	size_t table_size;
	bool was_performed;
	size_t part_size; /* where parts go that come in any order */
	unsigned delay_ms;
	bool halts; /* imports stay in progress */
};

static char *model_start(struct model *m)
{
	if (m->upload_count == UPLOADS_MAX)
		return loopback_format("{}");
	return loopback_format("{\"uploadToken\":\"u%u\"}", m->upload_count++);
}

static char *model_part(struct model *m, const struct loopback_request *q)
{
	unsigned upload =
		(unsigned)strtoul(strstr(q->query, "=u") + 2, NULL, 10);
	unsigned number = (unsigned)strtoul(
		strstr(q->query, "partNumber=") + 11, NULL, 10);
	size_t off = m->in_order ? m->upload_sizes[upload]
				 : (number - 1) * m->part_size;
	size_t end = off + q->body_size;

	m->uploads[upload] = realloc(m->uploads[upload],
				     (end > m->upload_sizes[upload]
					      ? end
					      : m->upload_sizes[upload]) +
					     1);
	assert_non_null(m->uploads[upload]);
	memcpy(m->uploads[upload] + off, q->body, q->body_size);
	if (end > m->upload_sizes[upload])
		m->upload_sizes[upload] = end;
	return loopback_format(m->in_order ? "\"\"" : "\"part %u\"", number);
}

static char *model_finish(struct model *m, const struct loopback_request *q)
{
	unsigned upload = (unsigned)strtoul(
		strstr(q->body, "\"uploadToken\":\"u") + 16, NULL, 10);

	assert_true(m->import_count < UPLOADS_MAX);
	m->imports[m->import_count].upload = upload;
	m->imports[m->import_count].state = MODEL_UPLOADED;
	return loopback_format("{\"importId\":\"i%u\"}", m->import_count++);
}

static unsigned import_of(const struct loopback_request *q)
{
	const char *at = strstr(q->body, "\"importId\":\"i");

	return at ? (unsigned)strtoul(at + 13, NULL, 10) : UPLOADS_MAX;
}

static void model_apply(struct model *m, unsigned i)
{
	unsigned upload = m->imports[i].upload;

	m->imports[i].state = MODEL_COMPLETED;
	m->applied_count++;
	free(m->table);
	m->table_size = m->upload_sizes[upload];
	m->table = malloc(m->table_size + 1);
	assert_non_null(m->table);
	if (m->table_size > 0)
		memcpy(m->table, m->uploads[upload], m->table_size);
}

static char *print_state(const struct model *m, unsigned i)
{
	static const char *const states[] = {
		"{\"state\":\"uploaded\"}",
		"{\"state\":\"waiting_for_confirmation\"}",
		"{\"state\":\"in_progress\",\"progress_message\":\"p\","
		"\"checkpoint_messages\":[\"c\"]}",
		"{\"state\":\"completed\",\"num_rows_written\":"
		"{\"$integer\":\"AwAAAAAAAAA=\"}}",
		"{\"state\":\"failed\",\"error_message\":\"Import canceled\"}",
	};

	return loopback_format(
		"{\"_id\":\"i%u\",\"_creationTime\":%u.5,"
		"\"mode\":\"Replace\",\"component_path\":null,"
		"\"format\":{\"format\":\"jsonl\",\"table\":\"t\"},"
		"\"state\":%s}",
		i, 100 + i, states[m->imports[i].state]);
}

/* What happens by itself happens between two looks. */
static char *model_look(struct model *m, unsigned i)
{
	char *state = print_state(m, i), *answer;

	answer =
		loopback_format("{\"status\":\"success\",\"value\":%s}", state);
	free(state);
	if (m->imports[i].state == MODEL_UPLOADED)
		m->imports[i].state = MODEL_WAITING;
	else if (m->imports[i].state == MODEL_IN_PROGRESS && !m->halts)
		model_apply(m, i);
	return answer;
}

static char *model_list(const struct model *m)
{
	char *list = loopback_format("{\"_id\":\"x\",\"_creationTime\":50}");
	char *more, *state;
	unsigned i;

	for (i = 0; i < m->import_count; i++) {
		state = print_state(m, i);
		more = loopback_format("%s,%s", state, list);
		free(list);
		free(state);
		list = more;
	}
	more = loopback_format("{\"status\":\"success\",\"value\":[%s]}", list);
	free(list);
	return more;
}

static char *model_cancel(struct model *m, unsigned i,
			  struct loopback_answer *a)
{
	if (m->imports[i].state == MODEL_COMPLETED ||
	    m->imports[i].state == MODEL_CANCELED) {
		a->status = 400;
		return loopback_format("{\"code\":\"CannotCancelImport\"}");
	}
	m->imports[i].state = MODEL_CANCELED;
	return NULL;
}

static char *model_act(struct model *m, const struct loopback_request *q,
		       struct loopback_answer *a)
{
	unsigned i = import_of(q);

	if (strstr(q->body, "queryImport:list"))
		return model_list(m);
	if (strcmp(q->path, "/api/query") == 0)
		return model_look(m, i);
	if (strcmp(q->path, "/api/import/start_upload") == 0)
		return model_start(m);
	if (strcmp(q->path, "/api/import/upload_part") == 0)
		return model_part(m, q);
	if (strcmp(q->path, "/api/import/finish_upload") == 0)
		return model_finish(m, q);
	if (strcmp(q->path, "/api/cancel_import") == 0)
		return model_cancel(m, i, a);
	assert_string_equal(q->path, "/api/perform_import");
	m->was_performed = true;
	if (m->imports[i].state == MODEL_WAITING)
		m->imports[i].state = MODEL_IN_PROGRESS;
	return NULL;
}

static void model_play(void *ctx, const struct loopback_request *q,
		       struct loopback_answer *a)
{
	struct model *m = ctx;
	const struct plan *p = &m->plan;
	bool is_bad = m->request_count == p->at ||
		      (p->for_ever && m->request_count > p->at);

	m->request_count++;
	a->delay_ms = m->delay_ms;
	if (!is_bad || p->trouble->acts)
		a->body = model_act(m, q, a);
	/* a confirmation that is lost may have come, as far as is known */
	m->was_performed |= strstr(q->path, "perform") != NULL;
	if (!is_bad)
		return;
	loopback_make_trouble(p->trouble, a);
}

static void model_fini(struct model *m)
{
	size_t i;

	for (i = 0; i < UPLOADS_MAX; i++)
		free(m->uploads[i]);
	free(m->table);
}

/* One import into the model. */
struct trial {
	struct model model;
	struct loopback *server;
	struct http *http;
	struct upload_file file;
	struct remote_import *imp;
	uint64_t count;
	struct cvx_err err;
};

#define ROWS "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n"
#define PART_SIZE 10 /* three parts */

static void trial_begin(struct trial *t, bool in_order, const struct plan *plan)
{
	bool is_silent = plan && plan->trouble->fault == LOOPBACK_HANG;
	const struct remote_import_target target = {.component = "",
						    .table = "t",
						    .format = REMOTE_JSON_LINES,
						    .mode = IMPORT_REPLACE};
	const struct remote_import_settings settings = {.part_size = PART_SIZE,
							.poll_ms = 1};
	struct import_source source = {&t->file, upload_file_read};
	struct cvx_err err = CVX_ERR_INIT;

	memset(t, 0, sizeof(*t));
	t->model.in_order = in_order;
	t->model.part_size = PART_SIZE;
	t->model.plan = plan ? *plan : (struct plan){.at = UINT32_MAX};
	t->file = (struct upload_file){ROWS, strlen(ROWS)};
	t->server = loopback_start(model_play, &t->model);
	t->http = upload_http_new(t->server, is_silent ? 50 : 0);
	EXPECT_OK(remote_import_new(t->http, &target, &source, &settings,
				    &t->imp, &err),
		  &err);
}

static void trial_end(struct trial *t)
{
	remote_import_free(t->imp);
	http_free(t->http);
	loopback_stop(t->server);
	model_fini(&t->model);
}

static int trial_commit(struct trial *t)
{
	int r;

	loopback_sync(t->server);
	r = remote_import_commit(t->imp, t->file.size, &t->count, &t->err);
	loopback_sync(t->server);
	return r;
}

/* 15.3: the deployment is back, and tells what nobody knew. One that was not
 * confirmed is not going to be. */
static void expect_found_out(struct trial *t, const char *what)
{
	struct model *m = &t->model;
	struct cvx_err err = CVX_ERR_INIT;
	enum remote_outcome outcome;
	uint64_t count = 0;
	unsigned i;

	m->plan = (struct plan){.at = UINT32_MAX};
	loopback_sync(t->server);
	remote_import_detach(t->imp);
	EXPECT_OK(remote_import_look_up(t->imp, t->http, NULL, &outcome, &count,
					&err),
		  &err);
	loopback_sync(t->server);
	if (outcome == REMOTE_IMPORTED
		    ? m->applied_count != 1 || count != 3
		    : outcome != REMOTE_NOTHING || m->applied_count != 0)
		fail_msg("%s: found out %d, but applied %u times", what,
			 (int)outcome, m->applied_count);
	for (i = 0; outcome == REMOTE_NOTHING && i < m->import_count; i++)
		if (m->imports[i].state == MODEL_WAITING)
			fail_msg("%s: something may come of it later", what);
}

/* Whatever happened: the table is old or new, never doubled, and the writer
 * was told which, or finds it out. */
static void expect_true_outcome(struct trial *t, int r, const char *what)
{
	struct model *m = &t->model;
	bool unknown =
		t->err.name && strcmp(t->err.name, REMOTE_IMPORT_UNKNOWN) == 0;
	unsigned i;

	loopback_sync(t->server);
	for (i = 0; i < m->import_count; i++) /* nobody needs to look on */
		if (m->imports[i].state == MODEL_IN_PROGRESS)
			model_apply(m, i);
	if (m->applied_count > 1)
		fail_msg("%s: applied %u times", what, m->applied_count);
	if (m->applied_count == 1 &&
	    (m->table_size != t->file.size ||
	     memcmp(m->table, t->file.bytes, t->file.size) != 0))
		fail_msg("%s: the table is '%.*s'", what, (int)m->table_size,
			 m->table);
	if (r == 0 && (m->applied_count != 1 || t->count != 3))
		fail_msg("%s: success, but nothing is there", what);
	if (r < 0 && unknown && !m->was_performed)
		fail_msg("%s: it is known that nothing happened: %s", what,
			 t->err.msg);
	if (r < 0 && !unknown && m->applied_count != 0)
		fail_msg("%s: %d, but it happened: %s", what, r, t->err.msg);
	if (r < 0 && !t->err.msg[0])
		fail_msg("%s: no sentence", what);
	if (r < 0 && unknown)
		expect_found_out(t, what);
}

/* How many requests an import without faults makes. */
#define REQUESTS_MAX 10
#define FIRST_PART 2
#define LAST_PART 4

static void try_fault(const struct loopback_trouble *trouble, unsigned at,
		      bool for_ever, bool in_order)
{
	const struct plan plan = {at, for_ever, trouble};
	struct trial t;
	char what[128];
	int r;

	(void)snprintf(what, sizeof(what), "%s at %u%s, %s", trouble->name, at,
		       for_ever ? " and on" : "",
		       in_order ? "in order" : "in any order");
	trial_begin(&t, in_order, &plan);
	r = trial_commit(&t);
	if (r < 0 && trouble->heals && !for_ever)
		fail_msg("%s: %d: %s", what, r, t.err.msg);
	expect_true_outcome(&t, r, what);
	trial_end(&t);
}

TEST(remote_import_outcome_is_true_after_any_single_fault)
{
	unsigned at;
	size_t i;

	for (i = 0; i < loopback_trouble_count; i++)
		for (at = 0; at <= REQUESTS_MAX; at++) {
			try_fault(&loopback_troubles[i], at, false, true);
			if (at > FIRST_PART && at <= LAST_PART)
				try_fault(&loopback_troubles[i], at, false,
					  false);
		}
}

/* F-5, 15.3: neither the confirmation nor the looks behind it are waited for
 * without an end, and nobody claims to know what came of it. */
TEST(remote_import_that_is_not_answered_ends_as_unknown)
{
	const struct loopback_trouble hang = {.name = "hang",
					      .fault = LOOPBACK_HANG};
	unsigned at, confirmed_count = 0;

	for (at = LAST_PART + 1; at <= REQUESTS_MAX; at++) {
		const struct plan plan = {at, true, &hang};
		struct trial t;
		int r;

		trial_begin(&t, true, &plan);
		r = trial_commit(&t);
		expect_true_outcome(&t, r, "hang");
		if (r < 0 && strstr(t.err.msg, "was confirmed")) {
			EXPECT_INT(r, -EINPROGRESS);
			assert_string_equal(t.err.name, REMOTE_IMPORT_UNKNOWN);
			assert_non_null(strstr(t.err.msg, "no answer from"));
			confirmed_count++;
		}
		trial_end(&t);
	}
	assert_true(confirmed_count >= 2); /* it, and a look behind it */
}

/* From a request on nothing works any more. */
TEST(remote_import_outcome_is_true_when_the_deployment_goes_away)
{
	unsigned at;
	size_t i;

	for (i = 0; i < loopback_trouble_count; i++)
		for (at = (unsigned)i % 3; at <= REQUESTS_MAX; at += 3)
			if (loopback_troubles[i].fault != LOOPBACK_HANG &&
			    loopback_troubles[i].fault != LOOPBACK_SLOW)
				try_fault(&loopback_troubles[i], at, true,
					  at % 2);
}

TEST(remote_import_without_faults_is_applied_once)
{
	struct trial t;

	trial_begin(&t, false, NULL);
	EXPECT_OK(trial_commit(&t), &t.err);
	expect_true_outcome(&t, 0, "without faults");
	EXPECT_INT(t.model.request_count, REQUESTS_MAX + 1);
	EXPECT_INT(t.model.upload_count, 1);
	trial_end(&t);
}

/* IMP-9 */
TEST(remote_import_parts_go_together_only_where_order_does_not_matter)
{
	struct trial t;

	trial_begin(&t, true, NULL);
	t.model.delay_ms = 2;
	EXPECT_OK(trial_commit(&t), &t.err);
	EXPECT_INT(loopback_most_at_once(t.server), 1);
	trial_end(&t);

	trial_begin(&t, false, NULL);
	t.model.delay_ms = 20;
	EXPECT_OK(trial_commit(&t), &t.err);
	EXPECT_INT(loopback_most_at_once(t.server), 2);
	trial_end(&t);
}

static void wait_for_requests(struct trial *t, unsigned count)
{
	unsigned i;

	for (i = 0; i < 5000 && loopback_count(t->server) < count; i++)
		usleep(1000);
	assert_true(loopback_count(t->server) >= count);
	loopback_sync(t->server);
}

/* W-2 */
TEST(remote_import_parts_follow_the_writer)
{
	struct trial t;

	trial_begin(&t, true, NULL);
	remote_import_available(t.imp, 12); /* the first part may lose a BOM */
	EXPECT_INT(loopback_count(t.server), 0);
	remote_import_available(t.imp, 13);
	wait_for_requests(&t, 3);
	remote_import_available(t.imp, 20);
	wait_for_requests(&t, 4);
	EXPECT_INT(remote_import_consumed(t.imp), 20);
	EXPECT_OK(trial_commit(&t), &t.err);
	expect_true_outcome(&t, 0, "following");
	EXPECT_INT(t.model.request_count, REQUESTS_MAX + 1);
	trial_end(&t);
}

TEST(remote_import_restart_forgets_what_was_sent)
{
	struct trial t;

	trial_begin(&t, true, NULL);
	t.file.bytes = "old bytes, old bytes, ol";
	remote_import_available(t.imp, 24);
	wait_for_requests(&t, 4);
	remote_import_restart(t.imp);
	EXPECT_INT(remote_import_consumed(t.imp), 0);
	t.file.bytes = ROWS;
	EXPECT_OK(trial_commit(&t), &t.err);
	expect_true_outcome(&t, 0, "restarted");
	EXPECT_INT(t.model.upload_count, 2);
	trial_end(&t);
}

static void cancel_on_report(void *ctx, const char *message, bool final)
{
	struct trial *t = ctx;

	(void)message;
	(void) final;
	remote_import_cancel(t->imp);
}

/* An interrupted writer cancels its import. */
TEST(remote_import_cancel_while_in_progress_reaches_the_deployment)
{
	const struct remote_import_target target = {.component = "",
						    .table = "t",
						    .format = REMOTE_JSON_LINES,
						    .mode = IMPORT_REPLACE};
	struct trial t;
	struct remote_import_settings settings = {.part_size = PART_SIZE,
						  .poll_ms = 1,
						  .report = cancel_on_report,
						  .ctx = &t};
	struct import_source source = {&t.file, upload_file_read};

	trial_begin(&t, true, NULL);
	remote_import_free(t.imp);
	t.model.halts = true;
	EXPECT_OK(remote_import_new(t.http, &target, &source, &settings, &t.imp,
				    &t.err),
		  &t.err);
	EXPECT_FAIL(trial_commit(&t), &t.err, -ECANCELED, "Import canceled");
	EXPECT_INT(t.model.imports[0].state, MODEL_CANCELED);
	expect_true_outcome(&t, -ECANCELED, "canceled");
	trial_end(&t);
}

TEST(remote_import_canceled_before_it_begins_sends_nothing_more)
{
	struct trial t;

	trial_begin(&t, true, NULL);
	remote_import_available(t.imp, 13);
	wait_for_requests(&t, 3);
	remote_import_cancel(t.imp);
	EXPECT_FAIL(trial_commit(&t), &t.err, -ECANCELED, "interrupted");
	EXPECT_INT(t.model.import_count, 0);
	expect_true_outcome(&t, -ECANCELED, "canceled");
	trial_end(&t);
}

UNIT_MAIN(
	UNIT_CASE(remote_import_without_faults_is_applied_once),
	UNIT_CASE(remote_import_outcome_is_true_after_any_single_fault),
	UNIT_CASE(remote_import_that_is_not_answered_ends_as_unknown),
	UNIT_CASE(remote_import_outcome_is_true_when_the_deployment_goes_away),
	UNIT_CASE(
		remote_import_parts_go_together_only_where_order_does_not_matter),
	UNIT_CASE(remote_import_parts_follow_the_writer),
	UNIT_CASE(remote_import_restart_forgets_what_was_sent),
	UNIT_CASE(
		remote_import_cancel_while_in_progress_reaches_the_deployment),
	UNIT_CASE(remote_import_canceled_before_it_begins_sends_nothing_more))
