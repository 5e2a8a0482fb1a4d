/*
 * The loop thread owns everything that the library gives: wsi, and what hangs
 * on it. Others reach a connection through its exchange or socket, by marking
 * what they want under the server's lock and waking the loop.
 */
#include "importer/server/http.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libwebsockets.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/base/log.h"

#define READ_SIZE (128u << 10)
#define WRITE_SIZE ((size_t)64 << 10)
#define KEEPALIVE_SECONDS 75
#define FOREVER_SECONDS 86400u
#define ARG_MAX_COUNT 32
#define REPLY_HEADER_MAX 8

/* A body that nobody wants is read up to here, so that the client gets round
 * to reading the answer; behind a longer one the connection ends. */
#define DISCARD_MAX ((uint64_t)64 << 20)

/* Bytes of bodies and answers that may be in memory at once, and those that
 * may wait for sockets: for one client that does not read, and for all. */
#define MEMORY_MAX ((uint64_t)512 << 20)
#define SOCKET_QUEUE_MAX ((size_t)64 << 20)
#define SOCKET_QUEUES_MAX ((size_t)256 << 20)

/* WS-17 */
#define PING_SECONDS 20
#define HANGUP_SECONDS 120

struct pair {
	char *name, *value;
};

enum body_way { BODY_MEMORY, BODY_SINK, BODY_DISCARD };

struct http_exchange {
	struct http_server *server;
	struct http_exchange *next; /* in a queue */
	void *user;

	/* The request. */
	enum http_method method;
	char *path;
	struct pair args[ARG_MAX_COUNT];
	unsigned arg_count;
	char *headers[HTTP_HEADER_COUNT];
	uint64_t body_size; /* announced */
	uint64_t body_limit;
	uint64_t body_read;
	enum body_way body_way;
	struct http_sink sink;
	struct cvx_buf body;
	struct cvx_err body_err;

	/* The answer; fixed once it is given. */
	unsigned status;
	char *type;
	struct pair reply_headers[REPLY_HEADER_MAX];
	unsigned reply_header_count;
	struct cvx_buf reply;
	int fd; /* -1: the answer is in reply */
	uint64_t file_off;
	uint64_t reply_size, reply_sent;

	/* Loop. */
	struct lws *wsi; /* NULL: the client has gone */
	bool headers_sent;
	bool has_length;      /* the body's was announced */
	bool body_is_whole;   /* as far as it will come */
	uint64_t memory_used; /* of the server's */
	bool is_taken;	      /* from the list of answered ones */

	bool is_answered; /* server's lock */
};

struct message {
	struct message *next;
	struct cvx_buf text;
	size_t sent;
};

struct http_socket {
	struct http_server *server;
	unsigned ref_count;	  /* server's lock */
	struct http_socket *next; /* in the list of those to wake */
	void *user;

	struct lws *wsi;   /* loop; NULL: closed */
	struct cvx_buf in; /* loop: the message that arrives */

	/* Under the server's lock. */
	bool is_queued; /* in the list */
	struct message *first, **last;
	size_t waiting_size;
	bool wants_close;
	unsigned close_code;
	char close_reason[124];
};

/* What the library keeps for us with each connection. */
struct connection {
	struct http_exchange *exchange;
	struct http_socket *socket;
};

struct queue {
	struct http_exchange *first, **last;
};

struct http_server {
	struct http_hooks hooks;
	struct lws_context *context;
	struct lws_vhost *vhost;
	struct lws_protocols protocols[2];
	lws_retry_bo_t liveness;
	pthread_t loop;
	unsigned connection_max;
	unsigned connection_count; /* loop */
	uint64_t memory_used;	   /* loop; bodies and answers */
	uint16_t port;

	pthread_t *workers;
	unsigned worker_count, worker_max;
	bool has_loop;

	pthread_mutex_t lock; /* guards what follows; taken last of all */
	pthread_cond_t wanted;
	struct queue todo;	     /* for workers */
	struct queue answered;	     /* for the loop */
	struct http_socket *sockets; /* for the loop */
	size_t sockets_waiting;	     /* bytes, of all */
	bool is_stopping;
	bool loop_ends;

	char *out; /* loop: LWS_PRE and WRITE_SIZE bytes */
};

static void queue_init(struct queue *q)
{
	q->first = NULL;
	q->last = &q->first;
}

static void queue_add(struct queue *q, struct http_exchange *x)
{
	x->next = NULL;
	*q->last = x;
	q->last = &x->next;
}

static struct http_exchange *queue_take(struct queue *q)
{
	struct http_exchange *x = q->first;

	if (!x)
		return NULL;
	q->first = x->next;
	if (!q->first)
		q->last = &q->first;
	return x;
}

