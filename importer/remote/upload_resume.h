/*
 * upload_resume: what an upload does with its record (upload_record.h): it
 * finds what a process that died has left of it, compares its parts, and notes
 * those that arrive.
 *
 * Nothing here fails an upload: without a record more is sent, which is logged
 * where it is not meant to be so.
 *
 * Memory:  UPLOAD_RESUME_STEP bytes a call.
 * Threads: as upload_record.h says of the record.
 */
#ifndef CVX_IMPORTER_REMOTE_UPLOAD_RESUME_H
#define CVX_IMPORTER_REMOTE_UPLOAD_RESUME_H

#include <stddef.h>

struct file_part;
struct sent_part;
struct upload_record;
struct upload_send;

#define UPLOAD_RESUME_STEP ((size_t)256 << 10)

/* Where records are, and what this upload's is of. */
struct upload_resume {
	int dir_fd;
	const char *subject;
};

/* What is left of the file with this first part, and the token of the upload,
 * for free(). NULL: nothing. Reads the part. */
struct upload_record *upload_resume_find(const struct upload_resume *at,
					 const struct upload_send *send,
					 const struct file_part *first,
					 char **ret_token);

enum arrived {
	ARRIVED_NOT,
	ARRIVED_SAME,
	ARRIVED_OTHER, /* the file is not what it was */
};

/* Whether the part arrived before; reads it. *ret_token, for free(), is
 * written for ARRIVED_SAME. */
enum arrived upload_resume_part(const struct upload_record *record,
				const struct upload_send *send,
				const struct file_part *part, char **ret_token);

/* A part has arrived. *record is made with the first one, unless another upload
 * has it. */
void upload_resume_note(const struct upload_resume *at,
			const struct upload_send *send,
			const struct file_part *part,
			const struct sent_part *sent,
			struct upload_record **record);

#endif
