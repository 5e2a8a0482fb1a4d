#include "importer/server/mode.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *word, *record;
	enum import_mode mode;
} modes[] = {
	{"requireEmpty", "RequireEmpty", IMPORT_REQUIRE_EMPTY},
	{"append", "Append", IMPORT_APPEND},
	{"replace", "Replace", IMPORT_REPLACE},
	{"replaceAll", "ReplaceAll", IMPORT_REPLACE_ALL},
};
#define MODE_COUNT (sizeof(modes) / sizeof(*modes))

static const struct {
	const char *word, *record, *extension;
	enum format_kind format;
} formats[] = {
	{"csv", "csv", "csv", FORMAT_CSV},
	{"jsonLines", "jsonl", "jsonl", FORMAT_JSONL},
	{"jsonArray", "json_array", "json", FORMAT_JSON},
};
#define FORMAT_COUNT (sizeof(formats) / sizeof(*formats))

bool mode_read(const char *text, enum import_mode *ret)
{
	size_t i;

	for (i = 0; i < MODE_COUNT; i++) {
		if (strcmp(modes[i].word, text) == 0) {
			*ret = modes[i].mode;
			return true;
		}
	}
	return false;
}

bool mode_read_format(const char *text, enum format_kind *ret)
{
	size_t i;

	for (i = 0; i < FORMAT_COUNT; i++) {
		if (strcmp(formats[i].word, text) == 0) {
			*ret = formats[i].format;
			return true;
		}
	}
	return false;
}

bool mode_is_format(const char *text)
{
	enum format_kind format;

	return strcmp(text, "zip") == 0 || mode_read_format(text, &format);
}

const char *mode_extension(enum format_kind format)
{
	size_t i;

	for (i = 0; i < FORMAT_COUNT; i++)
		if (formats[i].format == format)
			return formats[i].extension;
	return "";
}

const char *mode_record_name(const char *mode)
{
	size_t i;

	for (i = 0; i < MODE_COUNT; i++)
		if (strcmp(modes[i].word, mode) == 0)
			return modes[i].record;
	return NULL;
}

const char *mode_record_format(const char *format)
{
	size_t i;

	if (strcmp(format, "zip") == 0)
		return "zip";
	for (i = 0; i < FORMAT_COUNT; i++)
		if (strcmp(formats[i].word, format) == 0)
			return formats[i].record;
	return NULL;
}
