/*
 * table_numbers: who has which table number.
 *
 * Threads: the caller's connection, so the caller's lock.
 */
#ifndef CVX_IMPORTER_EMBEDDED_TABLE_NUMBERS_H
#define CVX_IMPORTER_EMBEDDED_TABLE_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "importer/value/name.h"

struct catalog;
struct component_row;
struct cvx_err;

/* Those below are of system tables. */
#define FIRST_USER_NUMBER 10001

/* The smallest user number that no table of the component has, nor its
 * storage. */
int table_fresh_number(struct catalog *c, struct component_row *component,
		       uint32_t *ret, struct cvx_err *err);

/* The stored name of the system table that has the number in every deployment
 * (import.md 2.4), in the root component or below it; else NULL. */
const char *table_reserved_name(uint32_t number, bool in_root);

/*
 * 1 and the name of the table that has the number, which may be one that
 * every deployment reserves (import.md 2.4), or "_storage"; 0 if none has it.
 */
int table_find_number(struct catalog *c, const struct component_row *component,
		      uint32_t number, char name[NAME_MAX_SIZE + 1],
		      struct cvx_err *err);

/* Likewise, among user tables. */
int table_find_user_number(struct catalog *c, int64_t component,
			   uint32_t number, char name[NAME_MAX_SIZE + 1],
			   struct cvx_err *err);

#endif
