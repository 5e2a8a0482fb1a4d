/*
 * tree: a small JSON text as a tree, for schemas.
 *
 * Strict (import.md 4.3, by value/json.h), strings with their length, so that
 * U+0000 survives; numbers and literals stay text, so that whoever reads them
 * decides what they are. A name that occurs twice in an object is refused:
 * one of the two would be ignored without a word.
 *
 * Limits:  TREE_TEXT_MAX bytes; nesting of 127.
 * Threads: fixed after tree_parse.
 */
#ifndef CVX_IMPORTER_SCHEMA_TREE_H
#define CVX_IMPORTER_SCHEMA_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cvx_err;

/* A schema is stored in one document, and a document has at most 1 MiB. */
#define TREE_TEXT_MAX ((size_t)1 << 20)

enum tree_kind {
	TREE_NULL,
	TREE_FALSE,
	TREE_TRUE,
	TREE_NUMBER,
	TREE_STRING,
	TREE_ARRAY,
	TREE_OBJECT,
};

/* Decoded; not ended by NUL. */
struct tree_string {
	const char *text;
	size_t size;
};

struct tree_node {
	enum tree_kind kind;
	uint32_t count;		       /* children */
	const struct tree_node *first; /* child */
	const struct tree_node *next;  /* sibling */
	struct tree_string key;	       /* of a field of an object */
	struct tree_string string;
	struct tree_string raw; /* the value as it stands in the text */
};

struct tree;

/* Keeps pointers into text until tree_free. */
int tree_parse(const char *text, size_t size, struct tree **ret,
	       struct cvx_err *err);
void tree_free(struct tree *t);
const struct tree_node *tree_root(const struct tree *t);

/* The field of an object, or NULL; NULL also if node is no object. */
const struct tree_node *tree_field(const struct tree_node *node,
				   const char *key);

bool tree_string_is(const struct tree_string *s, const char *text);

/* <0, 0, >0 in the order of the bytes. */
int tree_string_compare(const struct tree_string *a,
			const struct tree_string *b);

/*
 * The children of the object in the order of their keys; *ret is the caller's
 * to free(), NULL if there are none.
 */
int tree_sorted(const struct tree_node *object, const struct tree_node ***ret,
		struct cvx_err *err);

#endif
