#include "importer/value/mime.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "importer/value/mime_tables.h"

/* The longest extension of the table has 11 bytes. */
#define EXTENSION_MAX 31

/* RFC 7231, token. */
static bool is_token(char c)
{
	return isalnum((unsigned char)c) ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_quoted(char c)
{
	return (unsigned char)c > 31 && c != 127 && c != '"';
}

static void lower(char *text, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		text[i] = (char)tolower((unsigned char)text[i]);
}

/* Where the token that begins at i ends. */
static size_t token_end(const char *text, size_t size, size_t i)
{
	while (i < size && is_token(text[i]))
		i++;
	return i;
}

/* Behind the value at i of a parameter, and where its text stands. -1: wrong.
 */
static int read_value(const char *text, size_t size, size_t *i,
		      size_t *ret_start, size_t *ret_end)
{
	size_t at = *i;

	if (at < size && text[at] == '"') {
		*ret_start = ++at;
		while (at < size && is_quoted(text[at]))
			at++;
		if (at == size || text[at] != '"')
			return -EINVAL;
		*ret_end = at++;
		while (at < size && text[at] == ' ')
			at++;
	} else {
		*ret_start = at;
		at = token_end(text, size, at);
		*ret_end = at;
		/* Only the last value may be empty. */
		if (at < size && at == *ret_start)
			return -EINVAL;
	}
	if (at < size && text[at++] != ';')
		return -EINVAL;
	*i = at;
	return 0;
}

/* One parameter, which begins at *i; goes behind it and its ';'. */
static int read_parameter(char *text, size_t size, size_t *i)
{
	static const char charset[] = "charset";
	size_t start = *i, end = token_end(text, size, start), value_end;
	int r;

	if (end == start || end == size || text[end] != '=')
		return -EINVAL;
	lower(text + start, end - start);
	*i = end + 1;
	if (end - start != strlen(charset) ||
	    memcmp(text + start, charset, end - start) != 0)
		return read_value(text, size, i, &start, &value_end);
	r = read_value(text, size, i, &start, &value_end);
	if (r == 0)
		lower(text + start, value_end - start);
	return r;
}

int mime_normalise(char *text, size_t *size)
{
	size_t slash = token_end(text, *size, 0), semicolon, i;
	bool has_parameters = false;
	int r;

	if (*size > MIME_TYPE_MAX || slash == 0 || slash == *size ||
	    text[slash] != '/')
		return -EINVAL;
	semicolon = token_end(text, *size, slash + 1);
	lower(text, semicolon);
	if (semicolon == *size)
		return 0;
	if (text[semicolon] != ';' || semicolon == slash + 1)
		return -EINVAL;
	for (i = semicolon + 1; i < *size; has_parameters = true) {
		while (i < *size && text[i] == ' ')
			i++;
		if (i == *size)
			break;
		r = read_parameter(text, *size, &i);
		if (r < 0)
			return r;
	}
	if (!has_parameters)
		*size = semicolon;
	return 0;
}

struct key {
	const char *text;
	size_t size;
};

static int compare(const void *a, const void *b)
{
	const struct key *key = a;
	const struct mime_pair *pair = b;
	int order = strncmp(key->text, pair->key, key->size);

	return order != 0 || pair->key[key->size] == '\0' ? order : -1;
}

static const char *find(const char *text, size_t size,
			const struct mime_pair *table, size_t count)
{
	const struct key key = {text, size};
	const struct mime_pair *pair =
		bsearch(&key, table, count, sizeof(*table), compare);

	return pair ? pair->value : NULL;
}

const char *mime_extension(const char *content_type)
{
	return find(content_type, strcspn(content_type, ";"), mime_extensions,
		    mime_extension_count);
}

const char *mime_type_of_extension(const char *extension)
{
	char text[EXTENSION_MAX];
	size_t size = strlen(extension);

	if (size > sizeof(text))
		return NULL;
	memcpy(text, extension, size);
	lower(text, size);
	return find(text, size, mime_types, mime_type_count);
}
