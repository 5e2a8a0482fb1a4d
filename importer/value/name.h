/*
 * name: which names tables, components, indexes and fields may have
 * (import.md 1).
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_VALUE_NAME_H
#define CVX_IMPORTER_VALUE_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define NAME_MAX_SIZE 64
#define FIELD_NAME_MAX_SIZE 1024

/* import.md 1.1: an identifier (the base of table and component names). */
bool name_is_identifier(const char *name, size_t size);

/* An identifier that does not begin with '_': a user table. */
bool name_is_user_table(const char *name, size_t size);

/* import.md 1.2. */
bool name_is_field(const char *name, size_t size);

/* A field name that is an identifier as well. */
bool name_is_identifier_field(const char *name, size_t size);

/* import.md 1.3: "" is the root. */
bool name_is_component_path(const char *path, size_t size);

enum index_name {
	INDEX_NAME_VALID,
	INDEX_NAME_RESERVED, /* IndexNameReserved */
	INDEX_NAME_INVALID,  /* InvalidIndexName */
};

enum index_name name_check_index(const char *name, size_t size);

#endif
