/*
 * sql: the schema of an embedded deployment's catalog, and every statement
 * that is run on it. The comment above a statement's text in sql.c names its
 * parameters and columns by their order.
 *
 * Threads: fixed.
 */
#ifndef CVX_IMPORTER_EMBEDDED_SQL_H
#define CVX_IMPORTER_EMBEDDED_SQL_H

#include <stdint.h>

enum sql_statement {
	SQL_GET_META,
	SQL_PUT_META,

	SQL_FIND_COMPONENT,
	SQL_LIST_COMPONENTS,
	SQL_INSERT_COMPONENT,
	SQL_UPDATE_COMPONENT,

	SQL_FIND_TABLE,
	SQL_LIST_TABLES,
	SQL_LIST_ALL_TABLES,
	SQL_LIST_NUMBERS,
	SQL_FIND_NUMBER,
	SQL_INSERT_TABLE,
	SQL_UPDATE_TABLE,
	SQL_DELETE_TABLE,
	SQL_SET_ASIDE,

	SQL_OPEN_TABLE,
	SQL_LIST_SEGMENTS,
	SQL_LIST_SEGMENT_IDS,
	SQL_INSERT_SEGMENT,
	SQL_GROW_SEGMENT,
	SQL_DELETE_SEGMENT,

	SQL_FIND_STORAGE,
	SQL_PUT_STORAGE,
	SQL_LIST_STORED_FILES,
	SQL_FIND_STORED_FILE,
	SQL_LIST_FILES_OF,
	SQL_LIST_FILE_IDS,
	SQL_INSERT_STORED_FILE,
	SQL_DELETE_STORED_FILE,
	SQL_DELETE_FILES_OF,

	SQL_GET_COUNTERS,
	SQL_PUT_COUNTERS,

	SQL_INSERT_IMPORT,
	SQL_PRUNE_IMPORTS,
	SQL_LIST_IMPORTS,
	SQL_LAST_FAILURE,
	SQL_LAST_OF_TABLE,

	SQL_CHECK,
	SQL_COUNT
};

extern const char *const sql_statements[SQL_COUNT];

#define SQL_VERSION 2
extern const char *const sql_migrations[SQL_VERSION];

/* "CVX1": tells our catalogs from other databases. */
#define SQL_APPLICATION_ID INT32_C(0x43565831)

#endif
