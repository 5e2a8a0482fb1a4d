/* deployment_schema.h: the active schema. */

#include "importer/deployment_schema.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cancel.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/embedded/component_rows.h"
#include "importer/embedded/counters.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/lines.h"
#include "importer/embedded/numbers.h"
#include "importer/embedded/schemas.h"
#include "importer/embedded/set_indexes.h"
#include "importer/embedded/tables.h"
#include "importer/schema/schema.h"
#include "importer/value/document.h"

CVX_DEFINE_CLEANUP(struct table_reader, table_reader_close)

/* A table of the new schema, as far as its documents were checked. */
struct checked_table {
	const struct schema_table *table;
	uint64_t revision; /* 0: not checked, or not there */
};

/* A schema on its way to be active. */
struct setting {
	struct deployment *d;
	const char *component;
	struct schema *schema; /* NULL: there is to be none */
	struct cvx_buf text;   /* canonical */
	struct checked_table *tables;
	size_t count;
	struct numbers numbers; /* that documents were checked with */
	struct set_indexes indexes;
};

static void setting_finip(struct setting *s)
{
	schema_free(s->schema);
	cvx_buf_fini(&s->text);
	numbers_fini(&s->numbers);
	set_indexes_fini(&s->indexes);
	free(s->tables);
}

/* The refusal of a document, with the place of it. */
static int explain(const char *table, uint32_t table_number, uint64_t row,
		   const char *line, size_t size, struct cvx_err *err)
{
	struct internal_id id;
	char text[ID_TEXT_MAX + 1] = "";

	if (err && document_line_id(line, size, &id) == 0)
		text[id_encode(table_number, &id, text)] = '\0';
	return cvx_err_prefix(err, "table %s, line %llu, _id %s", table,
			      (unsigned long long)row, text);
}

static int check_lines(struct setting *s, const char *table,
		       struct table_reader *reader, struct lines *lines,
		       struct cvx_err *err)
{
	const struct validator *validator = schema_enforced(s->schema, table);
	struct validator_tables tables = numbers_tables(&s->numbers);
	const char *line;
	uint64_t off, row = 0;
	size_t size;
	int r;

	while ((r = lines_next(lines, &line, &size, &off, err)) == 1) {
		row++;
		if (cancel_is_asked())
			return cvx_fail(err, -ECANCELED,
					"canceled while the documents of table "
					"%s were checked",
					table);
		r = validator_check(validator, &tables, line, size, err);
		if (r < 0)
			return explain(table, table_reader_info(reader)->number,
				       row, line, size, err);
	}
	return r;
}

/* Checks the documents of the table, if there are any, and notes of which
 * revision. */
static int check_table(struct setting *s, struct checked_table *t,
		       struct cvx_err *err)
{
	CVX_AUTO(table_reader_closep) struct table_reader *reader = NULL;
	const char *table = schema_table_name(t->table);
	struct lines lines;
	int r;

	t->revision = 0;
	/* Those of a copy have been checked where they are from. */
	if (!schema_enforced(s->schema, table) || s->d->origin_url)
		return 0;
	r = deployment_open_table(s->d, s->component, table, &reader, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	lines_init(&lines, &(struct lines_place){
				   .table = reader,
				   .size = table_reader_info(reader)->size,
			   });
	r = check_lines(s, table, reader, &lines, err);
	lines_fini(&lines);
	if (r == 0)
		t->revision = table_reader_info(reader)->revision;
	return r;
}

/* Without any lock. */
static int check_all(struct setting *s, struct cvx_err *err)
{
	size_t i;
	int r = numbers_read(&s->numbers, embedded_lock_reads(s->d),
			     s->component, err);

	embedded_unlock_reads(s->d);
	for (i = 0; r == 0 && i < s->count; i++)
		r = check_table(s, &s->tables[i], err);
	return r;
}

/* Under the write lock: what has changed since check_all(). */
static int check_again(struct setting *s, struct cvx_err *err)
{
	struct catalog *c = s->d->writes;
	const struct validator *v;
	struct numbers old = s->numbers;
	struct table_row row;
	const char *name;
	size_t i;
	int r;

	numbers_init(&s->numbers, s->component);
	r = numbers_read(&s->numbers, c, s->component, err);
	for (i = 0; r == 0 && i < s->count; i++) {
		name = schema_table_name(s->tables[i].table);
		v = schema_enforced(s->schema, name);
		row.info.revision = 0;
		r = v ? table_find(c, s->component, name, &row, err) : 0;
		if (r < 0)
			break;
		r = 0;
		if (v && (row.info.revision != s->tables[i].revision ||
			  !numbers_agree(&old, &s->numbers, v)))
			r = check_table(s, &s->tables[i], err);
	}
	numbers_fini(&old);
	return r;
}

static bool is_same(const struct setting *s, const struct active_schema *old)
{
	size_t size = old ? old->size : 0;

	return s->text.size == size &&
	       (size == 0 || memcmp(s->text.data, old->text, size) == 0);
}

/* In the transaction, in place of old; 1: it is the same. */
static int replace(struct setting *s, const struct active_schema *old,
		   struct cvx_err *err)
{
	struct catalog *c = s->d->writes;
	struct component_row component;
	struct counters_row counters;
	int r = component_find(c, s->component, &component, err);

