#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "importer/remote/halt.h"
#include "importer/remote/http.h"
#include "importer/remote/http_error.h"
#include "tests/unit/loopback.h"

/* What a server says, and what it has seen. */
struct script {
	struct loopback_answer answer; /* the body is copied */
	unsigned bad_count; /* the first requests get the fault or status, the
			       others 200 */
	bool has_limit;	    /* bad_count counts */
	unsigned count;
	char seen[4][512]; /* "METHOD path?query body" */
	char headers[2048];
	char elsewhere[128]; /* of a redirect */
};

static void play(void *ctx, const struct loopback_request *q,
		 struct loopback_answer *a)
{
	struct script *s = ctx;

	(void)snprintf(s->seen[s->count % 4], sizeof(s->seen[0]), "%s %s?%s %s",
		       q->method, q->path, q->query, q->body);
	(void)snprintf(s->headers, sizeof(s->headers), "%s", q->headers);
	s->count++;
	if (s->has_limit && s->count > s->bad_count) {
		a->body = strdup("fine");
		return;
	}
	*a = s->answer;
	if (a->body && a->body_size > 0)
		a->body = memcpy(malloc(a->body_size), a->body, a->body_size);
	else if (a->body)
		a->body = strdup(a->body);
	if (a->status == 0)
		a->status = 200;
	if (s->elsewhere[0] && strcmp(q->path, "/elsewhere") != 0)
		a->headers = s->elsewhere;
}

struct bench {
	struct script script;
	struct loopback *server;
	struct http *http;
	struct http_call call;
	struct http_answer answer;
	struct cvx_err err;
};

static void begin(struct bench *b)
{
	struct http_settings settings;
	struct cvx_err err = CVX_ERR_INIT;

	*b = (struct bench){.call = {.method = "POST", .path = "/api/x?t=1"}};
	b->script.answer.body = (char *)"{}";
	b->server = loopback_start(play, &b->script);
	settings = (struct http_settings){
		.origin = loopback_url(b->server),
		.authorization = "Convex prod:n|SECRET",
		.idle_ms = 2000,
		.backoff_ms = 1,
	};
	EXPECT_OK(http_new(&settings, &b->http, &err), &err);
}

static void end(struct bench *b)
{
	http_free(b->http);
	loopback_stop(b->server);
}

static int perform(struct bench *b)
{
	int r;

	loopback_sync(b->server);
	r = http_perform(b->http, &b->call, &b->answer, &b->err);
	loopback_sync(b->server);
	if (r < 0)
		assert_null(strstr(b->err.msg, "SECRET"));
	return r;
}

static void set_body(struct bench *b, const char *text)
{
	b->call.body = text;
	b->call.body_size = strlen(text);
}

/* URL-1, URL-2 */
TEST(http_origin_is_taken_from_urls_of_deployments_only)
{
	const char *const good[][2] = {
		{"http://127.0.0.1:3210/", "http://127.0.0.1:3210"},
		{"HTTPS://Happy-Otter-1.Convex.Cloud/a?b#c",
		 "https://happy-otter-1.convex.cloud"},
		{"https://[::1]:8080", "https://[::1]:8080"},
	};
	const char *const bad[][2] = {
		{"ftp://h", "begins with"},
		{"happy-otter-1", "begins with"},
		{"https:", "not a URL"},
		{"https://", "not a URL"},
		{"https://h:99999999", "not a URL"},
		{"https://h h", "not a URL"},
		{"https://user:SECRET@h", "name or password"},
		{"https://x.convex.site", ".convex.cloud"},
	};
	struct cvx_err err = CVX_ERR_INIT;
	char *origin;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
		EXPECT_OK(http_origin(good[i][0], &origin, &err), &err);
		assert_string_equal(origin, good[i][1]);
		free(origin);
	}
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_FAIL(http_origin(bad[i][0], &origin, &err), &err,
			    -EINVAL, bad[i][1]);
		assert_null(strstr(err.msg, "SECRET"));
	}
}

