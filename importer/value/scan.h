/*
 * scan: the fast reader of one JSON value, which writes the canonical text
 * (import.md 4.5, 4.6) while it reads.
 *
 * The scanner accepts and writes; it does not explain. Whatever it stops at is
 * read again with json.h, which finds the place and the words.
 *
 * Fields are written in the order of the input and put in order when their
 * object is closed; those of the outermost object are left to the caller, who
 * may have fields to add (scan_root_order).
 *
 * Bytes are read in blocks, never outside the text: the last SCAN_PAD bytes are
 * read from a copy that zeros follow. A zero byte is no JSON, so the end of the
 * text needs no test of its own.
 *
 * Threads: a scanner belongs to one thread at a time.
 */
#ifndef CVX_IMPORTER_VALUE_SCAN_H
#define CVX_IMPORTER_VALUE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "importer/value/json.h"

/* The largest text; offsets in it and in what is written fit in 32 bits. */
#define SCAN_TEXT_MAX ((size_t)512 << 20)

#define SCAN_ARRAY_MAX 8192  /* elements (import.md 4.2) */
#define SCAN_FIELDS_MAX 1024 /* of one object */
#define SCAN_KEY_MAX 1024

/* Bytes that may be read behind every place where a value begins. */
#define SCAN_PAD 128

/*
 * What is known of the objects at one place of the rows: the fields the last
 * one had and their order, so that the next one is compared instead of read.
 */
#define SHAPE_KEYS_MAX 128
#define SHAPE_KEY_TEXT_MAX 64 /* with quotes and colon */
#define SHAPE_COUNT 128
#define SHAPE_UNKNOWN UINT8_MAX
#define SHAPE_SKIP_MAX 3 /* absent fields that are stepped over */

struct shape_key {
	char text[SHAPE_KEY_TEXT_MAX];
};

struct shape {
	uint32_t version; /* counts changes: the last shape has many places */
	uint16_t count;
	bool in_order;	       /* as the input has them */
	uint16_t system_count; /* of keys that begin with '_', at most */

	/* Of each text; behind the last one sizes that no text reaches. */
	uint8_t size[SHAPE_KEYS_MAX + SHAPE_SKIP_MAX + 1];
	uint8_t order[SHAPE_KEYS_MAX]; /* indexes, sorted by key */
	uint8_t child[SHAPE_KEYS_MAX]; /* shapes of what is in the field */
	struct shape_key key[SHAPE_KEYS_MAX + SHAPE_SKIP_MAX + 1];
};

/*
 * An object may grow above SCAN_FIELDS_MAX by known fields, which are not
 * counted before it is closed. One more member ends the outermost object.
 */
#define SCAN_MEMBERS_MAX                                                       \
	((SCAN_FIELDS_MAX + SHAPE_KEYS_MAX) * JSON_DEPTH_MAX + 1)

struct scan_member {
	uint32_t off;	   /* of the key's first quote in what is written */
	uint16_t key_size; /* as written, without quotes */
	uint8_t known;	   /* index in the shape, or SHAPE_UNKNOWN */
};

/* An open object or array. */
struct scan_frame {
	struct scan_member *first; /* member of an object */
	uint32_t off;		   /* of the bracket in what is written */
	uint32_t count;		   /* elements of an array so far, but one; of a
				      wrapper the offset of its key in the text */
	uint32_t expect;	   /* index of the shape's next key */
	uint32_t version;	   /* of the shape */
	uint16_t shape;
	bool object;
	bool missed;  /* a key was not as the shape has it */
	bool wrapper; /* the first key begins with '$' */
	uint8_t nesting_before;
};

enum scan_outcome {
	SCAN_DONE,
	SCAN_SYNTAX,	/* not JSON */
	SCAN_FAULT,	/* JSON, as far as read, but not a value: fault */
	SCAN_DUPLICATE, /* an object has a field twice: drop the first one */
};

struct scanner;
typedef enum scan_outcome scan_run(struct scanner *s, const char *p);

struct scanner {
	/* Settings. */
	scan_run *run;
	bool integers; /* numbers of class integer are int64 */
	bool wrappers; /* "$integer", "$float" and "$bytes" are known */

	/* The text: as given, and the part that is read from. */
	const char *text;
	size_t size;
	const char *part_end;
	const char *safe; /* up to here SCAN_PAD bytes may be read */
	const char *utf8_checked;
	bool partial;  /* more than the value may be in the text */
	bool one_line; /* an LF ends the text */

	/* What is written. */
	char *row;
	size_t row_capacity;
	char *scratch; /* of the same capacity */

	/* What is found. */
	char *row_end;
	size_t used; /* bytes of the text */
	bool beyond_plain;
	bool root_wrapper;
	unsigned nesting;
	const char *fault; /* static */
	size_t fault_off;
	size_t member_count; /* of the outermost object, from members[0] */
	size_t system_count; /* of its keys that begin with '_', at most */
	bool root_in_order;  /* its members stand in order */

	/* The fields of an object in order: indexes of its members. Of the
	 * outermost one unless root_in_order. */
	uint16_t order[SCAN_FIELDS_MAX];

	struct scan_frame frames[JSON_DEPTH_MAX + 1];
	unsigned shape_count; /* of shapes that have a place */
	struct shape shapes[SHAPE_COUNT];
	char tail[2 * SCAN_PAD];
	struct scan_member members[SCAN_MEMBERS_MAX];
};

/* NULL without memory. */
struct scanner *scan_new(bool integers, bool wrappers);
void scan_free(struct scanner *s);

/* Makes room to read a text of the size. 0 or -ENOMEM. */
int scan_reserve(struct scanner *s, size_t size);

/*
 * Reads the value in text, for which there is room. With partial, bytes may
 * follow the value. What is written is [row, row_end).
 */
enum scan_outcome scan_text(struct scanner *s, const char *text, size_t size,
			    bool partial);

/*
 * As scan_text with partial, but no byte behind the first LF of the text is
 * taken for one of the value.
 */
enum scan_outcome scan_line(struct scanner *s, const char *text, size_t size);

/*
 * After SCAN_DONE with an object outermost: sorts its members into order[],
 * unless they stand in order. False if two have the same key.
 */
bool scan_root_order(struct scanner *s);

/*
 * Copies a member of the outermost object and one byte behind it, which the
 * caller replaces, and returns the size of both. Up to SCAN_COPY_STEP bytes of
 * the room behind are overwritten.
 */
#define SCAN_COPY_STEP 32
static inline size_t scan_copy_member(const struct scanner *s, size_t index,
				      char *out)
{
	const struct scan_member *m = &s->members[index];
	const char *text = s->row + m->off;
	size_t size = m[1].off - m->off;

	if (size > 4 * SCAN_COPY_STEP)
		memcpy(out, text, size);
	else
		for (size_t i = 0; i < size; i += SCAN_COPY_STEP)
			memcpy(out + i, text + i, SCAN_COPY_STEP);
	return size;
}

/* The kinds of processor that scan_text chooses from, for tests. */
enum scan_kind { SCAN_SCALAR, SCAN_SSE2, SCAN_AVX2 };
bool scan_has_kind(enum scan_kind kind);
enum scan_outcome scan_text_as(enum scan_kind kind, struct scanner *s,
			       const char *text, size_t size, bool partial);

#endif
