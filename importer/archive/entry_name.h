/*
 * entry_name: what the name of an archive's entry says that it holds
 * (import.md 6.5). Names are matched, never used as paths.
 *
 * The reference also takes "my_storage/x" for a stored file; here _storage is
 * a whole segment, as import.md recommends.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_ARCHIVE_ENTRY_NAME_H
#define CVX_IMPORTER_ARCHIVE_ENTRY_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "importer/value/name.h"

struct cvx_buf;
struct cvx_err;

enum entry_kind {
	ENTRY_IGNORED,
	ENTRY_SKIPPED, /* rows of a system table that is not restored */
	ENTRY_DOCUMENTS,
	ENTRY_GENERATED_SCHEMA,
};

struct entry_name {
	enum entry_kind kind;
	char table[NAME_MAX_SIZE + 1]; /* unless it is ignored */

	/* Apart from its kind: the entry is a stored file. The id is part of
	 * the name, and checked by entry_name_check_storage_id(). */
	bool is_storage_file;
	const char *storage_id;
	size_t storage_id_size;
};

/*
 * The path of the component goes to component, which is appended to: that of
 * base_component and the entry's own below it. Fails with InvalidTableName and
 * InvalidComponentName, whose text does not repeat the entry's name.
 */
int entry_name_read(const char *name, size_t size, const char *base_component,
		    struct entry_name *ret, struct cvx_buf *component,
		    struct cvx_err *err);

/* InvalidStorageId unless the id of a stored file is one. */
int entry_name_check_storage_id(const struct entry_name *entry,
				struct cvx_err *err);

#endif
