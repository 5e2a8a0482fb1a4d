#include "importer/server/http_inside.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/file.h"

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

	http_lock(server);
	assert(!x->is_answered);
	x->is_answered = true;
	http_queue_add(&server->answered, x);
	http_unlock(server);
	http_wake_loop(server);
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

	http_exchange_free(x);
	if (!goes_on || may_have_more(server))
		return -1;
	return lws_http_transaction_completed(wsi) ? -1 : 0;
}

int http_on_writable(struct connection *c, struct lws *wsi)
{
	struct http_exchange *x = c->exchange;
	bool is_last;
	size_t n;

	if (!x || !x->is_taken || !x->body_is_whole)
		return 0;
	http_set_timer(wsi, x->server->patience.keepalive_s);
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

void http_send_answers(struct http_server *server)
{
	struct http_exchange *x;

	for (;;) {
		http_lock(server);
		x = http_queue_take(&server->answered);
		http_unlock(server);
		if (!x)
			return;
		x->is_taken = true;
		if (!http_use_memory(x, x->reply.size)) {
			cvx_buf_fini(&x->reply);
			x->status = 503;
			x->reply_size = 0;
		}
		if (!x->wsi)
			http_exchange_free(x);
		else if (x->body_is_whole)
			(void)lws_callback_on_writable(x->wsi);
	}
}
