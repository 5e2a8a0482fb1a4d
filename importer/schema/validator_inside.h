/*
 * validator_inside: the compiled form, for validator*.c and schema*.c only.
 *
 * The nodes stand in one array, each in front of its children, so a subtree is
 * a range: the children of node n begin at n + 1, and child c is followed by
 * the next one at c + nodes[c].span.
 */
#ifndef CVX_IMPORTER_SCHEMA_VALIDATOR_INSIDE_H
#define CVX_IMPORTER_SCHEMA_VALIDATOR_INSIDE_H

#include "importer/schema/validator.h"

struct cvx_buf;
struct json_tree_node;
struct value_reader;

enum validator_op {
	VALIDATOR_ANY,
	VALIDATOR_NULL,
	VALIDATOR_FLOAT64,
	VALIDATOR_INT64,
	VALIDATOR_BOOLEAN,
	VALIDATOR_STRING,
	VALIDATOR_BYTES,
	VALIDATOR_LITERALS, /* any of some */
	VALIDATOR_ID,
	VALIDATOR_ARRAY,       /* child: of the elements */
	VALIDATOR_RECORD,      /* children: of the keys, of the values */
	VALIDATOR_OBJECT,      /* children: of the fields */
	VALIDATOR_ROOT_OBJECT, /* the same of a document */
	VALIDATOR_UNION,       /* children: the members, but other unions and
				  literals among them as their members, and
				  all literals as one child */
};

struct validator_node {
	uint8_t op;
	uint8_t kinds;	/* a bit for each enum walk_kind it may accept */
	uint32_t span;	/* nodes of the subtree, with this one */
	uint32_t first; /* fields[] or literals[] of it; id: name in pool */
	uint32_t count; /* of these */
};

/* The fields of an object are sorted, as those of a canonical text are. */
struct validator_field {
	uint32_t name; /* in pool, ended by NUL */
	uint16_t name_size;
	bool optional;
	uint32_t node;
};

/* Canonical text, which is equal if and only if the value is; sorted. */
struct validator_literal {
	uint32_t text; /* in pool */
	uint32_t size;
};

struct validator {
	struct validator_node *nodes;
	struct validator_field *fields;
	struct validator_literal *literals;
	char *pool;

	uint32_t *references; /* names in pool */
	size_t reference_count;
	uint32_t *optionals;
	size_t optional_count;

	char *text;
	size_t text_size;
};

/* As validator_new, from JSON that is read already. literals reads internal
 * encoding. */
int validator_compile(const struct json_tree_node *json,
		      enum validator_scope scope, struct value_reader *literals,
		      struct validator **ret, struct cvx_err *err);

/* Appends the canonical JSON of what validator_compile has accepted. */
int validator_print(const struct json_tree_node *json,
		    enum validator_scope scope, struct value_reader *literals,
		    struct cvx_buf *out, struct cvx_err *err);

/* What failed in a check. */
enum validator_fault {
	FAULT_TYPE,    /* the value at place is not what node accepts */
	FAULT_KEY,     /* the key at place is not what node accepts */
	FAULT_MISSING, /* the object at place lacks field */
	FAULT_EXTRA,   /* the object at place has a key, at at, too many */
};

struct validator_failure {
	enum validator_fault what;
	uint32_t node;
	uint32_t field;
	const char *place;
};

/* At one place, several members of a union may have failed. */
#define VALIDATOR_FAILURES_MAX 8

struct validator_run {
	const struct validator *v;
	const struct validator_tables *tables;
	const char *text, *end;
	bool damaged;

	/* The failures furthest in the text so far. */
	const char *at;
	size_t failure_count;
	struct validator_failure failures[VALIDATOR_FAILURES_MAX];
};

/* Refuses the text for the failures of the run. */
int validator_explain(const struct validator_run *run, struct cvx_err *err);

#endif
