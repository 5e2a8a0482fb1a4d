#include "importer/server/http_inside.h"

#include <string.h>

static int on_connection(struct http_server *server)
{
	if (server->connection_count >= server->connection_max)
		return -1;
	return 0;
}

int http_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
		  void *in, size_t size)
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
		http_send_answers(server);
		http_wake_sockets(server);
		break;
	case LWS_CALLBACK_HTTP:
		return http_on_request(server, wsi, c);
	case LWS_CALLBACK_HTTP_BODY:
		if (c->exchange)
			http_on_body(c->exchange, in, size);
		break;
	case LWS_CALLBACK_HTTP_BODY_COMPLETION:
		if (c->exchange && !c->exchange->body_is_whole)
			http_submit(c->exchange);
		break;
	case LWS_CALLBACK_HTTP_WRITEABLE:
		return http_on_writable(c, wsi);
	case LWS_CALLBACK_TIMER:
		return -1;
	case LWS_CALLBACK_CLOSED_HTTP:
	case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
		if (c)
			http_exchange_drop(c);
		break;
	case LWS_CALLBACK_RAW_ADOPT: /* CONNECT: nothing would end it */
	case LWS_CALLBACK_RAW_RX:
		return -1;
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		if (in && strcmp(in, "websocket") == 0)
			return http_on_upgrade(server, wsi);
		return http_refuse(wsi, 400);
	case LWS_CALLBACK_ESTABLISHED:
		return http_on_socket_open(server, wsi, c);
	case LWS_CALLBACK_RECEIVE:
		return c->socket ? http_on_frame(c->socket, wsi, in, size) : -1;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return c->socket ? http_on_socket_writable(c->socket) : -1;
	case LWS_CALLBACK_CLOSED:
		http_on_socket_closed(c);
		break;
	default:
		break;
	}
	return 0;
}

/* So often, at the end, the loop looks for what can be sent without waiting:
 * the last answers, and why sockets are closed. */
#define LAST_LOOKS 20

void *http_run_loop(void *arg)
{
	struct http_server *server = arg;
	bool ends = false;
	int i;

	while (!ends && lws_service(server->context, 0) >= 0) {
		http_lock(server);
		ends = server->loop_ends;
		http_unlock(server);
	}
	for (i = 0; i < LAST_LOOKS; i++)
		(void)lws_service(server->context, -1);
	return NULL;
}
