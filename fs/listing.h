/*
 * listing: the names in a folder, as of one moment.
 *
 * The order is that of a backup: README.md, _tables, tables by name; then
 * what only the mount knows. .convex is not listed (T-1).
 *
 * Threads: locked inside: one open folder may be read by several threads.
 */
#ifndef CVX_FS_LISTING_H
#define CVX_FS_LISTING_H

#include <stddef.h>
#include <stdint.h>

struct cvx_err;
struct patience;
struct listing;
struct node;
struct session;

/* The open folders of a mount. When it ends the kernel may not say of the last
 * ones that they were closed; they end with this. */
struct listings;

int listings_new(struct listings **ret, struct cvx_err *err);
void listings_free(struct listings *ls); /* NULL is allowed */

/* Nothing is listed before listing_fill. */
int listing_new(struct listings *of, struct listing **ret, struct cvx_err *err);
void listing_free(struct listing *l);

/* Lists the folder's names anew. */
int listing_fill(struct listing *l, struct session *s, const struct node *dir,
		 const struct patience *patience, struct cvx_err *err);

/* Calls fn for the names from the index on, until it returns other than 0. */
void listing_walk(struct listing *l, size_t from,
		  int (*fn)(void *ctx, size_t index, const char *name,
			    int is_folder, uint64_t number),
		  void *ctx);

#endif
