/* Exports: protocol.md 8. */

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/deployment.h"
#include "importer/server/component_id.h"
#include "importer/server/exports.h"
#include "importer/server/http.h"
#include "importer/server/inside.h"
#include "importer/server/reply.h"
#include "importer/server/routes.h"

/* false: the word is neither. */
static bool read_bool(const char *word, bool *ret)
{
	*ret = word && strcmp(word, "true") == 0;
	return !word || *ret || strcmp(word, "false") == 0;
}

static void reply_done(struct http_exchange *x, int r,
		       const struct cvx_err *err)
{
	if (r < 0)
		reply_failure(x, err);
	else
		reply_empty(x, 200);
}

static void request_zip(struct server *s, struct http_exchange *x)
{
	CVX_AUTO(cvx_freep) char *path = NULL;
	const char *component = http_arg(x, "component");
	struct cvx_err err = CVX_ERR_INIT;
	bool with_storage;
	int r = 0;

	if (!read_bool(http_arg(x, "includeStorage"), &with_storage)) {
		reply_error(x, 400, "BadQueryArgs",
			    "includeStorage must be true or false");
		return;
	}
	if (component)
		r = component_id_find(s->d, component, &path, &err);
	if (r == 0)
		r = exports_request(s->exports, with_storage,
				    component ? component : "", &err);
	reply_done(x, r, &err);
}

static void get_zip(struct server *s, struct http_exchange *x)
{
	const char *id = request_of(x)->rest;
	struct cvx_err err = CVX_ERR_INIT;
	char text[256];
	uint64_t size;
	int64_t start_ns;
	int fd;

	if (exports_open(s->exports, id, &fd, &size, &start_ns, &err) < 0) {
		reply_failure(x, &err);
		return;
	}
	(void)snprintf(text, sizeof(text),
		       "attachment; filename=snapshot_%s_%" PRId64 ".zip",
		       deployment_name(s->d), start_ns);
	http_add_header(x, "Content-Disposition", text);
	http_add_header(x, "Cache-Control", "private, max-age=2592000");
	http_reply_file(x, 200, "application/zip", fd, 0, size);
}

static void cancel(struct server *s, struct http_exchange *x)
{
	struct cvx_err err = CVX_ERR_INIT;
	int r = exports_cancel(s->exports, request_of(x)->rest, &err);

	reply_done(x, r, &err);
}

static void set_expiration(struct server *s, struct http_exchange *x)
{
	struct cvx_err err = CVX_ERR_INIT;
	const cJSON *ns;
	cJSON *body;

	if (reply_read_json(x, &body) < 0)
		return;
	/* A double is exact to some 200 ns here, which nobody notices. */
	ns = cJSON_GetObjectItemCaseSensitive(body, "expirationTsNs");
	if (!cJSON_IsNumber(ns) || ns->valuedouble < 0 ||
	    ns->valuedouble >= 9.2e18)
		reply_error(x, 400, "BadJsonBody",
			    "expirationTsNs must be a number");
	else
		reply_done(
			x,
			exports_set_expiration(s->exports, request_of(x)->rest,
					       (int64_t)ns->valuedouble, &err),
			&err);
	cJSON_Delete(body);
}

const struct route export_routes[] = {
	{HTTP_POST, "/api/export/request/zip", ROUTE_ADMIN, ROUTE_JSON_MAX,
	 NULL, request_zip},
	{HTTP_GET, "/api/export/zip/*", ROUTE_ADMIN, 0, NULL, get_zip},
	{HTTP_POST, "/api/export/cancel/*", ROUTE_ADMIN, ROUTE_JSON_MAX, NULL,
	 cancel},
	{HTTP_POST, "/api/export/set_expiration/*", ROUTE_ADMIN, ROUTE_JSON_MAX,
	 NULL, set_expiration},
	{HTTP_OTHER, NULL, ROUTE_ADMIN, 0, NULL, NULL},
};
