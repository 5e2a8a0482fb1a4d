#include "tests/unit/loopback.h"

#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256
#define HEAD_MAX 65536

struct connection {
	struct loopback *server;
	pthread_t thread;
	int fd; /* -1: closed; guarded by the server's lock */
};

struct loopback {
	loopback_handler *handler;
	void *ctx;
	int fd;
	char url[64];
	char port[8];
	pthread_t thread;
	pthread_mutex_t handler_lock;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t ended;
	bool is_ending;
	struct connection connections[CONNECTIONS_MAX];
	unsigned connection_count;
	unsigned count;
	unsigned at_once;
	unsigned most_at_once;
};

static void die(const char *what)
{
	fprintf(stderr, "loopback: %s: %m\n", what);
	abort();
}

/* false: the connection is gone. */
static bool send_all(int fd, const char *bytes, size_t size)
{
	ssize_t n;

	while (size > 0) {
		n = send(fd, bytes, size, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		bytes += n;
		size -= (size_t)n;
	}
	return true;
}

static void sleep_ms(unsigned ms)
{
	const struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

	(void)nanosleep(&t, NULL);
}

static void send_slowly(int fd, const char *bytes, size_t size)
{
	size_t piece = size / 8 + 1, n;

	for (; size > 0; bytes += n, size -= n) {
		n = size < piece ? size : piece;
		if (!send_all(fd, bytes, n))
			return;
		sleep_ms(1);
	}
}

static void wait_for_end(struct loopback *l)
{
	(void)pthread_mutex_lock(&l->lock);
	while (!l->is_ending)
		(void)pthread_cond_wait(&l->ended, &l->lock);
	(void)pthread_mutex_unlock(&l->lock);
}

/* false: the connection ends. */
static bool send_answer(struct loopback *l, int fd,
			const struct loopback_answer *a)
{
	const struct linger now = {1, 0};
	size_t size = a->body_size;
	char head[1024];
	int n;

	if (a->body && size == 0)
		size = strlen(a->body);
	n = snprintf(head, sizeof(head),
		     "HTTP/1.1 %d Said\r\nContent-Length: %zu\r\n%s\r\n",
		     a->status, size + (a->fault == LOOPBACK_LONGER),
		     a->headers ? a->headers : "");
	switch (a->fault) {
	case LOOPBACK_FINE:
		return send_all(fd, head, (size_t)n) &&
		       send_all(fd, a->body, size);
	case LOOPBACK_DROP:
		return false;
	case LOOPBACK_RESET:
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		return false;
	case LOOPBACK_LEAVE:
		(void)shutdown(l->fd, SHUT_RDWR);
		return false;
	case LOOPBACK_TRUNCATE:
		if (send_all(fd, head, (size_t)n))
			(void)send_all(fd, a->body, size / 2);
		return false;
	case LOOPBACK_LONGER:
		if (send_all(fd, head, (size_t)n))
			(void)send_all(fd, a->body, size);
		return false;
	case LOOPBACK_SLOW:
		send_slowly(fd, head, (size_t)n);
		send_slowly(fd, a->body, size);
		return true;
	case LOOPBACK_HANG:
		wait_for_end(l);
		return false;
	case LOOPBACK_GARBAGE:
		(void)send_all(fd, "<html>\n\n<body>", 14);
		return false;
	}
	return false;
}

/* Reads up to the empty line; how many bytes of the body came with it. */
static char *receive_head(int fd, size_t *ret_rest)
{
	char *head = malloc(HEAD_MAX + 1), *end;
	size_t size = 0;
	ssize_t n;

	if (!head)
		die("malloc");
	for (;;) {
		n = recv(fd, head + size, HEAD_MAX - size, 0);
		if (n <= 0) {
			free(head);
			return NULL;
		}
		size += (size_t)n;
		head[size] = '\0';
		end = memmem(head, size, "\r\n\r\n", 4);
		if (!end)
			continue;
		*ret_rest = size - (size_t)(end + 4 - head);
		memmove(end + 3, end + 4, *ret_rest);
		end[2] = '\0';
		return head;
	}
}

static char *receive_body(int fd, const char *rest, size_t rest_size,
			  size_t size)
{
	char *body = malloc(size + 1);
	ssize_t n;

	if (!body)
		die("malloc");
	if (rest_size > size)
		rest_size = size;
	memcpy(body, rest, rest_size);
	while (rest_size < size) {
		n = recv(fd, body + rest_size, size - rest_size, 0);
		if (n <= 0) {
			free(body);
			return NULL;
		}
		rest_size += (size_t)n;
	}
	body[size] = '\0';
	return body;
}

static size_t content_length(const char *headers)
{
	const char *line = strcasestr(headers, "\r\ncontent-length:");

	return line ? strtoul(line + 17, NULL, 10) : 0;
}

static bool handle(struct loopback *l, int fd, const struct loopback_request *q)
{
	struct loopback_answer a = {.status = 200};
	bool goes_on;

	(void)pthread_mutex_lock(&l->lock);
	l->count++;
	if (++l->at_once > l->most_at_once)
		l->most_at_once = l->at_once;
	(void)pthread_mutex_unlock(&l->lock);
	(void)pthread_mutex_lock(&l->handler_lock);
	l->handler(l->ctx, q, &a);
	(void)pthread_mutex_unlock(&l->handler_lock);
	sleep_ms(a.delay_ms);
	(void)pthread_mutex_lock(&l->lock);
	l->at_once--;
	(void)pthread_mutex_unlock(&l->lock);
	goes_on = send_answer(l, fd, &a);
	free(a.body);
	return goes_on;
}

/* One request; false: the connection ends. */
static bool serve_one(struct loopback *l, int fd)
{
	struct loopback_request q = {0};
	size_t rest_size = 0;
	char *head = receive_head(fd, &rest_size), *p, *target;
	char *body = NULL;
	bool goes_on = false;

	if (!head)
		return false;
	q.headers = strstr(head, "\r\n");
	if (!q.headers)
		die("a request without headers");
	q.body_size = content_length(q.headers);
	body = receive_body(fd, head + strlen(head) + 1, rest_size,
			    q.body_size);
	if (body) {
		q.body = body;
		q.method = head;
		p = strchr(head, ' ');
		*p = '\0';
		target = p + 1;
		*strchr(target, ' ') = '\0';
		p = strchr(target, '?');
		if (p)
			*p = '\0';
		q.path = target;
		q.query = p ? p + 1 : "";
		goes_on = handle(l, fd, &q);
	}
	free(body);
	free(head);
	return goes_on;
}

static void *serve_connection(void *ctx)
{
	struct connection *c = ctx;
	struct loopback *l = c->server;
	int fd = c->fd;

	while (serve_one(l, fd))
		;
	(void)pthread_mutex_lock(&l->lock);
	c->fd = -1;
	(void)pthread_mutex_unlock(&l->lock);
	(void)close(fd);
	return NULL;
}

static void *accept_all(void *ctx)
{
	struct loopback *l = ctx;
	const int on = 1;
	struct connection *c;
	int fd;

	while ((fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		(void)pthread_mutex_lock(&l->lock);
		if (l->connection_count == CONNECTIONS_MAX)
			die("too many connections");
		c = &l->connections[l->connection_count];
		*c = (struct connection){.server = l, .fd = fd};
		if (pthread_create(&c->thread, NULL, serve_connection, c) != 0)
			die("pthread_create");
		l->connection_count++;
		(void)pthread_mutex_unlock(&l->lock);
	}
	return NULL;
}

const struct loopback_trouble loopback_troubles[] = {
	{"dropped before", .fault = LOOPBACK_DROP, .heals = true},
	{"dropped behind", .fault = LOOPBACK_DROP, .acts = true, .heals = true},
	{"reset behind", .fault = LOOPBACK_RESET, .acts = true, .heals = true},
	{"truncated", .fault = LOOPBACK_TRUNCATE, .acts = true},
	{"longer", .fault = LOOPBACK_LONGER, .acts = true, .heals = true},
	{"slow", .fault = LOOPBACK_SLOW, .acts = true, .heals = true},
	{"silent", .fault = LOOPBACK_HANG, .acts = true, .heals = true},
	{"garbage", .fault = LOOPBACK_GARBAGE, .acts = true, .heals = true},
	{"429", .status = 429, .heals = true},
	{"500 before", .status = 500, .heals = true},
	{"503 behind", .status = 503, .acts = true, .heals = true},
	{"408 behind", .status = 408, .acts = true, .heals = true},
	{"400", .status = 400, .body = "{\"code\":\"X\"}"},
	{"401", .status = 401},
	{"404", .status = 404},
	{"302", .status = 302},
	{"html", .acts = true, .body = "<html>"},
	{"null", .acts = true, .body = "null"},
	{"{}", .acts = true, .body = "{}"},
	{"[]", .acts = true, .body = "[]"},
};
const size_t loopback_trouble_count =
	sizeof(loopback_troubles) / sizeof(*loopback_troubles);

void loopback_make_trouble(const struct loopback_trouble *t,
			   struct loopback_answer *a)
{
	a->fault = t->fault;
	if (t->status)
		a->status = t->status;
	if (t->body || t->status >= 300) {
		free(a->body);
		a->body = t->body ? strdup(t->body) : NULL;
	}
	if (t->status == 302)
		a->headers = "Location: /elsewhere\r\n";
}

char *loopback_format(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	assert_true(vasprintf(&text, fmt, ap) >= 0);
	va_end(ap);
	return text;
}

struct loopback *loopback_start(loopback_handler *handler, void *ctx)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof(address);
	struct loopback *l = calloc(1, sizeof(*l));

	if (!l)
		die("calloc");
	(void)setenv("no_proxy", "*", 1);
	l->handler = handler;
	l->ctx = ctx;
	(void)pthread_mutex_init(&l->lock, NULL);
	(void)pthread_mutex_init(&l->handler_lock, NULL);
	(void)pthread_cond_init(&l->ended, NULL);
	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l->fd < 0 ||
	    bind(l->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(l->fd, 64) < 0 ||
	    getsockname(l->fd, (struct sockaddr *)&address, &size) < 0)
		die("listen");
	(void)snprintf(l->port, sizeof(l->port), "%u", ntohs(address.sin_port));
	(void)snprintf(l->url, sizeof(l->url), "http://127.0.0.1:%s", l->port);
	if (pthread_create(&l->thread, NULL, accept_all, l) != 0)
		die("pthread_create");
	return l;
}

void loopback_stop(struct loopback *l)
{
	unsigned i;

	(void)shutdown(l->fd, SHUT_RDWR);
	(void)pthread_join(l->thread, NULL);
	(void)close(l->fd);
	(void)pthread_mutex_lock(&l->lock);
	l->is_ending = true;
	(void)pthread_cond_broadcast(&l->ended);
	for (i = 0; i < l->connection_count; i++)
		if (l->connections[i].fd >= 0)
			(void)shutdown(l->connections[i].fd, SHUT_RDWR);
	(void)pthread_mutex_unlock(&l->lock);
	for (i = 0; i < l->connection_count; i++)
		(void)pthread_join(l->connections[i].thread, NULL);
	(void)pthread_mutex_destroy(&l->lock);
	(void)pthread_mutex_destroy(&l->handler_lock);
	(void)pthread_cond_destroy(&l->ended);
	free(l);
}

const char *loopback_url(const struct loopback *l)
{
	return l->url;
}

const char *loopback_port(const struct loopback *l)
{
	return l->port;
}

void loopback_sync(struct loopback *l)
{
	(void)pthread_mutex_lock(&l->handler_lock);
	(void)pthread_mutex_unlock(&l->handler_lock);
}

static unsigned look(struct loopback *l, const unsigned *figure)
{
	unsigned value;

	(void)pthread_mutex_lock(&l->lock);
	value = *figure;
	(void)pthread_mutex_unlock(&l->lock);
	return value;
}

unsigned loopback_count(struct loopback *l)
{
	return look(l, &l->count);
}

unsigned loopback_connection_count(struct loopback *l)
{
	return look(l, &l->connection_count);
}

unsigned loopback_most_at_once(struct loopback *l)
{
	return look(l, &l->most_at_once);
}

bool loopback_has_header(const struct loopback_request *q, const char *line)
{
	const char *at = q->headers;
	size_t size = strlen(line);

	for (; (at = strstr(at, "\r\n")) != NULL; at += 2)
		if (strncasecmp(at + 2, line, size) == 0 &&
		    strncmp(at + 2 + size, "\r\n", 2) == 0)
			return true;
	return false;
}
