/*
 * handle: an open file, as fi->fh names it.
 *
 * It shows a view or a backup, or writes to a stage, or neither: a drop that
 * has been imported can be opened, to be synced.
 *
 * Those that are open are listed, so that a mount that is taken away under
 * them can close what they hold.
 *
 * Threads: locked inside; what a handle says is fixed.
 */
#ifndef CVX_FS_HANDLE_H
#define CVX_FS_HANDLE_H

#include <stdatomic.h>
#include <stdbool.h>

struct backup;
struct cvx_err;
struct handles;
struct node;
struct nodes;
struct stage;
struct view;

struct handle {
	struct node *node;
	struct view *view;
	struct stage *stage;
	struct backup *backup; /* the node's, opened */
	bool writes;

	/* handle.c's own */
	struct handle *next, **at;
	_Atomic unsigned answers;
};

int handles_new(struct nodes *nodes, struct handles **ret, struct cvx_err *err);

/* Closes all that is still open. NULL is allowed. */
void handles_free(struct handles *hs);

/* Takes over the reference to the node, view, stage and the open of the backup;
 * all but the node on failure as well. -ESTALE if the stage's bytes are gone.
 */
int handle_new(struct handles *hs, const struct handle *what,
	       struct handle **ret, struct cvx_err *err);
void handle_free(struct handles *hs, struct handle *h);

/* To be called before replying to an operation on the handle. RELEASE comes
 * after all replies; by this, tools that look for races can see that. */
void handle_answer(struct handle *h);

/* Calls fn for the stage of each handle that writes. */
void handles_each_stage(struct handles *hs, void (*fn)(struct stage *stage));

#endif
