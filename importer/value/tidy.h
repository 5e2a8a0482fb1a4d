/*
 * tidy: a row without the fields that a later one of the same name overwrites
 * (import.md 4.3). They become white space, so every other byte stays where it
 * was, and the scanner can read the rest.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_VALUE_TIDY_H
#define CVX_IMPORTER_VALUE_TIDY_H

#include <stdbool.h>
#include <stddef.h>

struct cvx_err;

/*
 * text is JSON, as json.h says, and nothing else. *ret becomes a copy of it of
 * the same size, which the caller frees, or NULL if no field is overwritten.
 */
int tidy_text(const char *text, size_t size, char **ret, struct cvx_err *err);

#endif
