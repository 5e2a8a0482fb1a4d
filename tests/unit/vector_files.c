#include "tests/unit/vector_files.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/convert.h"
#include "tests/unit/unit.h"

cJSON *vector_read(const char *path)
{
	char *text = unit_read_file(path, NULL);
	cJSON *root = cJSON_Parse(text);

	free(text);
	assert_non_null(root);
	return root;
}

const char *vector_string(const cJSON *object, const char *key)
{
	return cJSON_GetStringValue(cJSON_GetObjectItem(object, key));
}

char *vector_input(const cJSON *one, size_t *ret_size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *text = vector_string(one, "input");
	const char *base64 = vector_string(one, "input_base64");
	unsigned bits = 0, bit_count = 0;
	char *out;

	if (text) {
		*ret_size = strlen(text);
		return strdup(text);
	}
	assert_non_null(base64);
	out = malloc(strlen(base64) + 1);
	assert_non_null(out);
	*ret_size = 0;
	for (; *base64 && *base64 != '='; base64++) {
		bits = bits << 6 | (unsigned)(strchr(digits, *base64) - digits);
		bit_count += 6;
		if (bit_count >= 8) {
			bit_count -= 8;
			out[(*ret_size)++] = (char)(bits >> bit_count);
		}
	}
	return out;
}

static void check_case(const cJSON *one, enum format_kind kind)
{
	const char *error = vector_string(one, "error");
	const cJSON *row = cJSON_GetObjectItem(one, "row");
	struct converted c;
	size_t size;
	char *text = vector_input(one, &size);

	print_message("# %s\n", vector_string(one, "name"));
	convert_text(kind, text, size, DOCUMENT_PLAIN, 0, &c);
	if (error && strcmp(error, "Utf8BomNotSupported") == 0) {
		/* filesystem.md M-8: removed, as the official client does. */
		EXPECT_INT(c.refused_count, 0);
	} else if (error) {
		assert_true(c.error_count > 0);
		assert_string_equal(c.errors[0].err.name, error);
		if (row)
			EXPECT_INT(c.errors[0].row, row->valueint);
	} else {
		EXPECT_INT(c.refused_count, 0);
		EXPECT_INT(c.document_count,
			   cJSON_GetObjectItem(one, "rows")->valueint);
	}
	converted_fini(&c);
	free(text);
}

int vector_files_check(const char *format, enum format_kind kind)
{
	cJSON *root = vector_read("tests/data/vectors/json_files.json");
	const cJSON *one;
	int count = 0;

	cJSON_ArrayForEach(one, cJSON_GetObjectItem(root, "cases"))
	{
		if (strcmp(vector_string(one, "format"), format) != 0)
			continue;
		check_case(one, kind);
		count++;
	}
	cJSON_Delete(root);
	return count;
}
