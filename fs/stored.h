/*
 * stored: how the stored files of a deployment show in _storage.
 *
 * Threads: any; nothing here has state.
 */
#ifndef CVX_FS_STORED_H
#define CVX_FS_STORED_H

#include "fs/tree.h"
#include "fs/view.h"

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

#endif
