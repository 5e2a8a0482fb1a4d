/*
 * report: what went wrong, for people (filesystem.md F-2).
 *
 * .convex/last-error is what failed last in this mount, be it an import, a
 * refused name or a file that cannot be removed; or what the deployment has
 * recorded since, for another process. And per path there is the errno of the
 * last import, so that fsync can tell it.
 *
 * Threads: locked inside.
 */
#ifndef CVX_FS_REPORT_H
#define CVX_FS_REPORT_H

#include <stddef.h>

struct cvx_buf;
struct cvx_err;
struct deployment;
struct report;

int report_new(struct deployment *d, struct report **ret, struct cvx_err *err);
void report_free(struct report *r);

/*
 * Something was refused: logged, and the last error from now on. If that is
 * about a failed import through the same path, which programs like to remove
 * then, it stays and this is put behind it.
 */
void report_refusal(struct report *r, const char *path,
		    const struct cvx_err *err);

/* An import ended, err->code 0 if well. A failure is logged, and the last error
 * from now on: text, or if that is NULL what err says. */
void report_import(struct report *r, const char *path,
		   const struct cvx_err *err, const char *text,
		   size_t text_size);

/* The errno, negative, of the last import through the path; 0: none failed. */
int report_outcome(struct report *r, const char *path);

/* The text of .convex/last-error. */
int report_print(struct report *r, struct cvx_buf *out, struct cvx_err *err);

#endif
