/*
 * override: what generated_schema.jsonl says of the strings of one document
 * (import.md 6.6): a tree of contexts, on cJSON.
 *
 * Threads: any, one at a time.
 */
#ifndef CVX_IMPORTER_ARCHIVE_OVERRIDE_H
#define CVX_IMPORTER_ARCHIVE_OVERRIDE_H

#include <stddef.h>

struct cvx_err;
struct override;

/* A node of the tree. NULL is "infer". */
struct context;

enum context_kind {
	CONTEXT_INFER,
	CONTEXT_INT64,
	CONTEXT_INFINITY, /* "float64inf" */
	CONTEXT_NAN,
	CONTEXT_BYTES,
	CONTEXT_ARRAY,
	CONTEXT_OBJECT,
};

/* A context alone, in text that is JSON. */
int override_read(const char *text, size_t size, struct override **ret,
		  struct cvx_err *err);

/* {"<document id>": context}. The id is not looked at. */
int override_read_line(const char *text, size_t size, struct override **ret,
		       struct cvx_err *err);
void override_free(struct override *o);

/* The key of override_read_line(), as long as o. */
const char *override_document_id(const struct override *o);

/* NULL if o is. */
const struct context *override_root(const struct override *o);

enum context_kind context_kind(const struct context *c);

/* The base64 of a CONTEXT_NAN. */
const char *context_nan(const struct context *c);

/* Of an array, the elements one after the other; first: of NULL. Of an object,
 * the field's context, NULL if there is none. */
const struct context *context_first(const struct context *c);
const struct context *context_next(const struct context *element);
const struct context *context_field(const struct context *c, const char *name);

#endif
