#include "importer/embedded/numbers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/embedded/component_rows.h"
#include "importer/embedded/files.h"
#include "importer/embedded/sql.h"
#include "importer/embedded/table_numbers.h"

void numbers_init(struct numbers *n, const char *component)
{
	*n = (struct numbers){.in_root = component[0] == '\0'};
}

void numbers_fini(struct numbers *n)
{
	free(n->list);
	n->list = NULL;
	n->count = n->capacity = 0;
}

int numbers_add(struct numbers *n, const char *name, uint32_t number,
		struct cvx_err *err)
{
	struct numbers_entry *more;

	if (n->count == n->capacity) {
		size_t capacity = n->capacity * 2 + 16;

		more = reallocarray(n->list, capacity, sizeof(*more));
		if (!more)
			return cvx_fail_memory(err);
		n->list = more;
		n->capacity = capacity;
	}
	more = &n->list[n->count++];
	memset(more, 0, sizeof(*more));
	more->number = number;
	(void)snprintf(more->name, sizeof(more->name), "%s", name);
	return 0;
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = ((const struct numbers_entry *)a)->number;
	uint32_t y = ((const struct numbers_entry *)b)->number;

	return (x > y) - (x < y);
}

void numbers_sort(struct numbers *n)
{
	if (n->count > 1)
		qsort(n->list, n->count, sizeof(*n->list), compare_numbers);
}

int numbers_read(struct numbers *n, struct catalog *c, const char *component,
		 struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	char name[NAME_MAX_SIZE + 1];
	struct component_row row;
	struct storage_info storage;
	const char *bytes;
	size_t size;
	int r = component_find(c, component, &row, err);

	if (r == 0)
		r = storage_find(c, row.id, &storage, err);
	if (r == 0)
		r = numbers_add(n, STORAGE_NAME, storage.number, err);
	if (r == 0)
		r = catalog_query(c, SQL_LIST_NUMBERS, &q, err);
	if (r < 0)
		return r;
	catalog_bind_text(q, 1, component);
	while (r == 0 && (r = catalog_next(q, err)) == 1) {
		bytes = catalog_bytes(q, 0, &size);
		(void)snprintf(name, sizeof(name), "%.*s", (int)size, bytes);
		r = numbers_add(n, name, (uint32_t)catalog_int(q, 1), err);
	}
	numbers_sort(n);
	return r;
}

/* The name that validators have for the system's table of the number. */
static const char *find_system(bool in_root, uint32_t number)
{
	const char *name = table_reserved_name(number, in_root);

	if (name && strcmp(name, "_scheduled_jobs") == 0)
		return "_scheduled_functions";
	return name;
}

static const char *find_name(void *ctx, uint32_t number)
{
	const struct numbers *n = ctx;
	size_t low = 0, high = n->count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (n->list[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < n->count && n->list[low].number == number)
		return n->list[low].name;
	return find_system(n->in_root, number);
}

struct validator_tables numbers_tables(const struct numbers *n)
{
	return (struct validator_tables){.ctx = (void *)(uintptr_t)n,
					 .name = find_name};
}

uint32_t numbers_of(const struct numbers *n, const char *name)
{
	size_t i;

	for (i = 0; i < n->count; i++)
		if (strcmp(n->list[i].name, name) == 0)
			return n->list[i].number;
	return 0;
}

bool numbers_agree(const struct numbers *a, const struct numbers *b,
		   const struct validator *v)
{
	size_t count = v ? validator_reference_count(v) : 0, i;

	if (count == 0 ||
	    (a->count == b->count &&
	     (a->count == 0 ||
	      memcmp(a->list, b->list, a->count * sizeof(*a->list)) == 0)))
		return true;
	for (i = 0; i < count; i++)
		if (numbers_of(a, validator_reference(v, i)) !=
		    numbers_of(b, validator_reference(v, i)))
			return false;
	return true;
}
