#include "importer/server/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/embedded/embedded.h"
#include "importer/server/exports.h"
#include "importer/server/http.h"
#include "importer/server/imports.h"
#include "importer/server/inside.h"
#include "importer/server/pages.h"
#include "importer/server/routes.h"
#include "importer/server/stream.h"
#include "importer/server/sync.h"
#include "importer/server/uploads.h"

#define DEFAULT_ADDRESS "127.0.0.1"
#define DEFAULT_PORT 3210

#define WORKER_COUNT 6

static const struct server_limits usual_limits = {
	.connection_max = 2048,
	.idle_s = 60,
	.request_s = 300,
	.keepalive_s = 75,
	.upload_s = 3600,
};

CVX_DEFINE_CLEANUP(struct server, server_stop)

/* --- addresses ----------------------------------------------------------- */

static bool is_v6(const char *address)
{
	struct in6_addr bytes;

	return inet_pton(AF_INET6, address, &bytes) == 1;
}

static bool is_v4(const char *address)
{
	struct in_addr bytes;

	return inet_pton(AF_INET, address, &bytes) == 1;
}

static bool is_loopback(const char *address)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET6, address, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6);
	return inet_pton(AF_INET, address, &v4) == 1 &&
	       ntohl(v4.s_addr) >> 24 == 127;
}

static bool read_port(const char *text, uint16_t *ret)
{
	char *end;
	unsigned long n;

	if (*text < '0' || *text > '9')
		return false;
	n = strtoul(text, &end, 10);
	*ret = (uint16_t)n;
	return *end == '\0' && n <= UINT16_MAX;
}

/* The colon in front of the port, or NULL. */
static const char *port_colon(const char *text)
{
	const char *colon = strrchr(text, ':');

	if (text[0] == '[') {
		const char *bracket = strchr(text, ']');

		return bracket && bracket[1] == ':' ? bracket + 1 : NULL;
	}
	return colon && strchr(text, ':') == colon ? colon : NULL;
}

int server_read_listen(const char *text, char **ret_address, uint16_t *ret_port,
		       struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *address = NULL;
	const char *colon = port_colon(text);
	size_t size = colon ? (size_t)(colon - text) : strlen(text);
	uint16_t port = DEFAULT_PORT;

	if (colon && !read_port(colon + 1, &port))
		return cvx_fail(err, -EINVAL, "\"%.100s\" is not a port",
				colon + 1);
	if (size >= 2 && text[0] == '[' && text[size - 1] == ']') {
		text++;
		size -= 2;
	}
	address = size > 0 ? strndup(text, size) : strdup(DEFAULT_ADDRESS);
	if (address && strcmp(address, "localhost") == 0) {
		free(address);
		address = strdup(DEFAULT_ADDRESS);
	}
	if (!address)
		return cvx_fail_memory(err);
	if (!is_v4(address) && !is_v6(address))
		return cvx_fail(err, -EINVAL,
				"\"%.100s\" is not an address; give one as "
				"127.0.0.1:3210 or [::1]:3210",
				address);
	*ret_address = CVX_TAKE(address);
	*ret_port = port;
	return 0;
}

int server_check_address(const char *address, bool allow_remote,
			 struct cvx_err *err)
{
	if (allow_remote || is_loopback(address))
		return 0;
	return cvx_fail(err, -EPERM,
			"%s can be reached from other machines, and what is "
			"sent is not encrypted; if that is meant, give "
			"--allow-remote, or for a mount -o allow_remote",
			address);
}

/* --- starting and stopping ----------------------------------------------- */

static void on_import_changed(void *ctx)
{
	struct server *s = ctx;

	sync_wake(s->sync);
}

static int on_socket_path(void *ctx, const char *path)
{
	(void)ctx;
	return sync_check_path(path);
}

static void on_socket_open(void *ctx, struct http_socket *socket)
{
	struct server *s = ctx;

	sync_opened(s->sync, socket);
}

