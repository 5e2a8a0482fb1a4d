/*
 * tables_list: the lines of _tables/documents.jsonl: which tables there are,
 * and their numbers (import.md 6.7).
 *
 * Threads: not locked.
 */
#ifndef CVX_IMPORTER_ARCHIVE_TABLES_LIST_H
#define CVX_IMPORTER_ARCHIVE_TABLES_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "importer/value/name.h"

struct cvx_err;

/* import.md 7.4: the tables of one component. */
#define TABLES_LIST_MAX 10000

struct listed_table {
	char name[NAME_MAX_SIZE + 1];
	uint32_t number; /* not 0 */
	unsigned row;	 /* from 1 */
};

struct tables_list {
	struct listed_table *tables; /* in the order of the lines */
	size_t count, capacity;
};

#define TABLES_LIST_INIT                                                       \
	{                                                                      \
		NULL, 0, 0                                                     \
	}

void tables_list_fini(struct tables_list *list);

/*
 * Refuses names and numbers that come twice, and what is no user table. The
 * text of a refusal begins with the row.
 */
int tables_list_read(const char *text, size_t size, struct tables_list *ret,
		     struct cvx_err *err);

#endif
