/*
 * deployment: what a Convex deployment can do, for everyone who uses one.
 *
 * The only kind so far is the embedded one: a folder on this machine
 * (architecture.md 3), which several processes may use at once. Each call sees
 * every commit that came before it, also those of other processes.
 *
 * A component is named by its path (import.md 1.3); "" is the root, which is
 * always there. What is not there is -ENOENT.
 *
 * Threads: locked inside; a struct table_reader too.
 */
#ifndef CVX_IMPORTER_DEPLOYMENT_H
#define CVX_IMPORTER_DEPLOYMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/value/name.h"

struct cvx_buf;
struct cvx_err;
struct deployment;

struct deployment_settings {
	const char *dir; /* made with its parents if it is not there */
	bool read_only;
	/* It is a copy of the deployment of this name behind this URL, which is
	 * what deployment_name() and deployment_print_json() tell. NULL: it is
	 * none. */
	const char *origin_name;
	const char *origin_url;
};

int deployment_open(const struct deployment_settings *settings,
		    struct deployment **ret, struct cvx_err *err);

/* Every reader and import must be gone. NULL is allowed. */
void deployment_close(struct deployment *d);

/* As long as the deployment is open. */
const char *deployment_name(const struct deployment *d);
const char *deployment_dir(const struct deployment *d);

/* Another number after every commit, of whichever process; means something to
 * this struct only. */
int deployment_version(struct deployment *d, uint64_t *ret,
		       struct cvx_err *err);

/* Whether the component exists: 0 or -ENOENT. */
int deployment_find_component(struct deployment *d, const char *component,
			      struct cvx_err *err);

/*
 * The paths of the components directly below parent, by their bytes; free with
 * deployment_free_components(). Without any, *ret is NULL.
 */
int deployment_list_components(struct deployment *d, const char *parent,
			       char ***ret, size_t *ret_count,
			       struct cvx_err *err);
void deployment_free_components(char **list);

/* The component and those above it; existing ones are fine. */
int deployment_create_component(struct deployment *d, const char *component,
				struct cvx_err *err);

/* -ENOTEMPTY while it has tables, stored files or components. */
int deployment_delete_component(struct deployment *d, const char *component,
				struct cvx_err *err);

/* With its tables, documents, stored files and schema. -ENOTEMPTY while it has
 * components; -EBUSY: it is the root. */
int deployment_drop_component(struct deployment *d, const char *component,
			      struct cvx_err *err);

struct table_info {
	char name[NAME_MAX_SIZE + 1];
	uint32_t number;
	uint64_t revision; /* differs after every commit to the table, never
			      used again, above 0 */
	uint64_t document_count;
	uint64_t size;	      /* of documents.jsonl in bytes */
	int64_t committed_ns; /* Unix time of the last commit */
};

int deployment_stat_table(struct deployment *d, const char *component,
			  const char *table, struct table_info *ret,
			  struct cvx_err *err);

/* M-7 (b): whether an export line that is written to the table's
 * documents.jsonl is of uniform encoding: it is empty, absent, or holds what
 * plain cannot express. */
int deployment_takes_uniform(struct deployment *d, const char *component,
			     const char *table, bool *ret, struct cvx_err *err);

/* All user tables of the component by name; *ret is the caller's to free(). */
int deployment_list_tables(struct deployment *d, const char *component,
			   struct table_info **ret, size_t *ret_count,
			   struct cvx_err *err);

/* An empty table, if there is none of that name; an existing one is fine. */
int deployment_create_table(struct deployment *d, const char *component,
			    const char *table, struct cvx_err *err);

/* -ENOTEMPTY when it has documents; SchemaEnforcementError when the schema
 * needs it (import.md 7.6.2). */
int deployment_delete_table(struct deployment *d, const char *component,
			    const char *table, struct cvx_err *err);

/* Tables with their documents, all of them or none. -ENOENT: one of them is
 * not there. */
int deployment_delete_tables(struct deployment *d, const char *component,
			     const char *const *tables, size_t count,
			     struct cvx_err *err);

/* Removes the documents of tables, all of them or none. The tables stay, with
 * their numbers; what is not there is overlooked. */
int deployment_clear_tables(struct deployment *d, const char *component,
			    const char *const *tables, size_t count,
			    struct cvx_err *err);

/*
 * The tables listed in the lines of a backup's _tables/documents.jsonl
 * (import.md 6.7): absent ones are made with their number, empty ones get it,
 * and ones with documents must have it already. All or nothing. As with an
 * import, no document may lose the table that its ids name (7.6.4).
 */
int deployment_register_tables(struct deployment *d, const char *component,
			       const char *text, size_t size,
			       struct cvx_err *err);

/*
 * A table reader shows one revision of documents.jsonl, to its last byte,
 * whatever is committed meanwhile (T-3).
 */
struct table_reader;

/* -EAGAIN: the table of a copy is not held any more (origin.h); hold it
 * again. */
int deployment_open_table(struct deployment *d, const char *component,
			  const char *table, struct table_reader **ret,
			  struct cvx_err *err);
const struct table_info *table_reader_info(const struct table_reader *tr);
void table_reader_close(struct table_reader *tr);

/* Bytes past the end read as none. */
int table_reader_read(struct table_reader *tr, uint64_t off, void *buf,
		      size_t size, size_t *ret_n, struct cvx_err *err);

/*
 * Where the bytes at off lie: *ret_n of them (at most size; 0 past the end)
 * stand at *ret_file_off of the descriptor *ret_fd, which lives as long as the
 * reader. For replies without a copy.
 */
int table_reader_locate(struct table_reader *tr, uint64_t off, size_t size,
			int *ret_fd, uint64_t *ret_file_off, size_t *ret_n,
			struct cvx_err *err);

/* Texts of generated files. Each appends to out. */

/* _tables/documents.jsonl (import.md 13.3). */
int deployment_print_tables(struct deployment *d, const char *component,
			    struct cvx_buf *out, struct cvx_err *err);

/* .convex/imports.jsonl (T-5), oldest first, those that run through this handle
 * last; what another process is at shows when it is over. Every line has every
 * field, null where there is nothing to say. */
int deployment_print_imports(struct deployment *d, struct cvx_buf *out,
			     struct cvx_err *err);

/* .convex/deployment.json: kind, name, folder, and the mount's options as
 * pairs of names and values, options[2 * i] and options[2 * i + 1]. */
int deployment_print_json(struct deployment *d, const char *const *options,
			  size_t option_count, struct cvx_buf *out,
			  struct cvx_err *err);

/* The text of the last import that failed, in full; nothing if none did. If
 * table is not NULL: the last import of that table, if it failed. */
int deployment_print_last_error(struct deployment *d, const char *component,
				const char *table, struct cvx_buf *out,
				struct cvx_err *err);

#endif
