/*
 * files_change: staged files become stored files of a component, as part of a
 * transaction of the catalog (the invariants in commit.c hold here as well).
 *
 *   files_change_commit       all of a transaction of its own, or
 *   files_change_write        in the transaction
 *   files_change_committed    after it, or
 *   files_change_undo         after it has failed, unless it is in doubt (I5)
 *
 * Threads: files_change_write() under the write lock.
 */
#ifndef CVX_IMPORTER_EMBEDDED_FILES_CHANGE_H
#define CVX_IMPORTER_EMBEDDED_FILES_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/embedded/counters.h"
#include "importer/embedded/files.h"

struct catalog;
struct cvx_err;
struct deployment;
struct stage_folder;

/* What becomes of one storage. */
struct files_change {
	const char *component; /* is there by then */
	uint32_t number;       /* of the storage afterwards */
	bool replaces;	       /* else the files are added */

	/* The nth row is the nth file of the stage, synced. All is filled but
	 * its id and the text of its id. Borrowed. */
	struct stage_folder *stage;
	struct file_row *files;
	size_t count;

	/* What the files have used of the stamp; zeros: nothing. */
	struct last_stamp last;

	size_t made_count;	       /* so many of them have got a name */
	const struct file_row *failed; /* NULL: none of them is to blame */
	uint64_t *old_ids;	       /* of files that go */
	size_t old_count;
};

void files_change_fini(struct files_change *change);

/*
 * DocumentExists if a key is there already; then change->failed tells which.
 * Names are durable after publish_sync_files().
 */
int files_change_write(struct deployment *d, struct counters_row *counters,
		       struct files_change *change, struct cvx_err *err);

/*
 * A transaction that adds the files of the change and does nothing else. In it
 * prepare fills, or checks, what depends on what is stored then: 1 says that
 * nothing is to be done, which is a success.
 */
typedef int files_change_prepare(struct deployment *d,
				 struct counters_row *counters,
				 struct files_change *change, const void *ctx,
				 struct cvx_err *err);
int files_change_commit(struct deployment *d, struct files_change *change,
			files_change_prepare *prepare, const void *ctx,
			struct cvx_err *err);

void files_change_committed(struct deployment *d,
			    const struct files_change *change);
void files_change_undo(struct deployment *d, const struct files_change *change);

#endif
