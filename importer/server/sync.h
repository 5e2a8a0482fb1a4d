/*
 * sync: the sockets of clients that watch queries (protocol.md 6).
 *
 * One thread owns all watchers. It answers messages in their order, looks
 * whether something was committed, by whichever process, and sends each
 * watcher what has changed.
 *
 * Limits:  SYNC_QUERY_MAX queries a watcher; a client whose messages pile up
 *          is cut off.
 * Threads: locked inside.
 */
#ifndef CVX_IMPORTER_SERVER_SYNC_H
#define CVX_IMPORTER_SERVER_SYNC_H

#include <stddef.h>

struct cvx_err;
struct http_socket;
struct server;
struct sync;

#define SYNC_QUERY_MAX 256

int sync_start(struct server *server, struct sync **ret, struct cvx_err *err);
/* Says good-bye to all sockets. Hooks may still come until sync_free(). */
void sync_stop(struct sync *s);
/* NULL is allowed. */
void sync_free(struct sync *s);

/* Something may have changed: looks at once. */
void sync_wake(struct sync *s);

/* http.h's hooks. */
int sync_check_path(const char *path);
void sync_opened(struct sync *s, struct http_socket *socket);
void sync_received(struct sync *s, struct http_socket *socket, char *text,
		   size_t size);
void sync_closed(struct sync *s, struct http_socket *socket);

#endif
