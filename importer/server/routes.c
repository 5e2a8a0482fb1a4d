#include "importer/server/routes.h"

#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/spool.h"
#include "importer/server/auth.h"
#include "importer/server/client.h"
#include "importer/server/http.h"
#include "importer/server/inside.h"
#include "importer/server/reply.h"
#include "importer/server/uploads.h"

static const struct route *const tables[] = {
	import_routes, export_routes, function_routes, about_routes,
	schema_routes, clear_routes,  stored_routes,   stream_routes,
};

struct request *request_of(const struct http_exchange *x)
{
	return http_user(x);
}

static const char *path_of(const struct http_exchange *x)
{
	const char *path = http_path(x);

	while (path[0] == '/' && path[1] == '/')
		path++;
	return path;
}

static const struct route *find_in(const struct route *table, int method,
				   const char *path, const char **ret_rest)
{
	for (; table->path; table++) {
		size_t size = strlen(table->path);
		bool is_prefix = table->path[size - 1] == '*';

		if (table->method != method)
			continue;
		*ret_rest = path + (is_prefix ? size - 1 : size);
		if (is_prefix ? strncmp(path, table->path, size - 1) == 0
			      : strcmp(path, table->path) == 0)
			return table;
	}
	return NULL;
}

static const struct route *find(const struct http_exchange *x,
				const char **ret_rest)
{
	const struct route *route = NULL;
	size_t i;

	for (i = 0; !route && i < sizeof(tables) / sizeof(*tables); i++)
		route = find_in(tables[i], (int)http_method(x), path_of(x),
				ret_rest);
	return route;
}

/* 0, or the status of the answer. */
static unsigned check(const struct server *s, const struct http_exchange *x,
		      struct request *request, struct cvx_err *err)
{
	const char *header = http_header(x, HTTP_AUTHORIZATION);
	const char *arg = http_arg(x, "adminKey");
	unsigned status = client_check(http_header(x, HTTP_CLIENT), err);

	if (status != 0 || request->route->access == ROUTE_OPEN)
		return status;
	if (request->route->access == ROUTE_ASKED && !header && !arg)
		return 0;
	status = auth_check(&s->auth, header, arg, err);
	request->is_admin = status == 0;
	return status;
}

void routes_begin(void *ctx, struct http_exchange *x)
{
	struct request *request = calloc(1, sizeof(*request));
	struct cvx_err err = CVX_ERR_INIT;
	struct server *s = ctx;
	unsigned status;

	http_set_user(x, request);
	if (!request) {
		reply_empty(x, 503);
		return;
	}
	request->fd = -1;
	request->route = find(x, &request->rest);
	if (!request->route && http_method(x) == HTTP_OPTIONS) {
		reply_error(x, 404, "NotServed",
			    "Pages in a browser are not served: there is no "
			    "CORS here. Ask from a program.");
		return;
	}
	if (!request->route) {
		reply_empty(x, 404);
		return;
	}
	http_set_body_limit(x, request->route->body_max);
	status = check(s, x, request, &err);
	if (status != 0)
		reply_error(x, status, err.name, err.msg);
	else if (request->route->begin)
		request->route->begin(s, x);
}

void routes_handle(void *ctx, struct http_exchange *x)
{
	request_of(x)->route->handle(ctx, x);
}

void routes_end(void *ctx, struct http_exchange *x)
{
	struct request *request = request_of(x);

	(void)ctx;
	if (!request)
		return;
	upload_part_free(request->part);
	spool_free(request->bytes);
	cvx_closep(&request->fd);
	free(request);
}
