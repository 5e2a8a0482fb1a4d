/*
 * http_inside: what http.c and http_outcome.c share, and nobody else sees.
 *
 * Threads: a request belongs to one; struct http says what its lock guards.
 */
#ifndef CVX_IMPORTER_REMOTE_HTTP_INSIDE_H
#define CVX_IMPORTER_REMOTE_HTTP_INSIDE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

struct cvx_err;
struct http_answer;
struct http_call;
struct http_lane;

struct http {
	char *origin;
	char *authorization; /* "Authorization: …"; NULL: none */
	char *key;	     /* the secret in it; NULL: none */
	char *secret;
	uint64_t idle_ms;
	uint64_t backoff_ms;
	bool is_brief;
	pthread_mutex_t lock;	 /* guards lanes and lane_count */
	struct http_lane *lanes; /* idle ones */
	size_t lane_count;
};

/* One request under way. */
struct request {
	struct http *http;
	struct http_lane *lane;
	const struct http_call *call;
	struct http_answer *answer;
	struct cvx_err *err;
	struct curl_slist *headers;
	uint64_t progress;
	uint64_t body_off; /* how much of the body libcurl has taken */
	int sink_error;	   /* of read or write; 0: none */
	bool body_too_large;
};

/* libcurl is done with the request: fills in what http.h says of the answer,
 * and says what went wrong as http_perform() does. */
int http_conclude(struct request *q, CURLcode code);

#endif