/* 3.1, HTTP-11 */
TEST(http_request_carries_what_the_protocol_wants)
{
	struct bench b;
	struct loopback_request q;

	begin(&b);
	b.call.content_type = "application/json";
	set_body(&b, "{\"a\":1}");
	EXPECT_OK(perform(&b), &b.err);
	assert_string_equal(b.script.seen[0], "POST /api/x?t=1 {\"a\":1}");
	q.headers = b.script.headers;
	assert_true(
		loopback_has_header(&q, "Authorization: Convex prod:n|SECRET"));
	assert_true(loopback_has_header(
		&q, "Convex-Client: convexfs-" CONVEXFS_VERSION));
	assert_true(loopback_has_header(&q, "Content-Type: application/json"));
	assert_true(loopback_has_header(&q, "Content-Length: 7"));
	assert_null(strcasestr(b.script.headers, "expect:"));
	assert_non_null(strcasestr(b.script.headers, "accept-encoding:"));
	http_answer_fini(&b.answer);

	b.call = (struct http_call){.method = "GET",
				    .path = "/instance_name",
				    .no_authorization = true};
	EXPECT_OK(perform(&b), &b.err);
	assert_null(strcasestr(b.script.headers, "authorization"));
	assert_null(strcasestr(b.script.headers, "content-type"));
	http_answer_fini(&b.answer);
	EXPECT_INT(loopback_connection_count(b.server), 1);

	b.call = (struct http_call){.method = "POST", .path = "/empty"};
	EXPECT_OK(perform(&b), &b.err);
	q.headers = b.script.headers;
	assert_true(loopback_has_header(&q, "Content-Length: 0"));
	http_answer_fini(&b.answer);
	end(&b);
}

/* Or a key with two lines would add a header. */
TEST(http_key_is_one_line)
{
	const struct http_settings settings = {
		.origin = "http://127.0.0.1:1",
		.authorization = "Convex n|SECRET\r\nX: y"};
	struct cvx_err err = CVX_ERR_INIT;
	struct http *http;

	EXPECT_FAIL(http_new(&settings, &http, &err), &err, -EINVAL,
		    "control character");
	assert_null(strstr(err.msg, "SECRET"));
}

/* F and 3.2: every status is an errno and a sentence. */
TEST(http_status_is_an_errno_and_a_sentence)
{
	const struct {
		int status;
		const char *body;
		enum http_outcome outcome;
		int code;
		const char *text;
	} cases[] = {
		{400, "{\"code\":\"ImportInvalidName\",\"message\":\"no\"}",
		 HTTP_REFUSED, -EINVAL,
		 "POST /api/x: 400 ImportInvalidName: no"},
		{400, "{\"code\":\"ExportInProgress\"}", HTTP_REFUSED, -EBUSY,
		 "400 ExportInProgress"},
		{401, "{\"code\":\"BadAdminKey\",\"message\":\"n|SECRET\"}",
		 HTTP_REFUSED, -EACCES, "401 BadAdminKey: n|******"},
		{401, "{\"code\":\"X\",\"message\":\"a prod:n|SECRET b\"}",
		 HTTP_REFUSED, -EACCES, "401 X: a *************"},
		{403, "{\"code\":\"OperationNotPermitted\"}", HTTP_REFUSED,
		 -EPERM, "403 OperationNotPermitted"},
		{403, "{\"code\":\"BadDeployKey\"}", HTTP_REFUSED, -EACCES,
		 "403 BadDeployKey"},
		{404, "", HTTP_NOT_FOUND, -ENOENT, "answered 404 Not Found"},
		{404, "<html>proxy</html>", HTTP_NOT_FOUND, -ENOENT,
		 "answered 404"},
		{408, "{}", HTTP_AMBIGUOUS, -ETIMEDOUT, "408"},
		{409, "[]", HTTP_REFUSED, -EBUSY, "409 Conflict"},
		{413, "\"x\"", HTTP_REFUSED, -EFBIG, "413"},
		{425, "", HTTP_AMBIGUOUS, -EBUSY, "425"},
		{429, "", HTTP_AMBIGUOUS, -EBUSY, "429"},
		{500, "{\"message\":\"a\\nb\"}", HTTP_AMBIGUOUS, -EREMOTEIO,
		 "500 Internal Server Error: a?b"},
		{501, "", HTTP_REFUSED, -EREMOTEIO, "501 Not Implemented"},
		{503, "{\"code\":7,\"message\":[]}", HTTP_AMBIGUOUS, -EREMOTEIO,
		 "503 Service Unavailable"},
		{560, "{}", HTTP_AMBIGUOUS, -EREMOTEIO, "560"},
		{302, "", HTTP_REFUSED, -EPROTO, "302 Found"},
		{777, "", HTTP_AMBIGUOUS, -EREMOTEIO, "777"},
	};
	struct bench b;
	size_t i;

	begin(&b);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		b.script.answer.status = cases[i].status;
		b.script.answer.body = (char *)cases[i].body;
		EXPECT_FAIL(perform(&b), &b.err, cases[i].code, cases[i].text);
		EXPECT_INT(b.answer.outcome, cases[i].outcome);
		EXPECT_INT(b.answer.status, cases[i].status);
		http_answer_fini(&b.answer);
	}
	end(&b);
}

