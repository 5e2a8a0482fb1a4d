/*
 * deployment_schema: the active schema of a component, and its indexes
 * (import.md 8, 9).
 *
 * Every import is held to the schema that is active when it is committed; the
 * documents that are there already were checked when the schema was set.
 *
 * Threads: locked inside; a struct index_reader too.
 */
#ifndef CVX_IMPORTER_DEPLOYMENT_SCHEMA_H
#define CVX_IMPORTER_DEPLOYMENT_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/deployment.h"

/* The most that the text of a schema may have. */
#define DEPLOYMENT_SCHEMA_MAX ((size_t)1 << 20)

/* Appends the active schema as canonical JSON and LF; nothing if there is
 * none. */
int deployment_print_schema(struct deployment *d, const char *component,
			    struct cvx_buf *out, struct cvx_err *err);

/*
 * Makes the schema in text (import.md 8.2) the active one; "" and "null", with
 * white space or not, remove it. It is refused as schema.h says, and with
 * SchemaEnforcementError, which names the first document that breaks it. One
 * that says the same as the active one changes nothing.
 *
 * Documents are read without any lock, and those of tables that were changed
 * meanwhile once more under it. Imports that began before fail with
 * ImportSchemaChanged.
 */
int deployment_set_schema(struct deployment *d, const char *component,
			  const char *text, size_t size, struct cvx_err *err);

/*
 * Indexes: those of the schema that are kept (database indexes that are not
 * staged), and by_creation_time and by_id, which every table has.
 */
struct index_info {
	char name[NAME_MAX_SIZE + 1];
	bool built_in;
};

/* By name; *ret is the caller's to free(). */
int deployment_list_indexes(struct deployment *d, const char *component,
			    const char *table, struct index_info **ret,
			    size_t *ret_count, struct cvx_err *err);

/*
 * The documents of one revision of a table, each of its lines once, in the
 * order of the index: by its fields (import.md 4.1), then by _creationTime,
 * then by _id. As long as documents.jsonl, and to be read at any offset.
 *
 * Cost: what was appended last, at most 2 MiB, is sorted, and merged with what
 *       was sorted when it was committed. The two built-in indexes are sorted
 *       here, unless documents lie in their order.
 * Disk: 8 bytes a document, as long as the reader is open, if anything is
 *       sorted or merged.
 */
struct index_reader;

/* Of the table, but for revision: it differs after every commit to the table
 * and after every change of the component's schema, if the index is not built
 * in. -ENOENT if there is no such index. */
int deployment_stat_index(struct deployment *d, const char *component,
			  const char *table, const char *index,
			  struct table_info *ret, struct cvx_err *err);

int deployment_open_index(struct deployment *d, const char *component,
			  const char *table, const char *index,
			  struct index_reader **ret, struct cvx_err *err);
/* As deployment_stat_index tells. */
const struct table_info *index_reader_info(const struct index_reader *ir);
void index_reader_close(struct index_reader *ir); /* NULL is allowed */

/* Bytes past the end read as none. */
int index_reader_read(struct index_reader *ir, uint64_t off, void *buf,
		      size_t size, size_t *ret_n, struct cvx_err *err);

#endif
