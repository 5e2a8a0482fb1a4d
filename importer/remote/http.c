#include "importer/remote/http.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/remote/halt.h"
#include "importer/remote/http_inside.h"
#include "importer/remote/http_lane.h"
#include "importer/remote/secret.h"

#define CLIENT_NAME "convexfs-" CONVEXFS_VERSION
#define IDLE_LANES_MAX 8
#define ERROR_BODY_MAX ((size_t)64 << 10)
#define UPLOAD_BUFFER_SIZE (256 << 10) /* of a body on its way out */
#define REDIRECTS_MAX 5
#define REPETITIONS_MAX 6
#define BACKOFF_MS 500
#define BACKOFF_MAX_MS 16000

static void *memory(void *p, bool *failed)
{
	*failed |= p == NULL;
	return p;
}

/* It becomes a line of every request. */
static bool is_line(const char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			return false;
	return true;
}

int http_new(const struct http_settings *settings, struct http **ret,
	     struct cvx_err *err)
{
	const char *key = settings->authorization;
	bool failed = false;
	struct http *h;

	if (key && !is_line(key))
		return cvx_fail(err, -EINVAL,
				"the key holds a control character, such as "
				"the end of a line");
	h = calloc(1, sizeof(*h));
	if (!h)
		return cvx_fail_memory(err);
	(void)pthread_mutex_init(&h->lock, NULL);
	h->idle_ms = settings->idle_ms ? settings->idle_ms : HTTP_IDLE_MS;
	h->is_brief = settings->is_brief;
	h->backoff_ms =
		settings->backoff_ms ? settings->backoff_ms : BACKOFF_MS;
	h->origin = memory(strdup(settings->origin), &failed);
	if (key) {
		h->authorization = memory(
			secret_join("Authorization: ", key, ""), &failed);
		key = strchr(key, ' ') ? strchr(key, ' ') + 1 : key;
		h->key = memory(secret_copy_text(key), &failed);
	}
	if (settings->secret)
		h->secret = memory(secret_copy_text(settings->secret), &failed);
	if (failed) {
		http_free(h);
		return cvx_fail_memory(err);
	}
	*ret = h;
	return 0;
}

void http_free(struct http *h)
{
	struct http_lane *lane;

	if (!h)
		return;
	while ((lane = h->lanes) != NULL) {
		h->lanes = lane->next;
		http_lane_free(lane);
	}
	(void)pthread_mutex_destroy(&h->lock);
	free(h->origin);
	secret_free(h->authorization);
	secret_free(h->key);
	secret_free(h->secret);
	free(h);
}

const char *http_site(const struct http *h)
{
	return h->origin;
}

static struct http_lane *take_lane(struct http *h)
{
	struct http_lane *lane;

	(void)pthread_mutex_lock(&h->lock);
	lane = h->lanes;
	if (lane) {
		h->lanes = lane->next;
		h->lane_count--;
	}
	(void)pthread_mutex_unlock(&h->lock);
	return lane ? lane : http_lane_new();
}

static void give_lane(struct http *h, struct http_lane *lane)
{
	curl_easy_reset(lane->easy);
	(void)pthread_mutex_lock(&h->lock);
	if (h->lane_count < IDLE_LANES_MAX) {
		lane->next = h->lanes;
		h->lanes = lane;
		h->lane_count++;
		lane = NULL;
	}
	(void)pthread_mutex_unlock(&h->lock);
	http_lane_free(lane);
}

static size_t on_read(char *bytes, size_t one, size_t size, void *ctx)
{
	struct request *q = ctx;
	uint64_t left = q->call->body_size - q->body_off;

	size *= one;
	if (size > left)
		size = (size_t)left;
	if (size == 0)
		return 0;
	if (q->call->read)
		q->sink_error =
			q->call->read(q->call->ctx, q->body_off, bytes, size);
	else
		memcpy(bytes, (const char *)q->call->body + q->body_off, size);
	if (q->sink_error < 0)
		return CURL_READFUNC_ABORT;
	q->body_off += size;
	q->progress += size;
	return size;
}

/* libcurl would like to send the body again, on another connection: only if
 * the other side has seen nothing of it. */
static int on_seek(void *ctx, curl_off_t off, int origin)
{
	const struct request *q = ctx;

	return origin == SEEK_SET && off == 0 && q->body_off == 0
		       ? CURL_SEEKFUNC_OK
		       : CURL_SEEKFUNC_FAIL;
}

