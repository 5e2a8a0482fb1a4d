/*
 * tables: the catalog's rows about components, tables and segments.
 *
 * Threads: the caller's connection, so the caller's lock.
 */
#ifndef CVX_IMPORTER_EMBEDDED_TABLES_H
#define CVX_IMPORTER_EMBEDDED_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "importer/deployment.h"
#include "importer/value/id.h"

struct catalog;
struct cvx_err;

/* import.md 7.4. */
#define TABLE_COUNT_MAX 10000

/* The last id stamp and time that were given to a row. */
struct last_stamp {
	uint64_t ms;
	uint64_t counter;
	double time;
};

/* The greater id stamp and the later time. */
struct last_stamp last_stamp_max(struct last_stamp a, struct last_stamp b);

struct component_row {
	int64_t id;
	int64_t table_count;
	uint32_t free_number;
};

struct table_row {
	int64_t id;
	struct table_info info;
	bool beyond_plain;
	struct last_stamp last;
};

struct segment_row {
	uint64_t id;
	int64_t position;
	uint64_t size; /* committed bytes */
	uint64_t row_count;
	struct internal_id first, last; /* the least and the greatest */
	bool ascending; /* in the order of the rows; no keys file then */
	bool beyond_plain;
};

struct counters_row {
	uint64_t revision; /* the last that was given */
	uint64_t segment;  /* likewise, and to stored files */
	struct last_stamp last;
};

/* 1: found; 0: there is none; or a failure. */
int component_look(struct catalog *c, const char *path,
		   struct component_row *ret, struct cvx_err *err);

/* The component and those above it, if they are not there. */
int component_make(struct catalog *c, const char *path, struct cvx_err *err);

/* -ENOENT with a text if there is none. */
int component_find(struct catalog *c, const char *path,
		   struct component_row *ret, struct cvx_err *err);

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

/* The component's storage has left the number. */
int component_release_number(struct catalog *c, struct component_row *component,
			     uint32_t number, struct cvx_err *err);

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

/* Inserts an empty table; only row->info is looked at; row->id is set. */
int table_insert(struct catalog *c, struct component_row *component,
		 struct table_row *row, struct cvx_err *err);
/* old_number: what the table had; component may be NULL if it is the same. */
int table_update(struct catalog *c, struct component_row *component,
		 const struct table_row *row, uint32_t old_number,
		 struct cvx_err *err);

int counters_get(struct catalog *c, struct counters_row *ret,
		 struct cvx_err *err);
int counters_put(struct catalog *c, const struct counters_row *row,
		 struct cvx_err *err);

/* *ret is the caller's to free(). */
int segments_list(struct catalog *c, int64_t table_id, struct segment_row **ret,
		  size_t *ret_count, struct cvx_err *err);
int segment_insert(struct catalog *c, int64_t table_id,
		   const struct segment_row *row, struct cvx_err *err);
int segment_grow(struct catalog *c, const struct segment_row *row,
		 struct cvx_err *err);
int segment_delete(struct catalog *c, uint64_t id, struct cvx_err *err);

#endif
