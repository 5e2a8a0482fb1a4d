/*
 * data_sync_cursor: how far a client knows the tables of its selection
 * (data_sync.h), as text that it gives back.
 *
 * All that there is to know stands in the text: the server keeps nothing, so a
 * cursor is good for any process that serves the deployment, over restarts,
 * and may be used again when an answer was lost.
 *
 * Size:    some 65 bytes a table.
 * Threads: not locked.
 */
#ifndef CVX_IMPORTER_SERVER_DATA_SYNC_CURSOR_H
#define CVX_IMPORTER_SERVER_DATA_SYNC_CURSOR_H

#include <stddef.h>
#include <stdint.h>

#include "importer/embedded/table_place.h"

struct cvx_buf;
struct cvx_err;

/* A table that the client knows. */
struct known_table {
	const char *component, *name;
	uint64_t revision;    /* that it knows all of; 0: it is on its way */
	int64_t committed_ns; /* of the revision; 0 without one */
	struct table_place place;
};

struct sync_cursor {
	uint64_t scope;	  /* what it is good for: deployment and selection */
	int64_t made_ns;  /* Unix time */
	uint64_t sync_id; /* the same over all cursors of a client */
	/* By the bytes of component and name. */
	struct known_table *tables;
	size_t count, capacity;
	char *text; /* that the names lie in; NULL: they are others' */
};

#define SYNC_CURSOR_INIT                                                       \
	{                                                                      \
		0, 0, 0, NULL, 0, 0, NULL                                      \
	}

/* Fills an empty one from the text. -EINVAL, without a text: it is none. */
int sync_cursor_read(struct sync_cursor *c, const char *text);
void sync_cursor_fini(struct sync_cursor *c);

/* The names are not copied. */
int sync_cursor_add(struct sync_cursor *c, const struct known_table *table);

/* Appends the text, which has nothing that JSON would escape. */
int sync_cursor_print(const struct sync_cursor *c, struct cvx_buf *out);

#endif