static void lock(struct http_server *server)
{
	(void)pthread_mutex_lock(&server->lock);
}

static void unlock(struct http_server *server)
{
	(void)pthread_mutex_unlock(&server->lock);
}

/* Nothing, when all connections have ended. */
static void wake_loop(struct http_server *server)
{
	if (server->context)
		lws_cancel_service(server->context);
}

/* --- exchanges ----------------------------------------------------------- */

static void pair_fini(struct pair *p)
{
	free(p->name);
	free(p->value);
}

/* Loop: nobody looks at it any more. */
static void exchange_free(struct http_exchange *x)
{
	size_t i;

	if (!x)
		return;
	x->server->hooks.end(x->server->hooks.ctx, x);
	for (i = 0; i < x->arg_count; i++)
		pair_fini(&x->args[i]);
	for (i = 0; i < x->reply_header_count; i++)
		pair_fini(&x->reply_headers[i]);
	for (i = 0; i < HTTP_HEADER_COUNT; i++)
		free(x->headers[i]);
	if (x->fd >= 0)
		(void)close(x->fd);
	x->server->memory_used -= x->memory_used;
	cvx_buf_fini(&x->body);
	cvx_buf_fini(&x->reply);
	free(x->type);
	free(x->path);
	free(x);
}

enum http_method http_method(const struct http_exchange *x)
{
	return x->method;
}

const char *http_path(const struct http_exchange *x)
{
	return x->path;
}

const char *http_arg(const struct http_exchange *x, const char *name)
{
	unsigned i = x->arg_count;

	while (i-- > 0)
		if (strcmp(x->args[i].name, name) == 0)
			return x->args[i].value;
	return NULL;
}

const char *http_header(const struct http_exchange *x, enum http_header h)
{
	return x->headers[h];
}

uint64_t http_body_size(const struct http_exchange *x)
{
	return x->body_size;
}

void http_set_user(struct http_exchange *x, void *user)
{
	x->user = user;
}

void *http_user(const struct http_exchange *x)
{
	return x->user;
}

void http_set_sink(struct http_exchange *x, const struct http_sink *sink)
{
	x->sink = *sink;
	x->body_way = BODY_SINK;
}

void http_set_body_limit(struct http_exchange *x, uint64_t limit)
{
	x->body_limit = limit;
}

const char *http_body(const struct http_exchange *x, size_t *ret_size)
{
	*ret_size = x->body.size;
	return x->body.data;
}

int http_body_error(const struct http_exchange *x, struct cvx_err *err)
{
	if (x->body_err.code < 0 && err)
		*err = x->body_err;
	return x->body_err.code;
}

void http_add_header(struct http_exchange *x, const char *name,
		     const char *value)
{
	struct pair *p = &x->reply_headers[x->reply_header_count];

	assert(x->reply_header_count < REPLY_HEADER_MAX);
	/* The library wants the colon. Without memory the header is not told,
	 * and the answer stays what it is. */
	if (asprintf(&p->name, "%s:", name) < 0) {
		p->name = NULL;
		return;
	}
	p->value = strdup(value);
	if (!p->value)
		free(CVX_TAKE(p->name));
	else
		x->reply_header_count++;
}

/* The answer is fixed; the loop sends it. */
static void answer(struct http_exchange *x)
{
	struct http_server *server = x->server;

	lock(server);
	assert(!x->is_answered);
	x->is_answered = true;
	queue_add(&server->answered, x);
	unlock(server);
	wake_loop(server);
}

void http_reply(struct http_exchange *x, unsigned status, const char *type,
		struct cvx_buf *body)
{
	x->status = status;
	x->type = type ? strdup(type) : NULL;
	x->fd = -1;
	if (body) {
		x->reply = *body;
		cvx_buf_init(body, 0);
	}
	x->reply_size = x->reply.size;
	answer(x);
}

void http_reply_file(struct http_exchange *x, unsigned status, const char *type,
		     int fd, uint64_t off, uint64_t size)
{
	x->status = status;
	x->type = type ? strdup(type) : NULL;
	x->fd = fd;
	x->file_off = off;
	x->reply_size = size;
	answer(x);
}

/* --- reading a request --------------------------------------------------- */

static enum http_method method_of(int number)
{
	switch (number) {
	case LWSHUMETH_GET:
		return HTTP_GET;
	case LWSHUMETH_POST:
		return HTTP_POST;
	case LWSHUMETH_PUT:
		return HTTP_PUT;
	default:
		return HTTP_OTHER;
	}
}

