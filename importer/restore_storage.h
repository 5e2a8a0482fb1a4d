/*
 * restore_storage: the stored files of one component of an archive, unpacked,
 * verified and kept until all is committed (import.md 6.7).
 *
 * Memory:  some 200 bytes a file, and the longest row about one.
 * Threads: several storages may be converted at the same time.
 */
#ifndef CVX_IMPORTER_RESTORE_STORAGE_H
#define CVX_IMPORTER_RESTORE_STORAGE_H

#include "importer/embedded/files_change.h"
#include "importer/restore_table.h"

struct restore_storage;

/*
 * Makes t->storage from the rows and files, in place of what was there, for
 * the table number of the plan. rows.document_count of t counts the rows. Text
 * of a refusal begins with the name of the entry.
 */
int restore_storage_convert(struct restore_work *w, struct restore_table *t,
			    const struct plan *plan, struct cvx_err *err);

/* Takes the plan that holds now in place of the one it was made for. */
int restore_storage_replan(struct restore_work *w, struct restore_table *t,
			   const struct plan *plan, struct cvx_err *err);

/* What the commit does, at the time of the plan; lives as long as t->storage
 * and is files_change_fini()'d by the caller. */
struct files_change restore_storage_change(struct restore_table *t);

/* The name of the entry of a file of the change. */
const char *restore_storage_entry(const struct restore_work *w,
				  const struct restore_table *t,
				  const struct file_row *file);

/* NULL is allowed. */
void restore_storage_free(struct restore_storage *s);

#endif
