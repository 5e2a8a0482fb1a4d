/* importer/server: clients that are slow, or say nothing, are cut off, by their
 * own limit each, and others are served meanwhile. The limits are a second, so
 * what is waited for comes soon; how soon does not matter. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "importer/embedded/embedded.h"
#include "importer/server/auth.h"
#include "importer/server/server.h"
#include "importer/server/uploads.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"

/* How long a client is waited for that should be cut off. */
#define PATIENCE_MS 60000
#define LARGE ((size_t)48 << 20)

struct served {
	struct deployment *d;
	struct server *server;
	struct auth auth;
};

/* Limits that no client here meets; a test sets those that it means. */
static const struct server_limits wide = {
	.connection_max = 100,
	.idle_s = 600,
	.request_s = 600,
	.keepalive_s = 600,
	.upload_s = 600,
};

static void begin(struct served *s, const struct server_limits *limits)
{
	const struct server_settings settings = {
		.address = "127.0.0.1",
		.limits = limits,
	};
	struct cvx_err err = CVX_ERR_INIT;

	s->d = store_open(store_new_dir());
	EXPECT_OK(server_start(s->d, &settings, &s->server, &err), &err);
	EXPECT_OK(auth_init(&s->auth, s->d, &err), &err);
}

static void end(struct served *s)
{
	auth_fini(&s->auth);
	server_stop(s->server);
	store_close(s->d);
}

/* A connection on which the text was sent. */
static int say(const struct served *s, const char *text)
{
	const char *colon = strrchr(server_url(s->server), ':');
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	EXPECT_INT(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	/* A server that has no room may have hung up by now. */
	(void)send(fd, text, strlen(text), MSG_NOSIGNAL);
	return fd;
}

/* The next bytes; 0: the connection has ended. */
static size_t hear(int fd, char *buf, size_t size)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	ssize_t n;

	if (poll(&wait, 1, PATIENCE_MS) != 1)
		fail_msg("the server keeps a connection");
	n = recv(fd, buf, size, 0);
	return n > 0 ? (size_t)n : 0;
}

/* Reads until the server hangs up; returns how much came. */
static size_t await_end(int fd)
{
	static char buf[64 << 10];
	size_t n, all = 0;

	while ((n = hear(fd, buf, sizeof(buf))) > 0)
		all += n;
	(void)close(fd);
	return all;
}

/* Reads until the text has come. */
static void await_text(int fd, const char *text)
{
	char buf[4096] = "";
	size_t n = 0, got;

	while (!strstr(buf, text)) {
		assert_true(n < sizeof(buf) - 1);
		got = hear(fd, buf + n, sizeof(buf) - 1 - n);
		if (got == 0)
			fail_msg("the connection ends: %s", buf);
		n += got;
	}
}

#define GET_VERSION "GET /version HTTP/1.1\r\nHost: x\r\n\r\n"

static void expect_served(const struct served *s)
{
	int fd = say(s, GET_VERSION);

	await_text(fd, "convexfs");
	(void)close(fd);
}

static char *request(const struct served *s, const char *path, size_t size)
{
	char *text = NULL;

	assert_true(asprintf(&text,
			     "POST %s HTTP/1.1\r\nHost: x\r\n"
			     "Authorization: Convex %s\r\n"
			     "Content-Length: %zu\r\n\r\n",
			     path, s->auth.key, size) > 0);
	return text;
}

/* A client that sends its body byte by byte: false once it is cut off. */
static bool trickle(int fd)
{
	struct pollfd look = {.fd = fd, .events = POLLIN};

	return send(fd, "x", 1, MSG_NOSIGNAL) == 1 && poll(&look, 1, 0) == 0;
}

static void send_all(int fd, size_t size)
{
	static const char zeros[64 << 10];
	ssize_t n;

	for (; size > 0; size -= (size_t)n) {
		n = send(fd, zeros, size < sizeof(zeros) ? size : sizeof(zeros),
			 MSG_NOSIGNAL);
		assert_true(n > 0);
	}
}

/* Of an upload that has begun. */
static void start_upload(const struct served *s, char token[UPLOAD_TOKEN_SIZE])
{
	char *text = request(s, "/api/import/start_upload", 0), buf[4096];
	int fd = say(s, text);
	size_t n = 0, got;

	free(text);
	do {
		got = hear(fd, buf + n, sizeof(buf) - 1 - n);
		assert_true(got > 0);
		n += got;
		buf[n] = '\0';
	} while (!strstr(buf, "\"}"));
	assert_int_equal(sscanf(strstr(buf, "{\"uploadToken\""),
				"{\"uploadToken\":\"%32[0-9a-f]\"}", token),
			 1);
	(void)close(fd);
}

/* Whether the upload is over. To ask keeps it alive for another second. */
static bool has_ended(const struct served *s, const char *token)
{
	char path[128], *text, buf[4096];
	size_t n = 0, got;
	int fd;

	(void)snprintf(path, sizeof(path),
		       "/api/import/upload_part?partNumber=1&uploadToken=%s",
		       token);
	text = request(s, path, 0);
	fd = say(s, text);
	free(text);
	while (n < sizeof(buf) - 1) {
		got = hear(fd, buf + n, sizeof(buf) - 1 - n);
		assert_true(got > 0);
		n += got;
		buf[n] = '\0';
		if (strstr(buf, "\r\n\r\n"))
			break;
	}
	(void)close(fd);
	return strncmp(buf, "HTTP/1.1 400", 12) == 0;
}

