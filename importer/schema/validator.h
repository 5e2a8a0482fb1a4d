/*
 * validator: what a schema says about values, compiled, and the check of
 * canonical text against it (import.md 8.3).
 *
 * A check reads the text itself (value/walk.h), once, from front to back: no
 * tree, no allocation. Only the members of a union are tried in turn, so the
 * part of the text under a union may be read once for each of its members.
 * Literals of a union are looked up, not tried, and a member is tried only if
 * it can accept a value of that type.
 *
 * Work: no pair of a node of the validator and a value of the text is looked at
 * twice, whatever the nesting of unions, since each node has one parent and is
 * reached with one value for each value that its parent is reached with. So a
 * check takes at most (nodes of the validator) x (bytes of the text) steps.
 * Depth of recursion: that of the validator's JSON, at most 127.
 *
 * Threads: fixed after validator_new; many may check at once.
 */
#ifndef CVX_IMPORTER_SCHEMA_VALIDATOR_H
#define CVX_IMPORTER_SCHEMA_VALIDATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cvx_err;
struct validator;

enum validator_scope {
	VALIDATOR_VALUE, /* of any value */
	/* Of the documents of a table: an object, a union of objects, or any;
	 * fields outermost that begin with '_' do not count, neither in the
	 * validator nor in the document. */
	VALIDATOR_DOCUMENT,
};

/*
 * Compiles the JSON text of a validator. What is wrong with it is -EINVAL with
 * the path of the field; names of the error: InvalidRecordType,
 * InvalidTopLevelTypeInSchemaError, UnsupportedFloatLiteral, InvalidTableName
 * (of an id), or none.
 */
int validator_new(const char *text, size_t size, enum validator_scope scope,
		  struct validator **ret, struct cvx_err *err);
void validator_free(struct validator *v);

/* Whether every value passes, so that a check can be left out. */
bool validator_is_any(const struct validator *v);

/* The tables that ids are looked up in. */
struct validator_tables {
	void *ctx;
	/* The name of the table as id validators have it ("_storage", not
	 * "_file_storage"), or NULL if there is none of the number. The name is
	 * used before the next call. */
	const char *(*name)(void *ctx, uint32_t number);
};

/*
 * Checks one value in canonical text (of a document: its line without LF). A
 * value that does not pass is SchemaEnforcementError; the message has the path
 * of the field, what the validator wants and what is there. Of the members of a
 * union, the one that got furthest speaks. Damaged text is -EINVAL without a
 * name.
 */
int validator_check(const struct validator *v,
		    const struct validator_tables *tables, const char *text,
		    size_t size, struct cvx_err *err);

/*
 * The validator as JSON: fields in order, no white space, literals in internal
 * encoding, "map" and "set" as "any". As long as v; not ended by NUL.
 */
const char *validator_text(const struct validator *v, size_t *ret_size);

/* The tables that id validators in it name, sorted. Names live as long as v. */
size_t validator_reference_count(const struct validator *v);
const char *validator_reference(const struct validator *v, size_t i);
bool validator_references(const struct validator *v, const char *table);

/* Whether an object, or any member of a union of objects, has the outermost
 * field as optional (import.md 6.2: where the empty cell means no field). */
bool validator_has_optional(const struct validator *v, const char *field,
			    size_t size);

#endif
