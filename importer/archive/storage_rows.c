#include "importer/archive/storage_rows.h"

#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/value/refusal.h"

void storage_rows_fini(struct storage_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		storage_row_fini(&rows->list[i]);
	free(rows->list);
	*rows = (struct storage_rows){NULL, 0};
}

static int compare(const void *a, const void *b)
{
	const struct storage_row *x = a, *y = b;

	return id_compare(&x->key, &y->key);
}

static int add(struct storage_rows *rows, size_t *capacity, const char *line,
	       size_t size, struct cvx_err *err)
{
	struct storage_row *more;
	int r;

	if (rows->count == *capacity) {
		*capacity = *capacity * 2 + 16;
		more = reallocarray(rows->list, *capacity, sizeof(*more));
		if (!more)
			return cvx_fail_memory(err);
		rows->list = more;
	}
	r = storage_row_read(line, size, &rows->list[rows->count], err);
	if (r < 0)
		return cvx_err_prefix(err, "row %zu", rows->count + 1);
	rows->count++;
	return 0;
}

/* Sorted: equal ones stand together. */
static int check_unique(const struct storage_rows *rows, struct cvx_err *err)
{
	char id[ID_TEXT_MAX + 1] = "";

	for (size_t i = 1; i < rows->count; i++) {
		if (compare(&rows->list[i - 1], &rows->list[i]) != 0)
			continue;
		(void)id_encode(rows->list[i].number, &rows->list[i].key, id);
		return refuse(err, "DuplicateId", "the id %s comes twice", id);
	}
	return 0;
}

int storage_rows_read(const char *text, size_t size, struct storage_rows *ret,
		      struct cvx_err *err)
{
	CVX_AUTO(storage_rows_fini) struct storage_rows rows = {NULL, 0};
	size_t capacity = 0, n;
	const char *end;
	int r = 0;

	for (; r == 0 && size > 0; text += n, size -= n) {
		end = memchr(text, '\n', size);
		n = end ? (size_t)(end - text) + 1 : size;
		r = add(&rows, &capacity, text, end ? n - 1 : n, err);
	}
	if (r == 0 && rows.count > 0)
		qsort(rows.list, rows.count, sizeof(*rows.list), compare);
	if (r == 0)
		r = check_unique(&rows, err);
	if (r < 0)
		return r;
	*ret = rows;
	rows = (struct storage_rows){NULL, 0};
	return 0;
}

const struct storage_row *storage_rows_find(const struct storage_rows *rows,
					    uint32_t number,
					    const struct internal_id *key)
{
	const struct storage_row wanted = {.key = *key};
	const struct storage_row *row =
		rows->count == 0 ? NULL
				 : bsearch(&wanted, rows->list, rows->count,
					   sizeof(*rows->list), compare);

	return row && row->number == number ? row : NULL;
}
