/*
 * refusal: the stable names of import.md 12 and the errno each one becomes.
 *
 * An import refuses input under one of these names. The table in refusal.c is
 * the only place that knows which errno a program sees (filesystem.md 4):
 * EINVAL for contents, EFBIG for what is too large, EEXIST for TableExists.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_VALUE_REFUSAL_H
#define CVX_IMPORTER_VALUE_REFUSAL_H

struct cvx_err;

/*
 * Records the refusal; returns the negative errno of the name, so that it can
 * end a function. name is a static string from import.md 12.
 */
int refuse(struct cvx_err *err, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
