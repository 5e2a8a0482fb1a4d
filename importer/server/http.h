/*
 * http: requests, answers and WebSockets, and nothing of what they mean.
 *
 * Only http*.c know the library, and see http_inside.h. One thread, the loop,
 * talks to all connections and never waits for anything but them; handlers run
 * on a few workers and may wait for the disk.
 *
 *   begin    loop: the headers of a request are there; says where its body goes
 *   handle   worker: the body is there, or cannot be had (http_body_error)
 *   end      the exchange is over, answered or broken off
 *
 * An exchange is answered exactly once, in begin, in handle, or later by any
 * thread. When the client has gone the answer is dropped, but it must come.
 *
 * Limits:  the settings'; who takes longer than the patience goes is cut off.
 *          Headers of more than HTTP_HEADERS_MAX bytes end the connection.
 * Memory:  bodies that are not small go to a sink block by block; what is in
 *          memory of all others, of answers (http_exchange.c), and of what
 *          sockets do not read (http_socket.c) is bounded.
 * Threads: locked inside; an exchange belongs to one thread at a time.
 */
#ifndef CVX_IMPORTER_SERVER_HTTP_H
#define CVX_IMPORTER_SERVER_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cvx_buf;
struct cvx_err;
struct http_exchange;
struct http_server;
struct http_socket;

#define HTTP_HEADERS_MAX (16 << 10)

/* How long clients may take, in seconds. */
struct http_patience {
	unsigned idle_s;      /* to go on with a request that has begun */
	unsigned request_s;   /* from a request's headers to its body's end */
	unsigned keepalive_s; /* to read on in an answer, or to ask again */
};

/* A WebSocket message, put together from its frames. */
#define HTTP_MESSAGE_MAX ((size_t)4 << 20)

struct http_hooks {
	void *ctx;
	void (*begin)(void *ctx, struct http_exchange *x);
	void (*handle)(void *ctx, struct http_exchange *x);
	void (*end)(void *ctx, struct http_exchange *x);

	/* Loop. A path that is not for WebSockets gets the status returned, 0
	 * accepts. The socket stays valid until it is let go of
	 * (http_socket_unref) by whoever keeps what open was given. */
	int (*socket_path)(void *ctx, const char *path);
	void (*socket_open)(void *ctx, struct http_socket *s);
	/* The text is the callee's to free(). */
	void (*socket_message)(void *ctx, struct http_socket *s, char *text,
			       size_t size);
	void (*socket_closed)(void *ctx, struct http_socket *s);
};

struct http_settings {
	const char *address; /* of an interface of this machine, as digits */
	uint16_t port;	     /* 0: any that is free */
	unsigned worker_count;
	unsigned connection_max;
	struct http_patience patience;
	struct http_hooks hooks;
};

/* Listens: clients wait from now on. */
int http_server_listen(const struct http_settings *settings,
		       struct http_server **ret, struct cvx_err *err);
uint16_t http_server_port(const struct http_server *server);

/* Answers from now on. After a failure only http_server_stop() may follow. */
int http_server_run(struct http_server *server, struct cvx_err *err);

/* Ends the workers, when they have answered what they have, and all
 * connections. Whoever waits inside of a handler must be told before. NULL is
 * allowed. */
void http_server_stop(struct http_server *server);

/* After http_server_stop(), and when no socket is kept any more. NULL is
 * allowed. */
void http_server_free(struct http_server *server);

/* --- a request ----------------------------------------------------------- */

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_OPTIONS, HTTP_OTHER };

enum http_header {
	HTTP_AUTHORIZATION,
	HTTP_CONTENT_TYPE,
	HTTP_RANGE,
	HTTP_CLIENT, /* Convex-Client */
	HTTP_DIGEST,
	HTTP_HOST,
	HTTP_HEADER_COUNT,
};

enum http_method http_method(const struct http_exchange *x);
const char *http_path(const struct http_exchange *x);

/* NULL: it is not there. Decoded; the last of several. */
const char *http_arg(const struct http_exchange *x, const char *name);
const char *http_header(const struct http_exchange *x, enum http_header h);

/* Of the body, as announced. */
uint64_t http_body_size(const struct http_exchange *x);

/* What the hooks keep with an exchange. */
void http_set_user(struct http_exchange *x, void *user);
void *http_user(const struct http_exchange *x);

/* begin: bytes go here, in order; without it the body is kept in memory. A
 * failure of write is http_body_error()'s. */
struct http_sink {
	void *ctx;
	int (*write)(void *ctx, const void *bytes, size_t size,
		     struct cvx_err *err);
};
void http_set_sink(struct http_exchange *x, const struct http_sink *sink);

/* begin: a longer body is thrown away, and http_body_error is -EFBIG. */
void http_set_body_limit(struct http_exchange *x, uint64_t limit);

const char *http_body(const struct http_exchange *x, size_t *ret_size);
int http_body_error(const struct http_exchange *x, struct cvx_err *err);

/* --- its answer ---------------------------------------------------------- */

/* For the answer to come; before it. Texts are copied. */
void http_add_header(struct http_exchange *x, const char *name,
		     const char *value);

/* Answers. The bytes are taken over; type NULL: none is told. */
void http_reply(struct http_exchange *x, unsigned status, const char *type,
		struct cvx_buf *body);
/* The bytes [off, off + size) of a file. The descriptor is taken over. */
void http_reply_file(struct http_exchange *x, unsigned status, const char *type,
		     int fd, uint64_t off, uint64_t size);

/* --- WebSockets ---------------------------------------------------------- */

void http_socket_ref(struct http_socket *s);
void http_socket_unref(struct http_socket *s);

/* What the hooks keep with a socket; only they look at it. */
void http_socket_set_user(struct http_socket *s, void *user);
void *http_socket_user(const struct http_socket *s);

/* Sends a text message, whose bytes are taken over. A client that does not
 * read what it is sent is cut off. */
void http_socket_send(struct http_socket *s, struct cvx_buf *text);

/* Closes behind what was sent; code 0: without a code. */
void http_socket_close(struct http_socket *s, unsigned code,
		       const char *reason);

#endif