/* Until there is room for another connection. */
static void await_place(const struct served *s)
{
	const struct timespec pause = {.tv_nsec = 20000000};
	char buf[64];
	size_t n = 0;
	int fd, i;

	for (i = 0; n == 0; i++) {
		assert_true(i < PATIENCE_MS / 20);
		(void)nanosleep(&pause, NULL);
		fd = say(s, GET_VERSION);
		n = hear(fd, buf, sizeof(buf));
		(void)close(fd);
	}
}

/* All at once, each at a server that has one limit only, so that nothing but
 * that one can end it. */
TEST(slow_clients_are_cut_off)
{
	const struct timespec pause = {.tv_nsec = 20000000};
	struct server_limits limits[5] = {wide, wide, wide, wide, wide};
	struct served idle, request_time, keepalive, reading, uploading;
	int silent, half, stops, trickles, asks_once, reads_nothing;
	char token[UPLOAD_TOKEN_SIZE], *text;
	unsigned i;

	limits[0].idle_s = 1;
	begin(&idle, &limits[0]);
	silent = say(&idle, "");
	half = say(&idle, "GET /version HTTP/1.1\r\nHo");
	text = request(&idle, "/echo", 1000);
	stops = say(&idle, text);
	free(text);
	EXPECT_INT(send(stops, "half", 4, MSG_NOSIGNAL), 4);

	limits[1].request_s = 1;
	begin(&request_time, &limits[1]);
	text = request(&request_time, "/echo", 1000000);
	trickles = say(&request_time, text);
	free(text);

	limits[2].keepalive_s = 1;
	begin(&keepalive, &limits[2]);
	asks_once = say(&keepalive, GET_VERSION);

	limits[3].keepalive_s = 1;
	limits[3].connection_max = 1;
	begin(&reading, &limits[3]);
	text = request(&reading, "/echo", LARGE);
	reads_nothing = say(&reading, text);
	free(text);
	send_all(reads_nothing, LARGE);

	limits[4].upload_s = 1;
	begin(&uploading, &limits[4]);
	start_upload(&uploading, token);

	/* No byte is late, but the whole of them is. */
	for (i = 0; i < PATIENCE_MS / 20 && trickle(trickles); i++)
		(void)nanosleep(&pause, NULL);
	assert_true(i < PATIENCE_MS / 20);
	(void)close(trickles);
	EXPECT_INT(await_end(silent), 0);
	EXPECT_INT(await_end(half), 0);
	EXPECT_INT(await_end(stops), 0);
	assert_true(await_end(asks_once) > 0);
	for (i = 2; !has_ended(&uploading, token); i++) {
		const struct timespec longer = {.tv_sec = i};

		assert_true(i < 10);
		(void)nanosleep(&longer, NULL);
	}
	await_place(&reading); /* only then may it be read */
	assert_true(await_end(reads_nothing) < LARGE);
	expect_served(&idle);
	expect_served(&request_time);
	expect_served(&keepalive);
	end(&idle);
	end(&request_time);
	end(&keepalive);
	end(&reading);
	end(&uploading);
}

TEST(connections_are_counted)
{
	struct server_limits limits = wide;
	struct served s;
	int kept[3], more;
	size_t i;

	limits.connection_max = 3;
	begin(&s, &limits);
	for (i = 0; i < 3; i++) {
		kept[i] = say(&s, GET_VERSION);
		await_text(kept[i], "convexfs");
	}
	more = say(&s, "");
	EXPECT_INT(await_end(more), 0);
	(void)close(kept[0]);
	await_place(&s);
	(void)close(kept[1]);
	(void)close(kept[2]);
	end(&s);
}

/* --- uploads ------------------------------------------------------------- */

static void pass_time(void)
{
	int64_t now = embedded_now_ns();

	while (embedded_now_ns() <= now)
		continue;
}

TEST(uploads_that_nobody_goes_on_with_end)
{
	struct deployment *d = store_open(store_new_dir());
	char idle[UPLOAD_TOKEN_SIZE], used[UPLOAD_TOKEN_SIZE];
	struct cvx_err err = CVX_ERR_INIT;
	struct upload_part *part, *late;
	struct uploads *u;

	EXPECT_OK(uploads_new(d, 0, &u, &err), &err);
	EXPECT_OK(uploads_start(u, idle, &err), &err);
	EXPECT_OK(uploads_start(u, used, &err), &err);
	EXPECT_OK(uploads_begin_part(u, used, "1", 1, &part, &err), &err);
	pass_time();
	uploads_close_idle(u);
	EXPECT_INT(uploads_begin_part(u, idle, "1", 1, &late, &err), -EINVAL);
	assert_string_equal(err.name, "InvalidUploadToken");
	/* One whose part arrives just now stays, until that has come. */
	EXPECT_OK(uploads_begin_part(u, used, "2", 1, &late, &err), &err);
	upload_part_free(late);
	upload_part_free(part);
	pass_time();
	uploads_close_idle(u);
	EXPECT_INT(uploads_begin_part(u, used, "3", 1, &late, &err), -EINVAL);
	uploads_free(u);
	store_close(d);
}

UNIT_MAIN(UNIT_CASE(slow_clients_are_cut_off),
	  UNIT_CASE(connections_are_counted),
	  UNIT_CASE(uploads_that_nobody_goes_on_with_end))
