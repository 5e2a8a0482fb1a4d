/*
 * stored: how a stored file of the deployment shows in _storage.
 *
 * Threads: any; nothing here has state.
 */
#ifndef CVX_FS_STORED_H
#define CVX_FS_STORED_H

#include <stdint.h>

#include "fs/tree.h"

struct stored_file;

/* "<id>.<ext>", or "<id>" when its content type has no extension (T-1). */
void stored_name(const struct stored_file *f, char ret[TREE_NAME_MAX + 1]);

/* The content type that the ending of a name says; NULL: none. Static. */
const char *stored_type(const char *name);

/* Its creation time. */
int64_t stored_mtime_ns(const struct stored_file *f);

/* Differs for another content or time under the same name; never 0. */
uint64_t stored_version(const struct stored_file *f);

#endif
