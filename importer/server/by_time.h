/*
 * by_time: the lines of the index by creation time, found from any place in it.
 *
 * Offsets are those of the index's text; a line begins at 0 or behind an LF,
 * and ends with one.
 *
 * Memory:  about twice the longest line that was looked at.
 * Threads: not locked.
 */
#ifndef CVX_IMPORTER_SERVER_BY_TIME_H
#define CVX_IMPORTER_SERVER_BY_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/base/buf.h"

struct cvx_err;
struct index_reader;

struct by_time {
	struct index_reader *reader;
	uint64_t size;	     /* of all lines */
	struct cvx_buf text; /* a part of them */
	uint64_t off;	     /* of that part */
};

void by_time_init(struct by_time *l, struct index_reader *reader,
		  uint64_t size);
void by_time_fini(struct by_time *l);

struct by_time_line {
	const char *text; /* until the next call */
	size_t size;	  /* without the LF */
	uint64_t start, end;
};

/* The line that has the byte at off, which is below the size. */
int by_time_at(struct by_time *l, uint64_t off, struct by_time_line *ret,
	       struct cvx_err *err);

/* What orders lines by creation time, then id. */
struct time_key {
	double time;
	char id[40];
};

/* -EIO: the line is damaged. */
int time_key_read(const struct by_time_line *line, struct time_key *ret,
		  struct cvx_err *err);
int time_key_compare(const struct time_key *a, const struct time_key *b);

/* The start of the first line whose key is not below the key (or, behind: is
 * above it); the size if there is none. */
int by_time_find(struct by_time *l, const struct time_key *key, bool behind,
		 uint64_t *ret, struct cvx_err *err);

#endif
