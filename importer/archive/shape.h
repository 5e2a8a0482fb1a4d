/*
 * shape: the inferred shape of a table in old exports, parsed (import.md 6.6).
 *
 * What matters of it is which readings a string may have, so that is what a
 * parsed shape holds: a tree of unions, each with the readings of its simple
 * members and a list of its arrays, records and objects.
 *
 * Limits:  SHAPE_NESTING_MAX brackets, SHAPE_UNION_MAX unions; beyond them a
 *          shape is refused, as InvalidGeneratedSchema like all that does not
 *          parse.
 * Threads: fixed after shape_parse().
 */
#ifndef CVX_IMPORTER_ARCHIVE_SHAPE_H
#define CVX_IMPORTER_ARCHIVE_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cvx_err;

/* A value nests 64 deep at most, and so did the shape made from it. */
#define SHAPE_NESTING_MAX 128
#define SHAPE_UNION_MAX 16384

/* How a string can be meant. */
enum shape_reading {
	SHAPE_STRING = 1,
	SHAPE_INT64 = 2,
	SHAPE_INFINITY = 4,
	SHAPE_NAN = 8,
	SHAPE_BYTES = 16,
};

enum shape_part_kind { SHAPE_ARRAY, SHAPE_RECORD, SHAPE_OBJECT };

struct shape_field {
	const char *name; /* in the text that was parsed */
	size_t name_size;
	uint32_t value; /* a union */
	uint32_t next;	/* a field; 0: none */
};

/* An array, record or object in a union. */
struct shape_part {
	enum shape_part_kind kind;
	uint32_t value;	 /* the union of the elements, or of the values */
	uint32_t fields; /* of an object: the first one; 0: none */
	uint32_t next;	 /* in its union; 0: none */
};

struct shape_union {
	unsigned readings; /* of enum shape_reading */
	bool is_unknown;   /* holds "unknown", which is all there can be */
	uint32_t parts;	   /* the first one; 0: none */
};

/* Union 0 is "unknown" alone; parts and fields count from 1. */
struct shape {
	uint32_t root; /* a union */
	struct shape_union *unions;
	size_t union_count, union_capacity;
	struct shape_part *parts;
	size_t part_count, part_capacity;
	struct shape_field *fields;
	size_t field_count, field_capacity;
};

/* The text must live as long as the shape. */
int shape_parse(const char *text, size_t size, struct shape **ret,
		struct cvx_err *err);
void shape_free(struct shape *s);

#endif
