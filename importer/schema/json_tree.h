/*
 * json_tree: a small JSON text as a tree, for schemas.
 *
 * Strict (import.md 4.3, by value/json.h), strings with their length, so that
 * U+0000 survives; numbers and literals stay text, so that whoever reads them
 * decides what they are. A name that occurs twice in an object is refused:
 * one of the two would be ignored without a word.
 *
 * Limits:  JSON_TREE_TEXT_MAX bytes; nesting of 127.
 * Threads: fixed after json_tree_parse.
 */
#ifndef CVX_IMPORTER_SCHEMA_JSON_TREE_H
#define CVX_IMPORTER_SCHEMA_JSON_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cvx_err;

/* A schema is stored in one document, and a document has at most 1 MiB. */
#define JSON_TREE_TEXT_MAX ((size_t)1 << 20)

enum json_tree_kind {
	JSON_TREE_NULL,
	JSON_TREE_FALSE,
	JSON_TREE_TRUE,
	JSON_TREE_NUMBER,
	JSON_TREE_STRING,
	JSON_TREE_ARRAY,
	JSON_TREE_OBJECT,
};

/* Decoded; not ended by NUL. */
struct json_tree_string {
	const char *text;
	size_t size;
};

struct json_tree_node {
	enum json_tree_kind kind;
	uint32_t count;			    /* children */
	const struct json_tree_node *first; /* child */
	const struct json_tree_node *next;  /* sibling */
	struct json_tree_string key;	    /* of a field of an object */
	struct json_tree_string string;
	struct json_tree_string raw; /* the value as it stands in the text */
};

struct json_tree;

/* Keeps pointers into text until json_tree_free. */
int json_tree_parse(const char *text, size_t size, struct json_tree **ret,
		    struct cvx_err *err);
void json_tree_free(struct json_tree *t);
const struct json_tree_node *json_tree_root(const struct json_tree *t);

/* The field of an object, or NULL; NULL also if node is no object. */
const struct json_tree_node *json_tree_field(const struct json_tree_node *node,
					     const char *key);

bool json_tree_string_is(const struct json_tree_string *s, const char *text);

/* <0, 0, >0 in the order of the bytes. */
int json_tree_string_compare(const struct json_tree_string *a,
			     const struct json_tree_string *b);

/*
 * The children of the object in the order of their keys; *ret is the caller's
 * to free(), NULL if there are none.
 */
int json_tree_sorted(const struct json_tree_node *object,
		     const struct json_tree_node ***ret, struct cvx_err *err);

#endif
