#include <stdbool.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "importer/schema/schema_inside.h"
#include "importer/schema/validator.h"

/* Names and paths are identifiers, which need no escapes. */
static int print_paths(const char *const *paths, size_t count,
		       struct cvx_buf *out)
{
	int r = cvx_buf_puts(out, "[");

	for (size_t i = 0; r == 0 && i < count; i++)
		r = cvx_buf_printf(out, "%s\"%s\"", i > 0 ? "," : "", paths[i]);
	return r < 0 ? r : cvx_buf_puts(out, "]");
}

static int print_index(const struct schema_index *index, struct cvx_buf *out)
{
	int r = cvx_buf_printf(out, "{\"indexDescriptor\":\"%s\",",
			       index->name);

	if (r < 0)
		return r;
	switch (index->kind) {
	case SCHEMA_INDEX_DATABASE:
		r = cvx_buf_puts(out, "\"fields\":");
		if (r == 0)
			r = print_paths(index->fields, index->field_count, out);
		return r < 0 ? r : cvx_buf_puts(out, "}");
	case SCHEMA_INDEX_SEARCH:
		r = cvx_buf_printf(out, "\"searchField\":\"%s\",",
				   index->fields[0]);
		break;
	case SCHEMA_INDEX_VECTOR:
		/* Deployments print the old name of the dimensions, too. */
		r = cvx_buf_printf(out,
				   "\"vectorField\":\"%s\",\"dimensions\":%u,"
				   "\"dimension\":null,",
				   index->fields[0], index->dimensions);
		break;
	}
	if (r == 0)
		r = cvx_buf_puts(out, "\"filterFields\":");
	if (r == 0)
		r = print_paths(index->filters, index->filter_count, out);
	return r < 0 ? r : cvx_buf_puts(out, "}");
}

static int print_list(const struct schema_table *t,
		      const struct schema_index_list *list, struct cvx_buf *out)
{
	int r = cvx_buf_printf(out, ",\"%s\":[", list->name);
	const char *comma = "";

	for (size_t i = 0; r == 0 && i < t->index_count; i++) {
		const struct schema_index *index = &t->indexes[i];

		if (index->kind != list->kind || index->staged != list->staged)
			continue;
		r = cvx_buf_puts(out, comma);
		if (r == 0)
			r = print_index(index, out);
		comma = ",";
	}
	return r < 0 ? r : cvx_buf_puts(out, "]");
}

static int print_table(const struct schema_table *t, struct cvx_buf *out)
{
	const char *text = "null";
	size_t size = strlen(text);
	int r = cvx_buf_printf(out, "{\"tableName\":\"%s\"", t->name);

	for (size_t i = 0; r == 0 && i < SCHEMA_INDEX_LISTS; i++)
		r = print_list(t, &schema_index_lists[i], out);
	if (r == 0)
		r = cvx_buf_puts(out, ",\"documentType\":");
	if (t->validator)
		text = validator_text(t->validator, &size);
	if (r == 0)
		r = cvx_buf_append(out, text, size);
	return r < 0 ? r : cvx_buf_puts(out, "}");
}

int schema_print(const struct schema *s, struct cvx_buf *out,
		 struct cvx_err *err)
{
	size_t before = out->size;
	int r = cvx_buf_puts(out, "{\"tables\":[");

	for (size_t i = 0; r == 0 && i < s->table_count; i++) {
		if (i > 0)
			r = cvx_buf_puts(out, ",");
		if (r == 0)
			r = print_table(&s->tables[i], out);
	}
	if (r == 0)
		r = cvx_buf_printf(out, "],\"schemaValidation\":%s}",
				   s->validates ? "true" : "false");
	if (r < 0) {
		out->size = before;
		return cvx_fail(err, r, "no room for the schema");
	}
	return 0;
}
