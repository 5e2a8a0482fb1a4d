/*
 * explain: says what is wrong with a row, and where: the column, counted in
 * bytes from 1, and the path of the field ("address.city", "tags[3]").
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_VALUE_EXPLAIN_H
#define CVX_IMPORTER_VALUE_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>

struct cvx_err;

/* Refuses under the name: "column 12, field a.b: what". */
int explain_at(struct cvx_err *err, const char *name, const char *text,
	       size_t size, size_t off, const char *what);

/* The same at the outermost field with the key, which is in the text. */
int explain_field(struct cvx_err *err, const char *name, const char *text,
		  size_t size, const char *key, const char *what);

/*
 * Refuses a text that is not JSON: as NotUtf8 if it is no text at all, else as
 * JsonInvalidRow, for what json.h found at off. Of a partial text, what lies
 * behind off is not looked at.
 */
int explain_syntax(struct cvx_err *err, const char *text, size_t size,
		   bool partial, size_t off, const char *what);

#endif