static char *copy_token(struct lws *wsi, enum lws_token_indexes token)
{
	int size = lws_hdr_total_length(wsi, token);
	char *text = size > 0 ? malloc((size_t)size + 1) : NULL;

	if (text && lws_hdr_copy(wsi, text, size + 1, token) < 0)
		free(CVX_TAKE(text));
	return text;
}

static char *copy_custom(struct lws *wsi, const char *name)
{
	int name_size = (int)strlen(name);
	int size = lws_hdr_custom_length(wsi, name, name_size);
	char *text = size > 0 ? malloc((size_t)size + 1) : NULL;

	if (text &&
	    lws_hdr_custom_copy(wsi, text, size + 1, name, name_size) < 0)
		free(CVX_TAKE(text));
	return text;
}

/* "name=value", which the library has decoded. */
static int add_arg(struct http_exchange *x, const char *text)
{
	const char *value = strchr(text, '=');
	struct pair *p = &x->args[x->arg_count];
	size_t size = value ? (size_t)(value - text) : strlen(text);

	p->name = strndup(text, size);
	p->value = strdup(value ? value + 1 : "");
	x->arg_count++;
	return p->name && p->value ? 0 : -ENOMEM;
}

static int read_args(struct http_exchange *x, struct lws *wsi)
{
	CVX_AUTO(cvx_freep) char *text = malloc(HTTP_HEADERS_MAX);
	int i, r = text ? 0 : -ENOMEM;

	for (i = 0; r == 0 && i < ARG_MAX_COUNT; i++) {
		if (lws_hdr_copy_fragment(wsi, text, HTTP_HEADERS_MAX,
					  WSI_TOKEN_HTTP_URI_ARGS, i) <= 0)
			break;
		r = add_arg(x, text);
	}
	return r;
}

static bool read_size(const char *text, uint64_t *ret)
{
	uint64_t n = 0;

	if (!*text)
		return false;
	for (; *text >= '0' && *text <= '9'; text++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n))
			return false;
	*ret = n;
	return *text == '\0' && n <= INT64_MAX;
}

static int read_body_size(struct http_exchange *x, struct lws *wsi)
{
	CVX_AUTO(cvx_freep)
	char *text = copy_token(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH);

	if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0)
		return -EPROTO; /* HTTP-11: nobody needs it */
	if (text && !read_size(text, &x->body_size))
		return -EPROTO;
	x->has_length = text != NULL;
	return 0;
}

static struct http_exchange *exchange_new(struct http_server *server,
					  struct lws *wsi)
{
	struct http_exchange *x = calloc(1, sizeof(*x));
	char *path;
	int size;

	if (!x)
		return NULL;
	x->server = server;
	x->fd = -1;
	cvx_buf_init(&x->body, SIZE_MAX);
	cvx_buf_init(&x->reply, SIZE_MAX);
	x->method = method_of(lws_http_get_uri_and_method(wsi, &path, &size));
	x->path = strndup(path ? path : "", path ? (size_t)size : 0);
	x->headers[HTTP_AUTHORIZATION] =
		copy_token(wsi, WSI_TOKEN_HTTP_AUTHORIZATION);
	x->headers[HTTP_CONTENT_TYPE] =
		copy_token(wsi, WSI_TOKEN_HTTP_CONTENT_TYPE);
	x->headers[HTTP_RANGE] = copy_token(wsi, WSI_TOKEN_HTTP_RANGE);
	x->headers[HTTP_HOST] = copy_token(wsi, WSI_TOKEN_HOST);
	x->headers[HTTP_CLIENT] = copy_custom(wsi, "convex-client:");
	x->headers[HTTP_DIGEST] = copy_custom(wsi, "digest:");
	x->wsi = wsi;
	return x;
}

/* LWS_CALLBACK_TIMER comes then, unless the timer is set anew. To cancel it
 * would make it come at once. */
static void set_timer(struct lws *wsi, unsigned seconds)
{
	lws_set_timer_usecs(wsi, (lws_usec_t)seconds * LWS_US_PER_SEC);
}

/* The body is there, or all that will come of it: a worker's turn. */
static void submit(struct http_exchange *x)
{
	struct http_server *server = x->server;

	x->body_is_whole = true;
	lws_set_timeout(x->wsi, NO_PENDING_TIMEOUT, 0);
	set_timer(x->wsi, FOREVER_SECONDS);
	if (x->is_taken) {
		(void)lws_callback_on_writable(x->wsi);
		return;
	}
	lock(server);
	if (!x->is_answered) {
		queue_add(&server->todo, x);
		(void)pthread_cond_signal(&server->wanted);
	}
	unlock(server);
}

