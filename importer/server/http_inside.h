/*
 * http_inside: the server, its exchanges and sockets, as http*.c see them.
 *
 *   http.c           listening, workers, starting and stopping
 *   http_loop.c      what the library tells, to whom it matters
 *   http_exchange.c  a request and its answer, from begin to end
 *   http_request.c   a request as it arrives
 *   http_answer.c    an answer as it goes out
 *   http_socket.c    WebSockets
 *
 * The loop thread owns everything that the library gives: wsi, and what hangs
 * on it. Others reach a connection through its exchange or socket, by marking
 * what they want under the server's lock and waking the loop.
 *
 * Threads: as said at each field and function.
 */
#ifndef CVX_IMPORTER_SERVER_HTTP_INSIDE_H
#define CVX_IMPORTER_SERVER_HTTP_INSIDE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libwebsockets.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "importer/server/http.h"

#define WRITE_SIZE ((size_t)64 << 10)
#define ARG_MAX_COUNT 32
#define REPLY_HEADER_MAX 8

struct pair {
	char *name, *value;
};

enum body_way { BODY_MEMORY, BODY_SINK, BODY_DISCARD };

struct http_exchange {
	struct http_server *server;
	struct http_exchange *next; /* in a queue */
	void *user;

	/* The request. */
	enum http_method method;
	char *path;
	struct pair args[ARG_MAX_COUNT];
	unsigned arg_count;
	char *headers[HTTP_HEADER_COUNT];
	uint64_t body_size; /* announced */
	uint64_t body_limit;
	uint64_t body_read;
	enum body_way body_way;
	struct http_sink sink;
	struct cvx_buf body;
	struct cvx_err body_err;

	/* The answer; fixed once it is given. */
	unsigned status;
	char *type;
	struct pair reply_headers[REPLY_HEADER_MAX];
	unsigned reply_header_count;
	struct cvx_buf reply;
	int fd; /* -1: the answer is in reply */
	uint64_t file_off;
	uint64_t reply_size, reply_sent;

	/* Loop. */
	struct lws *wsi; /* NULL: the client has gone */
	bool headers_sent;
	bool has_length;      /* the body's was announced */
	bool body_is_whole;   /* as far as it will come */
	uint64_t memory_used; /* of the server's */
	bool is_taken;	      /* from the list of answered ones */

	bool is_answered; /* server's lock */
};

struct message {
	struct message *next;
	struct cvx_buf text;
	size_t sent;
};

struct http_socket {
	struct http_server *server;
	unsigned ref_count;	  /* server's lock */
	struct http_socket *next; /* in the list of those to wake */
	void *user;

	struct lws *wsi;   /* loop; NULL: closed */
	struct cvx_buf in; /* loop: the message that arrives */

	/* Under the server's lock. */
	bool is_queued; /* in the list */
	struct message *first, **last;
	size_t waiting_size;
	bool wants_close;
	unsigned close_code;
	char close_reason[124];
};

/* What the library keeps for us with each connection. */
struct connection {
	struct http_exchange *exchange;
	struct http_socket *socket;
};

struct queue {
	struct http_exchange *first, **last;
};

struct http_server {
	struct http_hooks hooks;
	struct http_patience patience;
	struct lws_context *context;
	struct lws_vhost *vhost;
	struct lws_protocols protocols[2];
	lws_retry_bo_t liveness;
	pthread_t loop;
	unsigned connection_max;
	unsigned connection_count; /* loop */
	uint64_t memory_used;	   /* loop; bodies and answers */
	uint16_t port;

	pthread_t *workers;
	unsigned worker_count, worker_max;
	bool has_loop;

	pthread_mutex_t lock; /* guards what follows; taken last of all */
	pthread_cond_t wanted;
	struct queue todo;	     /* for workers */
	struct queue answered;	     /* for the loop */
	struct http_socket *sockets; /* for the loop */
	size_t sockets_waiting;	     /* bytes, of all */
	bool is_stopping;
	bool loop_ends;

	char *out; /* loop: LWS_PRE and WRITE_SIZE bytes */
};

/* Any thread. */
void http_lock(struct http_server *server);
void http_unlock(struct http_server *server);
/* Nothing, when all connections have ended. */
void http_wake_loop(struct http_server *server);

/* Under the lock. */
void http_queue_init(struct queue *q);
void http_queue_add(struct queue *q, struct http_exchange *x);
struct http_exchange *http_queue_take(struct queue *q);

/* All that follows: loop. Where an int is returned, -1 ends the connection. */

/* Nobody looks at it any more. NULL is allowed. */
void http_exchange_free(struct http_exchange *x);
/* The connection has ended, or goes to another use. */
void http_exchange_drop(struct connection *c);
/* False: there is no room for so many bytes more. */
bool http_use_memory(struct http_exchange *x, uint64_t size);

/* A broken request has no exchange that hooks would see. */
int http_refuse(struct lws *wsi, unsigned status);
int http_on_request(struct http_server *server, struct lws *wsi,
		    struct connection *c);
void http_on_body(struct http_exchange *x, const void *bytes, size_t size);
/* The body is there, or all that will come of it: a worker's turn. */
void http_submit(struct http_exchange *x);

/* LWS_CALLBACK_TIMER comes then, unless the timer is set anew. To cancel it
 * would make it come at once. */
void http_set_timer(struct lws *wsi, unsigned seconds);

int http_on_writable(struct connection *c, struct lws *wsi);
/* What workers and others have answered. */
void http_send_answers(struct http_server *server);

/* Before the 101: is this a place for WebSockets? */
int http_on_upgrade(struct http_server *server, struct lws *wsi);
int http_on_socket_open(struct http_server *server, struct lws *wsi,
			struct connection *c);
void http_on_socket_closed(struct connection *c);
int http_on_frame(struct http_socket *s, struct lws *wsi, const void *bytes,
		  size_t size);
int http_on_socket_writable(struct http_socket *s);
/* Those that have something to send. */
void http_wake_sockets(struct http_server *server);

/* http_loop.c: the library's callback, and the thread's function. */
int http_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
		  void *in, size_t size);
void *http_run_loop(void *arg);

#endif
