#include <errno.h>
#include <stdlib.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/schema/json_tree.h"
#include "importer/schema/validator_inside.h"
#include "importer/value/value.h"

/*
 * The validator is known to be valid: what must be there, is there.
 */
struct printer {
	struct value_reader *reader;
	struct cvx_buf *out;
	struct cvx_err *err;
};

static int print(const struct printer *p, const struct json_tree_node *json);

static int put(const struct printer *p, const char *text, size_t size)
{
	int r = cvx_buf_append(p->out, text, size);

	return r < 0 ? cvx_fail(p->err, r, "no room for the schema") : 0;
}

static int puts_(const struct printer *p, const char *text)
{
	int r = cvx_buf_puts(p->out, text);

	return r < 0 ? cvx_fail(p->err, r, "no room for the schema") : 0;
}

static bool type_is(const struct json_tree_node *json, const char *type)
{
	return json_tree_string_is(&json_tree_field(json, "type")->string,
				   type);
}

/* Internal encoding of what may stand there in other ways, too. */
static int print_literal(const struct printer *p,
			 const struct json_tree_node *json)
{
	const struct json_tree_string *raw =
		&json_tree_field(json, "value")->raw;
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf text = CVX_BUF_INIT(JSON_TREE_TEXT_MAX);
	int r = puts_(p, "{\"type\":\"literal\",\"value\":");

	if (r == 0)
		r = value_read(p->reader, raw->text, raw->size, &text, p->err);
	if (r < 0)
		return r;
	r = value_print_internal(text.data, text.size, p->out);
	if (r < 0)
		return cvx_fail(p->err, r, "no room for the schema");
	return puts_(p, "}");
}

static int print_field_type(const struct printer *p,
			    const struct json_tree_node *json)
{
	bool optional =
		json_tree_field(json, "optional")->kind == JSON_TREE_TRUE;
	int r = puts_(p, "{\"fieldType\":");

	if (r == 0)
		r = print(p, json_tree_field(json, "fieldType"));
	if (r == 0)
		r = puts_(p, optional ? ",\"optional\":true}"
				      : ",\"optional\":false}");
	return r;
}

static int print_record(const struct printer *p,
			const struct json_tree_node *json)
{
	int r = puts_(p, "{\"type\":\"record\",\"keys\":");

	if (r == 0)
		r = print(p, json_tree_field(json, "keys"));
	if (r == 0)
		r = puts_(p, ",\"values\":");
	if (r == 0)
		r = print_field_type(p, json_tree_field(json, "values"));
	return r < 0 ? r : puts_(p, "}");
}

static int print_object(const struct printer *p,
			const struct json_tree_node *json, bool root)
{
	CVX_AUTO(cvx_freep) const struct json_tree_node **fields = NULL;
	const struct json_tree_node *value = json_tree_field(json, "value");
	const char *comma = "";
	int r = puts_(p, "{\"type\":\"object\",\"value\":{");

	if (r == 0)
		r = json_tree_sorted(value, &fields, p->err);
	for (uint32_t i = 0; r == 0 && i < value->count; i++) {
		const struct json_tree_string *key = &fields[i]->key;

		if (root && key->size > 0 && key->text[0] == '_')
			continue;
		r = puts_(p, comma);
		if (r == 0)
			r = puts_(p, "\"");
		if (r == 0)
			r = put(p, key->text, key->size);
		if (r == 0)
			r = puts_(p, "\":");
		if (r == 0)
			r = print_field_type(p, fields[i]);
		comma = ",";
	}
	return r < 0 ? r : puts_(p, "}}");
}

static int print_union(const struct printer *p,
		       const struct json_tree_node *json, bool root)
{
	const struct json_tree_node *value = json_tree_field(json, "value");
	int r = puts_(p, "{\"type\":\"union\",\"value\":[");

	for (const struct json_tree_node *m = value->first; r == 0 && m;
	     m = m->next) {
		if (m != value->first)
			r = puts_(p, ",");
		if (r == 0)
			r = root ? print_object(p, m, true) : print(p, m);
	}
	return r < 0 ? r : puts_(p, "]}");
}

/* {"type":"array","value":…} and {"type":"id","tableName":…} */
static int print_with(const struct printer *p,
		      const struct json_tree_node *json, const char *start,
		      const char *name)
{
	const struct json_tree_node *value = json_tree_field(json, name);
	int r = puts_(p, start);

	if (r == 0 && value->kind == JSON_TREE_STRING) {
		/* An identifier, which needs no escapes. */
		r = puts_(p, "\"");
		if (r == 0)
			r = put(p, value->string.text, value->string.size);
		if (r == 0)
			r = puts_(p, "\"");
	} else if (r == 0) {
		r = print(p, value);
	}
	return r < 0 ? r : puts_(p, "}");
}

static int print_simple(const struct printer *p,
			const struct json_tree_node *json)
{
	const struct json_tree_string *type =
		&json_tree_field(json, "type")->string;
	int r = puts_(p, "{\"type\":\"");

	if (r < 0)
		return r;
	if (json_tree_string_is(type, "map") ||
	    json_tree_string_is(type, "set"))
		r = puts_(p, "any");
	else
		r = put(p, type->text, type->size);
	return r < 0 ? r : puts_(p, "\"}");
}

static int print(const struct printer *p, const struct json_tree_node *json)
{
	if (type_is(json, "literal"))
		return print_literal(p, json);
	if (type_is(json, "id"))
		return print_with(p, json, "{\"type\":\"id\",\"tableName\":",
				  "tableName");
	if (type_is(json, "array"))
		return print_with(p, json,
				  "{\"type\":\"array\",\"value\":", "value");
	if (type_is(json, "record"))
		return print_record(p, json);
	if (type_is(json, "object"))
		return print_object(p, json, false);
	if (type_is(json, "union"))
		return print_union(p, json, false);
	return print_simple(p, json);
}

int validator_print(const struct json_tree_node *json,
		    enum validator_scope scope, struct value_reader *literals,
		    struct cvx_buf *out, struct cvx_err *err)
{
	const struct printer p = {literals, out, err};

	if (scope == VALIDATOR_VALUE)
		return print(&p, json);
	if (type_is(json, "object"))
		return print_object(&p, json, true);
	if (!type_is(json, "union"))
		return print(&p, json);
	if (json_tree_field(json, "value")->count == 1)
		return print_object(&p, json_tree_field(json, "value")->first,
				    true);
	return print_union(&p, json, true);
}
