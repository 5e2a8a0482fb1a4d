#include "importer/server/sync.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/jobs.h"
#include "importer/server/client.h"
#include "importer/server/http.h"
#include "importer/server/inside.h"
#include "importer/server/pages.h"
#include "importer/server/stream.h"
#include "importer/server/uploads.h"
#include "importer/server/watcher.h"

/* How often others' commits are looked for while somebody watches. */
#define LOOK_MS 100
#define IDLE_MS 1000

/* Messages that may wait for the thread, of all clients. */
#define EVENT_COUNT_MAX 16384
#define EVENT_SIZE_MAX ((size_t)256 << 20)

enum event_kind { EVENT_OPENED, EVENT_RECEIVED, EVENT_CLOSED };

struct event {
	struct event *next;
	enum event_kind kind;
	struct http_socket *socket; /* a reference */
	char *text;
	size_t size;
};

struct entry {
	struct entry *next;
	struct watcher *watcher;
};

struct sync {
	struct server *server;
	pthread_t thread;
	struct entry *watchers; /* the thread's */
	int64_t change_count;	/* likewise */

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	struct event *first, **last;
	size_t event_count, event_size;
	bool has_news;
	bool is_stopping;
};

/* --- hooks: the loop's thread -------------------------------------------- */

/* "/api/sync", "/api/1.48.0/sync" (WS-1). */
int sync_check_path(const char *path)
{
	const char *end;

	while (path[0] == '/' && path[1] == '/')
		path++;
	if (strncmp(path, "/api/", 5) != 0)
		return 404;
	path += 5;
	if (strcmp(path, "sync") == 0)
		return 0;
	end = strchr(path, '/');
	if (!end || strcmp(end, "/sync") != 0)
		return 404;
	return client_is_version(path, (size_t)(end - path)) ? 0 : 400;
}

static void event_free(struct event *e)
{
	http_socket_unref(e->socket);
	free(e->text);
	free(e);
}

/* Takes over the text. Without memory or room for it the client is cut off. */
static void add_event(struct sync *s, enum event_kind kind,
		      struct http_socket *socket, char *text, size_t size)
{
	struct event *e = calloc(1, sizeof(*e));
	bool is_full;

	(void)pthread_mutex_lock(&s->lock);
	is_full = kind == EVENT_RECEIVED &&
		  (s->event_count >= EVENT_COUNT_MAX ||
		   s->event_size + size > EVENT_SIZE_MAX);
	if (e && !is_full) {
		http_socket_ref(socket);
		*e = (struct event){NULL, kind, socket, text, size};
		*s->last = e;
		s->last = &e->next;
		s->event_count++;
		s->event_size += size;
		(void)pthread_cond_signal(&s->changed);
	}
	(void)pthread_mutex_unlock(&s->lock);
	if (!e || is_full) {
		http_socket_close(socket, 1013, "TooManyConcurrentRequests");
		free(text);
		free(e);
	}
}

void sync_opened(struct sync *s, struct http_socket *socket)
{
	add_event(s, EVENT_OPENED, socket, NULL, 0);
}

void sync_received(struct sync *s, struct http_socket *socket, char *text,
		   size_t size)
{
	add_event(s, EVENT_RECEIVED, socket, text, size);
}

void sync_closed(struct sync *s, struct http_socket *socket)
{
	add_event(s, EVENT_CLOSED, socket, NULL, 0);
}

void sync_wake(struct sync *s)
{
	(void)pthread_mutex_lock(&s->lock);
	s->has_news = true;
	(void)pthread_cond_signal(&s->changed);
	(void)pthread_mutex_unlock(&s->lock);
}

/* --- the thread ---------------------------------------------------------- */

static void open_watcher(struct sync *s, struct http_socket *socket)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (e)
		e->watcher = watcher_new(s->server, socket);
	if (!e || !e->watcher) {
		free(e);
		http_socket_close(socket, 1011, "OutOfMemory");
		return;
	}
	e->next = s->watchers;
	s->watchers = e;
	http_socket_set_user(socket, e->watcher);
}

static void close_watcher(struct sync *s, struct http_socket *socket)
{
	struct entry **link = &s->watchers, *e;

	while (*link && watcher_socket((*link)->watcher) != socket)
		link = &(*link)->next;
	e = *link;
	if (!e)
		return;
	*link = e->next;
	watcher_free(e->watcher);
	free(e);
}

