/*
 * The text:
 *
 *   "2" SCOPE MADE SYNC, then for each component ";" PATH, and for each of its
 *   tables "," NAME ":" REVISION ":" COMMITTED ":" OFFSET ":" SEGMENT, then
 *   "." SUM
 *
 * SCOPE, MADE, SYNC and SUM have 16 hexadecimal digits, the other numbers as
 * many as they need. SUM is that of all before it: what was cut or changed on
 * its way is no cursor.
 */
#include "importer/server/data_sync_cursor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "importer/server/scope.h"
#include "importer/value/name.h"

#define VERSION '2'
#define DIGITS 16
#define HEAD_SIZE (1 + 3 * DIGITS)
#define SUM_SIZE (1 + DIGITS)

void sync_cursor_fini(struct sync_cursor *c)
{
	free(c->tables);
	free(c->text);
	*c = (struct sync_cursor)SYNC_CURSOR_INIT;
}

int sync_cursor_add(struct sync_cursor *c, const struct known_table *table)
{
	struct known_table *more;

	if (c->count == c->capacity) {
		c->capacity = c->capacity * 2 + 16;
		more = reallocarray(c->tables, c->capacity, sizeof(*more));
		if (!more)
			return -ENOMEM;
		c->tables = more;
	}
	c->tables[c->count++] = *table;
	return 0;
}

/* --- printing ------------------------------------------------------------ */

int sync_cursor_print(const struct sync_cursor *c, struct cvx_buf *out)
{
	size_t start = out->size, i;
	int r = cvx_buf_printf(out, "%c%016" PRIx64 "%016" PRIx64 "%016" PRIx64,
			       VERSION, c->scope, (uint64_t)c->made_ns,
			       c->sync_id);

	for (i = 0; r == 0 && i < c->count; i++) {
		const struct known_table *t = &c->tables[i];

		if (i == 0 ||
		    strcmp(t->component, c->tables[i - 1].component) != 0)
			r = cvx_buf_printf(out, ";%s", t->component);
		if (r == 0)
			r = cvx_buf_printf(out,
					   ",%s:%" PRIx64 ":%" PRIx64
					   ":%" PRIx64 ":%" PRIx64,
					   t->name, t->revision,
					   (uint64_t)t->committed_ns,
					   t->place.off, t->place.segment);
	}
	return r < 0 ? r
		     : cvx_buf_printf(out, ".%016" PRIx64,
				      scope_add(SCOPE_INIT, out->data + start,
						out->size - start));
}

/* --- reading ------------------------------------------------------------- */

/* A number of 1 to 16 small hexadecimal digits; *at goes behind it. */
static bool read_number(char **at, uint64_t *ret)
{
	size_t size = strspn(*at, "0123456789abcdef");

	if (size == 0 || size > DIGITS)
		return false;
	*ret = strtoull(*at, NULL, 16);
	*at += size;
	return true;
}

static bool read_digits(const char *at, uint64_t *ret)
{
	char digits[DIGITS + 1], *end = digits;

	memcpy(digits, at, DIGITS);
	digits[DIGITS] = '\0';
	return strlen(digits) == DIGITS && read_number(&end, ret) && !*end;
}

/* Ends the name that begins at *at, and goes behind the character there. */
static char *cut_name(char **at, const char *ends, char *ret_end)
{
	char *name = *at;

	*at += strcspn(*at, ends);
	*ret_end = **at;
	if (**at)
		*(*at)++ = '\0';
	return name;
}

static bool is_ordered(const struct sync_cursor *c, const struct known_table *t)
{
	const struct known_table *last;
	int order;

	if (c->count == 0)
		return true;
	last = &c->tables[c->count - 1];
	order = strcmp(last->component, t->component);
	return order < 0 || (order == 0 && strcmp(last->name, t->name) < 0);
}

/* NAME:REVISION:COMMITTED:OFFSET:SEGMENT */
static int read_table(struct sync_cursor *c, const char *component, char **at)
{
	struct known_table t = {.component = component};
	uint64_t committed;
	char end;

	t.name = cut_name(at, ":", &end);
	if (!end || !name_is_user_table(t.name, strlen(t.name)) ||
	    !read_number(at, &t.revision) || *(*at)++ != ':' ||
	    !read_number(at, &committed) || committed > INT64_MAX ||
	    *(*at)++ != ':' || !read_number(at, &t.place.off) ||
	    *(*at)++ != ':' || !read_number(at, &t.place.segment) ||
	    !is_ordered(c, &t))
		return -EINVAL;
	t.committed_ns = (int64_t)committed;
	return sync_cursor_add(c, &t);
}

/* Of what stands behind the head. */
static int read_tables(struct sync_cursor *c, char *at)
{
	char *component, end;
	int r = 0;

	while (r == 0 && *at) {
		if (*at++ != ';')
			return -EINVAL;
		component = cut_name(&at, ",", &end);
		if (!end ||
		    !name_is_component_path(component, strlen(component)))
			return -EINVAL;
		r = read_table(c, component, &at);
		while (r == 0 && *at == ',') {
			at++;
			r = read_table(c, component, &at);
		}
	}
	return r;
}

int sync_cursor_read(struct sync_cursor *c, const char *text)
{
	size_t size = strlen(text);
	uint64_t sum, made;

	if (size < HEAD_SIZE + SUM_SIZE || text[0] != VERSION)
		return -EINVAL;
	size -= SUM_SIZE;
	if (text[size] != '.' || !read_digits(text + size + 1, &sum) ||
	    sum != scope_add(SCOPE_INIT, text, size) ||
	    !read_digits(text + 1, &c->scope) ||
	    !read_digits(text + 1 + DIGITS, &made) || made > INT64_MAX ||
	    !read_digits(text + 1 + 2 * DIGITS, &c->sync_id))
		return -EINVAL;
	c->made_ns = (int64_t)made;
	c->text = strndup(text + HEAD_SIZE, size - HEAD_SIZE);
	if (!c->text)
		return -ENOMEM;
	return read_tables(c, c->text);
}
