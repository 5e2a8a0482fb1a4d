/*
 * stored: how the stored files of a deployment show in _storage.
 *
 * Threads: any; nothing here has state.
 */
#ifndef CVX_FS_STORED_H
#define CVX_FS_STORED_H

#include "fs/tree.h"
#include "fs/view.h"

struct cvx_err;
struct deployment;
struct patience;
struct storage_info;
struct stored_file;

/* "<id>.<ext>", or "<id>" when its content type has no extension (T-1). */
void stored_name(const struct stored_file *f, char ret[TREE_NAME_MAX + 1]);

/* The content type that the ending of a name says; NULL: none. Static. */
const char *stored_type(const char *name);

/* Of a stored file; its time is that of its creation. */
struct view_revision stored_revision(const struct stored_file *f);

/* Of _storage/documents.jsonl. */
struct view_revision stored_list_revision(const struct storage_info *info);

/* The stored file, also one that a copy does not know of yet: it was stored
 * there after the copy asked last. patience as in view_open(). */
int stored_find(struct deployment *d, const char *component, const char *id,
		const struct patience *patience, struct stored_file *ret,
		struct cvx_err *err);

#endif
