/*
 * strict: JSON and Convex values once more, slow and plain, straight from RFC
 * 8259 and import.md 4. It shares no code with importer/value, which is
 * compared with it, and it reads the test vectors: unlike cJSON it keeps
 * U+0000 in strings.
 */
#ifndef CVX_TESTS_UNIT_STRICT_H
#define CVX_TESTS_UNIT_STRICT_H

#include <stdbool.h>
#include <stddef.h>

enum strict_kind {
	STRICT_NULL,
	STRICT_FALSE,
	STRICT_TRUE,
	STRICT_NUMBER, /* text is the number as written */
	STRICT_STRING, /* text is decoded, and ended by NUL as well */
	STRICT_ARRAY,
	STRICT_OBJECT,
};

struct strict {
	enum strict_kind kind;
	char *text;
	size_t size;
	struct strict **items; /* of an array or object */
	struct strict **keys;  /* of an object: strings, each one once */
	size_t count;
};

/* NULL: not JSON. *ret_used NULL: nothing may follow but white space. */
struct strict *strict_parse(const char *text, size_t size, size_t *ret_used);
void strict_free(struct strict *v);

/* The member, NULL if there is none. */
const struct strict *strict_get(const struct strict *object, const char *key);
/* Its text; fails the program if it is no string. */
const char *strict_text(const struct strict *object, const char *key);
/* Its number, or the other one if there is none. */
double strict_number(const struct strict *object, const char *key,
		     double other);
bool strict_is_true(const struct strict *object, const char *key);

/* A vector file of tests/data/vectors; fails the program if it is none. */
struct strict *strict_read_vectors(const char *name);

enum strict_encoding { STRICT_PLAIN, STRICT_UNIFORM, STRICT_INTERNAL };

struct strict_result {
	bool valid;   /* import.md 4.4 and the limits of values in 4.2 */
	bool wrapper; /* outermost */
	bool beyond_plain;
	char *text; /* in export encoding; free() it */
	size_t text_size;
	unsigned long long size;
	unsigned nesting;
};

void strict_decode(const struct strict *v, enum strict_encoding encoding,
		   struct strict_result *ret);

#endif
