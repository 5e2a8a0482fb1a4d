/*
 * members: the parts of a JSON text, as ranges of it. For texts that are too
 * large, or hold numbers too long, for a tree.
 *
 * The texts must stay as long as their ranges.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_REMOTE_MEMBERS_H
#define CVX_IMPORTER_REMOTE_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/value/json.h"

/* The text of one value, without white space around it. */
struct range {
	const char *text;
	size_t size;
};

/* Walks over the members of an object or the elements of an array. */
struct members {
	struct json json;
	bool is_object;
	bool is_bad; /* the text is not one object or array */
};

void members_init(struct members *m, const struct range *value);

/* The next one; false at the end, or when is_bad. ret_key, with its quotes,
 * is empty for elements, and may be NULL. */
bool members_next(struct members *m, struct range *ret_key,
		  struct range *ret_value);

/* Which of the names the key, with its quotes, is; count: none of them. */
size_t members_find(const struct range *key, const char *const *names,
		    size_t count);

/* The members of these names in one pass; absent ones get size 0. false: the
 * text is not one object. */
bool members_pick(const struct range *object, const char *const *names,
		  struct range *ret, size_t count);

/* Whether the range is that text. */
bool range_is(const struct range *r, const char *text);

/* Decodes a string; NULL if it is none, holds NUL, or memory runs out. */
char *range_string(const struct range *r);

#endif
