/*
 * index_key: the place of a document in an index, as bytes.
 *
 * The key of a document is such that memcmp of two keys, the shorter one first
 * where one begins the other, is the order of the documents in the index: by
 * the values of its fields, one after the other, as import.md 4.1 orders
 * values, then by _creationTime, then by _id. No two documents of a table have
 * the same key.
 *
 * The key is the values of the fields one behind the other:
 *
 *   absent      01
 *   null        02
 *   int64       03, 8 bytes, big-endian, the sign bit flipped
 *   float64     04, 8 bytes, big-endian: the sign bit flipped if it is 0, all
 *               bits if it is 1, which is the total order of IEEE 754
 *   false       05
 *   true        06
 *   string      07, its UTF-8, 00
 *   bytes       08, the bytes, 00
 *   array       09, the values of its elements, 00
 *   object      0A, of each field 01, its name, 00 and its value; 00
 *
 * followed by _creationTime, encoded so, unless the last field is it already,
 * and by the 16 bytes of the internal id. A byte 00 inside a string, bytes or a
 * name is 00 FF; since nothing that may follow the 00 at an end begins with FF,
 * a string comes before the longer ones that it begins.
 *
 * Threads: fixed after index_fields_init; a buffer belongs to its caller.
 */
#ifndef CVX_IMPORTER_SCHEMA_INDEX_KEY_H
#define CVX_IMPORTER_SCHEMA_INDEX_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cvx_buf;
struct cvx_err;

#define INDEX_FIELDS_MAX 16

/*
 * The largest key: a value is at most twice as large in it as import.md 4.2
 * counts, a document has 1 MiB, and the fields may lie within each other.
 */
#define INDEX_KEY_MAX ((size_t)1 << 26)

/* The limit for a buffer that keys are made in. */
#define INDEX_KEY_ROOM (2 * INDEX_KEY_MAX)

/* A field, or one of the two that break ties; the text is the caller's. */
struct index_field {
	const char *path;
	uint16_t size;	     /* of the path */
	uint16_t first_size; /* of its first name */
};

struct index_fields {
	struct index_field fields[INDEX_FIELDS_MAX + 2];
	size_t count; /* with _creationTime and _id */
	bool time_is_last;
	uint8_t order[INDEX_FIELDS_MAX + 2]; /* indexes, by first name */
};

/*
 * paths are field paths as schema_parse accepts them, at most INDEX_FIELDS_MAX
 * (none: the index by_creation_time). They must live as long as f is used.
 */
void index_fields_init(struct index_fields *f, const char *const *paths,
		       size_t count);

/*
 * Appends the key of the document in line (canonical text, no LF) to out. The
 * line is read once; -EINVAL if it is damaged or has no _creationTime or _id,
 * and out is as it was.
 */
int index_key(const struct index_fields *f, const char *line, size_t size,
	      struct cvx_buf *out, struct cvx_err *err);

#endif
