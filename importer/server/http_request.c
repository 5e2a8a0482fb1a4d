#include "importer/server/http_inside.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"

#define FOREVER_SECONDS 86400u

/* A body that nobody wants is read up to here, so that the client gets round
 * to reading the answer; behind a longer one the connection ends. */
#define DISCARD_MAX ((uint64_t)64 << 20)

static enum http_method method_of(int number)
{
	switch (number) {
	case LWSHUMETH_GET:
		return HTTP_GET;
	case LWSHUMETH_POST:
		return HTTP_POST;
	case LWSHUMETH_PUT:
		return HTTP_PUT;
	case LWSHUMETH_OPTIONS:
		return HTTP_OPTIONS;
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

void http_set_timer(struct lws *wsi, unsigned seconds)
{
	lws_set_timer_usecs(wsi, (lws_usec_t)seconds * LWS_US_PER_SEC);
}

void http_submit(struct http_exchange *x)
{
	struct http_server *server = x->server;

	x->body_is_whole = true;
	lws_set_timeout(x->wsi, NO_PENDING_TIMEOUT, 0);
	http_set_timer(x->wsi, FOREVER_SECONDS);
	if (x->is_taken) {
		(void)lws_callback_on_writable(x->wsi);
		return;
	}
	http_lock(server);
	if (!x->is_answered) {
		http_queue_add(&server->todo, x);
		(void)pthread_cond_signal(&server->wanted);
	}
	http_unlock(server);
}

int http_refuse(struct lws *wsi, unsigned status)
{
	if (lws_return_http_status(wsi, status, NULL) < 0)
		return -1;
	return -1; /* what follows it cannot be trusted */
}

int http_on_request(struct http_server *server, struct lws *wsi,
		    struct connection *c)
{
	struct http_exchange *x = exchange_new(server, wsi);
	int r = x && x->path ? read_body_size(x, wsi) : -ENOMEM;

	if (r == 0)
		r = read_args(x, wsi);
	if (r < 0) {
		if (x) {
			x->wsi = NULL;
			http_exchange_free(x);
		}
		return http_refuse(wsi, r == -EPROTO ? 400 : 503);
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
	http_set_timer(wsi, server->patience.request_s);
	if (x->body_size == 0 ||
	    (x->body_way == BODY_DISCARD && x->body_size > DISCARD_MAX))
		http_submit(x);
	return 0;
}

void http_on_body(struct http_exchange *x, const void *bytes, size_t size)
{
	int r = 0;

	if (x->body_is_whole)
		return; /* nobody waits for it any more */
	x->body_read += size;
	if (x->body_way == BODY_SINK)
		r = x->sink.write(x->sink.ctx, bytes, size, &x->body_err);
	else if (x->body_way == BODY_MEMORY && !http_use_memory(x, size))
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
