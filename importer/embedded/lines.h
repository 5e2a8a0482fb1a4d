/*
 * lines: walks over canonical lines, in memory, in a table or in a file.
 *
 * Threads: not locked.
 */
#ifndef CVX_IMPORTER_EMBEDDED_LINES_H
#define CVX_IMPORTER_EMBEDDED_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "cache/base/buf.h"
#include "importer/value/id.h"

struct cvx_err;
struct table_reader;

/* Where lines lie: size bytes of text, of a table, or of a file if both are
 * NULL. */
struct lines_place {
	const char *text;
	struct table_reader *table;
	int fd;
	uint64_t size;
};

struct lines {
	struct lines_place place;
	uint64_t off;	    /* of the next line */
	struct cvx_buf buf; /* bytes of the file from buf_off on */
	uint64_t buf_off;
};

void lines_init(struct lines *l, const struct lines_place *place);
void lines_fini(struct lines *l);

/*
 * 1 and the next line without its LF, which lives until the next call, and
 * its offset; 0 at the end. Bytes that are not lines are -EIO: they are our
 * own and were whole once.
 */
int lines_next(struct lines *l, const char **ret_line, size_t *ret_size,
	       uint64_t *ret_off, struct cvx_err *err);

/* The next line's id and offset, likewise. */
int lines_next_id(struct lines *l, struct internal_id *ret_id,
		  uint64_t *ret_off, struct cvx_err *err);

/* Goes to the first line that begins at off or behind it. */
int lines_seek(struct lines *l, uint64_t off, struct cvx_err *err);

#endif
