#include "importer/embedded/outlook.h"

#include <stdlib.h>
#include <string.h>

#include "cache/base/err.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/tables.h"
#include "importer/schema/schema.h"
#include "importer/value/refusal.h"

int outlook_init(struct outlook *o, struct deployment *d, struct catalog *c,
		 struct cvx_err *err)
{
	*o = (struct outlook){.d = d, .is_trusted = d->origin_url != NULL};
	return schemas_version(c, &o->schemas_version, err);
}

static void free_component(struct deployment *d, struct outlook_component *oc)
{
	schemas_unref(d, oc->schema);
	numbers_fini(&oc->numbers);
	free(oc->path);
	free(oc);
}

void outlook_fini(struct outlook *o)
{
	size_t i;

	for (i = 0; i < o->count; i++)
		free_component(o->d, o->components[i]);
	free(o->components);
	o->components = NULL;
	o->count = 0;
}

int outlook_add(struct outlook *o, struct catalog *c, const char *path,
		struct outlook_component **ret, struct cvx_err *err)
{
	struct outlook_component *oc, **more;
	struct active_schema *schema;
	int r = schemas_get(o->d, c, path, &schema, err);

	*ret = NULL;
	if (r < 0 || !schema)
		return r;
	oc = calloc(1, sizeof(*oc));
	more = reallocarray(o->components, o->count + 1, sizeof(*more));
	if (more)
		o->components = more;
	if (!oc || !more) {
		schemas_unref(o->d, schema);
		free(oc);
		return cvx_fail_memory(err);
	}
	oc->is_trusted = o->is_trusted;
	oc->schema = schema;
	numbers_init(&oc->numbers, path);
	o->components[o->count++] = oc;
	oc->path = strdup(path);
	if (!oc->path)
		return cvx_fail_memory(err);
	*ret = oc;
	return 0;
}

struct row_rules outlook_rules(const struct outlook_component *component,
			       const char *table)
{
	struct row_rules rules = {.component = component};

	if (component)
		rules.table =
			schema_find_table(component->schema->schema, table);
	if (component && !component->is_trusted)
		rules.validator =
			schema_enforced(component->schema->schema, table);
	return rules;
}

bool row_rules_agree(const struct row_rules *old, const struct row_rules *now)
{
	if (!old->component || !now->component)
		return old->component == now->component;
	return numbers_agree(&old->component->numbers, &now->component->numbers,
			     now->validator);
}

int foreign_ids_check(struct catalog *c, const struct schema *schema,
		      const struct renumbered_table *table, struct cvx_err *err)
{
	const struct validator *validator;
	struct table_row row;
	const char *name;
	size_t i;
	int r;

	for (i = 0; i < schema_table_count(schema); i++) {
		name = schema_table_name(schema_table_at(schema, i));
		validator = schema_table_validator(schema_table_at(schema, i));
		if (!validator || table->is_exempt(table->ctx, name) ||
		    !validator_references(validator, table->name))
			continue;
		r = table_find(c, table->component, name, &row, err);
		if (r == 1 && row.info.document_count > 0)
			return refuse(err, "ImportForeignKey",
				      "table %s would get the number %u in "
				      "place of %u, but documents of table %s "
				      "have ids of it",
				      table->name, table->new_number,
				      table->old_number, name);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_row(const void *ctx, const char *line, size_t size,
		     struct cvx_err *err)
{
	const struct row_rules *rules = ctx;
	struct validator_tables tables =
		numbers_tables(&rules->component->numbers);

	return validator_check(rules->validator, &tables, line, size, err);
}

static bool is_optional(const void *ctx, const char *field, size_t size)
{
	const struct row_rules *rules = ctx;

	return schema_field_is_optional(rules->table, field, size);
}

struct format_rules row_rules_format(const struct row_rules *rules)
{
	struct format_rules format = {.check = {.ctx = rules}};

	if (rules->validator)
		format.check.run = check_row;
	if (rules->table && schema_table_validator(rules->table))
		format.is_optional = is_optional;
	return format;
}
