#include "tests/unit/backup.h"

#include <stdio.h>

#include "importer/restore.h"
#include "tests/unit/unit.h"
#include "tests/unit/zip_maker.h"

int backup_restore_source(struct deployment *d, const char *component,
			  enum import_mode mode,
			  const struct import_source *source, uint64_t size,
			  struct restore_result *ret, struct cvx_err *err)
{
	const struct restore_target target = {component, "backup.zip", mode};
	struct restore_result result = {.table_count = 0};
	struct restore *restore = NULL;
	int r = restore_new(d, &target, source, &restore, err);

	if (r == 0)
		r = restore_commit(restore, size, &result, err);
	restore_free(restore);
	if (ret)
		*ret = result;
	return r;
}

int backup_restore(struct deployment *d, enum import_mode mode,
		   const struct cvx_buf *file, struct restore_result *ret,
		   struct cvx_err *err)
{
	struct import_source source = zip_source_of(file);

	return backup_restore_source(d, "", mode, &source, file->size, ret,
				     err);
}

/* Ends the archive and restores it. */
int backup_end_and_restore(struct deployment *d, enum import_mode mode,
			   struct zip_maker *z, struct cvx_err *err)
{
	int r;

	zip_end(z, "");
	r = backup_restore(d, mode, &z->file, NULL, err);
	zip_maker_fini(z);
	return r;
}

void backup_add_table(struct zip_maker *z, const char *prefix,
		      const char *table, const char *rows, const char *schema)
{
	char name[300];

	(void)snprintf(name, sizeof(name), "%s%s/documents.jsonl", prefix,
		       table);
	zip_add_text(z, name, rows);
	if (!schema)
		return;
	(void)snprintf(name, sizeof(name), "%s%s/generated_schema.jsonl",
		       prefix, table);
	zip_add_text(z, name, schema);
}
