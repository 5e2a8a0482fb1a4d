#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "importer/schema/validator_inside.h"
#include "importer/value/id.h"
#include "importer/value/name.h"
#include "importer/value/refusal.h"
#include "importer/value/utf8.h"
#include "importer/value/walk.h"

#define PATH_SIZE 160
#define WANT_SIZE 160
#define FOUND_SIZE 96

/* Longer texts and lists are cut. */
#define QUOTE_MAX 40
#define LITERALS_MAX 5

/* A sentence put together; what does not fit is left out. */
struct words {
	char *text;
	size_t size, used;
};

static void say(struct words *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct words *w, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(w->text + w->used, w->size - w->used, fmt, ap);
	va_end(ap);
	if (n > 0)
		w->used += (size_t)n;
	if (w->used >= w->size)
		w->used = w->size - 1;
}

/* Text from a document, cut between characters. */
static void say_text(struct words *w, const char *text, size_t size)
{
	size_t shown = size;

	if (size > QUOTE_MAX)
		shown = utf8_valid_size(text, QUOTE_MAX);
	say(w, "%.*s%s", (int)shown, text, shown < size ? "..." : "");
}

static void say_step(struct words *path, const char *key, size_t size)
{
	if (name_is_identifier_field(key, size)) {
		say(path, "%s", path->used > 0 ? "." : "");
		say_text(path, key, size);
	} else {
		say(path, "[\"");
		say_text(path, key, size);
		say(path, "\"]");
	}
}

/* Steps from the object at p to the field in which the place is. */
static const char *enter_object(struct words *path, const char *p,
				const char *end, const char *place)
{
	struct walk_field f;

	while (walk_field(&p, end, &f)) {
		p = walk_value(p, end);
		if (p && place < p) {
			say_step(path, f.key, f.key_size);
			return f.value;
		}
	}
	return NULL;
}

static const char *enter_array(struct words *path, const char *p,
			       const char *end, const char *place)
{
	for (size_t i = 0; walk_element(&p, end); i++) {
		const char *element = p;

		p = walk_value(p, end);
		if (p && place < p) {
			say(path, "[%zu]", i);
			return element;
		}
	}
	return NULL;
}

/* The path of the value at place; nothing for the outermost one. */
static void say_path(struct words *path, const struct validator_run *run,
		     const char *place)
{
	const char *p = run->text;

	while (p && p != place) {
		if (*p == '{')
			p = enter_object(path, p, run->end, place);
		else if (*p == '[')
			p = enter_array(path, p, run->end, place);
		else
			break;
	}
}

static void say_literals(struct words *w, const struct validator *v,
			 const struct validator_node *node)
{
	for (uint32_t i = 0; i < node->count; i++) {
		const struct validator_literal *l =
			&v->literals[node->first + i];

		if (i == LITERALS_MAX) {
			say(w, " or %" PRIu32 " others", node->count - i);
			return;
		}
		say(w, "%s", i > 0 ? ", " : "");
		say_text(w, v->pool + l->text, l->size);
	}
}

static void say_wanted(struct words *w, const struct validator *v, uint32_t n)
{
	const struct validator_node *node = &v->nodes[n];
	uint32_t last = n + node->span;

	switch ((enum validator_op)node->op) {
	case VALIDATOR_ANY:
		say(w, "anything");
		break;
	case VALIDATOR_NULL:
		say(w, "null");
		break;
	case VALIDATOR_FLOAT64:
		say(w, "a number (float64)");
		break;
	case VALIDATOR_INT64:
		say(w, "a bigint (int64)");
		break;
	case VALIDATOR_BOOLEAN:
		say(w, "a boolean");
		break;
	case VALIDATOR_STRING:
		say(w, "a string");
		break;
	case VALIDATOR_BYTES:
		say(w, "bytes");
		break;
	case VALIDATOR_LITERALS:
		say_literals(w, v, node);
		break;
	case VALIDATOR_ID:
		say(w, "an id of table \"%s\"", v->pool + node->first);
		break;
	case VALIDATOR_ARRAY:
		say(w, "an array");
		break;
	case VALIDATOR_RECORD:
	case VALIDATOR_OBJECT:
	case VALIDATOR_ROOT_OBJECT:
		say(w, "an object");
		break;
	case VALIDATOR_UNION:
		if (node->span == 1)
			say(w, "nothing, as the union is empty");
		for (uint32_t m = n + 1; m < last; m += v->nodes[m].span) {
			say(w, "%s", m > n + 1 ? " or " : "");
			say_wanted(w, v, m);
		}
		break;
	}
}

