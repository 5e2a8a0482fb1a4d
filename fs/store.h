/*
 * store: a staged file of _storage becomes a stored file.
 *
 *   photo.png        stored under a new id; its content type is that of the
 *                    ending
 *
 * Threads: the committing one alone.
 */
#ifndef CVX_FS_STORE_H
#define CVX_FS_STORE_H

struct cvx_err;
struct stage;

int store_commit(struct stage *s, struct cvx_err *err);

#endif
