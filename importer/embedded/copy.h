/*
 * copy: what a copy of another deployment (origin.h) knows of it by name.
 *
 * Each call makes the copy's list what the caller's is, in one step, and
 * changes nothing where both are the same. What is not listed goes with all
 * that it holds; what is new holds nothing yet (held.h).
 *
 * Threads: locked inside.
 */
#ifndef CVX_IMPORTER_EMBEDDED_COPY_H
#define CVX_IMPORTER_EMBEDDED_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/value/name.h"

struct cvx_err;
struct deployment;

/* All components but the root. */
int copy_set_components(struct deployment *d, const char *const *paths,
			size_t count, struct cvx_err *err);

struct copy_table {
	char name[NAME_MAX_SIZE + 1];
	uint32_t number; /* 0: unknown, any will do */
};

/* The user tables of the component, by name. A table whose number is another
 * one is another table. */
int copy_set_tables(struct deployment *d, const char *component,
		    const struct copy_table *list, size_t count,
		    struct cvx_err *err);

struct stored_file;

/* The stored files of the component; their bytes are not here. */
int copy_set_files(struct deployment *d, const char *component,
		   const struct stored_file *list, size_t count,
		   struct cvx_err *err);

struct storage_row;

/* Which of the rows deployment_describe_stored_files() would take for a change
 * of a file that is there, in ret_changes[count]; nothing is changed. Refused
 * as there. */
int copy_compare_files(struct deployment *d, const char *component,
		       const struct storage_row *rows, size_t count,
		       bool *ret_changes, struct cvx_err *err);

/* 1: the bytes of the file are here; 0: not; -ENOENT: there is no such file.
 * The file gets the present time as that of its last use. */
int copy_has_file(struct deployment *d, const char *component, const char *id,
		  struct stored_file *ret, struct cvx_err *err);

/* Makes the size bytes of the descriptor those of the file, which they must be
 * by their checksum: -EPROTO. */
int copy_put_file(struct deployment *d, const char *component, const char *id,
		  int fd, uint64_t size, struct cvx_err *err);

/* The bytes of a file that are here. */
struct copy_bytes {
	uint64_t number; /* names them */
	uint64_t size;
	int64_t used_ns; /* Unix time */
};

/* In no order; *ret is the caller's to free(). */
int copy_list_bytes(struct deployment *d, struct copy_bytes **ret,
		    size_t *ret_count, struct cvx_err *err);

/* Lets go of them; who reads them reads on. */
void copy_drop_bytes(struct deployment *d, uint64_t number);

#endif