/* A broken request has no exchange that hooks would see. */
static int refuse(struct lws *wsi, unsigned status)
{
	if (lws_return_http_status(wsi, status, NULL) < 0)
		return -1;
	return -1; /* what follows it cannot be trusted */
}

static int on_request(struct http_server *server, struct lws *wsi,
		      struct connection *c)
{
	struct http_exchange *x = exchange_new(server, wsi);
	int r = x && x->path ? read_body_size(x, wsi) : -ENOMEM;

	if (r == 0)
		r = read_args(x, wsi);
	if (r < 0) {
		if (x) {
			x->wsi = NULL;
			exchange_free(x);
		}
		return refuse(wsi, r == -EPROTO ? 400 : 503);
	}
	c->exchange = x;
	server->hooks.begin(server->hooks.ctx, x);
	if (x->body_size > x->body_limit) {
		(void)cvx_fail(&x->body_err, -EFBIG,
			       "the body has %" PRIu64
			       " bytes; at most %" PRIu64 " are allowed here",
			       x->body_size, x->body_limit);
		x->body_way = BODY_DISCARD;
	}
	if (x->is_answered)
		x->body_way = BODY_DISCARD;
	set_timer(wsi, HTTP_REQUEST_SECONDS);
	if (x->body_size == 0 ||
	    (x->body_way == BODY_DISCARD && x->body_size > DISCARD_MAX))
		submit(x);
	return 0;
}

/* Loop. False: there is no room for so many bytes more. */
static bool use_memory(struct http_exchange *x, uint64_t size)
{
	if (x->server->memory_used + size > MEMORY_MAX)
		return false;
	x->server->memory_used += size;
	x->memory_used += size;
	return true;
}

static void on_body(struct http_exchange *x, const void *bytes, size_t size)
{
	int r = 0;

	if (x->body_is_whole)
		return; /* nobody waits for it any more */
	x->body_read += size;
	if (x->body_way == BODY_SINK)
		r = x->sink.write(x->sink.ctx, bytes, size, &x->body_err);
	else if (x->body_way == BODY_MEMORY && !use_memory(x, size))
		r = cvx_fail(&x->body_err, -EBUSY,
			     "the server has too much in memory; try again");
	else if (x->body_way == BODY_MEMORY)
		r = cvx_buf_append(&x->body, bytes, size);
	if (r < 0) {
		if (x->body_err.code == 0)
			(void)cvx_fail_memory(&x->body_err);
		x->body_way = BODY_DISCARD;
	}
}

/* The connection has ended, or goes to another use. */
static void drop_exchange(struct connection *c)
{
	struct http_exchange *x = CVX_TAKE(c->exchange);
	bool is_answered;

	if (!x)
		return;
	x->wsi = NULL;
	lock(x->server);
	is_answered = x->is_answered;
	unlock(x->server);
	/* Else a worker has it, or it is in the list of answered ones, from
	 * where it is freed. */
	if (x->is_taken || (!x->body_is_whole && !is_answered))
		exchange_free(x);
}

/* --- answering ----------------------------------------------------------- */

static int write_headers(struct http_exchange *x, struct lws *wsi)
{
	unsigned char *start = (unsigned char *)x->server->out + LWS_PRE;
	unsigned char *p = start, *end = start + WRITE_SIZE;
	unsigned i;

	if (lws_add_http_common_headers(wsi, x->status, x->type, x->reply_size,
					&p, end))
		return -1;
	for (i = 0; i < x->reply_header_count; i++) {
		const struct pair *h = &x->reply_headers[i];

		if (lws_add_http_header_by_name(wsi,
						(const unsigned char *)h->name,
						(const unsigned char *)h->value,
						(int)strlen(h->value), &p, end))
			return -1;
	}
	return lws_finalize_write_http_header(wsi, start, &p, end) ? -1 : 0;
}

/* The next bytes of the answer, to the buffer. */
static int next_bytes(struct http_exchange *x, size_t *ret_n)
{
	uint64_t left = x->reply_size - x->reply_sent;
	size_t n = left < WRITE_SIZE ? (size_t)left : WRITE_SIZE;
	char *to = x->server->out + LWS_PRE;

	*ret_n = n;
	if (x->fd < 0) {
		if (n > 0)
			memcpy(to, x->reply.data + x->reply_sent, n);
		return 0;
	}
	return file_pread(x->fd, to, n, x->file_off + x->reply_sent, ret_n) < 0
		       ? -1
		       : (*ret_n == n ? 0 : -1);
}

/* Whether what came with a request has more in it, which the library keeps.
 * Were it a request with a body, it would take the head for the body, and turn
 * in a circle for ever (libwebsockets 4.1). It tells of all connections at
 * once; that one ends for another's sake does no harm. */
