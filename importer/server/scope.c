#include "importer/server/scope.h"

#include <string.h>

#define PRIME UINT64_C(0x100000001b3)

uint64_t scope_add(uint64_t scope, const void *bytes, size_t size)
{
	const unsigned char *p = bytes, *end = p + size;

	for (; p < end; p++)
		scope = (scope ^ *p) * PRIME;
	return scope;
}

uint64_t scope_add_text(uint64_t scope, const char *text)
{
	return text ? scope_add(scope, text, strlen(text) + 1)
		    : scope_add(scope, "\377", 1);
}
