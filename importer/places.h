/*
 * places: where a file was refused, the first ones in the order of the file,
 * and how many there are in all (filesystem.md F-4).
 *
 * Threads: not locked.
 */
#ifndef CVX_IMPORTER_PLACES_H
#define CVX_IMPORTER_PLACES_H

#include <stddef.h>
#include <stdint.h>

#include "importer/format/format.h"

struct cvx_buf;
struct cvx_err;

/* A part of the rows, and what it is called. */
struct places_origin {
	const char *name;
	uint64_t row_count;
};

struct places {
	struct row_error list[FORMAT_ERRORS_MAX]; /* row 0: no row's fault */
	unsigned count;
	uint64_t total;

	/* What the rows were put together from, if from more than one. Then
	 * rows are named by their origin and counted there. Borrowed. */
	const struct places_origin *origins;
	size_t origin_count;
};

/* Writes "row N", or "ORIGIN: row N", into text. */
#define PLACES_ROW_SIZE 240
void places_name_row(const struct places *p, uint64_t row,
		     char text[PLACES_ROW_SIZE]);

/* Adds one that lies behind those before. */
void places_add(struct places *p, uint64_t row, const struct cvx_err *cause);

/* The first place as the error of the whole import; returns its errno. */
int places_fail(const struct places *p, struct cvx_err *err);

/* Each place as a line, and a line about the rest. */
int places_print(const struct places *p, struct cvx_buf *out);

#endif
