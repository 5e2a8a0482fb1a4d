/*
 * http_lane: one libcurl handle with its connections, which runs one transfer
 * at a time and can be interrupted. For http.c only.
 *
 * Threads: one at a time.
 */
#ifndef CVX_IMPORTER_REMOTE_HTTP_LANE_H
#define CVX_IMPORTER_REMOTE_HTTP_LANE_H

#include <stdint.h>

#include <curl/curl.h>

struct halt;

struct http_lane {
	CURLM *multi;
	CURL *easy;
	char why[CURL_ERROR_SIZE]; /* CURLOPT_ERRORBUFFER of easy */
	struct http_lane *next;	   /* of the owner's list */
};

/* NULL without memory. Initialises libcurl once. */
struct http_lane *http_lane_new(void);
void http_lane_free(struct http_lane *l);

/*
 * Runs what easy is set up for. *progress counts bytes in both directions; it
 * is moved by easy's callbacks. CURLE_OPERATION_TIMEDOUT when it stands still
 * for idle_ms, CURLE_ABORTED_BY_CALLBACK when halt is requested.
 */
CURLcode http_lane_run(struct http_lane *l, const struct halt *halt,
		       uint64_t idle_ms, const uint64_t *progress);

#endif
