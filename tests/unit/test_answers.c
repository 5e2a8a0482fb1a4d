/* Every request to a deployment, and every answer to it that is none: an error
 * with the path and the status, after so few requests that no loop hides. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "importer/remote/fetch.h"
#include "importer/remote/http.h"
#include "importer/remote/listing.h"
#include "importer/remote/query.h"
#include "importer/remote/remote_export.h"
#include "importer/remote/remote_files.h"
#include "importer/remote/upload_send.h"
#include "importer/source.h"
#include "importer/value/id.h"
#include "tests/unit/loopback.h"

#define REQUESTS_MAX 24
#define HTML "<html><body>Please log in to the WLAN</body></html>"
#define ALL_WRONG                                                              \
	"{\"status\":7,\"page\":7,\"ts\":7,\"values\":7,\"hasMore\":7,"        \
	"\"uploadToken\":7,\"storageId\":7,\"pagination\":7,\"cursor\":7,"     \
	"\"truncates\":7,\"snapshot\":true}"
#define VALUE(v) "{\"status\":\"success\",\"value\":" v "}"

static const struct wrong {
	const char *name;
	const char *body;
	const char *headers;
	int status;
} wrongs[] = {
	{"text", "nonsense", NULL, 200},
	{"html", HTML, "Content-Type: text/html\r\n", 200},
	{"502", HTML, "Content-Type: text/html\r\n", 502},
	{"empty", "", NULL, 200},
	{"204", "", NULL, 204},
	{"203", VALUE("{}"), NULL, 203},
	{"array", "[]", NULL, 200},
	{"object", "{}", NULL, 200},
	{"half", "{\"status\":\"success\",\"value\":[", NULL, 200},
	{"types", ALL_WRONG, NULL, 200},
	{"value-array", VALUE("[[]]"), NULL, 200},
	{"value-object", VALUE("{\"page\":[{}],\"x\":{}}"), NULL, 200},
	{"value-number", VALUE("-7"), NULL, 200},
	{"no-way-on", VALUE("{\"page\":[],\"isDone\":false}"), NULL, 200},
	{"redirect", "", "Location: ?again\r\n", 302},
};

/* What is played. */
struct play {
	const struct wrong *wrong;
	const char *path; /* what is asked there is answered so */
};

static void answer(void *ctx, const struct loopback_request *q,
		   struct loopback_answer *a)
{
	const struct play *p = ctx;

	if (strcmp(q->path, "/api/export/request/zip") == 0)
		return;
	if (strcmp(q->path, p->path) == 0) {
		a->status = p->wrong->status;
		a->headers = p->wrong->headers;
		a->body = strdup(p->wrong->body);
	} else if (strcmp(q->path, "/api/query") == 0) {
		a->body = strdup(VALUE("{\"page\":[],\"isDone\":true}"));
	} else if (strcmp(q->path, "/api/mutation") == 0) {
		a->body = strdup(VALUE("\"http://h/api/storage/upload\""));
	} else {
		a->status = 404;
	}
}

/* --- requests ------------------------------------------------------------ */

static int ask_components(struct http *http, int fd, struct cvx_err *err)
{
	struct remote_component *list;
	size_t count;

	(void)fd;
	return remote_list_components(http, NULL, &list, &count, err);
}

static int ask_tables(struct http *http, int fd, struct cvx_err *err)
{
	struct remote_table *list;
	size_t count;

	(void)fd;
	return remote_list_tables(http, NULL, NULL, &list, &count, err);
}

static int ask_documents(struct http *http, int fd, struct cvx_err *err)
{
	uint64_t count;

	(void)fd;
	return remote_count_documents(http, NULL, "t", NULL, &count, err);
}

static int ask_file_count(struct http *http, int fd, struct cvx_err *err)
{
	uint64_t count;

	(void)fd;
	return remote_count_files(http, NULL, NULL, &count, err);
}

static int ask_files(struct http *http, int fd, struct cvx_err *err)
{
	struct stored_file *list;
	size_t count;

	(void)fd;
	return remote_list_stored_files(http, NULL, NULL, &list, &count, err);
}

static int ask_file(struct http *http, int fd, struct cvx_err *err)
{
	const struct stored_file file = {
		.internal_id = "00000000-0000-0000-0000-000000000000",
		.size = 10};
	char bytes[10];
	size_t n;

	(void)fd;
	return remote_read_stored_file(http, NULL, &file, 0, bytes, 10, NULL,
				       &n, err);
}

static int store_file(struct http *http, int fd, struct cvx_err *err)
{
	char id[ID_TEXT_MAX + 1];

	return remote_store_file(http, NULL, "text/plain", fd, 0, NULL, id,
				 err);
}

static int ask_schema(struct http *http, int fd, struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini) struct cvx_buf out = CVX_BUF_INIT(1000);

	(void)fd;
	return remote_print_schema(http, NULL, NULL, &out, err);
}

static int ask_time(struct http *http, int fd, struct cvx_err *err)
{
	char *ts;

	(void)fd;
	return query_timestamp(http, NULL, &ts, err);
}

