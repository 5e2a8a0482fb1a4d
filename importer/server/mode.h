/*
 * mode: the words of the protocol for modes and formats (IMP-7; import.md 10.2
 * and 11).
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_SERVER_MODE_H
#define CVX_IMPORTER_SERVER_MODE_H

#include <stdbool.h>

#include "importer/import.h"

/* "replaceAll" */
bool mode_read(const char *text, enum import_mode *ret);

/* "jsonLines"; not "zip". */
bool mode_read_format(const char *text, enum format_kind *ret);

/* Whether the word is one of the formats, "zip" included. */
bool mode_is_format(const char *text);

/* "jsonl" */
const char *mode_extension(enum format_kind format);

/* The words of records: "ReplaceAll", "json_array"; NULL: unknown. */
const char *mode_record_name(const char *mode);
const char *mode_record_format(const char *format);

#endif
