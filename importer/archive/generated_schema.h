/*
 * generated_schema: how the rows of an archive's table are encoded, and rows
 * of the old encoding become rows of the present one (import.md 6.6).
 *
 * A row of an old export leaves strings undecided: "5" may be a string or an
 * int64. What the table's shape and the row's override say of them is written
 * out, so that the row can be read as uniform.
 *
 * Limits:  GENERATED_SCHEMA_MAX bytes.
 * Threads: a schema belongs to one thread at a time.
 * Errors:  refusals; "row N" counts the lines of generated_schema.jsonl.
 */
#ifndef CVX_IMPORTER_ARCHIVE_GENERATED_SCHEMA_H
#define CVX_IMPORTER_ARCHIVE_GENERATED_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

struct cvx_buf;
struct cvx_err;
struct generated_schema;

/* Of a file with overrides; a present one has ten bytes. */
#define GENERATED_SCHEMA_MAX ((size_t)64 << 20)

/*
 * Whether the first line is the marker of today's exports, whatever follows.
 * text holds the first line, if there is one.
 */
bool generated_schema_is_uniform(const char *text, size_t size);

/*
 * Reads the file, whose bytes must live as long as the schema. If it is the
 * marker, *ret is NULL.
 */
int generated_schema_read(const char *text, size_t size,
			  struct generated_schema **ret, struct cvx_err *err);
void generated_schema_free(struct generated_schema *g);

/*
 * Appends the row in uniform encoding, without LF. What is no JSON is appended
 * as it is, for the reader to refuse. An override is used once.
 */
int generated_schema_apply(struct generated_schema *g, const char *row,
			   size_t size, struct cvx_buf *out,
			   struct cvx_err *err);

/* The same with the JSON text of an override, or NULL. */
int generated_schema_apply_override(struct generated_schema *g, const char *row,
				    size_t size, const char *override,
				    size_t override_size, struct cvx_buf *out,
				    struct cvx_err *err);

#endif
