#include "importer/preview.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/figures.h"
#include "importer/stored_file.h"

#define HEADING "This import changes the following tables:"

void preview_fini(struct preview *p)
{
	size_t i;

	if (!p)
		return;
	for (i = 0; i < p->table_count; i++)
		free(p->tables[i].component);
	free(p->tables);
	*p = (struct preview){.tables = NULL};
}

/* import.md 12, column "stage". Those that can come from either stage stand
 * here if rows give them in the first one. */
bool preview_is_parsing_refusal(const char *name)
{
	static const char *const names[] = {
		"CsvInvalidHeader",  "CsvInvalidRow",
		"CsvMissingHeaders", "CsvRowMissingFields",
		"InvalidZip",	     "JsonArrayTooLarge",
		"JsonInvalidRow",    "NotJson",
		"NotJsonArray",	     "NotUtf8",
		"TableExists",	     "Utf8BomNotSupported",
	};
	size_t i;

	for (i = 0; name && i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* --- collecting ---------------------------------------------------------- */

/* The table of stored files. */
static bool is_storage(const char *table)
{
	return strcmp(table, "_storage") == 0;
}

static bool deletes(enum import_mode mode)
{
	return mode == IMPORT_REPLACE || mode == IMPORT_REPLACE_ALL;
}

static int append(struct preview *p, const char *component, const char *table,
		  struct preview_table **ret, struct cvx_err *err)
{
	struct preview_table *more;

	/* At 8, 16, 32, … */
	if (p->table_count == 0 ||
	    (p->table_count >= 8 &&
	     (p->table_count & (p->table_count - 1)) == 0)) {
		more = reallocarray(p->tables,
				    p->table_count ? 2 * p->table_count : 8,
				    sizeof(*more));
		if (!more)
			return cvx_fail_memory(err);
		p->tables = more;
	}
	*ret = &p->tables[p->table_count];
	**ret = (struct preview_table){.component = strdup(component)};
	if (!(*ret)->component)
		return cvx_fail_memory(err);
	(void)snprintf((*ret)->table, sizeof((*ret)->table), "%s", table);
	p->table_count++;
	return 0;
}

static int count_existing(struct deployment *d,
			  const struct import_target *target, uint64_t *ret,
			  struct cvx_err *err)
{
	struct table_info table;
	struct storage_info storage;
	int r;

	if (is_storage(target->table)) {
		r = deployment_stat_storage(d, target->component, &storage,
					    err);
		if (r == 0)
			*ret = storage.file_count;
		return r;
	}
	r = deployment_stat_table(d, target->component, target->table, &table,
				  err);
	if (r == 0)
		*ret = table.document_count;
	return r;
}

int preview_add(struct preview *p, struct deployment *d,
		const struct import_target *target, uint64_t create_count,
		bool lacks_ids, struct cvx_err *err)
{
	struct preview_table *t;
	uint64_t existing_count = 0;
	int r = count_existing(d, target, &existing_count, err);

	if (r < 0 && r != -ENOENT)
		return r;
	r = append(p, target->component, target->table, &t, err);
	if (r < 0)
		return r;
	t->create_count = create_count;
	t->existing_count = existing_count;
	t->delete_count = deletes(target->mode) ? existing_count : 0;
	t->lacks_ids = lacks_ids;
	return 0;
}

static int compare_tables(const void *a, const void *b)
{
	const struct preview_table *x = a, *y = b;
	int order = strcmp(x->component, y->component);

	return order ? order : strcmp(x->table, y->table);
}

/* Whether one of the first count tables, which are in order, is that one. */
static bool is_listed(const struct preview *p, size_t count,
		      const char *component, const struct table_info *info)
{
	struct preview_table key = {.component = (char *)(uintptr_t)component};

	memcpy(key.table, info->name, sizeof(key.table));
	return count > 0 && bsearch(&key, p->tables, count, sizeof(key),
				    compare_tables) != NULL;
}

/* The tables of the component and of those below it, but for the mentioned
 * ones. Paths end somewhere, and so does this. */
static int add_rest(struct preview *p, struct deployment *d, size_t mentioned,
		    const char *component, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct table_info *tables = NULL;
	struct preview_table *t;
	char **components = NULL;
	size_t count, i;
	int r = deployment_list_tables(d, component, &tables, &count, err);

	for (i = 0; r == 0 && i < count; i++) {
		if (is_listed(p, mentioned, component, &tables[i]))
			continue;
		r = append(p, component, tables[i].name, &t, err);
		if (r < 0)
			break;
		t->existing_count = t->delete_count = tables[i].document_count;
	}
	if (r == 0)
		r = deployment_list_components(d, component, &components,
					       &count, err);
	for (i = 0; r == 0 && i < count; i++)
		r = add_rest(p, d, mentioned, components[i], err);
	deployment_free_components(components);
	return r;
}

static void sort(struct preview *p)
{
	if (p->table_count > 0)
		qsort(p->tables, p->table_count, sizeof(*p->tables),
		      compare_tables);
}

int preview_finish(struct preview *p, struct deployment *d,
		   enum import_mode mode, struct cvx_err *err)
{
	size_t i;
	int r = 0;

	sort(p);
	if (mode == IMPORT_REPLACE_ALL)
		r = add_rest(p, d, p->table_count, "", err);
	sort(p);
	for (i = 0; i < p->table_count; i++)
		p->needs_confirmation |= p->tables[i].delete_count > 0;
	return r;
}

/* --- printing ------------------------------------------------------------ */

struct cells {
	const char *table;
	char create[FIGURES_SIZE];
	char removed[2 * FIGURES_SIZE + 32];
};

static void fill_cells(const struct preview_change *change, struct cells *ret)
{
	char deleted[FIGURES_SIZE], existing[FIGURES_SIZE];

	ret->table = change->table;
	figures_print_count(change->create_count, ret->create);
	figures_print_count(change->delete_count, deleted);
	figures_print_count(change->existing_count, existing);
	(void)snprintf(ret->removed, sizeof(ret->removed), "%s of %s%s",
		       deleted, existing, change->unit);
}

static void widen(int *width, const char *text)
{
	int size = (int)strlen(text);

	if (size > *width)
		*width = size;
}

static int print_cells(const struct cells *cells, const int widths[3],
		       struct cvx_buf *out)
{
	return cvx_buf_printf(out, "%-*s | %-*s | %-*s |\n", widths[0],
			      cells->table, widths[1], cells->create, widths[2],
			      cells->removed);
}

int preview_print_changes(const struct preview_change *changes, size_t count,
			  struct cvx_buf *out)
{
	static const struct cells header = {"table", "create", "delete"};
	int widths[3] = {5, 6, 6}; /* of the header */
	struct cells cells;
	size_t i;
	int r, n;

	for (i = 0; i < count; i++) {
		fill_cells(&changes[i], &cells);
		widen(&widths[0], cells.table);
		widen(&widths[1], cells.create);
		widen(&widths[2], cells.removed);
	}
	r = print_cells(&header, widths, out);
	for (n = widths[0] + widths[1] + widths[2] + 8; r == 0 && n > 0; n--)
		r = cvx_buf_puts(out, "-");
	if (r == 0)
		r = cvx_buf_puts(out, "\n");
	for (i = 0; r == 0 && i < count; i++) {
		fill_cells(&changes[i], &cells);
		r = print_cells(&cells, widths, out);
	}
	return r;
}

/* The tables [first, end) are those of one component. */
static int print_component(const struct preview *p, size_t first, size_t end,
			   struct cvx_buf *out)
{
	CVX_AUTO(cvx_freep)
	struct preview_change *changes = calloc(end - first, sizeof(*changes));
	const struct preview_table *t;
	size_t i;
	int r = changes ? 0 : -ENOMEM;

	for (i = first; r == 0 && i < end; i++) {
		t = &p->tables[i];
		changes[i - first] = (struct preview_change){
			.table = t->table,
			.create_count = t->create_count,
			.delete_count = t->delete_count,
			.existing_count = t->existing_count,
			.unit = is_storage(t->table) ? " files" : "",
		};
	}
	if (r == 0 && p->tables[first].component[0])
		r = cvx_buf_printf(out, "Component %s:\n",
				   p->tables[first].component);
	return r < 0 ? r : preview_print_changes(changes, end - first, out);
}

int preview_print(const struct preview *p, struct cvx_buf *out)
{
	size_t first, end;
	int r = p->table_count > 0 ? cvx_buf_puts(out, HEADING "\n") : 0;

	for (first = 0; r == 0 && first < p->table_count; first = end) {
		end = first + 1;
		while (end < p->table_count &&
		       strcmp(p->tables[end].component,
			      p->tables[first].component) == 0)
			end++;
		r = print_component(p, first, end, out);
	}
	if (r == 0 && p->table_count > 0)
		out->size--; /* the last LF */
	return r;
}