static bool may_have_more(struct http_server *server)
{
	return lws_service_adjust_timeout(server->context, 1, 0) == 0;
}

/* -1: the connection ends. Without a length the library would go on to wait
 * for a body. */
static int finish_answer(struct connection *c, struct lws *wsi)
{
	struct http_exchange *x = CVX_TAKE(c->exchange);
	struct http_server *server = x->server;
	bool goes_on = x->body_read == x->body_size &&
		       (x->has_length || x->method == HTTP_GET);

	exchange_free(x);
	if (!goes_on || may_have_more(server))
		return -1;
	return lws_http_transaction_completed(wsi) ? -1 : 0;
}

static int on_writable(struct connection *c, struct lws *wsi)
{
	struct http_exchange *x = c->exchange;
	bool is_last;
	size_t n;

	if (!x || !x->is_taken || !x->body_is_whole)
		return 0;
	set_timer(wsi, KEEPALIVE_SECONDS);
	if (!x->headers_sent) {
		if (write_headers(x, wsi) < 0)
			return -1;
		x->headers_sent = true;
		if (x->reply_size == 0)
			return finish_answer(c, wsi);
		(void)lws_callback_on_writable(wsi);
		return 0;
	}
	if (next_bytes(x, &n) < 0)
		return -1;
	is_last = x->reply_sent + n == x->reply_size;
	if (lws_write(wsi, (unsigned char *)x->server->out + LWS_PRE, n,
		      is_last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0)
		return -1;
	x->reply_sent += n;
	if (is_last)
		return finish_answer(c, wsi);
	(void)lws_callback_on_writable(wsi);
	return 0;
}

/* Loop: what workers and others have answered. */
static void send_answers(struct http_server *server)
{
	struct http_exchange *x;

	for (;;) {
		lock(server);
		x = queue_take(&server->answered);
		unlock(server);
		if (!x)
			return;
		x->is_taken = true;
		if (!use_memory(x, x->reply.size)) {
			cvx_buf_fini(&x->reply);
			x->status = 503;
			x->reply_size = 0;
		}
		if (!x->wsi)
			exchange_free(x);
		else if (x->body_is_whole)
			(void)lws_callback_on_writable(x->wsi);
	}
}

/* --- WebSockets ---------------------------------------------------------- */

static void message_free(struct message *m)
{
	cvx_buf_fini(&m->text);
	free(m);
}

static struct http_socket *socket_new(struct http_server *server,
				      struct lws *wsi)
{
	struct http_socket *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->server = server;
	s->ref_count = 1;
	s->wsi = wsi;
	s->last = &s->first;
	cvx_buf_init(&s->in, HTTP_MESSAGE_MAX);
	return s;
}

void http_socket_ref(struct http_socket *s)
{
	lock(s->server);
	s->ref_count++;
	unlock(s->server);
}

void http_socket_unref(struct http_socket *s)
{
	struct message *m;
	bool is_last;

	lock(s->server);
	is_last = --s->ref_count == 0;
	if (is_last)
		s->server->sockets_waiting -= s->waiting_size;
	unlock(s->server);
	if (!is_last)
		return;
	while ((m = s->first)) {
		s->first = m->next;
		message_free(m);
	}
	cvx_buf_fini(&s->in);
	free(s);
}

void http_socket_set_user(struct http_socket *s, void *user)
{
	s->user = user;
}

void *http_socket_user(const struct http_socket *s)
{
	return s->user;
}

/* Under the lock: the loop looks at the socket soon. */
static void queue_socket(struct http_socket *s)
{
	if (s->is_queued)
		return;
	s->is_queued = true;
	s->ref_count++;
	s->next = s->server->sockets;
	s->server->sockets = s;
}

static void want_close(struct http_socket *s, unsigned code, const char *reason)
{
	if (s->wants_close)
		return;
	s->wants_close = true;
	s->close_code = code;
	(void)snprintf(s->close_reason, sizeof(s->close_reason), "%s", reason);
}

void http_socket_send(struct http_socket *s, struct cvx_buf *text)
{
	struct message *m = calloc(1, sizeof(*m));
	struct http_server *server = s->server;

	lock(server);
	if (!m || s->waiting_size + text->size > SOCKET_QUEUE_MAX ||
	    server->sockets_waiting + text->size > SOCKET_QUEUES_MAX) {
		want_close(s, 1013, "TooManyUnreadMessages");
		cvx_buf_fini(text);
		free(m);
	} else {
		m->text = *text;
		cvx_buf_init(text, 0);
		s->waiting_size += m->text.size;
		server->sockets_waiting += m->text.size;
		*s->last = m;
		s->last = &m->next;
	}
	queue_socket(s);
	unlock(server);
	wake_loop(server);
}

void http_socket_close(struct http_socket *s, unsigned code, const char *reason)
{
	struct http_server *server = s->server;

	lock(server);
	want_close(s, code, reason);
	queue_socket(s);
	unlock(server);
	wake_loop(server);
}

/* Loop: those that have something to send. */
static void wake_sockets(struct http_server *server)
{
	struct http_socket *s, *next;

	lock(server);
	s = CVX_TAKE(server->sockets);
	unlock(server);
	for (; s; s = next) {
		lock(server);
		next = s->next;
		s->is_queued = false;
		unlock(server);
		if (s->wsi)
			(void)lws_callback_on_writable(s->wsi);
		http_socket_unref(s);
	}
}

/* -1: the connection ends. */
static int close_socket(struct http_socket *s)
{
	if (s->close_code)
		lws_close_reason(s->wsi, (enum lws_close_status)s->close_code,
				 (unsigned char *)s->close_reason,
				 strlen(s->close_reason));
	return -1;
}

static int on_socket_writable(struct http_socket *s)
{
	struct http_server *server = s->server;
	char *to = server->out + LWS_PRE;
	struct message *m;
	bool is_first, is_last;
	size_t n;

	lock(server);
	m = s->first;
	unlock(server);
	if (!m)
		return s->wants_close ? close_socket(s) : 0;
	n = m->text.size - m->sent;
	if (n > WRITE_SIZE)
		n = WRITE_SIZE;
	is_first = m->sent == 0;
	memcpy(to, m->text.data + m->sent, n);
	m->sent += n;
	is_last = m->sent == m->text.size;
	if (lws_write(s->wsi, (unsigned char *)to, n,
		      (enum lws_write_protocol)lws_write_ws_flags(
			      LWS_WRITE_TEXT, is_first, is_last)) < 0)
		return -1;
	if (is_last) {
		lock(server);
		s->waiting_size -= m->text.size;
		server->sockets_waiting -= m->text.size;
		s->first = m->next;
		if (!s->first)
			s->last = &s->first;
		unlock(server);
		message_free(m);
	}
	(void)lws_callback_on_writable(s->wsi);
	return 0;
}

static int on_frame(struct http_socket *s, struct lws *wsi, const void *bytes,
		    size_t size)
{
	const struct http_hooks *hooks = &s->server->hooks;
	char *text;

	if (lws_frame_is_binary(wsi)) {
		lws_close_reason(wsi, LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE,
				 (unsigned char *)"BinaryMessage", 13);
		return -1;
	}
	if (cvx_buf_append(&s->in, bytes, size) < 0) {
		lws_close_reason(wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE,
				 (unsigned char *)"MessageTooLarge", 15);
		return -1;
	}
	if (lws_remaining_packet_payload(wsi) > 0 ||
	    !lws_is_final_fragment(wsi))
		return 0;
	size = s->in.size;
	text = s->in.data ? s->in.data : calloc(1, 1);
	cvx_buf_init(&s->in, HTTP_MESSAGE_MAX);
	if (!text)
		return -1;
	hooks->socket_message(hooks->ctx, s, text, size);
	return 0;
}

static int on_socket_open(struct http_server *server, struct lws *wsi,
			  struct connection *c)
{
	drop_exchange(c);
	c->socket = socket_new(server, wsi);
	if (!c->socket)
		return -1;
	server->hooks.socket_open(server->hooks.ctx, c->socket);
	return 0;
}

static void on_socket_closed(struct connection *c)
{
	struct http_socket *s = CVX_TAKE(c->socket);

	if (!s)
		return;
	s->wsi = NULL;
	s->server->hooks.socket_closed(s->server->hooks.ctx, s);
	http_socket_unref(s);
}

/* Before the 101: is this a place for WebSockets? */
static int on_upgrade(struct http_server *server, struct lws *wsi)
{
	char *path = NULL, copy[256];
	int size = 0, status;

	if (lws_http_get_uri_and_method(wsi, &path, &size) < 0 || !path ||
	    size >= (int)sizeof(copy))
		return refuse(wsi, 404);
	memcpy(copy, path, (size_t)size);
	copy[size] = '\0';
	status = server->hooks.socket_path(server->hooks.ctx, copy);
	return status == 0 ? 0 : refuse(wsi, (unsigned)status);
}

/* --- the loop ------------------------------------------------------------ */

static int on_connection(struct http_server *server)
{
	if (server->connection_count >= server->connection_max)
		return -1;
	return 0;
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason,
		    void *user, void *in, size_t size)
{
	struct http_server *server = lws_context_user(lws_get_context(wsi));
	struct connection *c = user;

	switch ((int)reason) {
	case LWS_CALLBACK_FILTER_NETWORK_CONNECTION:
		return on_connection(server);
	case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
		server->connection_count++;
		break;
	case LWS_CALLBACK_WSI_DESTROY:
		if (server->connection_count > 0)
			server->connection_count--;
		break;
	case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
		send_answers(server);
		wake_sockets(server);
		break;
	case LWS_CALLBACK_HTTP:
		return on_request(server, wsi, c);
	case LWS_CALLBACK_HTTP_BODY:
		if (c->exchange)
			on_body(c->exchange, in, size);
		break;
	case LWS_CALLBACK_HTTP_BODY_COMPLETION:
		if (c->exchange && !c->exchange->body_is_whole)
			submit(c->exchange);
		break;
	case LWS_CALLBACK_HTTP_WRITEABLE:
		return on_writable(c, wsi);
	case LWS_CALLBACK_TIMER:
		return -1;
	case LWS_CALLBACK_CLOSED_HTTP:
	case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
		if (c)
			drop_exchange(c);
		break;
	case LWS_CALLBACK_RAW_ADOPT: /* CONNECT: nothing would end it */
	case LWS_CALLBACK_RAW_RX:
		return -1;
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		if (in && strcmp(in, "websocket") == 0)
			return on_upgrade(server, wsi);
		return refuse(wsi, 400);
	case LWS_CALLBACK_ESTABLISHED:
		return on_socket_open(server, wsi, c);
	case LWS_CALLBACK_RECEIVE:
		return c->socket ? on_frame(c->socket, wsi, in, size) : -1;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return c->socket ? on_socket_writable(c->socket) : -1;
	case LWS_CALLBACK_CLOSED:
		on_socket_closed(c);
		break;
	default:
		break;
	}
	return 0;
}

/* So often, at the end, the loop looks for what can be sent without waiting:
 * the last answers, and why sockets are closed. */
#define LAST_LOOKS 20

static void *run_loop(void *arg)
{
	struct http_server *server = arg;
	bool ends = false;
	int i;

	while (!ends && lws_service(server->context, 0) >= 0) {
		lock(server);
		ends = server->loop_ends;
		unlock(server);
	}
	for (i = 0; i < LAST_LOOKS; i++)
		(void)lws_service(server->context, -1);
	return NULL;
}

static void *run_worker(void *arg)
{
	struct http_server *server = arg;
	struct http_exchange *x;

	lock(server);
	for (;;) {
		x = queue_take(&server->todo);
		if (!x && server->is_stopping)
			break;
		if (!x) {
			(void)pthread_cond_wait(&server->wanted, &server->lock);
			continue;
		}
		unlock(server);
		server->hooks.handle(server->hooks.ctx, x);
		lock(server);
	}
	unlock(server);
	return NULL;
}

/* --- starting and stopping ----------------------------------------------- */

static void log_line(int level, const char *line)
{
	int size = (int)strcspn(line, "\n");

	if (level & LLL_ERR)
		log_warning("server: %.*s", size, line);
	else
		log_debug("server: %.*s", size, line);
}

/* The library does not tell why it cannot listen; this does. */
static int try_address(const struct http_settings *settings, bool *ret_is_v6,
		       struct cvx_err *err)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
				  .sin6_port = htons(settings->port)};
	struct sockaddr_in v4 = {.sin_family = AF_INET,
				 .sin_port = htons(settings->port)};
	CVX_AUTO(cvx_closep) int fd = -1;
	int one = 1, r;

	*ret_is_v6 = inet_pton(AF_INET6, settings->address, &v6.sin6_addr) == 1;
	if (!*ret_is_v6 &&
	    inet_pton(AF_INET, settings->address, &v4.sin_addr) != 1)
		return cvx_fail(err, -EINVAL, "%s is not an address",
				settings->address);
	fd = socket(*ret_is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC,
		    0);
	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
				 sizeof(one));
	r = fd < 0	 ? -1
	    : *ret_is_v6 ? bind(fd, (struct sockaddr *)&v6, sizeof(v6))
			 : bind(fd, (struct sockaddr *)&v4, sizeof(v4));
	if (r < 0)
		return cvx_fail(err, -errno, "cannot listen on %s port %u: %s",
				settings->address, (unsigned)settings->port,
				strerror(errno));
	return 0;
}

