/*
 * store: a staged file of _storage becomes a stored file.
 *
 *   photo.png        stored under a new id; its content type is that of the
 *                    ending, unless the attribute user.mime_type was set.
 *   <id>, <id>.png   stored under that id, as a file of a backup. Time, content
 *                    type and internal id are those of its row in the last
 *                    documents.jsonl written there, else now, as above, and
 *                    new. Is a file of the id there, it must be the same.
 *   documents.jsonl  the rows of a backup: they describe the files that are
 *                    there and those that come. No row deletes or stores one.
 *
 * Threads: the committing one alone.
 */
#ifndef CVX_FS_STORE_H
#define CVX_FS_STORE_H

struct cvx_err;
struct expected;
struct stage;
struct stage_env;

int store_commit(struct stage *s, struct expected *e, struct cvx_err *err);

/* Gives the stored file that content type, or none. */
int store_retype(const struct stage_env *env, const char *component,
		 const char *id, const char *content_type, struct cvx_err *err);

#endif
