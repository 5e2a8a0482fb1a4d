/*
 * stored_file: file storage, the part of a deployment that holds files
 * (import.md 6.7, 13.4).
 *
 * Each component has a storage, which is always there. A stored file never
 * changes: it is stored, read, and deleted or replaced by another one.
 *
 * Every call sees all commits that came before it, also those of other
 * processes. What is not there is -ENOENT.
 *
 * Threads: locked inside.
 */
#ifndef CVX_IMPORTER_STORED_FILE_H
#define CVX_IMPORTER_STORED_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "importer/value/id.h"

struct cvx_buf;
struct cvx_err;
struct deployment;
struct storage_row;

#define STORED_FILE_SHA256_SIZE 32
#define STORED_FILE_UUID_SIZE 36

struct stored_file {
	char id[ID_TEXT_MAX + 1];
	double creation_time;
	uint64_t size;
	unsigned char sha256[STORED_FILE_SHA256_SIZE];
	char *content_type; /* in its normal form (mime.h); NULL: none */
	char internal_id[STORED_FILE_UUID_SIZE + 1]; /* a UUID */
};

/* Frees what the file owns, not itself. */
void stored_file_fini(struct stored_file *f);

struct storage_info {
	uint32_t number;   /* of the ids of its files */
	uint64_t revision; /* differs after every commit that changes it, never
			      used again; 0: it was never changed */
	uint64_t file_count;
	uint64_t size;		 /* of all files */
	uint64_t documents_size; /* of _storage/documents.jsonl */
	int64_t committed_ns;	 /* Unix time of the last change; 0: none yet */
};

int deployment_stat_storage(struct deployment *d, const char *component,
			    struct storage_info *ret, struct cvx_err *err);

/* All files by id; free with stored_files_free(). Without any, *ret is NULL. */
int deployment_list_stored_files(struct deployment *d, const char *component,
				 struct stored_file **ret, size_t *ret_count,
				 struct cvx_err *err);
void stored_files_free(struct stored_file *list, size_t count);

int deployment_find_stored_file(struct deployment *d, const char *component,
				const char *id, struct stored_file *ret,
				struct cvx_err *err);

/*
 * Also opens it: the descriptor, which becomes the caller's, reads the file to
 * its end whatever is committed meanwhile. ret may be NULL.
 */
int deployment_open_stored_file(struct deployment *d, const char *component,
				const char *id, int *ret_fd,
				struct stored_file *ret, struct cvx_err *err);

/*
 * Stores the bytes [0, size) of the descriptor as a new file, in one durable
 * commit, under a new id. content_type may be NULL; InvalidConvexValue if it
 * is none.
 */
int deployment_store_file(struct deployment *d, const char *component,
			  const char *content_type, int fd, uint64_t size,
			  char ret_id[ID_TEXT_MAX + 1], struct cvx_err *err);

/*
 * Stores the bytes as the file of a backup that the row tells of, under its id:
 * what it does not tell is made new. Nothing happens if that very file is
 * there; another one under the id is -EPERM. A storage without files takes over
 * the table number of the id, any other must have it: InvalidId. Sha256Mismatch
 * if the row has another checksum.
 */
int deployment_restore_stored_file(struct deployment *d, const char *component,
				   const struct storage_row *row, int fd,
				   uint64_t size, struct cvx_err *err);

/* Gives the files that rows tell of their time, content type and internal id,
 * all or none; other rows do nothing. Sha256Mismatch as above. */
int deployment_describe_stored_files(struct deployment *d,
				     const char *component,
				     const struct storage_row *rows,
				     size_t count, struct cvx_err *err);

int deployment_delete_stored_file(struct deployment *d, const char *component,
				  const char *id, struct cvx_err *err);

/* Appends the file's line of _storage/documents.jsonl. */
int stored_file_print(const struct stored_file *f, struct cvx_buf *out,
		      struct cvx_err *err);

/* Appends _storage/documents.jsonl, all of one moment. */
int deployment_print_stored_files(struct deployment *d, const char *component,
				  struct cvx_buf *out, struct cvx_err *err);

#endif