TEST(http_errors_of_libcurl)
{
	/* The numbers are part of libcurl's interface. */
	const struct {
		int curl, os, want;
	} cases[] = {
		{7, 0, -ECONNREFUSED},	{7, ENETUNREACH, -ENETUNREACH},
		{5, 0, -EHOSTUNREACH},	{6, 0, -EHOSTUNREACH},
		{97, 0, -ECONNREFUSED}, {28, 0, -ETIMEDOUT},
		{55, 0, -ECONNRESET},	{56, 0, -ECONNRESET},
		{65, 0, -ECONNRESET},	{52, 0, -ECONNRESET},
		{18, 0, -ECONNRESET},	{16, 0, -ECONNRESET},
		{92, 0, -ECONNRESET},	{47, 0, -ELOOP},
		{27, 0, -ENOMEM},	{42, 0, -ECANCELED},
		{3, 0, -EINVAL},	{1, 0, -EPROTO},
		{8, 0, -EPROTO},	{61, 0, -EPROTO},
		{35, 0, -EPROTO},	{58, 0, -EPROTO},
		{59, 0, -EPROTO},	{60, 0, -EPROTO},
		{77, 0, -EPROTO},	{43, 0, -EPROTO},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		EXPECT_INT(http_error_of_curl(cases[i].curl, cases[i].os),
			   cases[i].want);
}

/* What goes wrong below HTTP. */
TEST(http_fault_is_ambiguous_once_something_was_sent)
{
	const struct {
		enum loopback_fault fault;
		int code;
	} cases[] = {
		{LOOPBACK_DROP, -ECONNRESET},
		{LOOPBACK_RESET, -ECONNRESET},
		{LOOPBACK_TRUNCATE, -ECONNRESET},
		{LOOPBACK_LONGER, -ECONNRESET},
		{LOOPBACK_GARBAGE, -EPROTO},
	};
	struct bench b;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		begin(&b);
		b.script.answer.body = (char *)"{\"long\":\"enough\"}";
		b.script.answer.fault = cases[i].fault;
		set_body(&b, "body");
		EXPECT_FAIL(perform(&b), &b.err, cases[i].code, "POST /api/x:");
		EXPECT_INT(b.answer.outcome, HTTP_AMBIGUOUS);
		EXPECT_INT(b.script.count, 1);
		http_answer_fini(&b.answer);
		end(&b);
	}
}

