/*
 * The values of a page of data/sync (protocol.md 10.3):
 *
 *   [{"component":…,"table":…,"ts":…,"deleted":false,"value":{…}},…]
 *
 * A page has thousands of them, so each is read once: the reader of documents
 * finds the end of the value while it checks it. For that it must be known
 * before the value whose it is, and the value must be the last member; an
 * entry of another form, or with a fault, is walked over first and then read.
 */
#include "importer/remote/fetch_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"

/* Enough for a component, a table and a time. */
#define HEAD_MAX_SIZE 1024

enum { COMPONENT, TABLE, TIME, DELETED, VALUE, COUNT };
static const char *const names[COUNT] = {"component", "table", "ts", "deleted",
					 "value"};

/* What an entry has before its value, from its brace on. One with the same
 * bytes there says the same. */
struct head {
	char text[HEAD_MAX_SIZE];
	size_t size; /* 0: no such entry came yet */
};

bool fetch_is_ours(const struct fetch *f, const struct range *component,
		   const struct range *table)
{
	CVX_AUTO(cvx_freep) char *a = range_string(component);
	CVX_AUTO(cvx_freep) char *b = range_string(table);

	return a && b && strcmp(a, f->target->component) == 0 &&
	       strcmp(b, f->target->table) == 0;
}

/* An entry in any form. */
static int add_entry(struct fetch *f, const struct range *entry)
{
	struct range found[COUNT];

	if (!members_pick(entry, names, found, COUNT) || found[VALUE].size == 0)
		return cvx_fail(f->err, -EPROTO, "an entry without a value");
	if (!fetch_is_ours(f, &found[COMPONENT], &found[TABLE]))
		return 0;
	fetch_note_time(f, &found[TIME]);
	return range_is(&found[DELETED], "true")
		       ? fetch_add_gone(f, &found[VALUE])
		       : fetch_add_document(f, &found[VALUE]);
}

/* Behind the brace of an entry: whether only the value of a document of ours
 * is missing behind what stands there. Of a name the last counts. */
static bool read_head(struct fetch *f, struct json j, struct head *head)
{
	const char *start = j.text + j.start;
	struct range key, found[VALUE] = {{NULL, 0}};
	size_t i, value;

	head->size = 0;
	for (;;) {
		enum json_token token = json_next(&j);

		if (token != JSON_KEY)
			return false;
		key = (struct range){j.text + j.start, j.end - j.start};
		i = members_find(&key, names, COUNT);
		if (i == VALUE)
			break;
		token = json_next(&j);
		value = j.start;
		if (token == JSON_BAD || !json_skip_value(&j, token))
			return false;
		if (i < VALUE)
			found[i] =
				(struct range){j.text + value, j.end - value};
	}
	if ((size_t)(j.text + j.pos - start) > sizeof(head->text) ||
	    !range_is(&found[DELETED], "false") ||
	    !fetch_is_ours(f, &found[COMPONENT], &found[TABLE]))
		return false;
	fetch_note_time(f, &found[TIME]);
	head->size = (size_t)(j.text + j.pos - start);
	memcpy(head->text, start, head->size);
	return true;
}

static bool has_head(const struct json *j, const struct head *head)
{
	return head->size > 0 && j->size - j->start >= head->size &&
	       memcmp(j->text + j->start, head->text, head->size) == 0;
}

/* j is behind the first brace of an entry, and goes behind its last one. */
static int read_entry(struct fetch *f, struct json *j, struct head *head)
{
	struct range entry = {j->text + j->start, 0};
	size_t value, used;
	int r = 1;

	if (has_head(j, head) || read_head(f, *j, head)) {
		value = j->start + head->size;
		r = fetch_add_member(f, j->text + value, j->size - value,
				     &used);
	}
	if (r == 0)
		json_resume(j, value + used);
	if (r >= 0 && !json_skip_value(j, JSON_OBJECT))
		return cvx_fail(f->err, -EPROTO, "an entry is no JSON");
	if (r <= 0)
		return r;
	entry.size = j->end - (size_t)(entry.text - j->text);
	return add_entry(f, &entry);
}

int fetch_add_entries(struct fetch *f, struct json *j)
{
	struct head head = {.size = 0};
	enum json_token token = json_next(j);
	int r = 0;

	if (token != JSON_ARRAY)
		return cvx_fail(f->err, -EPROTO, "values are no list");
	while (r == 0 && (token = json_next(j)) == JSON_OBJECT)
		r = read_entry(f, j, &head);
	return r < 0 || token == JSON_CLOSE
		       ? r
		       : cvx_fail(f->err, -EPROTO, "values are no list");
}
