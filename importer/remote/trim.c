#include "importer/remote/trim.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/embedded/copy.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/held.h"

/* A file that was just looked at is about to be opened. */
#define FILE_STAYS_NS (10 * (int64_t)1000000000)

struct item {
	const struct held_table *table; /* or else: */
	const struct copy_bytes *file;
	int64_t used_ns;
	uint64_t size;
};

static int compare(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return x->used_ns < y->used_ns ? -1 : x->used_ns > y->used_ns;
}

static bool stays(const struct item *item, const char *component,
		  const char *table)
{
	if (item->file)
		return embedded_now_ns() - item->used_ns < FILE_STAYS_NS;
	return table && strcmp(item->table->name, table) == 0 &&
	       strcmp(item->table->component, component) == 0;
}

static int drop(struct deployment *copy, const struct item *item,
		struct cvx_err *err)
{
	if (item->table)
		return held_drop(copy, item->table->component,
				 item->table->name, err);
	copy_drop_bytes(copy, item->file->number);
	return 0;
}

static int drop_oldest(struct deployment *copy, struct item *items,
		       size_t count, uint64_t size_max, const char *component,
		       const char *table, struct cvx_err *err)
{
	uint64_t size = 0;
	size_t i;
	int r = 0;

	for (i = 0; i < count; i++)
		size += items[i].size;
	if (size > size_max)
		qsort(items, count, sizeof(*items), compare);
	for (i = 0; r == 0 && i < count && size > size_max; i++) {
		if (stays(&items[i], component, table))
			continue;
		r = drop(copy, &items[i], err);
		size -= items[i].size;
	}
	return r;
}

int trim_copy(struct deployment *copy, uint64_t size_max, const char *component,
	      const char *table, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct copy_bytes *files = NULL;
	CVX_AUTO(cvx_freep) struct item *items = NULL;
	struct held_table *tables = NULL;
	size_t table_count = 0, file_count = 0, i, n = 0;
	int r;

	if (size_max == 0)
		return 0;
	r = held_list(copy, &tables, &table_count, err);
	if (r == 0)
		r = copy_list_bytes(copy, &files, &file_count, err);
	if (r == 0) {
		items = calloc(table_count + file_count + 1, sizeof(*items));
		r = items ? 0 : cvx_fail_memory(err);
	}
	for (i = 0; r == 0 && i < table_count; i++)
		items[n++] = (struct item){.table = &tables[i],
					   .used_ns = tables[i].used_ns,
					   .size = tables[i].size};
	for (i = 0; r == 0 && i < file_count; i++)
		items[n++] = (struct item){.file = &files[i],
					   .used_ns = files[i].used_ns,
					   .size = files[i].size};
	if (r == 0)
		r = drop_oldest(copy, items, n, size_max, component, table,
				err);
	held_list_free(tables, table_count);
	return r;
}