/* A kept connection that dies must not make libcurl send a body twice. */
TEST(http_body_is_never_sent_twice_behind_our_back)
{
	struct bench b;

	begin(&b);
	EXPECT_OK(perform(&b), &b.err);
	http_answer_fini(&b.answer);
	set_body(&b, "body");
	EXPECT_OK(perform(&b), &b.err);
	http_answer_fini(&b.answer);
	EXPECT_INT(b.script.count, 2);
	b.script.answer.fault = LOOPBACK_DROP;
	EXPECT_FAIL(perform(&b), &b.err, -ECONNRESET, "POST");
	EXPECT_INT(b.answer.outcome, HTTP_AMBIGUOUS);
	http_answer_fini(&b.answer);
	EXPECT_INT(b.script.count, 3);
	/* and without a body */
	b.script.answer.fault = LOOPBACK_FINE;
	b.call.body_size = 0;
	EXPECT_OK(perform(&b), &b.err);
	http_answer_fini(&b.answer);
	b.script.answer.fault = LOOPBACK_DROP;
	EXPECT_FAIL(perform(&b), &b.err, -ECONNRESET, "POST");
	http_answer_fini(&b.answer);
	EXPECT_INT(b.script.count, 5);
	end(&b);
}

/* Nor is it unsent because there is no connection to send it again on. */
TEST(http_what_may_have_arrived_is_not_unsent)
{
	struct bench b;

	begin(&b);
	EXPECT_OK(perform(&b), &b.err);
	http_answer_fini(&b.answer);
	set_body(&b, "body");
	b.script.answer.fault = LOOPBACK_LEAVE;
	EXPECT_FAIL(perform(&b), &b.err, -ECONNREFUSED, "POST");
	EXPECT_INT(b.answer.outcome, HTTP_AMBIGUOUS);
	http_answer_fini(&b.answer);
	EXPECT_INT(b.script.count, 2);
	end(&b);
}

TEST(http_nobody_there_is_not_sent)
{
	struct bench b;
	struct http_settings settings;

	begin(&b);
	http_free(b.http);
	settings = (struct http_settings){.origin = "http://127.0.0.1:1",
					  .backoff_ms = 1};
	EXPECT_OK(http_new(&settings, &b.http, &b.err), &b.err);
	set_body(&b, "body");
	EXPECT_FAIL(perform(&b), &b.err, -ECONNREFUSED,
		    "POST /api/x: http://127.0.0.1:1: Connection refused");
	EXPECT_INT(b.answer.outcome, HTTP_NOT_SENT);
	http_answer_fini(&b.answer);
	EXPECT_INT(http_perform_repeated(b.http, &b.call, false, &b.answer,
					 &b.err),
		   -ECONNREFUSED);
	http_answer_fini(&b.answer);
	end(&b);
}

/* F-5 */
enum plain_way { CLOSES, RESETS, ANSWERS };

/* A server that does not understand TLS. */
struct plain_server {
	int fd;
	enum plain_way does;
	pthread_t thread;
};

static void *serve_plainly(void *ctx)
{
	static const char text[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
	const struct linger at_once = {.l_onoff = 1};
	const struct plain_server *s = ctx;
	char greeting[4096];
	int fd = accept(s->fd, NULL, NULL);

	assert_true(fd >= 0);
	assert_true(recv(fd, greeting, sizeof(greeting), 0) > 0);
	if (s->does == ANSWERS)
		assert_true(send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL) > 0);
	if (s->does == RESETS)
		EXPECT_INT(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once,
				      sizeof(at_once)),
			   0);
	(void)close(fd);
	return NULL;
}

