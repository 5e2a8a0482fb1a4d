/*
 * commit: what becomes of a staged file when it is closed for the last time,
 * or renamed to a target.
 *
 *   documents.jsonl, drops   imported
 *   _tables/documents.jsonl  the tables in it are made (import.md 6.7)
 *   generated_schema.jsonl   must say "uniform"
 *   schema.json              the component's schema, checked; empty: removed
 *   files of _storage        stored (store.h)
 *   README.md                nothing: it is generated
 *   FILE.rejected            kept in place of the reject
 *
 * Commits run one at a time, in the order in which they were asked for
 * (W-12). One that fails keeps the bytes as a reject, with the reason beside
 * them (F-2, F-3), and is reported.
 *
 * Threads: any. A commit takes as long as it takes; no lock is held.
 */
#ifndef CVX_FS_COMMIT_H
#define CVX_FS_COMMIT_H

#include "fs/tree.h"

struct commits;
struct cvx_err;
struct expected;
struct names;
struct rejects;
struct report;
struct stage;
struct stage_env;

/* All of them outlive it. */
struct commit_env {
	const struct stage_env *stage;
	struct rejects *rejects;
	struct report *report;
	struct names *names;
	struct expected *expected;
};

int commits_new(const struct commit_env *env, struct commits **ret,
		struct cvx_err *err);
void commits_free(struct commits *c);

/*
 * Commits what is staged, if anything is, and returns its outcome; without
 * news the outcome of the commit before. Afterwards a drop's name is a ghost,
 * or free if it failed.
 */
int commit_stage(struct commits *c, struct stage *s, struct cvx_err *err);

/*
 * A rename: the closed file is committed as the target at path. If that fails
 * it stays what it was, and its bytes are kept as the target's reject too.
 */
int commit_renamed(struct commits *c, struct stage *s,
		   const struct tree_place *place, const char *path,
		   struct cvx_err *err);

/* Makes of the committed file's name what a drop leaves: a ghost (W-11), or
 * nothing where what it has become shows under that very name. */
void commit_settle_name(struct commits *c, struct stage *s);

/* Replaces the table's documents, or the schema, by none (W-7, W-10). */
int commit_empty(struct commits *c, const struct tree_place *place,
		 const char *path, struct cvx_err *err);

#endif
