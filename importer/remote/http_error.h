/*
 * http_error: the one table from what libcurl and a deployment answer to errno
 * (filesystem.md F) and a sentence. For http_outcome.c and its tests.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_REMOTE_HTTP_ERROR_H
#define CVX_IMPORTER_REMOTE_HTTP_ERROR_H

#include "importer/remote/http.h"

/* os_error is that of a failed connection; 0: unknown. The negative errno. */
int http_error_of_curl(int curl_code, int os_error);

/* Of a status other than 2xx. code is the deployment's name for it, or "". */
int http_error_of_status(int status, const char *code);
enum http_outcome http_outcome_of_status(int status);

/* "Service Unavailable"; "" for unknown ones. */
const char *http_reason(int status);

#endif
