#include "importer/remote/remote_export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "importer/remote/halt.h"
#include "importer/remote/http.h"
#include "importer/remote/query.h"

/* Between two looks whether another export is done. */
#define BUSY_MS 50

#define POLL_MS 50
#define POLL_MAX_MS 2000
#define ID_SIZE_MAX 64
#define LATEST_QUERY "_system/cli/exports:getLatest"

/* One download; begins again with off 0. */
struct download {
	int fd;
	uint64_t off;
};

/* EXP-1. An export that is refused because one runs, after a request that may
 * have arrived, is ours (15.3). */
static int request(struct http *http,
		   const struct remote_export_settings *settings,
		   struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini) struct cvx_buf path = CVX_BUF_INIT(4096);
	struct http_call call = {
		.method = "POST",
		.content_type = "application/json",
		.total_ms = HTTP_TOTAL_MS,
		.halt = settings->halt,
	};
	struct http_answer answer;
	bool may_have_come = false;
	unsigned number;
	int r = cvx_buf_printf(&path,
			       "/api/export/request/zip?includeStorage=%s",
			       settings->include_storage ? "true" : "false");

	if (r == 0 && settings->component_id)
		r = cvx_buf_puts(&path, "&component=");
	if (r == 0 && settings->component_id)
		r = http_escape(&path, settings->component_id);
	if (r == 0)
		r = cvx_buf_append(&path, "", 1);
	if (r < 0)
		return cvx_fail(err, r, "the id of a component is too long");
	call.path = path.data;
	for (number = 1;; number++) {
		r = http_perform(http, &call, &answer, err);
		if (may_have_come &&
		    strcmp(answer.code, "ExportInProgress") == 0)
			r = 0;
		may_have_come |= answer.outcome == HTTP_AMBIGUOUS;
		if (r == 0 ||
		    (answer.outcome != HTTP_NOT_SENT &&
		     answer.outcome != HTTP_AMBIGUOUS) ||
		    !http_wait_to_repeat(http, number, &answer, settings->halt))
			break;
		http_answer_fini(&answer);
	}
	http_answer_fini(&answer);
	return r;
}

/* Remembers the export's id, which goes into a path. */
static void take_id(const cJSON *document, char *id)
{
	const char *text = query_text(document, "_id");

	if (text && strlen(text) < ID_SIZE_MAX &&
	    strspn(text, "0123456789abcdefghijklmnopqrstuvwxyz") ==
		    strlen(text))
		(void)snprintf(id, ID_SIZE_MAX, "%s", text);
}

/* EXP-10. Nothing is lost if it does not arrive: the export then lies there
 * until it expires. */
static void cancel(struct http *http, const char *id)
{
	struct http_call call = {.method = "POST",
				 .content_type = "application/json",
				 .total_ms = HTTP_CONNECT_MS};
	struct http_answer answer;
	char path[128];

	if (!id[0])
		return;
	(void)snprintf(path, sizeof(path), "/api/export/cancel/%s", id);
	call.path = path;
	(void)http_perform(http, &call, &answer, NULL);
	http_answer_fini(&answer);
}

static int fail_latest(const char *what, const char *more, struct cvx_err *err)
{
	return query_fail_value(QUERY_ENDPOINT, LATEST_QUERY, err, "%s%s", what,
				more);
}

/* The state's meaning: 1 to wait on, 0 completed, or the failure. */
static int read_state(const cJSON *document, struct cvx_err *err)
{
	const char *state = query_text(document, "state");

	if (!state)
		return fail_latest("no state", "", err);
	if (strcmp(state, "requested") == 0 ||
	    strcmp(state, "in_progress") == 0)
		return 1;
	if (strcmp(state, "completed") == 0)
		return 0;
	if (strcmp(state, "failed") == 0)
		return cvx_fail(err, -EREMOTEIO,
				"the deployment failed to export; try again "
				"later");
	if (strncmp(state, "cancel", 6) == 0)
		return cvx_fail(err, -ECANCELED,
				"the export was canceled from elsewhere");
	return fail_latest("unknown state ", state, err);
}

/* What the looks at one export have told. */
struct watched {
	char id[ID_SIZE_MAX]; /* "": not yet known */
	char *told;	      /* the last document; for free() */
	uint64_t told_ms;     /* waited since it came */
};

/* Whatever differs from what was told before is progress. */
static int note_progress(struct watched *w, const cJSON *document,
			 struct cvx_err *err)
{
	char *told = cJSON_PrintUnformatted(document);

	if (!told)
		return cvx_fail_memory(err);
	if (!w->told || strcmp(w->told, told) != 0)
		w->told_ms = 0;
	free(w->told);
	w->told = told;
	return 0;
}

/* One look; as read_state(). */
static int look(struct http *http,
		const struct remote_export_settings *settings,
		struct watched *w, int64_t *ret_ts, struct cvx_err *err)
{
	const char *message;
	cJSON *document;
	int r;

	r = query_run(http, LATEST_QUERY, NULL, NULL, settings->halt, &document,
		      err);
	if (r < 0)
		return r;
	take_id(document, w->id);
	r = read_state(document, err);
	if (r > 0 && note_progress(w, document, err) < 0)
		r = err->code;
	message = query_text(document, "progress_message");
	if (r > 0 && message && settings->report)
		settings->report(settings->ctx, message);
	if (r == 0 && !query_read_integer(cJSON_GetObjectItemCaseSensitive(
						  document, "start_ts"),
					  ret_ts))
		r = fail_latest("no start_ts", "", err);
	cJSON_Delete(document);
	return r;
}

