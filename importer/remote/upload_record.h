/*
 * upload_record: what has arrived of an upload that is under way, in a file of
 * this machine, so that the same upload in another process goes on with it if
 * this one dies in the middle.
 *
 * Only for deployments that put parts in order themselves (IMP-9): there a part
 * that was under way when the process died is sent again and takes the place of
 * what may have arrived. One that appends parts as they come would hold it
 * twice, so its uploads have no record.
 *
 * A record is of one subject (deployment, target, mode, format) and one first
 * part; it tells the upload's token, and of each part its place, the hash of
 * its bytes and its token. Whoever goes on compares the bytes of every part. It
 * belongs to one upload at a time, of all processes. Records go before
 * finish_upload is asked, and with uploads that fail or are given up; so one
 * that nobody holds is of a process that died, and nothing was made of it.
 *
 * Tokens let others add to an upload: a record is its user's alone (0600), and
 * tokens are never logged.
 *
 * Limits:  UPLOAD_RECORDS_MAX records in a folder, and those in use; each of
 *          UPLOAD_RECORD_SIZE_MAX bytes, for UPLOAD_RECORD_AGE_MAX_S.
 * Crash:   after that of a process all that was added is there; after that of
 *          the machine some seconds' parts may be missing, and are sent again.
 * Threads: upload_record_add() is locked inside; else the owner serialises.
 */
#ifndef CVX_IMPORTER_REMOTE_UPLOAD_RECORD_H
#define CVX_IMPORTER_REMOTE_UPLOAD_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "importer/remote/part_hash.h"
#include "importer/remote/upload_send.h"

struct cvx_err;
struct upload_record;

#define UPLOAD_RECORDS_MAX 64
#define UPLOAD_RECORD_SIZE_MAX ((size_t)16 << 20)
#define UPLOAD_RECORD_AGE_MAX_S (24 * 60 * 60)

/* A part, as it was sent. */
struct recorded_part {
	struct file_part place;
	unsigned char hash[PART_HASH_SIZE];
	char *token; /* never empty */
};

/* Where a record is, and what it is of. first: the first part; its token does
 * not count. */
struct upload_record_key {
	int dir_fd; /* for nobody else; outlives the record */
	const char *subject;
	const struct recorded_part *first;
};

/* Drops records that are too old or too many; whether any is left. */
bool upload_record_tidy(int dir_fd);

/* The record that a process left when it died; NULL: there is none that can be
 * used. upload_record_remove() it. */
struct upload_record *upload_record_find(const struct upload_record_key *key);

/* A new one, with the first part. -EEXIST: another upload of the same is under
 * way, or was until its process died. */
int upload_record_make(const struct upload_record_key *key, const char *token,
		       struct upload_record **ret, struct cvx_err *err);

const char *upload_record_token(const struct upload_record *r);

/* What upload_record_find() has read of the part, as long as r; or NULL. */
const struct recorded_part *upload_record_part(const struct upload_record *r,
					       size_t number);

/* Without room for it the record is given up, which is logged. */
void upload_record_add(struct upload_record *r,
		       const struct recorded_part *part);

/* Removes the file, for good. NULL is allowed. */
void upload_record_remove(struct upload_record *r);

#endif
