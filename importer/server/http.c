#include "importer/server/http_inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cache/base/cleanup.h"
#include "cache/base/log.h"

#define READ_SIZE (128u << 10)

/* WS-17 */
#define PING_SECONDS 20
#define HANGUP_SECONDS 120

void http_lock(struct http_server *server)
{
	(void)pthread_mutex_lock(&server->lock);
}

void http_unlock(struct http_server *server)
{
	(void)pthread_mutex_unlock(&server->lock);
}

void http_wake_loop(struct http_server *server)
{
	if (server->context)
		lws_cancel_service(server->context);
}

static void *run_worker(void *arg)
{
	struct http_server *server = arg;
	struct http_exchange *x;

	http_lock(server);
	for (;;) {
		x = http_queue_take(&server->todo);
		if (!x && server->is_stopping)
			break;
		if (!x) {
			(void)pthread_cond_wait(&server->wanted, &server->lock);
			continue;
		}
		http_unlock(server);
		server->hooks.handle(server->hooks.ctx, x);
		http_lock(server);
	}
	http_unlock(server);
	return NULL;
}

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
		.timeout_secs = settings->patience.idle_s,
		.timeout_secs_ah_idle = settings->patience.idle_s,
		.keepalive_timeout = (int)settings->patience.keepalive_s,
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
		r = pthread_create(&server->loop, NULL, http_run_loop, server);
	server->has_loop = r == 0;
	if (r != 0)
		return cvx_fail(err, -r, "cannot start a thread: %s",
				strerror(r));
	return 0;
}

static void end_workers(struct http_server *server)
{
	unsigned i;

	http_lock(server);
	server->is_stopping = true;
	(void)pthread_cond_broadcast(&server->wanted);
	http_unlock(server);
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
	http_send_answers(server);
	while ((x = http_queue_take(&server->todo)))
		http_exchange_free(x);
	http_wake_sockets(server);
}

void http_server_free(struct http_server *server)
{
	if (!server)
		return;
	http_wake_sockets(server);
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
	server->patience = settings->patience;
	server->connection_max = settings->connection_max;
	server->worker_max = settings->worker_count;
	(void)pthread_mutex_init(&server->lock, NULL);
	(void)pthread_cond_init(&server->wanted, NULL);
	http_queue_init(&server->todo);
	http_queue_init(&server->answered);
	server->protocols[0] = (struct lws_protocols){
		.name = "convex",
		.callback = http_callback,
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
	http_lock(server);
	server->loop_ends = true;
	http_unlock(server);
	http_wake_loop(server);
	if (server->has_loop)
		(void)pthread_join(server->loop, NULL);
	end_connections(server);
}
