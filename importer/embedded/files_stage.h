/*
 * files_stage: stored files being written, before they have a name.
 *
 * A file of a stage is written by a file_writer, one at a time or several, and
 * gets its name by files_change_write() (files_change.h). What has none when
 * the stage is freed is removed.
 *
 * Threads: one thread at a time for each writer.
 */
#ifndef CVX_IMPORTER_EMBEDDED_FILES_STAGE_H
#define CVX_IMPORTER_EMBEDDED_FILES_STAGE_H

#include <stddef.h>
#include <stdint.h>

#include "cache/base/cleanup.h"
#include "cache/stage_folder.h"
#include "importer/stored_file.h"

struct cvx_err;
struct deployment;
struct file_writer;

CVX_DEFINE_CLEANUP(struct stage_folder, stage_folder_free)

/* -EROFS if the deployment is read-only. */
int files_stage_new(struct deployment *d, struct stage_folder **ret,
		    struct cvx_err *err);

/* The name of the nth file in a stage. */
void files_stage_name(uint64_t nth, char name[32]);

/* Creates the nth file of the stage. */
int file_writer_new(struct stage_folder *stage, uint64_t nth,
		    struct file_writer **ret, struct cvx_err *err);

/* An unfinished file stays until the stage goes. NULL is allowed. */
void file_writer_free(struct file_writer *w);

int file_writer_add(struct file_writer *w, const void *bytes, size_t size,
		    struct cvx_err *err);

/* Fills size and sha256 of ret. The bytes are not durable yet. */
void file_writer_finish(struct file_writer *w, struct stored_file *ret);

/*
 * Makes the first count files of the stage durable. Done once for all of them,
 * it costs a few writes of the journal in place of one each.
 */
int files_stage_sync(const struct stage_folder *stage, uint64_t count,
		     struct cvx_err *err);

/* Copies the bytes [0, size) of the descriptor into the first file of the
 * stage, durably; fills size and sha256 of ret. -ECANCELED as in base/cancel.h.
 */
int file_copy_in(struct stage_folder *stage, int fd, uint64_t size,
		 struct stored_file *ret, struct cvx_err *err);

/* Only fills size and sha256 of ret. */
int file_hash(int fd, uint64_t size, struct stored_file *ret,
	      struct cvx_err *err);

/* A random UUID. */
int file_make_uuid(char text[STORED_FILE_UUID_SIZE + 1], struct cvx_err *err);

#endif
