#include "importer/remote/dotenv.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/remote/secret.h"
#include "importer/remote/small_file.h"

/* What is being read: p to end; CR and CRLF count as line ends. */
struct cursor {
	const char *p;
	const char *end;
};

/* A range of the text. */
struct range {
	const char *start;
	size_t size;
};

static bool is_line_end(char c)
{
	return c == '\n' || c == '\r';
}

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '-';
}

static const char *skip_blank(const char *p, const char *end)
{
	while (p < end && isspace((unsigned char)*p))
		p++;
	return p;
}

static const char *skip_line(const char *p, const char *end)
{
	while (p < end && !is_line_end(*p))
		p++;
	return p;
}

/* NAME and the sign behind it; NULL: not here. */
static const char *read_name(const char *p, const char *end, struct range *ret)
{
	const char *sign;

	ret->start = p;
	while (p < end && is_name_char(*p))
		p++;
	ret->size = (size_t)(p - ret->start);
	if (ret->size == 0)
		return NULL;
	sign = skip_blank(p, end);
	if (sign < end && *sign == '=')
		return sign + 1;
	/* "NAME: value", but not "NAME:value" or "NAME : value" */
	if (p + 1 < end && *p == ':' && isspace((unsigned char)p[1]))
		return p + 1;
	return NULL;
}

/* "export NAME=" or "NAME="; a variable may also be called export. */
static const char *read_left_side(const char *p, const char *end,
				  struct range *ret)
{
	const char *word = p + 6, *behind;

	if (end - p > 6 && memcmp(p, "export", 6) == 0 &&
	    isspace((unsigned char)*word)) {
		behind = read_name(skip_blank(word, end), end, ret);
		if (behind)
			return behind;
	}
	return read_name(p, end, ret);
}

/* Whether nothing but a comment follows on this line; moves behind it. */
static bool ends_here(const char **p, const char *end)
{
	const char *q = *p;

	while (q < end && isspace((unsigned char)*q) && !is_line_end(*q))
		q++;
	if (q < end && !is_line_end(*q) && *q != '#')
		return false;
	*p = skip_line(q, end);
	return true;
}

/*
 * 'text', the quotes being p[0] and the first later one without a backslash in
 * front; if no value can end there, the last one with a backslash.
 */
static const char *read_quoted(const char *p, const char *end,
			       struct range *ret)
{
	const char *q, *behind;

	for (q = p + 1; q < end && *q != *p; q++)
		if (*q == '\\' && q + 1 < end && q[1] == *p)
			q++;
	for (; q > p; q--) {
		if (q >= end || *q != *p)
			continue;
		behind = q + 1;
		if (!ends_here(&behind, end))
			continue;
		ret->start = p + 1;
		ret->size = (size_t)(q - p - 1);
		return behind;
	}
	return NULL;
}

static const char *read_unquoted(const char *p, const char *end,
				 struct range *ret)
{
	ret->start = p;
	while (p < end && !is_line_end(*p) && *p != '#')
		p++;
	ret->size = (size_t)(p - ret->start);
	while (ret->size > 0 && isspace((unsigned char)*ret->start)) {
		ret->start++;
		ret->size--;
	}
	while (ret->size > 0 &&
	       isspace((unsigned char)ret->start[ret->size - 1]))
		ret->size--;
	return skip_line(p, end);
}

/* A copy with LF for CR and CRLF; with escapes also for \n and \r. */
static char *copy_value(struct range range, bool escapes)
{
	char *value = malloc(range.size + 1);
	size_t i, n = 0;

	if (!value)
		return NULL;
	for (i = 0; i < range.size; i++) {
		char c = range.start[i];
		char next = i + 1 < range.size ? range.start[i + 1] : '\0';

		if (c == '\r') {
			i += next == '\n';
			c = '\n';
		} else if (escapes && c == '\\' &&
			   (next == 'n' || next == 'r')) {
			c = next == 'n' ? '\n' : '\r';
			i++;
		}
		value[n++] = c;
	}
	value[n] = '\0';
	return value;
}

static int add(struct dotenv *d, struct range name, struct range value,
	       bool escapes)
{
	struct dotenv_pair *pairs, *pair;

	pairs = reallocarray(d->pairs, d->pair_count + 1, sizeof(*pairs));
	if (!pairs)
		return -ENOMEM;
	d->pairs = pairs;
	pair = &pairs[d->pair_count];
	pair->name = secret_copy(name.start, name.size);
	pair->value = copy_value(value, escapes);
	if (!pair->name || !pair->value) {
		free(pair->name);
		secret_free(pair->value);
		return -ENOMEM;
	}
	d->pair_count++;
	return 0;
}

/* One assignment, or one line that is none. */
static int read_one(struct dotenv *d, struct cursor *c)
{
	struct range name, value;
	const char *sign, *quote, *behind = NULL;
	bool escapes = false;
	int r;

	c->p = skip_blank(c->p, c->end);
	sign = read_left_side(c->p, c->end, &name);
	if (!sign) {
		c->p = skip_line(c->p, c->end);
		return 0;
	}
	quote = skip_blank(sign, c->end);
	if (quote < c->end && strchr("'\"`", *quote)) {
		behind = read_quoted(quote, c->end, &value);
		escapes = *quote == '"';
	}
	if (!behind)
		behind = read_unquoted(sign, c->end, &value);
	r = add(d, name, value, escapes);
	c->p = behind;
	return r;
}

int dotenv_read_text(struct dotenv *ret, const char *text, size_t size,
		     struct cvx_err *err)
{
	struct dotenv d = DOTENV_INIT;
	struct cursor c = {text, text + size};
	int r = 0;

	if (size > 0 && memchr(text, '\0', size))
		return cvx_fail(err, -EINVAL,
				"not a text: it holds a NUL byte");
	while (r == 0 && c.p < c.end)
		r = read_one(&d, &c);
	if (r < 0) {
		dotenv_fini(&d);
		return cvx_fail_memory(err);
	}
	*ret = d;
	return 0;
}

int dotenv_read_file(struct dotenv *ret, int dir_fd, const char *path,
		     struct cvx_err *err)
{
	CVX_AUTO(secret_freep) char *text = NULL;
	size_t size;
	int r;

	r = small_file_read(dir_fd, path, DOTENV_SIZE_MAX, &text, &size, err);
	if (r < 0)
		return r;
	r = dotenv_read_text(ret, text, size, err);
	return r < 0 ? cvx_err_prefix(err, "%s", path) : 0;
}

void dotenv_fini(struct dotenv *d)
{
	size_t i;

	for (i = 0; i < d->pair_count; i++) {
		free(d->pairs[i].name);
		secret_free(d->pairs[i].value);
	}
	free(d->pairs);
	*d = (struct dotenv)DOTENV_INIT;
}

const char *dotenv_find(const struct dotenv *d, const char *name)
{
	size_t i;

	for (i = d->pair_count; i > 0; i--)
		if (strcmp(d->pairs[i - 1].name, name) == 0)
			return d->pairs[i - 1].value;
	return NULL;
}
