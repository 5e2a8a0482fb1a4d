#include "fs/stored.h"

#include <stdio.h>
#include <string.h>

#include "importer/stored_file.h"
#include "importer/value/mime.h"

#define NS_PER_MS 1000000

/* The latest time that fits, in the year 2262. */
#define MS_MAX ((double)(INT64_MAX / NS_PER_MS))

void stored_name(const struct stored_file *f, char ret[TREE_NAME_MAX + 1])
{
	const char *ext =
		f->content_type ? mime_extension(f->content_type) : NULL;

	(void)snprintf(ret, TREE_NAME_MAX + 1, "%s%s%s", f->id, ext ? "." : "",
		       ext ? ext : "");
}

const char *stored_type(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? mime_type_of_extension(dot + 1) : NULL;
}

int64_t stored_mtime_ns(const struct stored_file *f)
{
	return f->creation_time < MS_MAX
		       ? (int64_t)(f->creation_time * NS_PER_MS)
		       : INT64_MAX;
}

uint64_t stored_version(const struct stored_file *f)
{
	uint64_t version;

	memcpy(&version, f->sha256, sizeof(version));
	version ^= (uint64_t)stored_mtime_ns(f);
	return version ? version : 1;
}
