/*
 * recovery: files that nothing names are removed.
 *
 * They come from processes that died: stages whose lock is free, and segments
 * and stored files published for a commit that never was, or left by one that
 * was.
 */
#ifndef CVX_IMPORTER_EMBEDDED_RECOVERY_H
#define CVX_IMPORTER_EMBEDDED_RECOVERY_H

struct cvx_err;
struct deployment;

/* At start. */
int recovery_run(struct deployment *d, struct cvx_err *err);

#endif