static size_t keep(struct request *q, const char *bytes, size_t size,
		   bool is_error)
{
	struct cvx_buf *body = &q->answer->body;
	size_t room;

	if (is_error) { /* its beginning is enough */
		room = body->limit < ERROR_BODY_MAX ? body->limit
						    : ERROR_BODY_MAX;
		room -= body->size;
		q->sink_error =
			cvx_buf_append(body, bytes, size < room ? size : room);
	} else {
		q->sink_error = cvx_buf_append(body, bytes, size);
		q->body_too_large = q->sink_error == -EFBIG;
	}
	return q->sink_error < 0 ? 0 : size;
}

static size_t on_write(char *bytes, size_t one, size_t size, void *ctx)
{
	struct request *q = ctx;
	long status = 0;

	size *= one;
	q->progress += size;
	(void)curl_easy_getinfo(q->lane->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200 || status >= 300)
		return keep(q, bytes, size, status != 560);
	if (!q->call->write)
		return keep(q, bytes, size, false);
	q->sink_error = q->call->write(q->call->ctx, bytes, size, q->err);
	return q->sink_error < 0 ? 0 : size;
}

/* A copy of the text behind the name, if the line is that header. */
static void take_header(const char *line, size_t size, const char *name,
			char **ret)
{
	size_t skip = strlen(name);

	if (size <= skip || line[skip] != ':' ||
	    strncasecmp(line, name, skip) != 0)
		return;
	line += skip + 1;
	size -= skip + 1;
	while (size > 0 && isspace((unsigned char)line[size - 1]))
		size--;
	while (size > 0 && isspace((unsigned char)*line)) {
		line++;
		size--;
	}
	free(*ret);
	*ret = strndup(line, size); /* without memory it was not sent */
}

static size_t on_header(char *line, size_t one, size_t size, void *ctx)
{
	CVX_AUTO(cvx_freep) char *state = NULL;
	struct request *q = ctx;

	size *= one;
	q->progress += size;
	take_header(line, size, "content-disposition", &q->answer->disposition);
	take_header(line, size, "x-convex-deprecation-message",
		    &q->answer->deprecation);
	take_header(line, size, "x-convex-deprecation-state", &state);
	if (state)
		q->answer->is_deprecated = strcmp(state, "Deprecated") == 0;
	return size;
}

static int add_header(struct request *q, const char *line)
{
	struct curl_slist *more = curl_slist_append(q->headers, line);

	if (!more)
		return -ENOMEM;
	q->headers = more;
	return 0;
}

/* The header list holds a copy of the key. */
static void wipe_headers(struct curl_slist *headers)
{
	struct curl_slist *h;

	for (h = headers; h; h = h->next)
		explicit_bzero(h->data, strlen(h->data));
	curl_slist_free_all(headers);
}

static int make_headers(struct request *q)
{
	CVX_AUTO(cvx_freep) char *type = NULL;
	int r;

	r = add_header(q, "Convex-Client: " CLIENT_NAME);
	if (r == 0)
		r = add_header(q, "Expect:");
	if (r == 0 && q->call->content_type) {
		if (asprintf(&type, "Content-Type: %s", q->call->content_type) <
		    0) {
			type = NULL;
			return -ENOMEM;
		}
		r = add_header(q, type);
	} else if (r == 0) {
		r = add_header(q, "Content-Type:");
	}
	if (r == 0 && q->call->header)
		r = add_header(q, q->call->header);
	if (r == 0 && q->http->authorization && !q->call->no_authorization)
		r = add_header(q, q->http->authorization);
	return r;
}

/* Variables that libcurl itself does not look at. */
static void set_environment(CURL *easy, const char *origin)
{
	const char *certificates = getenv("SSL_CERT_FILE");
	const char *proxy = getenv("HTTP_PROXY");

	if (certificates && certificates[0])
		(void)curl_easy_setopt(easy, CURLOPT_CAINFO, certificates);
	if (proxy && proxy[0] && !getenv("http_proxy") &&
	    strncmp(origin, "http:", 5) == 0)
		(void)curl_easy_setopt(easy, CURLOPT_PROXY, proxy);
}

static void set_limits(struct request *q)
{
	CURL *easy = q->lane->easy;
	const char *schemes = strncmp(q->http->origin, "https:", 6) == 0
				      ? "https"
				      : "http,https";

	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
			       (long)HTTP_CONNECT_MS);
	(void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
			       (long)q->call->total_ms);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, schemes);
	(void)curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, schemes);
	(void)curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
	(void)curl_easy_setopt(easy, CURLOPT_SSLVERSION,
			       (long)CURL_SSLVERSION_TLSv1_2);
}

