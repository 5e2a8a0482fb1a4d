/*
 * files: the catalog's rows about storages and stored files.
 *
 * Threads: the caller's connection, so the caller's lock.
 */
#ifndef CVX_IMPORTER_EMBEDDED_FILES_H
#define CVX_IMPORTER_EMBEDDED_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "importer/stored_file.h"
#include "importer/value/id.h"

struct catalog;
struct catalog_query;
struct counters_row;
struct cvx_err;

/* The number of a storage that no import has given another one. */
#define STORAGE_NUMBER 540

/* What users and archives call the table of stored files. */
#define STORAGE_NAME "_storage"

struct file_row {
	uint64_t id; /* names files/ID */
	struct internal_id key;
	struct stored_file file;
};

/* What an untouched storage is, if the component has no row. */
int storage_find(struct catalog *c, int64_t component, struct storage_info *ret,
		 struct cvx_err *err);
int storage_put(struct catalog *c, int64_t component,
		const struct storage_info *info, struct cvx_err *err);

/* Gives the storage its next revision, and the time of it. */
void storage_touch(struct storage_info *info, struct counters_row *counters);

/* 1: found, and the caller's to stored_file_fini(); 0: there is none. */
int file_find(struct catalog *c, const char *component,
	      const struct internal_id *key, struct file_row *ret,
	      struct cvx_err *err);

/* The files of a component by id: begin a query, then 1 and a row, which is
 * the caller's, or 0 at the end. */
int files_begin(struct catalog *c, const char *component,
		struct catalog_query **ret, struct cvx_err *err);
int files_next(struct catalog_query *q, struct file_row *ret,
	       struct cvx_err *err);

/* The ids of the component's files; *ret is the caller's to free(). */
int files_list_ids(struct catalog *c, int64_t component, uint64_t **ret,
		   size_t *ret_count, struct cvx_err *err);

int file_insert(struct catalog *c, int64_t component,
		const struct file_row *row, struct cvx_err *err);
int file_delete(struct catalog *c, uint64_t id, struct cvx_err *err);
int files_delete_all(struct catalog *c, int64_t component, struct cvx_err *err);

/* How many bytes stored_file_print() appends. */
int stored_file_measure(const struct stored_file *f, uint64_t *ret,
			struct cvx_err *err);

#endif