/* What a string is as an id, if an id is wanted. */
static void say_id(struct words *w, const struct validator_run *run,
		   const char *text, size_t size)
{
	struct internal_id id;
	const char *table;
	uint32_t number;

	if (id_decode(text, size, &number, &id) < 0) {
		say(w, ", which is no id");
		return;
	}
	table = run->tables->name(run->tables->ctx, number);
	if (table)
		say(w, ", which is an id of table \"%s\"", table);
	else
		say(w, ", which is an id of table number %" PRIu32, number);
	if (!table)
		say(w, ", and there is no such table");
}

static void say_found(struct words *w, const struct validator_run *run,
		      const struct validator_failure *f)
{
	const char *p = f->place, *behind = walk_value(p, run->end);
	size_t size = behind ? (size_t)(behind - p) : 0;

	switch (walk_kind(p, run->end)) {
	case WALK_NULL:
		say(w, "null");
		break;
	case WALK_INT64:
		say(w, "the bigint (int64) ");
		say_text(w, p, size);
		break;
	case WALK_FLOAT64:
		say(w, "the number (float64) ");
		if (*p == '{')
			say(w, "NaN or Infinity");
		else
			say_text(w, p, size);
		break;
	case WALK_BOOLEAN:
		say_text(w, p, size);
		break;
	case WALK_STRING:
		say(w, "the string ");
		say_text(w, p, size);
		if (run->v->nodes[f->node].op == VALIDATOR_ID && size >= 2)
			say_id(w, run, p + 1, size - 2);
		break;
	case WALK_BYTES:
		say(w, "bytes");
		break;
	case WALK_ARRAY:
		say(w, "an array");
		break;
	case WALK_OBJECT:
		say(w, "an object");
		break;
	case WALK_DAMAGED:
		say(w, "no value");
		break;
	}
}

/* "field a.b: ", or nothing for the value outermost. */
static const char *prefix(const struct words *path)
{
	return path->used > 0 ? "field " : "";
}

static int refuse_type(const struct validator_run *run,
		       const struct words *path, struct cvx_err *err)
{
	char want[WANT_SIZE] = "", found[FOUND_SIZE + QUOTE_MAX] = "";
	struct words wanted = {want, sizeof(want), 0};
	struct words is = {found, sizeof(found), 0};

	for (size_t i = 0; i < run->failure_count; i++) {
		if (run->failures[i].what != FAULT_TYPE)
			continue;
		say(&wanted, "%s", wanted.used > 0 ? " or " : "");
		say_wanted(&wanted, run->v, run->failures[i].node);
	}
	say_found(&is, run, &run->failures[0]);
	return refuse(err, "SchemaEnforcementError",
		      "does not match the schema: %s%s%sexpected %s, found %s",
		      prefix(path), path->text, path->used > 0 ? ": " : "",
		      want, found);
}

static int refuse_key(const struct validator_run *run, const struct words *path,
		      struct cvx_err *err)
{
	char want[WANT_SIZE] = "";
	struct words wanted = {want, sizeof(want), 0};

	say_wanted(&wanted, run->v, run->failures[0].node);
	return refuse(err, "SchemaEnforcementError",
		      "does not match the schema: field %s: expected %s as "
		      "the name of the field",
		      path->text, want);
}

int validator_explain(const struct validator_run *run, struct cvx_err *err)
{
	const struct validator_failure *f = &run->failures[0];
	const struct validator *v = run->v;
	char text[PATH_SIZE] = "";
	struct words path = {text, sizeof(text), 0};

	assert(run->failure_count > 0);
	say_path(&path, run, f->place);
	switch (f->what) {
	case FAULT_TYPE:
		break;
	case FAULT_KEY:
		return refuse_key(run, &path, err);
	case FAULT_MISSING:
		say_step(&path, v->pool + v->fields[f->field].name,
			 v->fields[f->field].name_size);
		return refuse(err, "SchemaEnforcementError",
			      "does not match the schema: field %s is missing",
			      text);
	case FAULT_EXTRA:
		return refuse(err, "SchemaEnforcementError",
			      "does not match the schema: field %s is not in "
			      "the schema",
			      text);
	}
	return refuse_type(run, &path, err);
}
