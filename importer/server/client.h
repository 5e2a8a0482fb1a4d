/*
 * client: what the header Convex-Client tells (HTTP-3).
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_SERVER_CLIENT_H
#define CVX_IMPORTER_SERVER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct cvx_err;

/* Whether the text is a semantic version, "1.48.0-beta.1+7". */
bool client_is_version(const char *text, size_t size);

/* 0, or 400 and the error's name and text. NULL: the header is not there. */
unsigned client_check(const char *header, struct cvx_err *err);

#endif
