/*
 * listing: what a deployment behind a URL holds: components, tables, stored
 * files, schemas (protocol.md 9.1, 11, 12).
 *
 * A component is named by its id here, which components are listed with; NULL
 * is the root. Names that no deployment can have are -EPROTO.
 *
 * Memory:  bounded by http.h for each page; at most LISTING_MAX entries.
 * Threads: any.
 */
#ifndef CVX_IMPORTER_REMOTE_LISTING_H
#define CVX_IMPORTER_REMOTE_LISTING_H

#include <stddef.h>
#include <stdint.h>

#include "importer/stored_file.h"
#include "importer/value/name.h"

struct cvx_buf;
struct cvx_err;
struct http;
struct halt;

#define LISTING_MAX 1000000

struct remote_component {
	char *id;
	char *path; /* "waitlist/inner"; the root, "", is not listed */
};

int remote_list_components(struct http *http, const struct halt *halt,
			   struct remote_component **ret, size_t *ret_count,
			   struct cvx_err *err);
void remote_components_free(struct remote_component *list, size_t count);

struct remote_table {
	char name[NAME_MAX_SIZE + 1];
	uint32_t number; /* 0: the deployment does not say */
};

/* The user tables by name; free() them. */
int remote_list_tables(struct http *http, const char *component,
		       const struct halt *halt, struct remote_table **ret,
		       size_t *ret_count, struct cvx_err *err);

int remote_count_documents(struct http *http, const char *component,
			   const char *table, const struct halt *halt,
			   uint64_t *ret, struct cvx_err *err);

/* Appends the active schema (import.md 8.2); nothing if there is none. */
int remote_print_schema(struct http *http, const char *component,
			const struct halt *halt, struct cvx_buf *out,
			struct cvx_err *err);

/* How many stored files there are. */
int remote_count_files(struct http *http, const char *component,
		       const struct halt *halt, uint64_t *ret,
		       struct cvx_err *err);

/* All stored files by id; free with stored_files_free(). */
int remote_list_stored_files(struct http *http, const char *component,
			     const struct halt *halt, struct stored_file **ret,
			     size_t *ret_count, struct cvx_err *err);

/* 1 and the stored file of that id, for stored_file_fini(); 0: there is none.
 */
int remote_find_stored_file(struct http *http, const char *component,
			    const char *id, const struct halt *halt,
			    struct stored_file *ret, struct cvx_err *err);

/* 1 and any of the stored files, likewise; 0: there is none. */
int remote_find_any_file(struct http *http, const char *component,
			 const struct halt *halt, struct stored_file *ret,
			 struct cvx_err *err);

/* The bytes at off of a stored file; fewer than size only at its end. */
int remote_read_stored_file(struct http *http, const char *component,
			    const struct stored_file *file, uint64_t off,
			    void *bytes, size_t size, const struct halt *halt,
			    size_t *ret_n, struct cvx_err *err);

#endif