static void handle(struct sync *s, const struct event *e)
{
	struct watcher *watcher = http_socket_user(e->socket);

	switch (e->kind) {
	case EVENT_OPENED:
		open_watcher(s, e->socket);
		break;
	case EVENT_RECEIVED:
		if (watcher)
			watcher_receive(watcher, e->text, e->size);
		break;
	case EVENT_CLOSED:
		http_socket_set_user(e->socket, NULL);
		close_watcher(s, e->socket);
		break;
	}
}

static struct event *next_event(struct sync *s)
{
	struct event *e;

	(void)pthread_mutex_lock(&s->lock);
	e = s->first;
	if (e) {
		s->first = e->next;
		if (!s->first)
			s->last = &s->first;
		s->event_count--;
		s->event_size -= e->size;
	}
	(void)pthread_mutex_unlock(&s->lock);
	return e;
}

static void look_for_changes(struct sync *s)
{
	struct cvx_err err = CVX_ERR_INIT;
	int64_t count = 0;
	struct entry *e;

	if (!s->watchers)
		return;
	if (deployment_change_count(s->server->d, &count, &err) < 0) {
		log_warning("sync: %s", err.msg);
		return;
	}
	for (e = s->watchers; e; e = e->next) {
		if (count != s->change_count)
			watcher_refresh(e->watcher);
		watcher_keep_alive(e->watcher, embedded_now_ns());
	}
	s->change_count = count;
}

/* Whether the thread goes on. */
static bool await(struct sync *s)
{
	const unsigned ms = s->watchers ? LOOK_MS : IDLE_MS;
	struct timespec at;
	bool goes_on;
	int r = 0;

	(void)clock_gettime(CLOCK_REALTIME, &at); /* cannot fail */
	at.tv_nsec += (long)(ms % 1000) * 1000000;
	at.tv_sec += ms / 1000 + at.tv_nsec / 1000000000;
	at.tv_nsec %= 1000000000;
	(void)pthread_mutex_lock(&s->lock);
	while (r == 0 && !s->first && !s->has_news && !s->is_stopping)
		r = pthread_cond_timedwait(&s->changed, &s->lock, &at);
	s->has_news = false;
	goes_on = !s->is_stopping;
	(void)pthread_mutex_unlock(&s->lock);
	return goes_on;
}

static void *run(void *arg)
{
	struct sync *s = arg;
	struct event *e;
	struct entry *entry;

	while (await(s)) {
		while ((e = next_event(s))) {
			handle(s, e);
			event_free(e);
		}
		look_for_changes(s);
		pages_close_idle(s->server->pages);
		streams_close_idle(s->server->streams);
		uploads_close_idle(s->server->uploads);
	}
	for (entry = s->watchers; entry; entry = entry->next)
		watcher_say_goodbye(entry->watcher);
	return NULL;
}

int sync_start(struct server *server, struct sync **ret, struct cvx_err *err)
{
	struct sync *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return cvx_fail_memory(err);
	s->server = server;
	s->last = &s->first;
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_cond_init(&s->changed, NULL);
	r = pthread_create(&s->thread, NULL, run, s);
	if (r != 0) {
		(void)pthread_cond_destroy(&s->changed);
		(void)pthread_mutex_destroy(&s->lock);
		free(s);
		return cvx_fail(err, -r, "cannot start a thread: %s",
				strerror(r));
	}
	*ret = s;
	return 0;
}

void sync_stop(struct sync *s)
{
	(void)pthread_mutex_lock(&s->lock);
	s->is_stopping = true;
	(void)pthread_cond_signal(&s->changed);
	(void)pthread_mutex_unlock(&s->lock);
	(void)pthread_join(s->thread, NULL);
}

void sync_free(struct sync *s)
{
	struct event *e;
	struct entry *entry;

	if (!s)
		return;
	while ((e = next_event(s)))
		event_free(e);
	while ((entry = s->watchers)) {
		s->watchers = entry->next;
		watcher_free(entry->watcher);
		free(entry);
	}
	(void)pthread_cond_destroy(&s->changed);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}
