#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "importer/remote/halt.h"
#include "importer/remote/http.h"
#include "importer/remote/remote_export.h"
#include "tests/unit/loopback.h"

#define ARCHIVE "PK the bytes of an archive"

/* A deployment that exports. */
struct model {
	const char *end;   /* the state in the end; NULL: completed */
	unsigned progress; /* looks before the end */
	bool is_running;   /* requested, and not yet looked at to the end */
	bool was_canceled;
	const char *header; /* of the download */
	unsigned bad_at;    /* the number of the request that goes wrong */
	enum loopback_fault fault;
	int status;
	bool acts; /* all the same */
	unsigned count;
	unsigned request_count;
	char seen[16][128];
	struct halt *halt; /* requested at the second look */
	uint64_t stall_ms;
	bool tells_how_far; /* each look tells something else */
};

static char *print_state(struct model *m)
{
	char *text = NULL;

	if (m->progress > 0) {
		m->progress--;
		assert_true(
			asprintf(&text,
				 "{\"status\":\"success\",\"value\":{\"_id\":"
				 "\"e1\",\"state\":\"in_progress\","
				 "\"progress_message\":\"p%u\"}}",
				 m->tells_how_far ? m->progress : 0) > 0);
		return text;
	}
	m->is_running = false;
	assert_true(
		asprintf(&text,
			 "{\"status\":\"success\",\"value\":{\"state\":\"%s\","
			 "\"start_ts\":{\"$integer\":\"AAAAAAAAAAE=\"}}}",
			 m->end ? m->end : "completed") > 0);
	return text;
}

static void act(struct model *m, const struct loopback_request *q,
		struct loopback_answer *a)
{
	if (strcmp(q->path, "/api/export/request/zip") == 0) {
		m->request_count++;
		if (m->is_running) {
			a->status = 400;
			a->body = strdup("{\"code\":\"ExportInProgress\"}");
		}
		m->is_running = true;
	} else if (strcmp(q->path, "/api/query") == 0) {
		assert_non_null(strstr(q->body, "exports:getLatest"));
		if (m->halt && m->progress == 1)
			halt_request(m->halt);
		a->body = print_state(m);
	} else if (strncmp(q->path, "/api/export/cancel/", 19) == 0) {
		assert_string_equal(q->path, "/api/export/cancel/e1");
		m->was_canceled = true;
	} else {
		a->headers = m->header;
		a->body = strdup(ARCHIVE);
	}
}

static void play(void *ctx, const struct loopback_request *q,
		 struct loopback_answer *a)
{
	struct model *m = ctx;
	bool is_bad = m->count == m->bad_at;

	if (m->count < 16)
		(void)snprintf(m->seen[m->count], sizeof(m->seen[0]),
			       "%s %s?%s", q->method, q->path, q->query);
	m->count++;
	if (!is_bad || m->acts)
		act(m, q, a);
	if (!is_bad)
		return;
	a->fault = m->fault;
	if (m->status)
		a->status = m->status;
}

static int export(struct model *m, bool include_storage,
		  struct remote_export_result *ret, struct cvx_err *err)
{
	struct loopback *server = loopback_start(play, m);
	const struct http_settings settings = {.origin = loopback_url(server),
					       .authorization = "Convex n|1",
					       .backoff_ms = 1};
	const struct remote_export_settings how = {.include_storage =
							   include_storage,
						   .poll_ms = 1,
						   .stall_ms = m->stall_ms,
						   .halt = m->halt};
	char path[300], got[100];
	struct http *http;
	int fd, r;

	(void)snprintf(path, sizeof(path), "%s/archive", unit_temp_dir());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	EXPECT_OK(http_new(&settings, &http, err), err);
	r = remote_export(http, &how, fd, ret, err);
	if (r == 0) {
		EXPECT_INT(ret->size, strlen(ARCHIVE));
		EXPECT_INT(pread(fd, got, sizeof(got), 0), strlen(ARCHIVE));
		assert_memory_equal(got, ARCHIVE, strlen(ARCHIVE));
		EXPECT_INT(ret->start_ts, 72057594037927936);
	}
	(void)close(fd);
	http_free(http);
	loopback_stop(server);
	return r;
}

/* [export-01], [export-02] */
TEST(remote_export_calls_are_those_of_the_official_client)
{
	const char *const want[] = {
		"POST /api/export/request/zip?includeStorage=true",
		"POST /api/query?", "POST /api/query?",
		"GET /api/export/zip/72057594037927936?"};
	struct model m = {.progress = 1,
			  .bad_at = UINT32_MAX,
			  .header = "Content-Disposition: attachment; "
				    "filename=snapshot_x_1.zip\r\n"};
	struct remote_export_result result;
	struct cvx_err err = CVX_ERR_INIT;
	size_t i;

	EXPECT_OK(export(&m, true, &result, &err), &err);
	EXPECT_INT(m.count, 4);
	for (i = 0; i < 4; i++)
		assert_string_equal(m.seen[i], want[i]);
	assert_string_equal(result.file_name, "snapshot_x_1.zip");
	free(result.file_name);
}

