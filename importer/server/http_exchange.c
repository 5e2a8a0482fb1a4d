#include "importer/server/http_inside.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/cleanup.h"

/* Bytes of bodies and answers that may be in memory at once. */
#define MEMORY_MAX ((uint64_t)512 << 20)

void http_queue_init(struct queue *q)
{
	q->first = NULL;
	q->last = &q->first;
}

void http_queue_add(struct queue *q, struct http_exchange *x)
{
	x->next = NULL;
	*q->last = x;
	q->last = &x->next;
}

struct http_exchange *http_queue_take(struct queue *q)
{
	struct http_exchange *x = q->first;

	if (!x)
		return NULL;
	q->first = x->next;
	if (!q->first)
		q->last = &q->first;
	return x;
}

static void pair_fini(struct pair *p)
{
	free(p->name);
	free(p->value);
}

void http_exchange_free(struct http_exchange *x)
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

bool http_use_memory(struct http_exchange *x, uint64_t size)
{
	if (x->server->memory_used + size > MEMORY_MAX)
		return false;
	x->server->memory_used += size;
	x->memory_used += size;
	return true;
}

void http_exchange_drop(struct connection *c)
{
	struct http_exchange *x = CVX_TAKE(c->exchange);
	bool is_answered;

	if (!x)
		return;
	x->wsi = NULL;
	http_lock(x->server);
	is_answered = x->is_answered;
	http_unlock(x->server);
	/* Else a worker has it, or it is in the list of answered ones, from
	 * where it is freed. */
	if (x->is_taken || (!x->body_is_whole && !is_answered))
		http_exchange_free(x);
}
