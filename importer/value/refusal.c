#include "importer/value/refusal.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cache/base/err.h"

/*
 * Every name of import.md 12, and what filesystem.md 4 makes of it. A name
 * that is missing here is a mistake of the caller, not of the input.
 */
static const struct refusal {
	const char *name;
	int code;
} refusals[] = {
	{"BadSnapshotId", -EINVAL},
	{"CannotCancelImport", -EINVAL},
	{"CsvInvalidHeader", -EINVAL},
	{"CsvInvalidRow", -EINVAL},
	{"CsvMissingHeaders", -EINVAL},
	{"CsvRowMissingFields", -EINVAL},
	{"DocumentDeleted", -EINVAL},
	{"DocumentExists", -EINVAL},
	{"DuplicateId", -EINVAL},
	{"DuplicateTableName", -EINVAL},
	{"ExportInProgress", -EINVAL},
	{"ExportNotComplete", -EINVAL},
	{"ExportNotFound", -EINVAL},
	{"ImportConflict", -EINVAL},
	{"ImportFailed", -EINVAL},
	{"ImportForeignKey", -EINVAL},
	{"ImportInvalidName", -EINVAL},
	{"ImportNotFound", -EINVAL},
	{"ImportSchemaChanged", -EINVAL},
	{"IndexNameReserved", -EINVAL},
	{"InvalidComponentName", -EINVAL},
	{"InvalidComponentPath", -EINVAL},
	{"InvalidConvexValue", -EINVAL},
	{"InvalidCreationTimeError", -EINVAL},
	{"InvalidDocumentError", -EINVAL},
	{"InvalidGeneratedSchema", -EINVAL},
	{"InvalidId", -EINVAL},
	{"InvalidIdError", -EINVAL},
	{"InvalidImport", -EINVAL},
	{"InvalidIndexName", -EINVAL},
	{"InvalidName", -EINVAL},
	{"InvalidStorageId", -EINVAL},
	{"InvalidTableName", -EINVAL},
	{"InvalidZip", -EINVAL},
	{"JsonArrayTooLarge", -EFBIG},
	{"JsonInvalidRow", -EINVAL},
	{"NotAnObject", -EINVAL},
	{"NotJson", -EINVAL},
	{"NotJsonArray", -EINVAL},
	{"NotUtf8", -EINVAL},
	{"ReadOnlyTable", -EINVAL},
	{"SchemaEnforcementError", -EINVAL},
	{"Sha256Mismatch", -EINVAL},
	{"SnapshotExpirationInPast", -EINVAL},
	{"SnapshotExpirationTooLarge", -EINVAL},
	{"TableConflict", -EINVAL},
	{"TableExists", -EEXIST},
	{"TableNumberConflict", -EINVAL},
	{"TooManyFieldsError", -EINVAL},
	{"TooManyTables", -EINVAL},
	{"Utf8BomNotSupported", -EINVAL},
	{"ValueTooLargeError", -EFBIG},
};

static int code_of(const char *name)
{
	const size_t count = sizeof(refusals) / sizeof(refusals[0]);

	for (size_t i = 0; i < count; i++)
		if (strcmp(refusals[i].name, name) == 0)
			return refusals[i].code;
	assert(false);
	return -EINVAL;
}

int refuse(struct cvx_err *err, const char *name, const char *fmt, ...)
{
	char msg[CVX_ERR_MSG_SIZE];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	return cvx_fail_named(err, code_of(name), name, "%s", msg);
}
