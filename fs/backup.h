/*
 * backup: .convex/snapshot.zip and snapshot-with-storage.zip, archives that
 * are made when they are opened (T-4).
 *
 * A backup is one archive and one inode. It begins idle: a name that was
 * looked up and shows nothing. Its first open takes a snapshot of the
 * deployment, a thread makes the archive of it in an unnamed file of the spool
 * folder, and the open waits for that. Were it answered sooner, the kernel
 * would take the file for empty: it does not ask for the size before it splices
 * (busybox cp, sendfile). Opens share the archive as long as the deployment
 * stays as it is. When nobody waits for it or has it open any more, what is not
 * done is broken off and all is dropped.
 *
 * Cost:    memory and disk as export.h says; the disk is freed at last close.
 * Threads: locked inside.
 */
#ifndef CVX_FS_BACKUP_H
#define CVX_FS_BACKUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct backup;
struct backups;
struct cvx_err;
struct deployment;
struct patience;

/* Archives of the component's tree, of the deployment's if it is "". All three
 * are the caller's and outlive it. numbers: under which all archives
 * without and with stored files are shown. */
int backups_new(struct deployment *d, const char *component, int spool_dir_fd,
		const uint64_t numbers[2], struct backups **ret,
		struct cvx_err *err);

/* Every backup is gone. NULL is allowed. */
void backups_free(struct backups *bs);

/* What the name shows now: an idle one, or one that shows the deployment as it
 * is. With a reference. A thread whose open was -ESTALE gets one that nobody
 * else finds, until it opens: so it cannot come too late again. (The kernel
 * looks up twice on its way: the second time to replace what it had.) */
int backups_find(struct backups *bs, bool with_files, pid_t tid,
		 struct backup **ret, struct cvx_err *err);

struct backup *backup_ref(struct backup *b);
void backup_unref(struct backup *b); /* NULL is allowed */

/* No two of a mount have the same. */
uint64_t backup_serial(const struct backup *b);

/* The inode number that programs see: of a name always the same, so that cp
 * does not take the archive of a later moment for another file. */
uint64_t backup_shown(const struct backup *b);

/*
 * Opens it on behalf of the thread, when the archive is whole. -ESTALE, without
 * a text: it shows what was, or has been closed; look the name up again.
 * -EINTR when patience ended; or why the archive cannot be made.
 */
int backup_open(struct backup *b, pid_t tid, const struct patience *patience,
		struct cvx_err *err);
void backup_close(struct backup *b);

/* Of the archive; 0 while there is none. */
uint64_t backup_size(struct backup *b);

/* Unix time of the snapshot; 0 while there is none. */
int64_t backup_time_ns(struct backup *b);

/* While it is open: the file that holds it. */
int backup_fd(struct backup *b);

#endif