/* EXP-9 */
TEST(remote_export_names_the_file_itself_where_the_header_must_not)
{
	const char *const headers[] = {
		NULL, "Content-Disposition: attachment; filename=../x\r\n",
		"Content-Disposition: attachment; filename=.x\r\n",
		"Content-Disposition: attachment; filename=\r\n",
		"Content-Disposition: inline; filename=x\r\n"};
	struct remote_export_result result;
	struct cvx_err err = CVX_ERR_INIT;
	size_t i;

	for (i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		struct model m = {.bad_at = UINT32_MAX, .header = headers[i]};

		EXPECT_OK(export(&m, false, &result, &err), &err);
		assert_string_equal(result.file_name,
				    "snapshot_72057594037927936.zip");
		free(result.file_name);
	}
}

/* [export-03] to [export-06], 15.3 */
TEST(remote_export_fault_is_healed_or_told)
{
	const struct {
		struct model model;
		int code;
		unsigned request_count;
		const char *text;
	} cases[] = {
		{{.is_running = true, .bad_at = 99},
		 -EBUSY,
		 1,
		 "ExportInProgress"},
		{{.end = "failed", .bad_at = 99}, -EREMOTEIO, 1, "failed"},
		{{.end = "canceled", .bad_at = 99}, -ECANCELED, 1, "canceled"},
		{{.end = "odd", .bad_at = 99}, -EPROTO, 1, "state odd"},
		{{.bad_at = 0, .fault = LOOPBACK_DROP}, 0, 1, ""},
		{{.bad_at = 0, .fault = LOOPBACK_DROP, .acts = true}, 0, 2, ""},
		{{.bad_at = 0, .status = 500, .acts = true}, 0, 2, ""},
		{{.bad_at = 0, .status = 403}, -EACCES, 0, "403"},
		{{.bad_at = 1, .status = 503}, 0, 1, ""},
		{{.bad_at = 2, .status = 503}, 0, 1, ""},
		{{.bad_at = 2, .fault = LOOPBACK_TRUNCATE, .acts = true},
		 0,
		 1,
		 ""},
		{{.bad_at = 2, .fault = LOOPBACK_LONGER, .acts = true},
		 0,
		 1,
		 ""},
		{{.bad_at = 2, .status = 404}, -ENOENT, 1, "404"},
	};
	struct remote_export_result result;
	struct cvx_err err = CVX_ERR_INIT;
	struct model m;
	size_t i;
	int r;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		m = cases[i].model;
		r = export(&m, false, &result, &err);
		if (r != cases[i].code ||
		    m.request_count != cases[i].request_count)
			fail_msg("case %zu: %d after %u: %s", i, r,
				 m.request_count, err.msg);
		if (r == 0)
			free(result.file_name);
		else
			assert_non_null(strstr(err.msg, cases[i].text));
	}
}

TEST(remote_export_interrupted_cancels_it_there)
{
	struct model m = {.progress = 2, .bad_at = 99};
	struct remote_export_result result;
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(halt_new(&m.halt, &err), &err);
	EXPECT_FAIL(export(&m, false, &result, &err), &err, -ECANCELED,
		    "interrupted");
	assert_true(m.was_canceled);
	halt_free(m.halt);
}

/* F-5: asked without end, it tells the same without end. */
TEST(remote_export_without_progress_ends_and_is_canceled)
{
	struct model m = {.progress = UINT32_MAX, .bad_at = 99, .stall_ms = 30};
	struct remote_export_result result;
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_FAIL(export(&m, false, &result, &err), &err, -ETIMEDOUT,
		    "no progress");
	assert_true(m.was_canceled);
}

/* The pauses are longer than what may pass without news; there always are
 * some. */
TEST(remote_export_with_progress_goes_on)
{
	struct model m = {.progress = 12,
			  .bad_at = 99,
			  .stall_ms = 1,
			  .tells_how_far = true};
	struct remote_export_result result;
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(export(&m, false, &result, &err), &err);
	free(result.file_name);
}

UNIT_MAIN(
	UNIT_CASE(remote_export_calls_are_those_of_the_official_client),
	UNIT_CASE(
		remote_export_names_the_file_itself_where_the_header_must_not),
	UNIT_CASE(remote_export_fault_is_healed_or_told),
	UNIT_CASE(remote_export_interrupted_cancels_it_there),
	UNIT_CASE(remote_export_without_progress_ends_and_is_canceled),
	UNIT_CASE(remote_export_with_progress_goes_on))