static int listen_on(struct http_server *server,
		     const struct http_settings *settings, struct cvx_err *err)
{
	struct lws_context_creation_info info = {
		.port = settings->port,
		.iface = settings->address,
		.protocols = server->protocols,
		.server_string = "convexfs",
		.max_http_header_data2 = HTTP_HEADERS_MAX,
		.max_http_header_pool2 = settings->connection_max,
		.pt_serv_buf_size = READ_SIZE,
		.timeout_secs = settings->idle_timeout_s,
		.keepalive_timeout = KEEPALIVE_SECONDS,
		.retry_and_idle_policy = &server->liveness,
		.options = LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND |
			   LWS_SERVER_OPTION_VALIDATE_UTF8,
		.gid = -1,
		.uid = -1,
		.user = server,
	};
	bool is_v6;
	int r = try_address(settings, &is_v6, err);

	if (r < 0)
		return r;
	if (!is_v6)
		info.options |= LWS_SERVER_OPTION_DISABLE_IPV6;
	lws_set_log_level(log_get_level() == LOG_LEVEL_DEBUG
				  ? LLL_ERR | LLL_WARN | LLL_NOTICE | LLL_INFO
				  : LLL_ERR | LLL_WARN,
			  log_line);
	server->context = lws_create_context(&info);
	if (!server->context)
		return cvx_fail(err, -EIO, "cannot listen on %s port %u",
				settings->address, (unsigned)settings->port);
	server->vhost = lws_get_vhost_by_name(server->context, "default");
	server->port = settings->port;
	if (server->vhost && lws_get_vhost_listen_port(server->vhost) > 0)
		server->port =
			(uint16_t)lws_get_vhost_listen_port(server->vhost);
	return 0;
}

