/* importer/value/document: what is told of a line without reading all of it. */
#include "importer/value/document.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

#define TABLE 10001
#define ID "j5702081040g2081040g2081056hakwm"

/* import.md 7.3.2 */
TEST(document_table_number_is_found_in_the_first_row)
{
	static const struct {
		const char *row;
		uint32_t number; /* 0: none */
	} cases[] = {
		{"{\"_id\":\"" ID "\"}", TABLE},
		{"{\"a\":{\"_id\":\"" ID "\"}}", 0},
		{"[{\"_id\":\"" ID "\"}]", 0},
		{"{\"x\":[{}],\"\\u005fid\":\"" ID "\",\"y\":1}", TABLE},
		{"{\"_id\":\"" ID "\",\"_id\":null}", 0},
		{"{\"_id\":null,\"_id\":\"" ID "\"}", TABLE},
		{"{\"_id\":{\"_id\":\"" ID "\"}}", 0},
		{"{\"_id\":\"x\"}", 0},
		{"{\"_id\":5}", 0},
		{"{\"_id\":\"" ID "\"", 0},
		{"{}", 0},
		{"", 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t number = 0;
		bool found = document_peek_table_number(
			cases[i].row, strlen(cases[i].row), &number);

		if (found != (cases[i].number != 0) ||
		    (found && number != cases[i].number))
			fail_msg("%s: %d %u", cases[i].row, found, number);
	}
}

/* filesystem.md M-7 */
TEST(document_export_lines_are_told_byte_by_byte)
{
	static const struct {
		const char *line;
		bool is;
	} cases[] = {
		{"{\"_creationTime\":1.0,\"_id\":\"" ID "\"}", true},
		{"{\"_creationTime\":1.0,\"_id\":\"" ID "\",\"a\":5}", true},
		{"{\"A\":1.5,\"_creationTime\":1.0,\"_id\":\"" ID "\"}", true},
		{"{\"_creationTime\":1,\"_id\":\"" ID "\"}", false},
		{"{\"_creationTime\":1.0,\"_id\":\"" ID "\"} ", false},
		{"{\"_creationTime\":1.0, \"_id\":\"" ID "\"}", false},
		{"{\"_id\":\"" ID "\",\"_creationTime\":1.0}", false},
		{"{\"_creationTime\":1.0,\"_id\":\"" ID "\",\"a\":5.00}",
		 false},
		{"{\"_creationTime\":1.0,\"_id\":\"x\"}", false},
		{"{\"_creationTime\":1.0}", false},
		{"{\"_id\":\"" ID "\"}", false},
		{"{}", false},
		{"", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (document_is_export_line(cases[i].line,
					    strlen(cases[i].line)) !=
		    cases[i].is)
			fail_msg("%s", cases[i].line);
}

TEST(document_line_id_finds_the_id_behind_other_fields)
{
	const char *line = "{\"A\":{\"_id\":\"x\"},\"_creationTime\":1.0,"
			   "\"_id\":\"" ID "\",\"b\":\"_id\"}";
	struct internal_id id, want;
	uint32_t table;

	EXPECT_INT(document_line_id(line, strlen(line), &id), 0);
	EXPECT_INT(id_decode(ID, strlen(ID), &table, &want), 0);
	EXPECT_INT(id_compare(&id, &want), 0);
	EXPECT_INT(document_line_id("{\"a\":1.0}", 9, &id), -EINVAL);
	EXPECT_INT(document_line_id("garbage", 7, &id), -EINVAL);
}

UNIT_MAIN(UNIT_CASE(document_table_number_is_found_in_the_first_row),
	  UNIT_CASE(document_export_lines_are_told_byte_by_byte),
	  UNIT_CASE(document_line_id_finds_the_id_behind_other_fields))
