/*
 * vector_files: the cases of tests/data/vectors that hold whole files.
 */
#ifndef CVX_TESTS_UNIT_VECTOR_FILES_H
#define CVX_TESTS_UNIT_VECTOR_FILES_H

#include <stddef.h>

#include <cjson/cJSON.h>

#include "importer/format/format.h"

/* The whole of a vector file; cJSON_Delete it. */
cJSON *vector_read(const char *path);

/* NULL if there is no such member, or it is no string. */
const char *vector_string(const cJSON *object, const char *key);

/* The bytes of "input" or "input_base64"; free() them. */
char *vector_input(const cJSON *one, size_t *ret_size);

/* Checks the cases of json_files.json of the format; how many there are. */
int vector_files_check(const char *format, enum format_kind kind);

#endif
