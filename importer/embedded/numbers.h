/*
 * numbers: which table of a component has a number, for ids in documents.
 *
 * User tables are added, and _storage, whose number may change; the system's
 * other tables are known. All have the names that id validators have for them
 * (import.md 1.4).
 *
 * Threads: fixed after numbers_sort().
 */
#ifndef CVX_IMPORTER_EMBEDDED_NUMBERS_H
#define CVX_IMPORTER_EMBEDDED_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/schema/validator.h"
#include "importer/value/name.h"

struct catalog;
struct cvx_err;

struct numbers_entry {
	uint32_t number;
	char name[NAME_MAX_SIZE + 1];
};

struct numbers {
	struct numbers_entry *list; /* by number, once sorted */
	size_t count, capacity;
	bool in_root; /* of the root component, which has more tables */
};

void numbers_init(struct numbers *n, const char *component);
void numbers_fini(struct numbers *n);
int numbers_add(struct numbers *n, const char *name, uint32_t number,
		struct cvx_err *err);
void numbers_sort(struct numbers *n);

/* All tables that the component has, and _storage. Sorted. */
int numbers_read(struct numbers *n, struct catalog *c, const char *component,
		 struct cvx_err *err);

/* 0: there is no such table. */
uint32_t numbers_of(const struct numbers *n, const char *name);

/* For validator_check(), as long as n. */
struct validator_tables numbers_tables(const struct numbers *n);

/* Whether all tables that v has ids of have the same number in both. v may be
 * NULL. */
bool numbers_agree(const struct numbers *a, const struct numbers *b,
		   const struct validator *v);

#endif