static void set_method(struct request *q)
{
	CURL *easy = q->lane->easy;

	if (strcmp(q->call->method, "GET") == 0) {
		(void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
		if (q->call->range)
			(void)curl_easy_setopt(easy, CURLOPT_RANGE,
					       q->call->range);
		return;
	}
	(void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
	if (strcmp(q->call->method, "POST") != 0)
		(void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST,
				       q->call->method);
	(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
			       (curl_off_t)q->call->body_size);
	(void)curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE,
			       (long)UPLOAD_BUFFER_SIZE);
	(void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
	(void)curl_easy_setopt(easy, CURLOPT_READDATA, q);
	(void)curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
	(void)curl_easy_setopt(easy, CURLOPT_SEEKDATA, q);
	/* Without a body libcurl repeats on a new connection what was lost on
	 * a kept one, without asking on_seek. */
	if (q->call->body_size == 0)
		(void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
}

static int set_up(struct request *q)
{
	CURL *easy = q->lane->easy;
	CVX_AUTO(cvx_freep) char *url = NULL;
	int r;

	if (asprintf(&url, "%s%s", q->http->origin, q->call->path) < 0) {
		url = NULL;
		return -ENOMEM;
	}
	r = make_headers(q);
	if (r < 0)
		return r;
	if (curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK ||
	    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, q->headers) != CURLE_OK)
		return -ENOMEM;
	q->lane->why[0] = '\0';
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, q->lane->why);
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT,
			       "convexfs/" CONVEXFS_VERSION);
	if (!q->call->write) /* whose sizes are checked */
		(void)curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, q);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, q);
	set_limits(q);
	set_method(q);
	set_environment(easy, q->http->origin);
	return 0;
}

int http_perform(struct http *h, const struct http_call *call,
		 struct http_answer *ret, struct cvx_err *err)
{
	struct request q = {.http = h, .call = call, .answer = ret, .err = err};
	CURLcode code;
	int r;

	assert(call->path[0] == '/');
	*ret = (struct http_answer){.outcome = HTTP_LOCAL};
	cvx_buf_init(&ret->body,
		     call->answer_limit ? call->answer_limit : HTTP_JSON_MAX);
	q.lane = take_lane(h);
	if (!q.lane)
		return cvx_fail_memory(err);
	r = set_up(&q);
	if (r == 0) {
		code = http_lane_run(q.lane, call->halt, h->idle_ms,
				     &q.progress);
		r = http_conclude(&q, code);
	} else {
		(void)cvx_fail_memory(err);
	}
	wipe_headers(q.headers);
	give_lane(h, q.lane);
	return r;
}

void http_answer_fini(struct http_answer *a)
{
	secret_buf_fini(&a->body);
	free(a->disposition);
	free(a->deprecation);
	a->disposition = a->deprecation = NULL;
}

/* Of 0 to limit - 1. */
static uint64_t random_below(uint64_t limit)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_nsec / 1000 % limit;
}

bool http_wait_to_repeat(struct http *h, unsigned number,
			 const struct http_answer *answer,
			 const struct halt *halt)
{
	uint64_t ms = h->backoff_ms;
	unsigned i;

	if (number > REPETITIONS_MAX)
		return false;
	for (i = 1; i < number; i++)
		ms *= 2;
	if (ms > BACKOFF_MAX_MS)
		ms = BACKOFF_MAX_MS;
	ms = random_below(ms) + 1;
	if (answer->retry_after_ms > ms)
		ms = answer->retry_after_ms < HTTP_IDLE_MS
			     ? answer->retry_after_ms
			     : HTTP_IDLE_MS;
	return halt_sleep(halt, ms);
}

int http_perform_repeated(struct http *h, const struct http_call *call,
			  bool ambiguous, struct http_answer *ret,
			  struct cvx_err *err)
{
	bool may_have_arrived = false;
	unsigned number;
	int r;

	for (number = 1;; number++) {
		if (call->begin)
			call->begin(call->ctx);
		r = http_perform(h, call, ret, err);
		ret->may_have_arrived = may_have_arrived;
		may_have_arrived |= ret->outcome == HTTP_AMBIGUOUS;
		if (r == 0 || (ret->outcome != HTTP_NOT_SENT &&
			       !(ambiguous && ret->outcome == HTTP_AMBIGUOUS)))
			return r;
		if (h->is_brief && r == -ETIMEDOUT)
			return r;
		if ((call->repetitions_max && number > call->repetitions_max) ||
		    !http_wait_to_repeat(h, number, ret, call->halt)) {
			if (halt_is_requested(call->halt)) {
				ret->outcome = HTTP_LOCAL;
				return cvx_fail(err, -ECANCELED, "interrupted");
			}
			return r;
		}
		http_answer_fini(ret);
	}
}
