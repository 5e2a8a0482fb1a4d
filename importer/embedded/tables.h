/*
 * tables: the catalog's rows about tables.
 *
 * Threads: the caller's connection, so the caller's lock.
 */
#ifndef CVX_IMPORTER_EMBEDDED_TABLES_H
#define CVX_IMPORTER_EMBEDDED_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/deployment.h"
#include "importer/embedded/counters.h"

struct catalog;
struct component_row;
struct cvx_err;

/* import.md 7.4. */
#define TABLE_COUNT_MAX 10000

struct table_row {
	int64_t id;
	struct table_info info;
	bool beyond_plain;
	struct last_stamp last;
};

/* Removes a table without segments. */
int table_delete(struct catalog *c, const char *component, int64_t id,
		 uint32_t number, struct cvx_err *err);

/* Refuses to delete what the active schema names, on the connection for
 * writing. */
int table_check_deletion(struct deployment *d, const char *component,
			 const char *table, struct cvx_err *err);

/* Gives the table, until it is updated, a number that no table can have, so
 * that tables can exchange numbers. */
int table_set_aside(struct catalog *c, int64_t id, struct cvx_err *err);

/* 1: found; 0: there is none; or a failure. */
int table_find(struct catalog *c, const char *component, const char *name,
	       struct table_row *ret, struct cvx_err *err);

/* The text of a missing component or table; returns -ENOENT. */
int table_fail_missing(struct catalog *c, const char *component,
		       const char *name, struct cvx_err *err);

/* Refuses what cannot be a user table's name. */
int table_check_name(const char *name, struct cvx_err *err);

/* The refusal of another table; returns its errno. */
int table_fail_too_many(struct cvx_err *err);

/* The first NAME_MAX_SIZE bytes of name become the table's. */
void table_set_name(struct table_info *info, const char *name, size_t size);

/* Inserts an empty table; only row->info is looked at; row->id is set. */
int table_insert(struct catalog *c, struct component_row *component,
		 struct table_row *row, struct cvx_err *err);
/* old_number: what the table had; component may be NULL if it is the same. */
int table_update(struct catalog *c, struct component_row *component,
		 const struct table_row *row, uint32_t old_number,
		 struct cvx_err *err);

#endif