static void on_socket_message(void *ctx, struct http_socket *socket, char *text,
			      size_t size)
{
	struct server *s = ctx;

	sync_received(s->sync, socket, text, size);
}

static void on_socket_closed(void *ctx, struct http_socket *socket)
{
	struct server *s = ctx;

	sync_closed(s->sync, socket);
}

static int make_url(struct server *s, const char *address, uint16_t port,
		    struct cvx_err *err)
{
	bool v6 = is_v6(address);

	if (asprintf(&s->url, "http://%s%s%s:%u", v6 ? "[" : "", address,
		     v6 ? "]" : "", (unsigned)port) < 0) {
		s->url = NULL;
		return cvx_fail_memory(err);
	}
	return 0;
}

static int listen_for(struct server *s, const struct server_settings *settings,
		      const struct server_limits *limits, struct cvx_err *err)
{
	const struct http_settings http = {
		.address = settings->address,
		.port = settings->port,
		.worker_count = WORKER_COUNT,
		.connection_max = limits->connection_max,
		.patience =
			{
				.idle_s = limits->idle_s,
				.request_s = limits->request_s,
				.keepalive_s = limits->keepalive_s,
			},
		.hooks =
			{
				.ctx = s,
				.begin = routes_begin,
				.handle = routes_handle,
				.end = routes_end,
				.socket_path = on_socket_path,
				.socket_open = on_socket_open,
				.socket_message = on_socket_message,
				.socket_closed = on_socket_closed,
			},
	};

	return http_server_listen(&http, &s->http, err);
}

int server_start(struct deployment *d, const struct server_settings *settings,
		 struct server **ret, struct cvx_err *err)
{
	CVX_AUTO(server_stopp) struct server *s = calloc(1, sizeof(*s));
	const struct imports_hooks hooks = {s, on_import_changed};
	const struct server_limits *limits =
		settings->limits ? settings->limits : &usual_limits;
	int r;

	if (!s)
		return cvx_fail_memory(err);
	s->d = d;
	turn_init(&s->turn, d);
	moment_init(&s->moment, d);
	if (d->read_only)
		return cvx_fail(err, -EROFS,
				"a deployment that is opened read-only cannot "
				"be served");
	r = server_check_address(settings->address, settings->allow_remote,
				 err);
	if (r == 0)
		r = auth_init(&s->auth, d, err);
	if (r == 0)
		r = uploads_new(d, limits->upload_s, &s->uploads, err);
	if (r == 0)
		r = pages_new(d, &s->pages, err);
	if (r == 0)
		r = streams_new(d, &s->streams, err);
	if (r == 0)
		r = sync_start(s, &s->sync, err);
	if (r == 0)
		r = imports_start(d, &s->turn, &hooks, &s->imports, err);
	if (r == 0)
		r = exports_start(d, &s->turn, &hooks, &s->exports, err);
	if (r == 0)
		r = listen_for(s, settings, limits, err);
	if (r == 0)
		r = make_url(s, settings->address, http_server_port(s->http),
			     err);
	/* Last: it lets clients in, who find all that is above. */
	if (r == 0)
		r = http_server_run(s->http, err);
	if (r < 0)
		return r;
	*ret = CVX_TAKE(s);
	return 0;
}

const char *server_url(const struct server *s)
{
	return s->url;
}

void server_stop(struct server *s)
{
	if (!s)
		return;
	if (s->imports)
		imports_stop(s->imports);
	if (s->exports)
		exports_stop(s->exports);
	if (s->sync)
		sync_stop(s->sync);
	http_server_stop(s->http);
	imports_free(s->imports);
	exports_free(s->exports);
	sync_free(s->sync);
	http_server_free(s->http);
	pages_free(s->pages);
	streams_free(s->streams);
	uploads_free(s->uploads);
	turn_fini(&s->turn);
	moment_fini(&s->moment);
	auth_fini(&s->auth);
	free(s->url);
	free(s);
}
