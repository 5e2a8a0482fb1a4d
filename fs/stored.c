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

static int64_t mtime_ns(const struct stored_file *f)
{
	return f->creation_time < MS_MAX
		       ? (int64_t)(f->creation_time * NS_PER_MS)
		       : INT64_MAX;
}

/* Differs, as good as surely, for another content or time. */
struct view_revision stored_revision(const struct stored_file *f)
{
	struct view_revision ret = {
		.size = f->size,
		.committed_ns = mtime_ns(f),
	};

	memcpy(&ret.revision, f->sha256, sizeof(ret.revision));
	ret.revision ^= (uint64_t)ret.committed_ns;
	if (ret.revision == 0)
		ret.revision = 1;
	return ret;
}

struct view_revision stored_list_revision(const struct storage_info *info)
{
	return (struct view_revision){
		.revision = info->revision + 1, /* 0: there never was a file */
		.size = info->documents_size,
		.committed_ns = info->committed_ns,
	};
}
