/*
 * staged: .convex/staged.jsonl: the files that are being written, or wait for
 * somebody to rename them, one a line: path, bytes, open (by how many), and
 * state: "writing", "committing", "closed", or "scratch" for a name that no
 * import follows from.
 *
 * Threads: any.
 */
#ifndef CVX_FS_STAGED_H
#define CVX_FS_STAGED_H

struct cvx_buf;
struct cvx_err;
struct names;

int staged_print(struct names *names, struct cvx_buf *out, struct cvx_err *err);

#endif