int http_server_run(struct http_server *server, struct cvx_err *err)
{
	const unsigned worker_count = server->worker_max;
	int r = 0;

	server->workers = calloc(worker_count, sizeof(*server->workers));
	if (!server->workers)
		return cvx_fail_memory(err);
	while (r == 0 && server->worker_count < worker_count) {
		r = pthread_create(&server->workers[server->worker_count], NULL,
				   run_worker, server);
		if (r == 0)
			server->worker_count++;
	}
	if (r == 0)
		r = pthread_create(&server->loop, NULL, run_loop, server);
	server->has_loop = r == 0;
	if (r != 0)
		return cvx_fail(err, -r, "cannot start a thread: %s",
				strerror(r));
	return 0;
}

static void end_workers(struct http_server *server)
{
	unsigned i;

	lock(server);
	server->is_stopping = true;
	(void)pthread_cond_broadcast(&server->wanted);
	unlock(server);
	for (i = 0; i < server->worker_count; i++)
		(void)pthread_join(server->workers[i], NULL);
}

/* Everybody has gone; what is left of the questions goes, too. */
static void end_connections(struct http_server *server)
{
	struct http_exchange *x;

	if (server->context)
		lws_context_destroy(server->context);
	server->context = NULL;
	send_answers(server);
	while ((x = queue_take(&server->todo)))
		exchange_free(x);
	wake_sockets(server);
}

