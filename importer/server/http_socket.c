#include "importer/server/http_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"

/* Bytes that may wait for sockets: for one client that does not read, and for
 * all. */
#define SOCKET_QUEUE_MAX ((size_t)64 << 20)
#define SOCKET_QUEUES_MAX ((size_t)256 << 20)

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
	http_lock(s->server);
	s->ref_count++;
	http_unlock(s->server);
}

void http_socket_unref(struct http_socket *s)
{
	struct message *m;
	bool is_last;

	http_lock(s->server);
	is_last = --s->ref_count == 0;
	if (is_last)
		s->server->sockets_waiting -= s->waiting_size;
	http_unlock(s->server);
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

	http_lock(server);
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
	http_unlock(server);
	http_wake_loop(server);
}

void http_socket_close(struct http_socket *s, unsigned code, const char *reason)
{
	struct http_server *server = s->server;

	http_lock(server);
	want_close(s, code, reason);
	queue_socket(s);
	http_unlock(server);
	http_wake_loop(server);
}

void http_wake_sockets(struct http_server *server)
{
	struct http_socket *s, *next;

	http_lock(server);
	s = CVX_TAKE(server->sockets);
	http_unlock(server);
	for (; s; s = next) {
		http_lock(server);
		next = s->next;
		s->is_queued = false;
		http_unlock(server);
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

int http_on_socket_writable(struct http_socket *s)
{
	struct http_server *server = s->server;
	char *to = server->out + LWS_PRE;
	bool is_first, is_last, is_over;
	struct message *m;
	size_t n;

	/* At one look: what was sent before it was closed goes out first. */
	http_lock(server);
	m = s->first;
	is_over = !m && s->wants_close;
	http_unlock(server);
	if (!m)
		return is_over ? close_socket(s) : 0;
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
		http_lock(server);
		s->waiting_size -= m->text.size;
		server->sockets_waiting -= m->text.size;
		s->first = m->next;
		if (!s->first)
			s->last = &s->first;
		http_unlock(server);
		message_free(m);
	}
	(void)lws_callback_on_writable(s->wsi);
	return 0;
}

int http_on_frame(struct http_socket *s, struct lws *wsi, const void *bytes,
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

int http_on_socket_open(struct http_server *server, struct lws *wsi,
			struct connection *c)
{
	http_exchange_drop(c);
	c->socket = socket_new(server, wsi);
	if (!c->socket)
		return -1;
	server->hooks.socket_open(server->hooks.ctx, c->socket);
	return 0;
}

void http_on_socket_closed(struct connection *c)
{
	struct http_socket *s = CVX_TAKE(c->socket);

	if (!s)
		return;
	s->wsi = NULL;
	s->server->hooks.socket_closed(s->server->hooks.ctx, s);
	http_socket_unref(s);
}

int http_on_upgrade(struct http_server *server, struct lws *wsi)
{
	char *path = NULL, copy[256];
	int size = 0, status;

	if (lws_http_get_uri_and_method(wsi, &path, &size) < 0 || !path ||
	    size >= (int)sizeof(copy))
		return http_refuse(wsi, 404);
	memcpy(copy, path, (size_t)size);
	copy[size] = '\0';
	status = server->hooks.socket_path(server->hooks.ctx, copy);
	return status == 0 ? 0 : http_refuse(wsi, (unsigned)status);
}
