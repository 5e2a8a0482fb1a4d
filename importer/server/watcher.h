/*
 * watcher: what one client's socket knows and watches, and what it is told
 * (protocol.md 6.7).
 *
 *   version   {querySet, identity, ts}: each Transition starts where the last
 *             one ended (WS-8)
 *
 * Memory:  up to 1 MiB of text of the queries it watches, which only who has a
 *          key can make it keep.
 * Threads: not locked; the thread of sync.
 */
#ifndef CVX_IMPORTER_SERVER_WATCHER_H
#define CVX_IMPORTER_SERVER_WATCHER_H

#include <stddef.h>
#include <stdint.h>

struct http_socket;
struct server;
struct watcher;

/* Keeps a reference to the socket. NULL: memory ran out. */
struct watcher *watcher_new(struct server *server, struct http_socket *socket);
void watcher_free(struct watcher *s);

struct http_socket *watcher_socket(const struct watcher *s);

/* A message of the client. */
void watcher_receive(struct watcher *s, const char *text, size_t size);

/* Something was committed: sends what has changed for this client. */
void watcher_refresh(struct watcher *s);

/* WS-16: a Ping, if nothing was sent for long. */
void watcher_keep_alive(struct watcher *s, int64_t now_ns);

/* The server stops. */
void watcher_say_goodbye(struct watcher *s);

#endif
