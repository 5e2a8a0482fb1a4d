/*
 * numbered_files: a folder of the deployment's with files that are numbered
 * after rows of the catalog: NUMBER, or NUMBER with a suffix.
 *
 * Threads: any.
 * Crash:   the folder is durable when it has been opened; names in it are after
 *          numbered_files_sync().
 */
#ifndef CVX_IMPORTER_EMBEDDED_NUMBERED_FILES_H
#define CVX_IMPORTER_EMBEDDED_NUMBERED_FILES_H

#include <stdbool.h>
#include <stdint.h>

#define NUMBERED_NAME_SIZE 32

struct cvx_err;
struct deployment;

struct numbered_files {
	const char *folder;
	const char *suffix; /* "": none */
};

void numbered_files_name(const struct numbered_files *files, int64_t number,
			 char name[NUMBERED_NAME_SIZE]);

/* The folder, made if it is not there. */
int numbered_files_folder(struct deployment *d,
			  const struct numbered_files *files, int *ret_fd,
			  struct cvx_err *err);

/* A file of it; -ENOENT if it is not there, unless flags make it. */
int numbered_files_open(struct deployment *d,
			const struct numbered_files *files, int64_t number,
			int flags, int *ret_fd, struct cvx_err *err);

/* Makes the names durable. */
int numbered_files_sync(struct deployment *d,
			const struct numbered_files *files,
			struct cvx_err *err);

/* Removes the files that are not needed; other names stay. */
int numbered_files_sweep(struct deployment *d,
			 const struct numbered_files *files,
			 int (*is_needed)(struct deployment *d, int64_t number,
					  bool *ret, struct cvx_err *err),
			 struct cvx_err *err);

#endif
