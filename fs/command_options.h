/*
 * command_options: the command lines of `convexfs import` and the like, read.
 *
 * Each struct is filled by options_read() with the table of its command
 * (option_table.h), begins as zeros, and is ended by options_free().
 */
#ifndef CVX_FS_COMMAND_OPTIONS_H
#define CVX_FS_COMMAND_OPTIONS_H

#include <stdbool.h>

/* import.md 6.1 */
enum file_format {
	FILE_FORMAT_NONE, /* none is given */
	FILE_FORMAT_CSV,
	FILE_FORMAT_JSON_LINES,
	FILE_FORMAT_JSON_ARRAY,
	FILE_FORMAT_ZIP,
};

/* "csv", "jsonLines", "jsonArray", "zip". */
const char *file_format_name(enum file_format format);

struct import_options {
	bool help;
	char *source; /* NULL: none was given; so are the other texts */
	char *env_file;
	char *path; /* "-": standard input */
	char *table;
	char *component;
	enum file_format format;
	bool append, replace, replace_all; /* one of them at most */
	bool yes;
	bool json;
	/* What selects a deployment elsewhere; see fs/source.h. */
	char *url;
	char *admin_key;
	bool prod;
	char *preview_name;
	char *deployment_name;
	char *deployment;
};

struct export_options {
	bool help;
	char *source;
	char *env_file;
	char *path; /* "-": standard output */
	bool include_file_storage;
	bool json;
	/* As in struct import_options. */
	char *url;
	char *admin_key;
	bool prod;
	char *preview_name;
	char *deployment_name;
	char *deployment;
};

struct serve_options {
	bool help;
	char *source; /* NULL: none was given; so are the other texts */
	char *env_file;
	char *listen;
	bool allow_remote;
	bool debug;
};

struct status_options {
	bool help;
	char *place; /* a mount point; with show_key a source */
	char *env_file;
	bool show_key;
	bool json;
};

#endif
