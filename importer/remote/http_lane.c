#include "importer/remote/http_lane.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "importer/remote/halt.h"

static void init_curl(void)
{
	(void)curl_global_init(
		CURL_GLOBAL_DEFAULT); /* or curl_easy_init fails */
}

struct http_lane *http_lane_new(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct http_lane *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	(void)pthread_once(&once, init_curl);
	l->multi = curl_multi_init();
	l->easy = curl_easy_init();
	if (l->multi && l->easy)
		return l;
	http_lane_free(l);
	return NULL;
}

void http_lane_free(struct http_lane *l)
{
	if (!l)
		return;
	curl_easy_cleanup(l->easy);
	(void)curl_multi_cleanup(l->multi);
	free(l);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Until the transfer has ended one way or the other. */
static CURLcode wait_for_end(struct http_lane *l, const struct halt *halt,
			     uint64_t idle_ms, const uint64_t *progress)
{
	struct curl_waitfd wake = {halt_fd(halt), CURL_WAIT_POLLIN, 0};
	uint64_t seen = *progress, moved_at = now_ms(), still;
	int running = 1, count;
	CURLMsg *message;

	for (;;) {
		if (halt_is_requested(halt))
			return CURLE_ABORTED_BY_CALLBACK;
		if (curl_multi_perform(l->multi, &running) != CURLM_OK)
			return CURLE_OUT_OF_MEMORY;
		if (!running)
			break;
		if (*progress != seen) {
			seen = *progress;
			moved_at = now_ms();
		}
		still = now_ms() - moved_at;
		if (still >= idle_ms)
			return CURLE_OPERATION_TIMEDOUT;
		still = idle_ms - still;
		if (curl_multi_poll(
			    l->multi, &wake, halt != NULL,
			    halt_patience_ms(halt, still < 1000 ? still : 1000),
			    NULL) != CURLM_OK)
			return CURLE_OUT_OF_MEMORY;
	}
	message = curl_multi_info_read(l->multi, &count);
	return message ? message->data.result : CURLE_OUT_OF_MEMORY;
}

/* A connection that the other side closed must not kill the program. */
static CURLcode wait_without_sigpipe(struct http_lane *l,
				     const struct halt *halt, uint64_t idle_ms,
				     const uint64_t *progress)
{
	const struct timespec none = {0, 0};
	sigset_t pipe_set, before, pending;
	CURLcode code;
	int was_pending;

	(void)sigemptyset(&pipe_set);
	(void)sigaddset(&pipe_set, SIGPIPE);
	(void)sigpending(&pending);
	was_pending = sigismember(&pending, SIGPIPE);
	(void)pthread_sigmask(SIG_BLOCK, &pipe_set, &before);
	code = wait_for_end(l, halt, idle_ms, progress);
	(void)curl_multi_remove_handle(l->multi, l->easy);
	if (!was_pending)
		(void)sigtimedwait(&pipe_set, NULL, &none);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return code;
}

CURLcode http_lane_run(struct http_lane *l, const struct halt *halt,
		       uint64_t idle_ms, const uint64_t *progress)
{
	if (curl_multi_add_handle(l->multi, l->easy) != CURLM_OK)
		return CURLE_OUT_OF_MEMORY;
	return wait_without_sigpipe(l, halt, idle_ms, progress);
}
