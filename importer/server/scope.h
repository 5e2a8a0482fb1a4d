/*
 * scope: a number that tells what a cursor is good for: FNV-1a of texts.
 *
 * It finds cursors that were given to the wrong question, or that were
 * damaged; it is no secret.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_SERVER_SCOPE_H
#define CVX_IMPORTER_SERVER_SCOPE_H

#include <stddef.h>
#include <stdint.h>

#define SCOPE_INIT UINT64_C(0xcbf29ce484222325)

uint64_t scope_add(uint64_t scope, const void *bytes, size_t size);

/* A text and its end; NULL is another text than "". */
uint64_t scope_add_text(uint64_t scope, const char *text);

#endif