/* F-5, as far as the caller wants it. */
static bool has_stalled(const struct watched *w,
			const struct remote_export_settings *settings)
{
	return settings->stall_ms > 0 && w->told_ms >= settings->stall_ms;
}

static int wait_for_end(struct http *http,
			const struct remote_export_settings *settings,
			int64_t *ret_ts, struct cvx_err *err)
{
	uint64_t ms = settings->poll_ms ? settings->poll_ms : POLL_MS;
	struct watched w = {.told = NULL};
	int r;

	while ((r = look(http, settings, &w, ret_ts, err)) > 0) {
		if (has_stalled(&w, settings))
			r = cvx_fail(err, -ETIMEDOUT,
				     "the deployment's export has made no "
				     "progress for %" PRIu64
				     " ms; see its dashboard, or raise the "
				     "timeout",
				     w.told_ms);
		else if (!halt_sleep(settings->halt, ms))
			r = cvx_fail(err, -ECANCELED, "interrupted");
		if (r < 0)
			break;
		w.told_ms += ms;
		ms += ms / 2 + 1;
		if (ms > POLL_MAX_MS)
			ms = POLL_MAX_MS;
	}
	if (r < 0 &&
	    (halt_is_requested(settings->halt) || has_stalled(&w, settings)))
		cancel(http, w.id);
	free(w.told);
	return r;
}

static int write_file(void *ctx, const void *bytes, size_t size,
		      struct cvx_err *err)
{
	struct download *d = ctx;
	int r = file_pwrite(d->fd, bytes, size, d->off);

	if (r < 0)
		return cvx_fail(err, r, "cannot write the archive: %s",
				strerror(-r));
	d->off += size;
	return 0;
}

static void begin_file(void *ctx)
{
	struct download *d = ctx;

	d->off = 0;
}

/* EXP-9. NULL: the header names no file, or one elsewhere. */
static char *read_file_name(const char *disposition)
{
	const char *begin = "attachment; filename=";
	const char *name;

	if (!disposition || strncmp(disposition, begin, strlen(begin)) != 0)
		return NULL;
	name = disposition + strlen(begin);
	if (!name[0] || name[0] == '.' || strchr(name, '/') ||
	    strlen(name) > 200)
		return NULL;
	return strdup(name);
}

/* Every record of a ZIP archive begins so, also that of an empty one. */
static bool is_archive(int fd)
{
	char begin[2];
	size_t n;

	return file_pread(fd, begin, sizeof(begin), 0, &n) == 0 &&
	       n == sizeof(begin) && memcmp(begin, "PK", n) == 0;
}

static int download(struct http *http,
		    const struct remote_export_settings *settings, int fd,
		    struct remote_export_result *ret, struct cvx_err *err)
{
	struct download d = {.fd = fd};
	struct http_call call = {.method = "GET",
				 .content_type = "application/json",
				 .write = write_file,
				 .begin = begin_file,
				 .ctx = &d,
				 .halt = settings->halt};
	struct http_answer answer;
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), "/api/export/zip/%" PRId64,
		       ret->start_ts);
	call.path = path;
	if (ftruncate(fd, 0) < 0)
		return cvx_fail(err, -errno, "cannot write the archive: %s",
				strerror(errno));
	r = http_perform_repeated(http, &call, true, &answer, err);
	if (r == 0 && !is_archive(fd))
		r = http_fail_answer(&call, answer.status, err,
				     "it is not an archive");
	if (r == 0 && ftruncate(fd, (off_t)d.off) < 0)
		r = cvx_fail(err, -errno, "cannot write the archive: %s",
			     strerror(errno));
	if (r == 0) {
		ret->size = d.off;
		ret->file_name = read_file_name(answer.disposition);
	}
	http_answer_fini(&answer);
	return r;
}

int remote_export_make(struct http *http,
		       const struct remote_export_settings *settings,
		       int64_t *ret_ts, struct cvx_err *err)
{
	uint64_t waited_ms = 0;
	int r;

	/* A deployment makes one at a time. */
	while ((r = request(http, settings, err)) == -EBUSY &&
	       waited_ms < settings->busy_ms &&
	       halt_sleep(settings->halt, BUSY_MS))
		waited_ms += BUSY_MS;
	return r < 0 ? r : wait_for_end(http, settings, ret_ts, err);
}

int remote_export_download(struct http *http,
			   const struct remote_export_settings *settings,
			   int fd, struct remote_export_result *ret,
			   struct cvx_err *err)
{
	struct remote_export_result result = {ret->start_ts, 0, NULL};
	int r = download(http, settings, fd, &result, err);

	if (r < 0)
		return r;
	if (!result.file_name &&
	    asprintf(&result.file_name, "snapshot_%" PRId64 ".zip",
		     result.start_ts) < 0)
		return cvx_fail_memory(err);
	*ret = result;
	return 0;
}

int remote_export(struct http *http,
		  const struct remote_export_settings *settings, int fd,
		  struct remote_export_result *ret, struct cvx_err *err)
{
	int r = remote_export_make(http, settings, &ret->start_ts, err);

	return r < 0 ? r : remote_export_download(http, settings, fd, ret, err);
}
