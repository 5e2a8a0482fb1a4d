/*
 * remote_restore: a file of a backup comes into a deployment behind a URL under
 * its id.
 *
 * Uploads get ids of the deployment's own; only archives bring theirs
 * (protocol.md FIL-5). So a small one is made of the file and its row, and
 * appended to the storage, where an id that is taken stops it. A storage
 * without files may have another table number than the id; then the archive is
 * imported as require-empty, and the storage takes over the number.
 *
 * Memory:  as storage_archive.h says; the archive is kept on disk until it has
 *          arrived.
 * Threads: any. It is given up as its thread is (cancel.h).
 */
#ifndef CVX_IMPORTER_REMOTE_REMOTE_RESTORE_H
#define CVX_IMPORTER_REMOTE_REMOTE_RESTORE_H

#include <stdint.h>

struct archive_place;
struct cvx_err;
struct halt;
struct storage_row;
struct stored_file;

/*
 * As deployment_restore_stored_file(). 1: it was stored; 0: that very file was
 * there, which *ret is then, for stored_file_fini(). An error named
 * INTAKE_UNKNOWN: it may have been stored.
 */
int remote_restore_file(const struct archive_place *place,
			const struct storage_row *row, int fd, uint64_t size,
			const struct halt *halt, struct stored_file *ret,
			struct cvx_err *err);

/*
 * The file, which is there, becomes what the row tells of it; what it does not
 * tell stays. fd has its bytes. No request does that: when an archive has
 * arrived that brings it back, it is deleted, and the archive imported at once.
 * In between it is not there, and nobody is asked whether to give up.
 *
 * A failure leaves it as it was, but for one that says that it is gone.
 */
int remote_settle_file(const struct archive_place *place,
		       const struct storage_row *row, int fd,
		       const struct stored_file *file, const struct halt *halt,
		       struct cvx_err *err);

#endif
