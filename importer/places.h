/*
 * places: where a file was refused, the first ones in the order of the file,
 * and how many there are in all (filesystem.md F-4).
 *
 * Threads: not locked.
 */
#ifndef CVX_IMPORTER_PLACES_H
#define CVX_IMPORTER_PLACES_H

#include <stdint.h>

#include "importer/format/format.h"

struct cvx_buf;
struct cvx_err;

struct places {
	struct row_error list[FORMAT_ERRORS_MAX]; /* row 0: no row's fault */
	unsigned count;
	uint64_t total;
};

/* Adds one that lies behind those before. */
void places_add(struct places *p, uint64_t row, const struct cvx_err *cause);

/* The first place as the error of the whole import; returns its errno. */
int places_fail(const struct places *p, struct cvx_err *err);

/* Each place as a line, and a line about the rest. */
int places_print(const struct places *p, struct cvx_buf *out);

#endif
