/*
 * readme: the README.md at the top of a mount: what this is and how to use
 * it, on one screen.
 *
 * Threads: any.
 */
#ifndef CVX_FS_README_H
#define CVX_FS_README_H

struct cvx_buf;
struct cvx_err;

/* Appends it to out. */
int readme_print(const char *deployment, struct cvx_buf *out,
		 struct cvx_err *err);

#endif
