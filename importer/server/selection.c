#include "importer/server/selection.h"

#include <errno.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "importer/server/reply.h"
#include "importer/value/walk.h"

/* "included", "excluded", or an object with a word or object for each name and
 * for "_other". */
static bool is_word(const cJSON *item)
{
	const char *word = cJSON_GetStringValue(item);

	return word &&
	       (strcmp(word, "included") == 0 || strcmp(word, "excluded") == 0);
}

static bool check(const cJSON *item, unsigned depth)
{
	const cJSON *child;

	if (is_word(item))
		return true;
	if (!cJSON_IsObject(item) || depth == 0)
		return false;
	cJSON_ArrayForEach(child, item)
	{
		if (!check(child, depth - 1))
			return false;
	}
	return true;
}

int selection_check(const cJSON *tree, struct cvx_err *err)
{
	/* components, tables, fields, words */
	if (!tree || (cJSON_IsObject(tree) && check(tree, 3)))
		return 0;
	return cvx_fail_named(err, -EINVAL, "BadJsonBody",
			      "selection is not understood");
}

/* What the tree says of a name: its own entry, else that of the others. */
static const cJSON *entry(const cJSON *tree, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(tree, name);

	return item ? item : cJSON_GetObjectItemCaseSensitive(tree, "_other");
}

static bool is_excluded(const cJSON *item)
{
	const char *word = cJSON_GetStringValue(item);

	return word && strcmp(word, "excluded") == 0;
}

bool selection_has_table(const struct selection *s, const char *component,
			 const char *table)
{
	const cJSON *of_component;

	if (s->table && strcmp(s->table, table) != 0)
		return false;
	/* A table without a component is one of the root. */
	if (s->table && !s->component && component[0])
		return false;
	if (s->component && strcmp(s->component, component) != 0)
		return false;
	of_component = entry(s->tree, component);
	return !is_excluded(of_component) &&
	       !is_excluded(entry(of_component, table));
}

const cJSON *selection_fields(const struct selection *s, const char *component,
			      const char *table)
{
	const cJSON *of_table = entry(entry(s->tree, component), table);
	const cJSON *child;

	cJSON_ArrayForEach(child, of_table)
	{
		if (is_excluded(child))
			return of_table;
	}
	return NULL;
}

static bool has_field(const cJSON *fields, const struct walk_field *field)
{
	char name[256];

	if (field->key_size >= sizeof(name))
		return true;
	memcpy(name, field->key, field->key_size);
	name[field->key_size] = '\0';
	return strcmp(name, "_id") == 0 || !is_excluded(entry(fields, name));
}

int selection_print(const cJSON *fields, const char *document, size_t size,
		    struct cvx_buf *out)
{
	const char *place = document, *end = document + size;
	struct walk_field field;
	size_t start;
	int r;

	if (!fields)
		return cvx_buf_append(out, document, size);
	r = cvx_buf_puts(out, "{");
	start = out->size;
	while (r == 0 && walk_field(&place, end, &field)) {
		place = walk_value(field.value, end);
		if (!place)
			return -EIO;
		if (!has_field(fields, &field))
			continue;
		if (out->size > start)
			r = cvx_buf_puts(out, ",");
		/* From its first quote to the end of its value. */
		if (r == 0)
			r = cvx_buf_append(out, field.key - 1,
					   (size_t)(place - field.key) + 1);
	}
	return r < 0 ? r : cvx_buf_puts(out, "}");
}