/* Its port. */
static unsigned start_plainly(struct plain_server *s)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(at);

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->fd >= 0);
	EXPECT_INT(bind(s->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	EXPECT_INT(listen(s->fd, 1), 0);
	EXPECT_INT(getsockname(s->fd, (struct sockaddr *)&at, &size), 0);
	EXPECT_INT(pthread_create(&s->thread, NULL, serve_plainly, s), 0);
	return ntohs(at.sin_port);
}

/* What is cut off may go well the next time, and nothing was sent; what is
 * refused will not. */
TEST(http_handshake_that_is_cut_off_is_not_one_that_is_refused)
{
	static const struct {
		enum plain_way does;
		int error;
		enum http_outcome outcome;
	} cases[] = {
		{CLOSES, -ECONNRESET, HTTP_NOT_SENT},
		{RESETS, -ECONNRESET, HTTP_NOT_SENT},
		{ANSWERS, -EPROTO, HTTP_REFUSED},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct plain_server server = {.does = cases[i].does};
		struct http_settings settings = {.backoff_ms = 1};
		char origin[64];
		struct bench b;

		begin(&b);
		http_free(b.http);
		(void)snprintf(origin, sizeof(origin), "https://127.0.0.1:%u",
			       start_plainly(&server));
		settings.origin = origin;
		EXPECT_OK(http_new(&settings, &b.http, &b.err), &b.err);
		set_body(&b, "body");
		EXPECT_FAIL(perform(&b), &b.err, cases[i].error, "POST /api/x");
		EXPECT_INT(b.answer.outcome, cases[i].outcome);
		http_answer_fini(&b.answer);
		EXPECT_INT(pthread_join(server.thread, NULL), 0);
		(void)close(server.fd);
		end(&b);
	}
}

TEST(http_silence_has_an_end)
{
	struct bench b;
	struct http_settings settings;

	begin(&b);
	http_free(b.http);
	settings = (struct http_settings){.origin = loopback_url(b.server),
					  .idle_ms = 50};
	EXPECT_OK(http_new(&settings, &b.http, &b.err), &b.err);
	b.script.answer.fault = LOOPBACK_HANG;
	set_body(&b, "body");
	EXPECT_FAIL(perform(&b), &b.err, -ETIMEDOUT, "no answer from http");
	EXPECT_INT(b.answer.outcome, HTTP_AMBIGUOUS);
	http_answer_fini(&b.answer);
	b.call.total_ms = 40;
	EXPECT_FAIL(perform(&b), &b.err, -ETIMEDOUT, "no answer");
	http_answer_fini(&b.answer);
	end(&b);
}

TEST(http_slow_answer_is_still_an_answer)
{
	struct bench b;

	begin(&b);
	b.script.answer.fault = LOOPBACK_SLOW;
	b.script.answer.body = (char *)"{\"a\":\"b\"}";
	EXPECT_OK(perform(&b), &b.err);
	EXPECT_TEXT(b.answer.body.data, b.answer.body.size, "{\"a\":\"b\"}");
	http_answer_fini(&b.answer);
	end(&b);
}

static void *request_stop(void *ctx)
{
	halt_request(ctx);
	return NULL;
}

TEST(http_wait_is_interrupted_from_another_thread)
{
	struct bench b;
	struct halt *halt;
	pthread_t thread;

	begin(&b);
	EXPECT_OK(halt_new(&halt, &b.err), &b.err);
	b.script.answer.fault = LOOPBACK_HANG;
	b.call.halt = halt;
	assert_int_equal(pthread_create(&thread, NULL, request_stop, halt), 0);
	EXPECT_FAIL(perform(&b), &b.err, -ECANCELED, "interrupted");
	EXPECT_INT(b.answer.outcome, HTTP_LOCAL);
	http_answer_fini(&b.answer);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_false(halt_sleep(halt, 100000));
	halt_free(halt);
	end(&b);
}

TEST(http_answer_is_bounded)
{
	struct bench b;
	char *big = calloc(1, 200001);

	begin(&b);
	assert_non_null(big);
	memset(big, 'x', 200000);
	b.script.answer.body = big;
	b.call.answer_limit = 1000;
	EXPECT_FAIL(perform(&b), &b.err, -EMSGSIZE,
		    "200, but the answer is larger than 1000 bytes");
	EXPECT_INT(b.answer.outcome, HTTP_REFUSED);
	http_answer_fini(&b.answer);
	b.script.answer.status = 500; /* the beginning of it does */
	EXPECT_FAIL(perform(&b), &b.err, -EREMOTEIO, "500");
	http_answer_fini(&b.answer);
	free(big);
	end(&b);
}

/* HTTP-10 */
TEST(http_redirect_is_followed_by_get_only_and_not_for_ever)
{
	struct bench b;

	begin(&b);
	b.script.answer.status = 302;
	(void)snprintf(b.script.elsewhere, sizeof(b.script.elsewhere),
		       "Location: http://localhost:%s/elsewhere\r\n",
		       loopback_port(b.server));
	EXPECT_FAIL(perform(&b), &b.err, -EPROTO, "302 Found");
	EXPECT_INT(b.script.count, 1);
	http_answer_fini(&b.answer);
	b.call.method = "GET";
	EXPECT_FAIL(perform(&b), &b.err, -EPROTO, "302");
	EXPECT_INT(b.script.count, 3);
	assert_null(strcasestr(b.script.headers, "authorization"));
	http_answer_fini(&b.answer);
	(void)snprintf(b.script.elsewhere, sizeof(b.script.elsewhere),
		       "Location: /again\r\n");
	EXPECT_FAIL(perform(&b), &b.err, -ELOOP, "GET /api/x");
	assert_non_null(strstr(b.err.msg, "answered 302, but"));
	EXPECT_INT(b.answer.outcome, HTTP_REFUSED);
	EXPECT_INT(b.script.count, 9);
	http_answer_fini(&b.answer);
	end(&b);
}

/* HTTP_PROXY, too, which libcurl itself does not look at. */
TEST(http_proxies_of_the_environment_are_asked)
{
	static const char *const names[] = {"http_proxy", "HTTP_PROXY"};
	struct http_settings settings = {.origin = "http://deployment.invalid",
					 .idle_ms = 2000,
					 .backoff_ms = 1};
	struct bench b;
	size_t i;

	begin(&b);
	http_free(b.http);
	EXPECT_OK(http_new(&settings, &b.http, &b.err), &b.err);
	EXPECT_INT(unsetenv("no_proxy"), 0);
	EXPECT_INT(unsetenv("NO_PROXY"), 0);
	for (i = 0; i < 2; i++) {
		EXPECT_INT(unsetenv("http_proxy"), 0);
		EXPECT_INT(setenv(names[i], loopback_url(b.server), 1), 0);
		EXPECT_OK(perform(&b), &b.err);
		http_answer_fini(&b.answer);
		assert_non_null(
			strstr(b.script.headers, "Host: deployment.invalid"));
		EXPECT_INT(b.script.count, i + 1);
	}
	/* Which is away itself. */
	EXPECT_INT(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
	EXPECT_FAIL(perform(&b), &b.err, -ECONNREFUSED, "POST /api/x");
	EXPECT_INT(b.answer.outcome, HTTP_NOT_SENT);
	http_answer_fini(&b.answer);
	end(&b);
}

TEST(http_json_is_read_to_its_end)
{
	const char *const bad[] = {"", "{", "<html>", "{}x", "{\"a\":}"};
	struct cJSON *json;
	struct bench b;
	size_t i;

	begin(&b);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		b.script.answer.body = (char *)bad[i];
		EXPECT_OK(perform(&b), &b.err);
		EXPECT_FAIL(http_parse(&b.call, &b.answer, &json, &b.err),
			    &b.err, -EPROTO, "POST /api/x: 200");
		http_answer_fini(&b.answer);
	}
	b.script.answer.body = (char *)" {\"a\":1} \n";
	EXPECT_OK(perform(&b), &b.err);
	EXPECT_OK(http_parse(&b.call, &b.answer, &json, &b.err), &b.err);
	cJSON_Delete(json);
	http_answer_fini(&b.answer);
	end(&b);
}

/* Compressed answers are asked for and understood; a broken one is told of. */
TEST(http_compressed_answer_is_understood)
{
	static const unsigned char bytes[] = {
		0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
		0xab, 0x56, 0x4a, 0x54, 0xb2, 0x52, 0x4a, 0xc2, 0x02, 0x94,
		0x6a, 0x01, 0xbc, 0xd6, 0xd5, 0x54, 0x1c, 0x00, 0x00, 0x00};
	static const char text[] = "{\"a\":\"bbbbbbbbbbbbbbbbbbbb\"}";
	struct bench b;

	begin(&b);
	b.script.answer.headers = "Content-Encoding: gzip\r\n";
	b.script.answer.body = (char *)bytes;
	b.script.answer.body_size = sizeof(bytes);
	EXPECT_OK(perform(&b), &b.err);
	EXPECT_INT(b.answer.body.size, strlen(text));
	assert_memory_equal(b.answer.body.data, text, strlen(text));
	http_answer_fini(&b.answer);
	b.script.answer.body = (char *)text;
	b.script.answer.body_size = strlen(text);
	EXPECT_FAIL(perform(&b), &b.err, -EPROTO, "answered 200, but: ");
	assert_non_null(strstr(b.err.msg, "POST /api/x"));
	http_answer_fini(&b.answer);
	end(&b);
}

/* 15.3 */
TEST(http_repeats_only_what_may_be)
{
	const struct {
		int status;
		enum loopback_fault fault;
		unsigned bad_count;
		bool ambiguous;
		int code;
		unsigned count;
	} cases[] = {
		{503, LOOPBACK_FINE, 2, true, 0, 3},
		{503, LOOPBACK_FINE, 2, false, -EREMOTEIO, 1},
		{429, LOOPBACK_FINE, 1, true, 0, 2},
		{200, LOOPBACK_DROP, 1, true, 0, 2},
		{200, LOOPBACK_DROP, 1, false, -ECONNRESET, 1},
		{404, LOOPBACK_FINE, 1, true, -ENOENT, 1},
		{400, LOOPBACK_FINE, 1, true, -EINVAL, 1},
		{500, LOOPBACK_FINE, 99, true, -EREMOTEIO, 7},
	};
	struct bench b;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		begin(&b);
		b.script.has_limit = true;
		b.script.bad_count = cases[i].bad_count;
		b.script.answer.status = cases[i].status;
		b.script.answer.fault = cases[i].fault;
		set_body(&b, "body");
		loopback_sync(b.server);
		EXPECT_INT(http_perform_repeated(b.http, &b.call,
						 cases[i].ambiguous, &b.answer,
						 &b.err),
			   cases[i].code);
		loopback_sync(b.server);
		EXPECT_INT(b.script.count, cases[i].count);
		http_answer_fini(&b.answer);
		end(&b);
	}
}