/* Neither asked for again, nor taken up. */
static int fetch(struct http *http, bool lacks_sync, bool lacks_snapshot,
		 struct cvx_err *err)
{
	struct fetch_offer offer = {lacks_sync, lacks_snapshot};
	const struct fetch_target target = {
		.component = "", .table = "t", .offer = &offer};
	int dir = open(unit_temp_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct fetched fetched;
	int fd, r;

	r = fetch_table(http, &target, dir, NULL, &fd, &fetched, err);
	if (r == 0) {
		free(fetched.cursor);
		(void)close(fd);
	}
	(void)close(dir);
	return r;
}

static int fetch_by_sync(struct http *http, int fd, struct cvx_err *err)
{
	(void)fd;
	return fetch(http, false, true, err);
}

static int fetch_by_snapshot(struct http *http, int fd, struct cvx_err *err)
{
	(void)fd;
	return fetch(http, true, false, err);
}

static int fetch_by_pages(struct http *http, int fd, struct cvx_err *err)
{
	(void)fd;
	return fetch(http, true, true, err);
}

static int fetch_deltas(struct http *http, int fd, struct cvx_err *err)
{
	const struct fetch_target target = {.component = "", .table = "t"};
	int dir = open(unit_temp_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct fetched_changes changes;
	int r;

	(void)fd;
	r = fetch_changes(http, &target, FETCH_DELTAS, "1", dir, NULL, &changes,
			  err);
	(void)close(dir);
	return r;
}

static int start_upload(struct http *http, int fd, struct cvx_err *err)
{
	char *token;

	(void)fd;
	return upload_send_start(http, "/api/import/start_upload", NULL, &token,
				 err);
}

static int read_nothing(void *ctx, uint64_t off, void *bytes, size_t size,
			size_t *ret_n, struct cvx_err *err)
{
	(void)ctx;
	(void)off;
	(void)err;
	memset(bytes, 'x', size);
	*ret_n = size;
	return 0;
}

static int send_part(struct http *http, int fd, struct cvx_err *err)
{
	const struct import_source source = {.read = read_nothing};
	const struct upload_send s = {
		.http = http, .source = &source, .token = "u"};
	const struct file_part part = {0, 10, 1};
	struct sent_part sent;

	(void)fd;
	return upload_send_part(&s, &part, false, &sent, err);
}

static int ask_export(struct http *http, int fd, struct cvx_err *err)
{
	const struct remote_export_settings how = {.poll_ms = 1,
						   .stall_ms = 20};
	struct remote_export_result result;

	return remote_export(http, &how, fd, &result, err);
}

static int download(struct http *http, int fd, struct cvx_err *err)
{
	const struct remote_export_settings how = {.poll_ms = 1};
	struct remote_export_result result = {.start_ts = 5};

	return remote_export_download(http, &how, fd, &result, err);
}

/* fine: answers that are right ones to this, or are passed over. */
static const struct asking {
	const char *name;
	const char *path;
	int (*ask)(struct http *http, int fd, struct cvx_err *err);
	const char *fine;
} askings[] = {
	{"components", "/api/query", ask_components, ""},
	{"tables", "/api/query", ask_tables, ""},
	{"number of documents", "/api/query", ask_documents, ""},
	{"number of files", "/api/query", ask_file_count, ""},
	{"files", "/api/query", ask_files, ""},
	{"schema", "/api/query", ask_schema, " value-object no-way-on "},
	{"stored file", "/api/storage/00000000-0000-0000-0000-000000000000",
	 ask_file, ""},
	{"where to store", "/api/mutation", store_file, ""},
	{"storing", "/api/storage/upload", store_file, ""},
	{"timestamp", "/api/query_ts", ask_time, ""},
	{"data/sync", "/api/v1/data/sync", fetch_by_sync, ""},
	{"list_snapshot", "/api/list_snapshot", fetch_by_snapshot, ""},
	{"pages", "/api/query", fetch_by_pages, ""},
	{"deltas", "/api/document_deltas", fetch_deltas, ""},
	{"start_upload", "/api/import/start_upload", start_upload, ""},
	{"upload_part", "/api/import/upload_part", send_part, ""},
	{"archive", "/api/export/zip/5", download, ""},
};

static bool is_fine(const struct asking *a, const struct wrong *w)
{
	char word[64];

	(void)snprintf(word, sizeof(word), " %s ", w->name);
	return strstr(a->fine, word) != NULL;
}

static void prove(const struct asking *a, const struct wrong *w, int fd)
{
	struct play play = {w, a->path};
	struct loopback *server = loopback_start(answer, &play);
	const struct http_settings settings = {.origin = loopback_url(server),
					       .authorization = "Convex n|1",
					       .backoff_ms = 1};
	struct cvx_err err = CVX_ERR_INIT;
	struct http *http;
	char status[16];
	int r;

	(void)snprintf(status, sizeof(status), " %d", w->status);
	EXPECT_OK(http_new(&settings, &http, &err), &err);
	r = a->ask(http, fd, &err);
	http_free(http);
	if (r == 0)
		fail_msg("%s: %s was taken for an answer", a->name, w->name);
	if (!strstr(err.msg, a->path) || !strstr(err.msg, status))
		fail_msg("%s: %s: no path or status: %s", a->name, w->name,
			 err.msg);
	if (loopback_count(server) > REQUESTS_MAX)
		fail_msg("%s: %s: %u requests", a->name, w->name,
			 loopback_count(server));
	loopback_stop(server);
}

static void wrong_answers_name_path_and_status(void **state)
{
	char path[300];
	size_t i, j;
	int fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/file", unit_temp_dir());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	for (i = 0; i < sizeof(askings) / sizeof(*askings); i++)
		for (j = 0; j < sizeof(wrongs) / sizeof(*wrongs); j++)
			if (!is_fine(&askings[i], &wrongs[j]))
				prove(&askings[i], &wrongs[j], fd);
	(void)close(fd);
}

/* Whoever waits for an export meets an answer that never changes. */
static void wrong_answers_end_an_export(void **state)
{
	static const struct asking export = {"export", "/api/query", ask_export,
					     ""};
	size_t j;

	(void)state;
	for (j = 0; j < sizeof(wrongs) / sizeof(*wrongs); j++)
		prove(&export, &wrongs[j], -1);
}

UNIT_MAIN(UNIT_CASE(wrong_answers_name_path_and_status),
	  UNIT_CASE(wrong_answers_end_an_export))
