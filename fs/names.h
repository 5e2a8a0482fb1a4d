/*
 * names: what stands in the mount but not in the deployment.
 *
 *   staged   a file being written, a scratch file, a drop not yet imported
 *   folder   a scratch folder
 *   ghost    a drop that has been imported: not listed, but its name still
 *            answers for NAMES_GHOST_SECONDS (W-11)
 *
 * Paths have no leading '/'.
 *
 * Threads: locked inside.
 */
#ifndef CVX_FS_NAMES_H
#define CVX_FS_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/value/id.h"

struct cvx_err;
struct names;
struct stage;

#define NAMES_GHOST_SECONDS 10

int names_new(struct names **ret, struct cvx_err *err);
void names_free(struct names *ns);

enum name_kind {
	NAME_NONE,
	NAME_STAGED,
	NAME_FOLDER,
	NAME_GHOST,
};

struct name {
	enum name_kind kind;
	struct stage *stage; /* NAME_STAGED: the caller's reference */
	uint64_t serial;     /* NAME_GHOST and NAME_FOLDER: which one */
	uint64_t size;	     /* NAME_GHOST */
	int64_t mtime_ns;    /* NAME_GHOST */
	/* NAME_GHOST: of the stored file that it has become, or "" */
	char stored_id[ID_TEXT_MAX + 1];
};

/* What the path is. */
struct name names_find(struct names *ns, const char *path);

/* Puts a staged file there, in place of a ghost or another staged file, which
 * goes on without a name. */
int names_put(struct names *ns, const char *path, struct stage *stage,
	      struct cvx_err *err);

/* -EEXIST if something is there. */
int names_put_folder(struct names *ns, const char *path, struct cvx_err *err);

/* Takes the name away, whatever it is: false if there was none. If stage is
 * not NULL: only if it is that stage's. */
bool names_remove(struct names *ns, const char *path,
		  const struct stage *stage);

/* If the name is that stage's: it is again the ghost that it was before, or is
 * taken away. */
void names_put_back(struct names *ns, const char *path,
		    const struct stage *stage);

/* If the name is that stage's, it becomes a ghost like that one; without a name
 * nothing happens. */
void names_make_ghost(struct names *ns, const char *path,
		      const struct stage *stage, const struct name *ghost);

/* Gives the entry another path; what was there is dropped. */
int names_move(struct names *ns, const char *from, const char *to,
	       struct cvx_err *err);

bool names_is_empty(struct names *ns, const char *dir);

/* Calls fn for each staged file and folder right in dir. */
int names_list(struct names *ns, const char *dir,
	       int (*fn)(void *ctx, const char *name, bool is_folder,
			 uint64_t number),
	       void *ctx);

/* Every staged file, with a reference each; the caller frees the list. */
int names_stages(struct names *ns, struct stage ***ret, size_t *ret_count);

#endif
