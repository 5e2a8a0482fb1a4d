#include "importer/value/name.h"

#include <string.h>

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

bool name_is_identifier(const char *name, size_t size)
{
	bool significant = false; /* "_" and "__" are no identifiers */

	if (size == 0 || size > NAME_MAX_SIZE)
		return false;
	if (name[0] >= '0' && name[0] <= '9')
		return false;
	for (size_t i = 0; i < size; i++) {
		if (is_letter_or_digit(name[i]))
			significant = true;
		else if (name[i] != '_')
			return false;
	}
	return significant;
}

bool name_is_user_table(const char *name, size_t size)
{
	return name_is_identifier(name, size) && name[0] != '_';
}

bool name_is_field(const char *name, size_t size)
{
	if (size > FIELD_NAME_MAX_SIZE || (size > 0 && name[0] == '$'))
		return false;
	for (size_t i = 0; i < size; i++)
		if (name[i] < 0x20 || name[i] > 0x7e)
			return false;
	return true;
}

bool name_is_identifier_field(const char *name, size_t size)
{
	return name_is_identifier(name, size); /* all of them are field names */
}

bool name_is_component_path(const char *path, size_t size)
{
	const char *segment = path, *end = path + size;

	if (size == 0)
		return true;
	for (;;) {
		size_t rest = (size_t)(end - segment);
		const char *slash = memchr(segment, '/', rest);

		if (!slash)
			return name_is_identifier(segment, rest);
		if (!name_is_identifier(segment, (size_t)(slash - segment)))
			return false;
		segment = slash + 1;
	}
}

static bool equals(const char *name, size_t size, const char *want)
{
	return size == strlen(want) && memcmp(name, want, size) == 0;
}

enum index_name name_check_index(const char *name, size_t size)
{
	static const char exception[] = "_fivetran";
	const size_t exception_size = sizeof(exception) - 1;

	if (!name_is_identifier(name, size))
		return INDEX_NAME_INVALID;
	if (equals(name, size, "by_id") ||
	    equals(name, size, "by_creation_time"))
		return INDEX_NAME_RESERVED;
	if (name[0] != '_')
		return INDEX_NAME_VALID;
	if (size >= exception_size &&
	    memcmp(name, exception, exception_size) == 0)
		return INDEX_NAME_VALID;
	return INDEX_NAME_RESERVED;
}
