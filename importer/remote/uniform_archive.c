#include "importer/remote/uniform_archive.h"

#include <stdio.h>

#include "cache/base/buf.h"
#include "importer/remote/parts_archive.h"
#include "importer/value/name.h"

static char marker[] = "\"uniform\"\n";

#define MARKER_SIZE (sizeof(marker) - 1)

/* The longest is generated_schema.jsonl. */
#define ENTRY_NAME_SIZE (NAME_MAX_SIZE + 32)

int uniform_archive_write(const char *table, const struct import_source *source,
			  uint64_t size, int fd, uint64_t *ret_size,
			  struct cvx_err *err)
{
	const struct cvx_buf text = {marker, MARKER_SIZE, 0, MARKER_SIZE};
	char schema[ENTRY_NAME_SIZE], documents[ENTRY_NAME_SIZE];
	const struct archive_part parts[] = {
		{schema, source_of_buf(&text), MARKER_SIZE},
		{documents, *source, size},
	};

	(void)snprintf(schema, sizeof(schema), "%s/generated_schema.jsonl",
		       table);
	(void)snprintf(documents, sizeof(documents), "%s/documents.jsonl",
		       table);
	return parts_archive_write(parts, 2, fd, ret_size, err);
}