	if (r < 0 || is_same(s, old))
		return r < 0 ? r : 1;
	r = check_again(s, err);
	if (r == 0)
		r = counters_get(c, &counters, err);
	if (r == 0)
		r = set_indexes_apply(&s->indexes, old ? old->schema : NULL, c,
				      &counters, err);
	if (r < 0)
		return r;
	counters.revision++;
	r = schemas_put(c, component.id, counters.revision,
			s->text.size > 0 ? s->text.data : "", s->text.size,
			err);
	return r < 0 ? r : counters_put(c, &counters, err);
}

static int set_locked(struct setting *s, struct cvx_err *err)
{
	struct active_schema *old;
	bool in_doubt = false;
	int r = schemas_get(s->d, s->d->writes, s->component, &old, err);

	if (r == 0)
		r = replace(s, old, err);
	schemas_unref(s->d, old);
	if (r == 0)
		r = embedded_commit(s->d, &in_doubt, err);
	else
		embedded_rollback(s->d);
	runs_change_end(&s->indexes.change, s->d, r == 0, in_doubt);
	return r < 0 ? r : 0;
}

/* Without any lock, then under it what has changed meanwhile. */
static int set(struct setting *s, const struct active_schema *old,
	       struct cvx_err *err)
{
	int r;

	if (is_same(s, old))
		return 0;
	r = check_all(s, err);
	if (r == 0)
		r = set_indexes_prepare(&s->indexes, old ? old->schema : NULL,
					err);
	if (r == 0)
		r = embedded_begin(s->d, err);
	return r < 0 ? r : set_locked(s, err);
}

/* Whether the text says that there is to be no schema. */
static bool is_none(const char *text, size_t size)
{
	static const char space[] = " \t\r\n";

	while (size > 0 && memchr(space, text[size - 1], sizeof(space) - 1))
		size--;
	for (; size > 0 && memchr(space, *text, sizeof(space) - 1); size--)
		text++;
	return size == 0 || (size == 4 && memcmp(text, "null", 4) == 0);
}

static int parse(struct setting *s, const char *text, size_t size,
		 struct cvx_err *err)
{
	size_t i;
	int r;

	if (is_none(text, size))
		return 0;
	r = schema_parse(text, size, &s->schema, err);
	if (r == 0)
		r = schema_print(s->schema, &s->text, err);
	if (r < 0)
		return r;
	s->count = schema_table_count(s->schema);
	s->tables = calloc(s->count + 1, sizeof(*s->tables));
	if (!s->tables)
		return cvx_fail_memory(err);
	for (i = 0; i < s->count; i++)
		s->tables[i].table = schema_table_at(s->schema, i);
	return 0;
}

int deployment_set_schema(struct deployment *d, const char *component,
			  const char *text, size_t size, struct cvx_err *err)
{
	CVX_AUTO(setting_finip)
	struct setting s = {.d = d, .component = component};
	struct active_schema *old;
	int r;

	cvx_buf_init(&s.text, DEPLOYMENT_SCHEMA_MAX);
	numbers_init(&s.numbers, component);
	r = deployment_find_component(d, component, err);
	if (r == 0)
		r = parse(&s, text, size, err);
	if (r < 0)
		return r;
	set_indexes_init(&s.indexes, d, component, s.schema);
	r = schemas_get(d, embedded_lock_reads(d), component, &old, err);
	embedded_unlock_reads(d);
	if (r == 0)
		r = set(&s, old, err);
	schemas_unref(d, old);
	return r;
}

int deployment_print_schema(struct deployment *d, const char *component,
			    struct cvx_buf *out, struct cvx_err *err)
{
	struct active_schema *active;
	int r = schemas_get(d, embedded_lock_reads(d), component, &active, err);

	embedded_unlock_reads(d);
	if (r < 0 || !active)
		return r;
	r = cvx_buf_append(out, active->text, active->size);
	if (r == 0)
		r = cvx_buf_puts(out, "\n");
	schemas_unref(d, active);
	return r < 0 ? cvx_fail_memory(err) : 0;
}