TEST(http_escape_leaves_unreserved_characters)
{
	struct cvx_buf out = CVX_BUF_INIT(1000);

	assert_int_equal(http_escape(&out, "aZ0-._~ {\"/ä"), 0);
	EXPECT_TEXT(out.data, out.size, "aZ0-._~%20%7B%22%2F%C3%A4");
	cvx_buf_fini(&out);
}

UNIT_MAIN(UNIT_CASE(http_origin_is_taken_from_urls_of_deployments_only),
	  UNIT_CASE(http_request_carries_what_the_protocol_wants),
	  UNIT_CASE(http_key_is_one_line),
	  UNIT_CASE(http_status_is_an_errno_and_a_sentence),
	  UNIT_CASE(http_errors_of_libcurl),
	  UNIT_CASE(http_fault_is_ambiguous_once_something_was_sent),
	  UNIT_CASE(http_body_is_never_sent_twice_behind_our_back),
	  UNIT_CASE(http_what_may_have_arrived_is_not_unsent),
	  UNIT_CASE(http_nobody_there_is_not_sent),
	  UNIT_CASE(http_handshake_that_is_cut_off_is_not_one_that_is_refused),
	  UNIT_CASE(http_silence_has_an_end),
	  UNIT_CASE(http_slow_answer_is_still_an_answer),
	  UNIT_CASE(http_wait_is_interrupted_from_another_thread),
	  UNIT_CASE(http_answer_is_bounded),
	  UNIT_CASE(http_redirect_is_followed_by_get_only_and_not_for_ever),
	  UNIT_CASE(http_proxies_of_the_environment_are_asked),
	  UNIT_CASE(http_compressed_answer_is_understood),
	  UNIT_CASE(http_json_is_read_to_its_end),
	  UNIT_CASE(http_repeats_only_what_may_be),
	  UNIT_CASE(http_escape_leaves_unreserved_characters))
