/*
 * server: an embedded deployment behind Convex's HTTP and WebSocket protocol,
 * so that Convex's own client works with it.
 *
 * It runs in threads of the process that starts it; several processes may
 * serve one deployment, each at an address of its own.
 *
 * Threads: server_start() and server_stop() are the owner's; the server locks
 *          inside.
 */
#ifndef CVX_IMPORTER_SERVER_SERVER_H
#define CVX_IMPORTER_SERVER_SERVER_H

#include <stdbool.h>
#include <stdint.h>

struct cvx_err;
struct deployment;
struct server;

struct server_settings {
	const char *address; /* "127.0.0.1", "::1" */
	uint16_t port;	     /* 0: any that is free */
	bool allow_remote;   /* addresses that are not loopback */
	/* NULL: the usual, which is for all but tests. */
	const struct server_limits *limits;
};

struct server_limits {
	unsigned connection_max;
	unsigned idle_s, request_s, keepalive_s; /* struct http_patience */
	unsigned upload_s; /* after so long without a part it is over */
};

/*
 * Reads "ADDR:PORT", "ADDR", ":PORT" or "[::1]:PORT"; what is left out is
 * 127.0.0.1 and 3210. "localhost" is 127.0.0.1. *ret_address is the caller's.
 */
int server_read_listen(const char *text, char **ret_address, uint16_t *ret_port,
		       struct cvx_err *err);

/* -EPERM unless the address is loopback, or others are allowed. */
int server_check_address(const char *address, bool allow_remote,
			 struct cvx_err *err);

/*
 * Listens and answers from now on. d must stay open, and must not be
 * read-only (-EROFS).
 */
int server_start(struct deployment *d, const struct server_settings *settings,
		 struct server **ret, struct cvx_err *err);

/* "http://127.0.0.1:3210"; lives as long as the server. */
const char *server_url(const struct server *s);

/* Breaks off what runs; it goes on when the deployment is served again. NULL
 * is allowed. */
void server_stop(struct server *s);

#endif
