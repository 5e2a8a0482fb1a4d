/*
 * backup: .convex/snapshot.zip and snapshot-with-storage.zip, archives that
 * are made when they are opened (T-4).
 *
 * A backup is one archive and one inode. It begins idle: a name that was
 * looked up and shows nothing. Its first open takes a snapshot of the
 * deployment, and a thread makes the archive of it in an unnamed file of the
 * spool folder. Readers get what stands there for good already; who asks for
 * the size waits until it is known. Opens share it as long as the deployment
 * stays as it is. The last close breaks off what is not done, and drops all.
 *
 * Cost:    memory and disk as export.h says; the disk is freed at last close.
 * Threads: locked inside.
 */
#ifndef CVX_FS_BACKUP_H
#define CVX_FS_BACKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct backup;
struct backups;
struct cvx_err;
struct deployment;

/* Both are the caller's and outlive it. */
int backups_new(struct deployment *d, int spool_dir_fd, struct backups **ret,
		struct cvx_err *err);

/* Every backup is gone. NULL is allowed. */
void backups_free(struct backups *bs);

/* What the name shows now: an idle one, or one that shows the deployment as it
 * is. With a reference. */
int backups_find(struct backups *bs, bool with_files, struct backup **ret,
		 struct cvx_err *err);

struct backup *backup_ref(struct backup *b);
void backup_unref(struct backup *b); /* NULL is allowed */

/* No two of a mount have the same. */
uint64_t backup_serial(const struct backup *b);

/*
 * Opens it on behalf of the thread. -ESTALE, without a text: it shows what was,
 * or has been closed; look the name up again. A thread that was sent round is
 * not sent round at once again.
 */
int backup_open(struct backup *b, pid_t tid, struct cvx_err *err);
void backup_close(struct backup *b);

/* Asked now and then by who waits. */
struct backup_patience {
	bool (*has_ended)(void *ctx);
	void *ctx;
};

/*
 * The size of the whole archive, for which it waits; 0 while it is idle.
 * -EINTR when patience ended, or why the archive cannot be made.
 */
int backup_size(struct backup *b, const struct backup_patience *patience,
		uint64_t *ret, struct cvx_err *err);

/* What it shows to who does not wait: 0 while it is not known. */
uint64_t backup_known_size(struct backup *b);

/* Unix time of the snapshot; 0 while it is idle. */
int64_t backup_time_ns(struct backup *b);

/*
 * The bytes from off on, *ret_n of size, stand at the same place of *ret_fd,
 * which lives until the backup is closed: fewer only at the end. Waits and
 * fails as backup_size() does.
 */
int backup_locate(struct backup *b, uint64_t off, size_t size,
		  const struct backup_patience *patience, int *ret_fd,
		  size_t *ret_n, struct cvx_err *err);

#endif
