/* What the words of `convexfs import` mean together. */
#include "fs/import_command.h"

#include <errno.h>
#include <string.h>

#include "cache/base/err.h"
#include "fs/option_read.h"
#include "importer/value/name.h"

/* import.md 6.1; case matters. FILE_FORMAT_NONE: the name does not tell. */
static enum file_format format_of_name(const char *path)
{
	const char *base = strrchr(path, '/');
	const char *dot = strrchr(base ? base + 1 : path, '.');

	if (!dot)
		return FILE_FORMAT_NONE;
	if (strcmp(dot, ".csv") == 0)
		return FILE_FORMAT_CSV;
	if (strcmp(dot, ".jsonl") == 0)
		return FILE_FORMAT_JSON_LINES;
	if (strcmp(dot, ".json") == 0)
		return FILE_FORMAT_JSON_ARRAY;
	return strcmp(dot, ".zip") == 0 ? FILE_FORMAT_ZIP : FILE_FORMAT_NONE;
}

static int find_format(struct import_options *o, const char **ret_warning,
		       struct cvx_err *err)
{
	enum file_format named = format_of_name(o->path);

	*ret_warning = NULL;
	if (o->format == FILE_FORMAT_NONE) {
		o->format = named;
		if (named == FILE_FORMAT_NONE)
			return cvx_fail(err, -EINVAL,
					"the name %s does not tell the format; "
					"give it with --format: csv, "
					"jsonLines, jsonArray or zip",
					o->path);
	} else if (named != FILE_FORMAT_NONE && named != o->format) {
		*ret_warning = "the file is read as --format says, not as its "
			       "name ends";
	}
	return 0;
}

static int check_table(const struct import_options *o, struct cvx_err *err)
{
	if (o->format == FILE_FORMAT_ZIP && o->table)
		return cvx_fail(err, -EINVAL,
				"a zip names its tables itself; --table does "
				"not go with it");
	if (o->format != FILE_FORMAT_ZIP && !o->table)
		return cvx_fail(err, -EINVAL,
				"--table is missing: the table that the rows "
				"go to");
	if (o->table && !name_is_identifier(o->table, strlen(o->table)))
		return cvx_fail(err, -EINVAL,
				"'%s' cannot be the name of a table: names "
				"have up to %d letters, digits and _, and "
				"begin with no digit",
				o->table, NAME_MAX_SIZE);
	if (o->component &&
	    !name_is_component_path(o->component, strlen(o->component)))
		return cvx_fail(err, -EINVAL,
				"'%s' cannot be the path of a component",
				o->component);
	return 0;
}

static int add_path(void *options, const char *word, struct cvx_err *err)
{
	struct import_options *o = options;

	if (!*word)
		return cvx_fail(err, -EINVAL, "an empty word is no file");
	if (o->path)
		return cvx_fail(err, -EINVAL,
				"too many words: one file is imported at a "
				"time");
	return options_set_text(&o->path, word, err);
}

int import_options_read(struct import_options *o, int argc, char *const argv[],
			const char **ret_warning, struct cvx_err *err)
{
	int r = options_read(&import_command_options, o, argc, argv, add_path,
			     err);

	if (r != 0)
		return r < 0 ? r : 0;
	if (!o->path)
		return cvx_fail(err, -EINVAL,
				"the file is missing; - is standard input");
	if (o->append + o->replace + o->replace_all > 1)
		return cvx_fail(err, -EINVAL,
				"--append, --replace and --replace-all exclude "
				"each other");
	r = find_format(o, ret_warning, err);
	return r < 0 ? r : check_table(o, err);
}

enum import_mode import_options_mode(const struct import_options *o)
{
	if (o->append)
		return IMPORT_APPEND;
	if (o->replace)
		return IMPORT_REPLACE;
	return o->replace_all ? IMPORT_REPLACE_ALL : IMPORT_REQUIRE_EMPTY;
}
