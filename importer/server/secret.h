/*
 * secret: comparing what others must not learn byte by byte.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_SERVER_SECRET_H
#define CVX_IMPORTER_SERVER_SECRET_H

#include <stdbool.h>

/* Whether the texts are equal. The time taken depends on the length of what
 * was given, and not on the secret. */
bool secret_is_equal(const char *secret, const char *given);

#endif