void http_server_free(struct http_server *server)
{
	if (!server)
		return;
	wake_sockets(server);
	(void)pthread_cond_destroy(&server->wanted);
	(void)pthread_mutex_destroy(&server->lock);
	free(server->workers);
	free(server->out);
	free(server);
}

int http_server_listen(const struct http_settings *settings,
		       struct http_server **ret, struct cvx_err *err)
{
	struct http_server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return cvx_fail_memory(err);
	server->hooks = settings->hooks;
	server->connection_max = settings->connection_max;
	server->worker_max = settings->worker_count;
	(void)pthread_mutex_init(&server->lock, NULL);
	(void)pthread_cond_init(&server->wanted, NULL);
	queue_init(&server->todo);
	queue_init(&server->answered);
	server->protocols[0] = (struct lws_protocols){
		.name = "convex",
		.callback = callback,
		.per_session_data_size = sizeof(struct connection),
		.rx_buffer_size = READ_SIZE,
	};
	server->liveness = (lws_retry_bo_t){
		.secs_since_valid_ping = PING_SECONDS,
		.secs_since_valid_hangup = HANGUP_SECONDS,
	};
	server->out = malloc(LWS_PRE + WRITE_SIZE);
	r = server->out ? listen_on(server, settings, err)
			: cvx_fail_memory(err);
	if (r < 0) {
		end_connections(server);
		http_server_free(server);
		return r;
	}
	*ret = server;
	return 0;
}

uint16_t http_server_port(const struct http_server *server)
{
	return server->port;
}

void http_server_stop(struct http_server *server)
{
	if (!server)
		return;
	end_workers(server);
	lock(server);
	server->loop_ends = true;
	unlock(server);
	wake_loop(server);
	if (server->has_loop)
		(void)pthread_join(server->loop, NULL);
	end_connections(server);
}
