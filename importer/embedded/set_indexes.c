#include "importer/embedded/set_indexes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/segment.h"
#include "importer/embedded/publish.h"
#include "importer/embedded/tables.h"
#include "importer/schema/schema.h"

/* A run of all that a table had at a revision. */
struct prepared_index {
	const struct schema_table *table; /* of the new schema */
	uint64_t revision, size;
	struct made_run run;
};

void set_indexes_init(struct set_indexes *s, struct deployment *d,
		      const char *component, const struct schema *now)
{
	*s = (struct set_indexes){
		.d = d,
		.component = component,
		.now = now,
		.change = RUNS_CHANGE_INIT,
	};
}

void set_indexes_fini(struct set_indexes *s)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		segment_stage_free(s->prepared[i].run.stage);
	free(s->prepared);
	runs_change_fini(&s->change);
}

/* The kept index of the table; NULL: the schema has none. */
static const struct schema_index *
find_index(const struct schema *schema, const char *table, const char *index)
{
	const struct schema_table *t =
		schema ? schema_find_table(schema, table) : NULL;
	const struct schema_index *found;
	size_t i;

	for (i = 0; t && i < schema_table_index_count(t); i++) {
		found = schema_table_index(t, i);
		if (index_is_kept(found) && strcmp(found->name, index) == 0)
			return found;
	}
	return NULL;
}

static bool is_same(const struct schema_index *a, const struct schema_index *b)
{
	size_t i;

	if (!a || !b || a->field_count != b->field_count)
		return false;
	for (i = 0; i < a->field_count; i++)
		if (strcmp(a->fields[i], b->fields[i]) != 0)
			return false;
	return true;
}

/* Whether an index of the table orders as it did. */
static bool stays(const struct set_indexes *s, const struct schema *old,
		  const char *table, const char *index)
{
	return is_same(find_index(old, table, index),
		       find_index(s->now, table, index));
}

static int prepare_index(struct set_indexes *s, const struct schema_table *t,
			 const struct schema_index *index,
			 struct table_reader *reader, struct cvx_err *err)
{
	const struct table_info *info = table_reader_info(reader);
	const struct lines_place place = {.table = reader, .size = info->size};
	struct prepared_index *more;
	int r;

	if (s->count == s->capacity) {
		s->capacity = s->capacity * 2 + 8;
		more = reallocarray(s->prepared, s->capacity, sizeof(*more));
		if (!more)
			return cvx_fail_memory(err);
		s->prepared = more;
	}
	more = &s->prepared[s->count];
	*more = (struct prepared_index){
		.table = t,
		.revision = info->revision,
		.size = info->size,
	};
	r = run_make(s->d, index, &place, 0, &more->run, err);
	if (r == 0)
		s->count++;
	return r;
}

static int prepare_table(struct set_indexes *s, const struct schema *old,
			 const struct schema_table *t, struct cvx_err *err)
{
	const char *table = schema_table_name(t);
	const struct schema_index *index;
	struct table_reader *reader = NULL;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < schema_table_index_count(t); i++) {
		index = schema_table_index(t, i);
		if (!index_is_kept(index) || stays(s, old, table, index->name))
			continue;
		if (!reader)
			r = deployment_open_table(s->d, s->component, table,
						  &reader, err);
		if (r == -ENOENT)
			return 0; /* not there yet, and so empty */
		if (r < 0)
			return r;
		if (table_reader_info(reader)->size > RUN_TAIL_MAX)
			r = prepare_index(s, t, index, reader, err);
	}
	table_reader_close(reader);
	return r;
}

int set_indexes_prepare(struct set_indexes *s, const struct schema *old,
			struct cvx_err *err)
{
	size_t count = s->now ? schema_table_count(s->now) : 0, i;
	int r = 0;

	for (i = 0; r == 0 && i < count; i++)
		r = prepare_table(s, old, schema_table_at(s->now, i), err);
	return r;
}

/* The run of the index of the table at the revision; it is made if it was not
 * prepared. */
static int find_prepared(struct set_indexes *s, const struct schema_table *t,
			 const struct schema_index *index, uint64_t revision,
			 struct prepared_index **ret, struct cvx_err *err)
{
	struct table_reader *reader = NULL;
	size_t i;
	int r;

	for (i = 0; i < s->count; i++) {
		*ret = &s->prepared[i];
		if ((*ret)->run.index == index && (*ret)->revision == revision)
			return 0;
	}
	r = deployment_open_table(s->d, s->component, schema_table_name(t),
				  &reader, err);
	if (r == 0)
		r = prepare_index(s, t, index, reader, err);
	table_reader_close(reader);
	*ret = r == 0 ? &s->prepared[s->count - 1] : NULL;
	return r;
}

static int add_index(struct set_indexes *s, const struct schema_table *t,
		     const struct schema_index *index,
		     const struct table_row *row, struct catalog *c,
		     struct counters_row *counters, struct cvx_err *err)
{
	struct prepared_index *prepared;
	struct run_row run = {.start = 0};
	int r = find_prepared(s, t, index, row->info.revision, &prepared, err);

	if (r < 0)
		return r;
	memcpy(run.index, index->name, sizeof(run.index));
	run.size = prepared->size;
	run.row_count = prepared->run.row_count;
	return runs_publish(&s->change, s->d, c, counters, row->id, &run,
			    prepared->run.stage, err);
}

static int drop_old(struct set_indexes *s, const struct schema *old,
		    const struct table_row *row, struct catalog *c,
		    struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct run_row *runs = NULL;
	size_t count = 0, i;
	int r = runs_list(c, row->id, &runs, &count, err);

	for (i = 0; r == 0 && i < count; i++)
		if (!stays(s, old, row->info.name, runs[i].index))
			r = runs_drop_one(&s->change, c, &runs[i], err);
	return r;
}

static int apply_table(struct set_indexes *s, const struct schema *old,
		       const char *name, struct catalog *c,
		       struct counters_row *counters, struct cvx_err *err)
{
	const struct schema_table *t =
		s->now ? schema_find_table(s->now, name) : NULL;
	const struct schema_index *index;
	struct table_row row;
	size_t i;
	int r = table_find(c, s->component, name, &row, err);

	if (r <= 0)
		return r;
	r = drop_old(s, old, &row, c, err);
	for (i = 0; r == 0 && t && row.info.size > RUN_TAIL_MAX &&
		    i < schema_table_index_count(t);
	     i++) {
		index = schema_table_index(t, i);
		if (index_is_kept(index) && !stays(s, old, name, index->name))
			r = add_index(s, t, index, &row, c, counters, err);
	}
	return r;
}

/* The tables of both schemas. */
int set_indexes_apply(struct set_indexes *s, const struct schema *old,
		      struct catalog *c, struct counters_row *counters,
		      struct cvx_err *err)
{
	size_t now_count = s->now ? schema_table_count(s->now) : 0;
	size_t old_count = old ? schema_table_count(old) : 0, i;
	const char *name;
	int r = 0;

	for (i = 0; r == 0 && i < now_count; i++)
		r = apply_table(s, old,
				schema_table_name(schema_table_at(s->now, i)),
				c, counters, err);
	for (i = 0; r == 0 && i < old_count; i++) {
		name = schema_table_name(schema_table_at(old, i));
		if (!s->now || !schema_find_table(s->now, name))
			r = apply_table(s, old, name, c, counters, err);
	}
	return r < 0 ? r : runs_change_sync(&s->change, s->d, err);
}
