/* importer/value/mime: import.md 6.7 (contentType) and 13.4. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "importer/value/mime.h"
#include "tests/unit/unit.h"
#include "tests/unit/vector_files.h"

static void check_extensions(const cJSON *list)
{
	const cJSON *one;

	assert_true(cJSON_GetArraySize(list) > 0);
	cJSON_ArrayForEach(one, list)
	{
		const char *type = vector_string(one, "content_type");
		const char *want = vector_string(one, "extension");
		const char *got = mime_extension(type);

		if ((got == NULL) != (want == NULL) ||
		    (got && strcmp(got, want) != 0))
			fail_msg("%s: %s, not %s", type, got ? got : "none",
				 want ? want : "none");
	}
}

TEST(extensions_are_those_of_the_vectors)
{
	cJSON *file = vector_read("tests/data/vectors/mime_extensions.json");

	check_extensions(cJSON_GetObjectItem(file, "examples"));
	check_extensions(cJSON_GetObjectItem(file, "cases"));
	cJSON_Delete(file);
}

TEST(a_name_tells_the_type_in_letters_of_any_case)
{
	static const struct {
		const char *extension, *type;
	} cases[] = {
		{"png", "image/png"},
		{"PNG", "image/png"},
		{"jpg", "image/jpeg"},
		{"jpeg", "image/jpeg"},
		{"txt", "text/plain"},
		{"html", "text/html"},
		{"zip", "application/zip"},
		{"mp3", "audio/mpeg"},
		{"wav", "audio/wave"},
		{"xml", "application/xml"},
		{"nosuch", NULL},
		{"", NULL},
		{"pn", NULL},
		{"pngg", NULL},
		{"a-very-long-extension-of-many-letters-and-more", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = mime_type_of_extension(cases[i].extension);

		if (!cases[i].type)
			assert_null(got);
		else
			EXPECT_TEXT(got ? got : "", got ? strlen(got) : 0,
				    cases[i].type);
	}
}

/* NULL: refused. */
static void check_normal(const char *text, const char *want)
{
	size_t size = strlen(text);
	char *copy = strdup(text);

	assert_non_null(copy);
	if (mime_normalise(copy, &size) < 0)
		size = SIZE_MAX;
	if (!want && size != SIZE_MAX)
		fail_msg("'%s' is taken as '%.*s'", text, (int)size, copy);
	if (want && size == SIZE_MAX)
		fail_msg("'%s' is refused", text);
	if (want)
		EXPECT_TEXT(copy, size, want);
	free(copy);
}

TEST(content_types_have_a_normal_form)
{
	check_normal("IMAGE/PNG", "image/png");
	check_normal("text/html;", "text/html");
	check_normal("text/html;  ", "text/html");
	check_normal("text/html; charset=UTF-8", "text/html; charset=utf-8");
	check_normal("text/html;CharSet=\"UTF-8\"",
		     "text/html;charset=\"utf-8\"");
	check_normal("Text/Plain; A=B;   C=\"d; E\"",
		     "text/plain; a=B;   c=\"d; E\"");
	check_normal("a/b; c=d;", "a/b; c=d;");
	check_normal("a/b; c=\"d\"  ; e=f", "a/b; c=\"d\"  ; e=f");
	check_normal("a/b;c=", "a/b;c=");
	check_normal("image/svg+XML", "image/svg+xml");
	check_normal("image/", "image/");
	check_normal("a/b; c=\"\xc3\xbc\"", "a/b; c=\"\xc3\xbc\"");
}

TEST(what_is_no_content_type_is_refused)
{
	static const char *const cases[] = {
		"",	      "image",	    "/png",	    " image/png",
		"image/png ", "image /png", "a/b/c",	    "image/;",
		"a/b;c",      "a/b;=d",	    "a/b;c=;d=e",   "a/b;c=\"d",
		"a/b;c=d e",  "a/b;;",	    "a/b;c=\"d\"e", "a/b;c=\"\n\"",
		"a/\xc3\xbc", "a/b, c/d",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_normal(cases[i], NULL);
}

TEST(a_content_type_has_a_largest_size)
{
	char text[MIME_TYPE_MAX + 1];
	size_t size = MIME_TYPE_MAX;

	memset(text, 'a', sizeof(text));
	text[1] = '/';
	EXPECT_INT(mime_normalise(text, &size), 0);
	size++;
	EXPECT_INT(mime_normalise(text, &size), -EINVAL);
}

UNIT_MAIN(UNIT_CASE(extensions_are_those_of_the_vectors),
	  UNIT_CASE(a_name_tells_the_type_in_letters_of_any_case),
	  UNIT_CASE(content_types_have_a_normal_form),
	  UNIT_CASE(what_is_no_content_type_is_refused),
	  UNIT_CASE(a_content_type_has_a_largest_size))
