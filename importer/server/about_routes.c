/* What the server tells of itself: protocol.md 13. */

#include <stdbool.h>
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "importer/deployment.h"
#include "importer/server/http.h"
#include "importer/server/inside.h"
#include "importer/server/reply.h"
#include "importer/server/routes.h"

static void welcome(struct server *s, struct http_exchange *x)
{
	(void)s;
	reply_text(x, "This is a Convex deployment, served by convexfs.");
}

static void version(struct server *s, struct http_exchange *x)
{
	(void)s;
	reply_text(x, "convexfs-" CONVEXFS_VERSION);
}

static void instance_name(struct server *s, struct http_exchange *x)
{
	reply_text(x, deployment_name(s->d));
}

/* Who has no key does not fill the memory. */
#define ECHO_MAX ((uint64_t)128 << 20)
#define ECHO_OPEN_MAX ((uint64_t)1 << 20)

static void begin_echo(struct server *s, struct http_exchange *x)
{
	(void)s;
	if (!request_of(x)->is_admin)
		http_set_body_limit(x, ECHO_OPEN_MAX);
}

static void echo(struct server *s, struct http_exchange *x)
{
	struct cvx_buf body = CVX_BUF_INIT(ECHO_MAX);
	const char *bytes;
	size_t size;

	(void)s;
	bytes = http_body(x, &size);
	if (http_body_error(x, NULL) < 0)
		reply_empty(x, 413);
	else if (size > 0 && cvx_buf_append(&body, bytes, size) < 0)
		reply_empty(x, 503);
	else
		http_reply(x, 200, http_header(x, HTTP_CONTENT_TYPE), &body);
	cvx_buf_fini(&body);
}

static void check_admin_key(struct server *s, struct http_exchange *x)
{
	cJSON *object = cJSON_CreateObject();

	(void)s;
	if (object && (!cJSON_AddItemToObject(object, "allowedOps",
					      cJSON_CreateArray()) ||
		       !cJSON_AddBoolToObject(object, "isReadOnly", false) ||
		       !cJSON_AddBoolToObject(object, "success", true))) {
		cJSON_Delete(object);
		object = NULL;
	}
	reply_object(x, object);
}

static void deployment_info(struct server *s, struct http_exchange *x)
{
	cJSON *object = cJSON_CreateObject();

	(void)s;
	if (object && !cJSON_AddStringToObject(object, "kind", "selfHosted")) {
		cJSON_Delete(object);
		object = NULL;
	}
	reply_object(x, object);
}

static void canonical_urls(struct server *s, struct http_exchange *x)
{
	cJSON *object = cJSON_CreateObject();

	if (object &&
	    (!cJSON_AddStringToObject(object, "convexCloudUrl", s->url) ||
	     !cJSON_AddStringToObject(object, "convexSiteUrl", s->url))) {
		cJSON_Delete(object);
		object = NULL;
	}
	reply_object(x, object);
}

const struct route about_routes[] = {
	{HTTP_GET, "/", ROUTE_OPEN, 0, NULL, welcome},
	{HTTP_GET, "/version", ROUTE_OPEN, 0, NULL, version},
	{HTTP_GET, "/instance_version", ROUTE_OPEN, 0, NULL, version},
	{HTTP_GET, "/instance_name", ROUTE_OPEN, 0, NULL, instance_name},
	{HTTP_POST, "/echo", ROUTE_ASKED, ECHO_MAX, begin_echo, echo},
	{HTTP_GET, "/api/check_admin_key", ROUTE_ADMIN, 0, NULL,
	 check_admin_key},
	{HTTP_GET, "/api/v1/deployment_info", ROUTE_ADMIN, 0, NULL,
	 deployment_info},
	{HTTP_GET, "/api/v1/get_canonical_urls", ROUTE_ADMIN, 0, NULL,
	 canonical_urls},
	{HTTP_OTHER, NULL, ROUTE_OPEN, 0, NULL, NULL},
};
